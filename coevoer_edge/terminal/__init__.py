"""What the commands say on a terminal: steps, progress, errors."""

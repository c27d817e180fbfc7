"""What the commands print: steps, progress and errors."""

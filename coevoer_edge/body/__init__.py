"""The body: SMPL-X joint names, the open body, and a light numpy layer that poses either."""

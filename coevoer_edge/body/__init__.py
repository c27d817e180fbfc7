"""The body: SMPL-X joint names, the open body, and layers that pose it or an SMPL-X model."""

"""The command `run`: a bundle on images, a video or a camera."""

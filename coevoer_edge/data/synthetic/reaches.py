"""Targets for hands: places and orientations that are typical of people in front of a camera.

In: nothing. Out: tables of `Reach`, all for a left hand (x to the person's left, y up, z forward).
"""

from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Reach:
    """A target for a left hand, in the chest's frame, m, for a person 1.72 m tall."""

    place: Vector
    fingers: Vector  # direction of the fingers; at rest the hand's +x
    palm: Vector  # direction that the palm faces; at rest the hand's -y
    hands: tuple[str, ...] = ()  # poses of the hand; empty: any pose
    spread_m: Vector = (0.06, 0.06, 0.05)
    spread_deg: float = 14.0
    weight: float = 1.0
    by_palm: bool = False  # in `FACE_REACHES`: the palm reaches the place, not the fingertips


_OPEN, _GRIP = ("flat", "open", "relaxed", "spread"), ("handle", "fist", "half closed", "cup")
_COUNT = ("pointing", "V", "three", "four", "spread", "thumb and index", "horns", "telephone", "index on thumb")

REACHES: dict[str, Reach] = {
    "speaking": Reach((0.20, -0.22, 0.32), (-0.3, 0.3, 0.9), (-0.8, 0.2, 0), (), (0.09, 0.08, 0.08), 28, 3),
    "palm up": Reach((0.24, -0.22, 0.33), (0.1, 0.1, 1), (-0.3, 1, 0), _OPEN, (0.09, 0.07, 0.07), 18, 1.5),
    "palm down": Reach((0.20, -0.20, 0.36), (-0.4, 0, 1), (-0.1, -1, 0), _OPEN, (0.1, 0.08, 0.08), 18),
    "typing": Reach(
        (0.13, -0.36, 0.36), (-0.25, 0, 1), (0, -1, 0.1), ("typing", "relaxed"), (0.04, 0.04, 0.05), 8, 1.5
    ),
    "writing": Reach((0.08, -0.36, 0.34), (-0.5, -0.1, 0.8), (-0.5, -0.8, 0), ("pen",), (0.06, 0.04, 0.05), 10, 0.7),
    "stop": Reach((0.22, 0.02, 0.38), (0, 1, 0.1), (0, -0.1, 1), ("flat", "spread", "open"), (0.1, 0.1, 0.06), 14, 1.5),
    "wave": Reach((0.36, 0.16, 0.20), (0.1, 1, 0.1), (0, 0, 1), _OPEN, (0.08, 0.1, 0.07), 20, 1.5),
    "counting": Reach((0.22, 0.05, 0.26), (0, 1, 0.1), (-0.1, 0, 1), _COUNT, (0.09, 0.1, 0.06), 16, 2.5),
    "counting back": Reach((0.16, 0.02, 0.26), (-0.3, 1, 0), (-0.2, 0, -1), _COUNT, (0.08, 0.1, 0.05), 16),
    "thumb up": Reach((0.16, -0.08, 0.34), (-0.6, 0, 0.6), (-0.6, 0, -0.6), ("thumbs up",), (0.1, 0.1, 0.05), 14, 1.5),
    "at you": Reach((0.17, -0.02, 0.48), (-0.1, 0.05, 1), (-0.4, -0.8, 0), ("pointing",), (0.1, 0.1, 0.05), 12),
    "point up": Reach((0.22, 0.12, 0.24), (0, 1, 0.1), (-0.7, 0, 0.5), ("pointing",), (0.08, 0.12, 0.06), 14),
    "point aside": Reach((0.55, 0.05, 0.22), (1, 0.1, 0.3), (0, -0.4, 0.8), ("pointing",), (0.08, 0.15, 0.1), 14),
    "point across": Reach((-0.08, -0.04, 0.34), (-1, 0.2, 0.2), (0, -0.4, -0.8), ("pointing",), (0.07, 0.08, 0.04), 14),
    "present": Reach((0.46, -0.12, 0.26), (0.8, 0.1, 0.5), (-0.2, 0.8, 0.5), _OPEN, (0.09, 0.12, 0.08), 18, 1.5),
    "shrug": Reach((0.40, -0.12, 0.22), (0.7, 0.1, 0.5), (0.1, 1, 0.1), _OPEN, (0.05, 0.07, 0.06), 12),
    "overhead": Reach((0.20, 0.54, 0.10), (0, 1, 0.2), (-0.3, 0, 0.9), (), (0.14, 0.07, 0.1), 30, 1.5),
    "behind the head": Reach((0.08, 0.20, -0.10), (-0.9, 0.3, -0.1), (0, 0, 1), ("flat", "relaxed"), (0.02,) * 3, 10),
    "mug": Reach((0.10, -0.14, 0.30), (-0.6, 0.1, 0.5), (-0.5, 0, -0.6), ("handle", "cup"), (0.08, 0.1, 0.04), 10, 1.2),
    "drinking": Reach((0.05, 0.10, 0.24), (-0.6, 0.5, -0.1), (-0.5, 0, -0.6), ("handle", "cup"), (0.03,) * 3, 10, 0.7),
    "phone": Reach(
        (0.10, -0.14, 0.34), (-0.2, 0.9, 0.4), (-0.2, 0.4, -0.9), ("tablet", "cup"), (0.07, 0.08, 0.05), 10, 1.2
    ),
    "selfie": Reach(
        (0.24, 0.16, 0.46), (-0.2, 0.9, 0.2), (-0.1, 0.2, -0.9), ("tablet", "cup"), (0.1, 0.1, 0.05), 14, 0.7
    ),
    "on the heart": Reach((-0.02, -0.13, 0.165), (-0.9, 0.35, -0.1), (0, 0.05, -1), _OPEN, (0.03, 0.04, 0.01), 8),
    "on the shoulder": Reach(
        (-0.19, -0.02, 0.11), (-0.8, 0.3, -0.5), (-0.1, -0.5, -0.8), _OPEN, (0.02, 0.03, 0.02), 8, 0.7
    ),
    "on the belly": Reach((0.0, -0.32, 0.18), (-0.95, -0.1, 0), (0, 0, -1), _OPEN, (0.05, 0.04, 0.02), 8, 0.7),
    "folded": Reach(
        (-0.10, -0.20, 0.20),
        (-0.9, 0.25, -0.15),
        (-0.1, -0.4, -0.9),
        ("relaxed", "fist", "flat"),
        (0.02, 0.03, 0.02),
        9,
    ),
    "reaching": Reach((0.20, -0.05, 0.52), (0, 0.1, 1), (-0.5, -0.5, 0), (), (0.16, 0.2, 0.06), 30, 1.5),
    "anywhere": Reach((0.20, -0.08, 0.30), (-0.2, 0.4, 0.4), (-0.5, -0.1, 0.1), (), (0.17, 0.19, 0.11), 75, 5),
}

FACE_REACHES: dict[str, Reach] = {
    "cheek": Reach(
        (0.055, -0.005, 0.105), (-0.25, 0.9, 0.1), (-0.7, 0, -0.7), ("flat", "relaxed", "fist"), (0.01,) * 3
    ),
    "chin": Reach(
        (0.01, -0.075, 0.115),
        (-0.6, 0.65, -0.2),
        (-0.2, 0.3, -0.9),
        ("relaxed", "half closed", "index on thumb", "fist", "cup"),
        (0.015,) * 3,
        18,
        1.5,
    ),
    "mouth": Reach(
        (0.0, -0.01, 0.14), (-0.75, 0.65, 0), (-0.1, 0, -1), ("flat", "relaxed", "half closed", "open"), (0.015,) * 3
    ),
    "finger on lips": Reach((0.0, -0.02, 0.14), (-0.2, 0.95, -0.1), (-0.8, 0, -0.5), ("pointing",), (0.008,) * 3),
    "glasses": Reach(
        (0.075, 0.043, 0.09), (-0.3, 0.75, -0.5), (-0.8, 0, -0.4), ("index on thumb", "relaxed", "pen"), (0.01,) * 3
    ),
    "nose": Reach(
        (0.0, 0.03, 0.14), (-0.5, 0.8, -0.3), (-0.5, 0, -0.8), ("pointing", "index on thumb"), (0.01,) * 3, 14, 0.7
    ),
    "temple": Reach(
        (0.085, 0.065, 0.06), (-0.6, 0.7, -0.1), (-0.5, 0, -0.8), ("pointing", "thumb and index", "V"), (0.012,) * 3
    ),
    "forehead": Reach(
        (0.02, 0.095, 0.13), (-0.8, 0.5, -0.1), (0, -0.2, -1), ("flat", "relaxed", "half closed"), (0.02, 0.01, 0.01)
    ),
    "salute": Reach((0.08, 0.09, 0.10), (-0.8, 0.45, 0.1), (0.1, -0.8, 0.4), ("flat",), (0.01,) * 3, 10, 0.6),
    "ear": Reach(
        (0.105, -0.005, 0.04),
        (0.1, 0.95, -0.25),
        (-0.95, 0, -0.3),
        ("cup", "tablet", "relaxed", "flat"),
        (0.012,) * 3,
        12,
        1.5,
        by_palm=True,
    ),
    "hair": Reach(
        (0.085, 0.06, 0.0), (-0.35, 0.55, -0.75), (-0.9, -0.1, -0.3), ("half closed", "claw", "relaxed"), (0.015,) * 3
    ),
    "top of the head": Reach(
        (0.045, 0.165, 0.03), (-0.7, 0.2, -0.65), (-0.3, -0.9, 0), ("claw", "half closed", "relaxed"), (0.02,) * 3
    ),
    "neck": Reach(
        (0.065, -0.06, -0.03),
        (-0.5, 0.2, -0.85),
        (-0.8, 0, 0.4),
        ("flat", "half closed", "relaxed"),
        (0.012,) * 3,
        12,
        0.8,
    ),
}
"""Like `REACHES`, but for the tips of the index and middle finger, in the head's frame."""

"""ARKit weights: the names, the bounds, known faces, and what is never shown."""

import json
from pathlib import Path

import numpy as np
import pytest

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.errors import InputError
from coevoer_edge.output.avatar.arkit import ARKIT_NAMES, ARKIT_PATH, arkit_map, arkit_weights

AT = {name: i for i, name in enumerate(ARKIT_NAMES)}
DIRECTIONS = [str(name) for name in BodyModel.open().extras["expression_names"]]
CLOSED = np.eye(3)


def face(**coefficients: float) -> np.ndarray:
    return np.array([coefficients.get(name, 0.0) for name in DIRECTIONS])


def jaw(*degrees: float) -> np.ndarray:
    return axis_angle_to_matrix(np.radians(degrees))


def shown(weights: np.ndarray) -> dict[str, float]:
    return {name: round(float(w), 4) for name, w in zip(ARKIT_NAMES, weights, strict=True) if w > 1e-9}


def test_there_are_52_names():
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
    assert ARKIT_NAMES[0] == "eyeBlinkLeft"
    assert ARKIT_NAMES[-1] == "tongueOut"


def test_rest_is_all_zero():
    assert shown(arkit_weights(face(), CLOSED)) == {}


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [
        ({"smile": 2.0}, {"mouthSmile": 1.0, "cheekSquint": 0.5}),
        ({"smile": 1.0}, {"mouthSmile": 0.5, "cheekSquint": 0.25}),
        ({"eyes_closed": 2.0}, {"eyeBlink": 1.0}),
        ({"brows_down": 1.0, "sneer": 0.5}, {"browDown": 0.5, "noseSneer": 0.25}),
        ({"mouth_frown": 4.0}, {"mouthFrown": 1.0}),
        ({"smile": -1.0}, {}),
    ],
)
def test_known_faces(coefficients, expected):
    both = {name + side: value for name, value in expected.items() for side in ("Left", "Right")}
    assert shown(arkit_weights(face(**coefficients), CLOSED)) == both


def test_the_jaw():
    full = json.loads(ARKIT_PATH.read_text())["jaw"]["jawOpen"]["full_deg"]
    assert 15 < full < 30
    assert shown(arkit_weights(face(), jaw(full / 2, 0, 0))) == {"jawOpen": 0.5}
    assert shown(arkit_weights(face(), jaw(2 * full, 0, 0))) == {"jawOpen": 1.0}
    assert shown(arkit_weights(face(), jaw(-5, 0, 0))) == {}
    left, right = (shown(arkit_weights(face(), jaw(0, degrees, 0))) for degrees in (2, -2))
    assert set(left) == {"jawLeft"}
    assert set(right) == {"jawRight"}
    assert left["jawLeft"] == right["jawRight"]


def test_open_jaw_turns_down_and_left_turns_to_the_left():
    """What `test_the_jaw` takes for opening and left is that on the body."""
    body = BodyModel.open()
    chin = (np.asarray(body.file.v_template) * (body.file.weights[:, 22:23] > 0.9)).argmin(0)[1]
    arm = body.file.v_template[chin] - body.joint_template[22]
    assert (jaw(10, 0, 0) @ arm)[1] < arm[1]
    assert (jaw(0, 10, 0) @ arm)[0] > arm[0]


def test_any_face_is_within_bounds_and_never_shows_what_cannot_be_seen():
    rng = np.random.default_rng(0)
    never = arkit_map().never
    assert {n for n in ARKIT_NAMES if n.startswith("eyeLook")} | {"tongueOut", "jawForward"} <= never.keys()
    assert all(never.values())
    seen = np.zeros(52)
    for _ in range(200):
        weights = arkit_weights(rng.normal(0, 2, 10), axis_angle_to_matrix(rng.normal(0, 0.3, 3)))
        assert ((weights >= 0) & (weights <= 1)).all()
        seen = np.maximum(seen, weights)
    assert {name for name in ARKIT_NAMES if seen[AT[name]] == 0} == never.keys()


def test_the_guide_has_the_table_of_the_file():
    from derive.arkit import table

    guide = (Path(__file__).parents[3] / "docs" / "guides" / "avatars.md").read_text()
    assert table(json.loads(ARKIT_PATH.read_text())) in guide


def test_every_direction_is_met():
    table = json.loads(ARKIT_PATH.read_text())
    assert table["expression_names"] == DIRECTIONS
    assert max(table["relative_miss"].values()) < 1e-3


def test_refusals():
    with pytest.raises(InputError, match=r"`expression` is \(50,\) and jaw_pose \(3, 3\)"):
        arkit_weights(np.zeros(50), CLOSED)
    with pytest.raises(InputError, match=r"jaw_pose \(3,\)"):
        arkit_weights(np.zeros(10), np.zeros(3))


@pytest.mark.slow
def test_deriving_again_gives_the_same_file():
    pytest.importorskip("anny", reason="anny comes with the extra derive")
    from derive.arkit import derive

    assert derive() == json.loads(Path(ARKIT_PATH).read_text())

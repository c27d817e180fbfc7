"""The view of the person: the crop shows what its framing specifies, and labels and picture agree."""

import numpy as np
import pytest

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.synthetic.person import draw_person
from coevoer_edge.data.synthetic.view import FRAMINGS, SHOWS_LEGS, View, draw_framing, draw_view

BODY = BodyModel.open()


def views(framing: str, count: int = 20) -> list[tuple[View, np.ndarray]]:
    """Views, and the joints in the camera's frame."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        joints = BODY.pose(draw_person(rng, legs_seen=framing in SHOWS_LEGS)).joints.astype(np.float64)
        view = draw_view(rng, framing, joints)
        found.append((view, joints @ view.rotation.T + view.translation_m))
    return found


@pytest.mark.parametrize("framing", FRAMINGS)
def test_rotations_are_rotations_and_the_camera_touches_nobody(framing):
    for view, joints in views(framing):
        for rotation in (view.rotation, view.towards_crop):
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
            assert np.linalg.det(rotation) > 0
        assert joints[:, 2].min() > 0.2
        assert view.focal_px > 0


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_head_is_mostly_in_the_crop(framing):
    size = np.array((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX))
    inside = 0
    for view, joints in views(framing, 40):
        head = joints[JOINT_NAMES.index("head")]
        place = view.focal_px * head[:2] / head[2] + view.principal_px
        inside += bool(((place > 0) & (place < size)).all())
    assert inside >= 30


def test_wider_framings_show_the_person_smaller():
    def neck_to_pelvis_px(framing: str) -> float:
        found = []
        for view, joints in views(framing, 40):
            pixels = view.focal_px * joints[:, :2] / joints[:, 2:]
            found.append(np.linalg.norm(pixels[JOINT_NAMES.index("neck")] - pixels[0]))
        return float(np.median(found))

    sizes = [neck_to_pelvis_px(framing) for framing in ("head and shoulders", "chest", "waist", "knees")]
    assert sizes == sorted(sizes, reverse=True)


def test_the_ray_through_the_crop_s_middle_becomes_the_axis():
    for view, _ in views("chest"):
        middle = np.array((contract.IMAGE_WIDTH_PX / 2, contract.IMAGE_HEIGHT_PX / 2))
        ray = np.array((*(middle - view.principal_px) / view.focal_px, 1.0))
        turned = view.towards_crop @ ray
        np.testing.assert_allclose(turned[:2], 0, atol=1e-9)
        assert turned[2] > 0


def test_frames_are_30_to_90_degrees_wide_and_crops_are_parts_of_them():
    angles = [
        np.degrees(2 * np.arctan(contract.IMAGE_HEIGHT_PX / 2 / view.focal_px))
        for framing in FRAMINGS
        for view, _ in views(framing)
    ]
    assert max(angles) <= 90.001
    assert np.percentile(angles, 95) > 45
    assert np.median(angles) > 15


def test_every_framing_is_drawn():
    rng = np.random.default_rng(0)
    assert {draw_framing(rng) for _ in range(300)} == set(FRAMINGS)

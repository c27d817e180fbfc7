"""Pictures: independence of the batch, labels and visibility that agree with the image, and JPEG compression."""

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.data.record import BODY_PARTS
from coevoer_edge.data.synthetic.background import paint_backgrounds
from coevoer_edge.data.synthetic.kinds import ALL_KINDS, KINDS
from coevoer_edge.data.synthetic.look import draw_look
from coevoer_edge.data.synthetic.photograph import jpeg
from coevoer_edge.data.synthetic.picture import Painter

CPU = torch.device("cpu")
PERSON, FACE, LEFT_HAND, RIGHT_HAND = range(4)
FOCAL_PX, DISTANCE_M = 200.0, 2.0


@cache
def painter():
    return Painter(BodyModel.open(), CPU)


def look(seed=0, domain="train", occluder="none"):
    drawn = draw_look(np.random.default_rng((9, seed)), domain)
    while drawn.occluder.kind != occluder:
        seed += 1000
        drawn = draw_look(np.random.default_rng((9, seed)), domain)
    return drawn


def standing(*, yaw_deg=0.0, left_elbow_deg=0.0, forward_m=0.0):
    """(1, V, 3): a body with level arms, turned, in front of the camera."""
    rest = SmplxParameters.rest()
    body_pose = rest.body_pose.copy()
    body_pose[17] = axis_angle_to_matrix(np.radians((0.0, -left_elbow_deg, 0.0)))
    turned = axis_angle_to_matrix(np.radians((180.0, 0, 0))) @ axis_angle_to_matrix(np.radians((0, yaw_deg, 0)))
    posed = BodyModel.open().pose(dataclasses.replace(rest, body_pose=body_pose, global_orient=turned[None]))
    vertices = posed.vertices - posed.joints[9] + np.array((0, 0, DISTANCE_M - forward_m), np.float32)
    return torch.from_numpy(vertices)[None].float()


def paint(vertices, looks, focal_px=FOCAL_PX, principal_px=(96.0, 128.0)):
    B = len(looks)
    return painter().paint(
        vertices.expand(B, -1, -1), torch.full((B,), focal_px), torch.tensor([principal_px]).expand(B, -1), looks
    )


def fields(picture):
    return picture.image, picture.mask, picture.part_seen, picture.labels


@pytest.mark.parametrize("domain", ["train", "held_out"])
def test_a_sample_looks_the_same_in_every_batch(monkeypatch, domain):
    looks = [look(seed, domain, kind) for seed, kind in enumerate(KINDS["occluder"][domain])][:4]
    together = paint(standing(), looks)
    monkeypatch.setattr("coevoer_edge.data.synthetic.picture._AT_ONCE", {"cpu": 3})
    at_once = paint(standing(), looks)
    alone = paint(standing(), looks[2:3])
    for whole, chunk, one in zip(fields(together), fields(at_once), fields(alone), strict=True):
        assert torch.equal(whole, chunk)
        assert torch.equal(whole[2:3], one)


def test_types_shapes_and_labels():
    picture = paint(standing(), [look(0), look(1, "train", "desk")])
    assert picture.image.shape == (2, 3, 256, 192)
    assert picture.image.dtype == picture.labels.dtype == torch.uint8
    assert torch.equal(picture.mask, picture.labels > 0)
    assert picture.labels.max() < len(BODY_PARTS)
    assert ((picture.part_seen >= 0) & (picture.part_seen <= 1)).all()
    assert 0.03 < picture.mask[0].float().mean() < 0.5
    assert (picture.image.float().flatten(1).std(1) > 3).all()


def test_left_is_the_persons_left():
    labels = paint(standing(), [look()], focal_px=160.0).labels[0]
    columns = {name: (labels == BODY_PARTS.index(name)).nonzero()[:, 1].float().mean() for name in BODY_PARTS[2:]}
    assert columns["left_arm"] > columns["torso"] > columns["right_arm"]  # it faces the camera
    assert columns["left_hand"] > columns["left_arm"]
    assert columns["right_hand"] < columns["right_arm"]


def test_hands_in_view_are_seen():
    seen = paint(standing(), [look()], focal_px=160.0).part_seen[0]
    assert (seen > 0.9).all()


def test_what_the_border_cuts_off_is_not_seen():
    seen = paint(standing(), [look()], focal_px=400.0).part_seen[0]
    assert seen[LEFT_HAND] == seen[RIGHT_HAND] == 0
    assert seen[FACE] > 0.9
    assert 0.1 < seen[PERSON] < 0.7


def test_a_hand_behind_the_trunk_is_not_seen():
    seen = paint(standing(yaw_deg=90.0), [look()]).part_seen[0]  # one arm points at the camera, one away from it
    hidden, plain = sorted((float(seen[LEFT_HAND]), float(seen[RIGHT_HAND])))
    assert hidden < 0.05
    assert plain > 0.9


def test_an_occluder_takes_pixels_from_the_person():
    covered = look(0, "train", "desk")
    free = dataclasses.replace(covered, occluder=look(0).occluder)
    with_it, without = paint(standing(), [covered]), paint(standing(), [free])
    assert with_it.part_seen[0, PERSON] < without.part_seen[0, PERSON]
    assert not (with_it.mask & ~without.mask).any()


def test_every_background_kind_is_drawn_and_in_range():
    drawn = {}
    for domain in ("train", "held_out"):
        for seed in range(150):
            background = draw_look(np.random.default_rng((3, seed)), domain).background
            drawn.setdefault(background.kind, background)
    assert set(drawn) == set(ALL_KINDS["background"])
    pictures = paint_backgrounds(list(drawn.values()), CPU)
    assert pictures.isfinite().all()
    assert pictures.min() >= 0
    assert pictures.max() <= 1


def test_the_error_of_jpeg_falls_with_quality():
    # Rolled away from the JPEG blocks of its own camera: coding the same blocks again would lose nothing.
    picture = paint(standing(), [look()]).image.roll((3, 3), (2, 3)).float() / 255
    errors = [
        float((jpeg(picture, torch.tensor([quality])) - picture).abs().mean()) for quality in (15.0, 40.0, 75.0, 95.0)
    ]
    assert errors == sorted(errors, reverse=True)
    grey = picture.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert (jpeg(grey, torch.tensor([100.0])) - grey).abs().max() < 0.02

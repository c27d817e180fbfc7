"""Augmentation: all labels are transformed with the image."""

from dataclasses import replace

import pytest
import torch
from fake_records import FakeSource, make_record

from coevoer_edge.body.layer import all_coefficients, all_rotations
from coevoer_edge.data.record import UNKNOWN
from coevoer_edge.training.augment import Augmenter, Warp, erase, to_input, turn_about_axis, warp_image
from coevoer_edge.training.flip import flip, mirror_rotations
from coevoer_edge.training.losses import project_for_loss
from coevoer_edge.training.recipe import Augmentation, TrainingRecipe

SOURCE = FakeSource()
LAYER = SOURCE.keypoints
GEOMETRY = Augmentation(
    rotation_sigma_deg=15, rotation_limit_deg=45, rotation_probability=1, scale=(0.8, 1.25), shift=0.08
)


@pytest.fixture(scope="module")
def record():
    return SOURCE.batch(range(8))


def reprojected(record):
    return project_for_loss(LAYER(all_rotations(record), all_coefficients(record)) + record.camera[:, None])


def test_flipping_twice_gives_the_record_back(record):
    for before, after in zip(record, flip(flip(record)), strict=True):
        torch.testing.assert_close(after, before)


def test_the_flipped_parameters_pose_the_flipped_keypoints(record):
    # Fingertips are vertices chosen on each side, and the mesh is symmetric to a millimetre only.
    mirrored = flip(record)
    points = LAYER(all_rotations(mirrored), all_coefficients(mirrored))
    centred = points - points[:, :1]
    torch.testing.assert_close(centred[:, :55], mirrored.keypoints_3d[:, :55], atol=1e-5, rtol=0)
    torch.testing.assert_close(centred, mirrored.keypoints_3d, atol=3e-3, rtol=0)
    assert (reprojected(mirrored) - mirrored.keypoints_2d)[:, :55].abs().max() < 0.01


def test_a_mirrored_rotation_is_a_rotation(record):
    mirrored = mirror_rotations(record.body_pose)
    torch.testing.assert_close(torch.linalg.det(mirrored), torch.ones(8, 21))
    assert not torch.allclose(mirrored, record.body_pose, atol=0.1)


def test_flipping_swaps_known_parts_and_label_classes(record):
    known = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).expand(8, 4)
    labels = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, UNKNOWN], dtype=torch.uint8).expand(8, 2, 10)
    mirrored = flip(record._replace(known=known, labels=labels))
    assert mirrored.known[0].tolist() == pytest.approx([0.1, 0.2, 0.4, 0.3])
    assert mirrored.labels[0, 0].flip(0).tolist() == [0, 1, 2, 4, 3, 6, 5, 7, 8, UNKNOWN]


def test_the_camera_follows_the_warped_keypoints(record):
    augmented = Augmenter(GEOMETRY, LAYER.body, seed=1)(record, list(range(8)))
    moved = (augmented.keypoints_2d - record.keypoints_2d).norm(dim=-1)
    assert moved.mean() > 10  # px: the warp moved the points
    inside = ((augmented.keypoints_2d > 0) & (augmented.keypoints_2d < torch.tensor([192, 256]))).all(-1)
    error_px = (reprojected(augmented) - augmented.keypoints_2d)[inside].abs()
    assert error_px.mean() < 0.1
    assert error_px.quantile(0.99) < 0.5
    assert error_px.max() < 0.75  # a hand half a metre before the pelvis: what weak perspective leaves
    points = LAYER(all_rotations(augmented), all_coefficients(augmented))
    torch.testing.assert_close(points - points[:, :1], augmented.keypoints_3d, atol=1e-5, rtol=0)


def test_the_image_follows_the_warped_keypoints():
    record = make_record(LAYER, [3])
    spot, x, y = record.image * 0, 120, 90
    spot[:, :, y - 1 : y + 2, x - 1 : x + 2] = 255
    at = torch.full((1, 116, 2), 0.5) + torch.tensor([x, y])  # the centre of pixel (x, y)
    record = record._replace(image=spot, keypoints_2d=at)
    for seed in range(5):
        augmented = Augmenter(GEOMETRY, LAYER.body, seed)(record, [seed])
        weight = augmented.image[0, 0]
        rows, columns = torch.meshgrid(torch.arange(256) + 0.5, torch.arange(192) + 0.5, indexing="ij")
        centre = torch.stack([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        assert (centre - augmented.keypoints_2d[0, 0]).abs().max() < 0.2


def test_labels_turn_with_the_image():
    warp = Warp(turn_about_axis(torch.tensor([torch.pi / 2])), torch.ones(1), torch.zeros(1, 2))
    labels = torch.zeros(1, 256, 192, dtype=torch.uint8)
    labels[:, 120:136, 150:160] = 7  # right of the centre
    _, turned, inside = warp_image(torch.ones(1, 3, 256, 192), labels, warp)
    rows, columns = (turned[0] == 7).nonzero().float().mean(0) + 0.5
    assert (rows - (128 + 59)).abs() < 1  # clockwise: below it
    assert (columns - 96).abs() < 1
    assert inside[0, 0, 0].sum() == 0  # the upright image is taller than the turned one


def test_a_square_box_keeps_its_size_when_it_turns(record):
    box = torch.tensor([0.4, 0.4, 0.4 + 48 / 192, 0.4 + 48 / 256]).expand(8, 3, 4)
    strengths = replace(GEOMETRY, scale=(1.0, 1.0))
    warped = Augmenter(strengths, LAYER.body, 0)(record._replace(part_boxes=box), list(range(8))).part_boxes
    size = (warped[..., 2:] - warped[..., :2]) * torch.tensor([192.0, 256.0])
    torch.testing.assert_close(size, torch.full_like(size, 48.0), atol=1e-3, rtol=0)


def test_a_part_that_leaves_the_crop_is_not_visible(record):
    boxes = record.part_boxes.clone()
    boxes[:, 1] = torch.tensor([0.9, 0.4, 0.99, 0.5])
    warp = Warp(torch.eye(3).expand(8, 3, 3), torch.ones(8), torch.tensor([[40.0, 0.0]]).expand(8, 2))
    moved = Augmenter(GEOMETRY, LAYER.body, 0).warp_labels(record._replace(part_boxes=boxes), warp)
    assert moved.visibility[:, 2].tolist() == [0.0] * 8
    assert moved.part_boxes_weight[:, 1].tolist() == [0.0] * 8
    assert moved.visibility[:, 0].tolist() == [1.0] * 8


def test_a_sample_is_augmented_alike_in_any_batch(record):
    augmenter = Augmenter(TrainingRecipe.open("scratch").augmentation, LAYER.body, seed=0)
    together = augmenter(record, list(range(40, 48)))
    halves = [augmenter(type(record)(*(t[h] for t in record)), list(range(40, 48))[h]) for h in HALVES]
    for whole, parts in zip(together, zip(*halves, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(parts), whole)
    assert not torch.equal(augmenter(record, list(range(8))).image, together.image)


HALVES = (slice(0, 4), slice(4, 8))


def test_the_image_stays_in_range_and_black_outside(record):
    strengths = replace(TrainingRecipe.open("scratch").augmentation, erase_probability=0.0, scale=(0.5, 0.6))
    image = Augmenter(strengths, LAYER.body, 0)(record, list(range(8))).image
    assert image.dtype == torch.float32
    assert image.min() >= 0
    assert image.max() <= 1
    assert image[:, :, :8].abs().max() == 0


def test_erased_pixels_become_background(record):
    labelled = record._replace(image=to_input(record.image), labels=torch.full_like(record.labels, 7))
    strengths = Augmentation(erase_probability=1.0, erase_area=(0.1, 0.1))
    u = torch.full((8, 9), 0.5)
    erased = erase(labelled, torch.zeros_like(labelled.image), u, strengths)
    share = (erased.labels == 0).float().mean((1, 2))
    torch.testing.assert_close(share, torch.full((8,), 0.1), atol=0.01, rtol=0)
    assert (erased.visibility == record.visibility).all()


def test_nothing_to_change_leaves_the_labels_alone(record):
    same = Augmenter(Augmentation(), LAYER.body, 0)(record, list(range(8)))
    assert same.keypoints_2d is record.keypoints_2d
    torch.testing.assert_close(same.image, record.image / 255)

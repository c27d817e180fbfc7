"""Sheets: their size and contents, and the second view."""

import numpy as np
import pytest
import torch
from fakes import FakeRuntime, outputs_of
from known_people import Knowing, KnowingRuntime, People, open_body

from coevoer_edge.errors import InputError
from coevoer_edge.evaluation.figures import comparison, photographs, second_view
from coevoer_edge.evaluation.predict import AsRuntime
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA

W, H, GAP = 384, 512, 8


@pytest.fixture
def body():
    return open_body()


def tile(sheet, column: int, row: int = 0):
    line = round(1.6 * H / 18)
    y, x = GAP + row * (H + line + GAP), GAP + column * (W + GAP)
    return sheet[y : y + H, x : x + W].astype(int)


def test_comparison(body):
    people = People(body)
    networks = {"float": Knowing(people), "int8": KnowingRuntime(Knowing(people))}
    sheet = comparison(people, [1, 0], networks, body.model)
    assert sheet.shape[1] == 7 * (W + GAP) + GAP
    image, ours, side, int8, _, truth, truth_side = (tile(sheet, column) for column in range(7))
    assert image.max() <= 1
    assert ours.max() > 100
    assert np.abs(ours - int8).max() <= 2
    assert np.array_equal(ours.any(-1), truth.any(-1))  # same body, other colour
    assert not np.array_equal(ours, truth)
    assert (side == 236).all(-1).mean() > 0.3
    assert np.array_equal((side == 236).all(-1), (truth_side == 236).all(-1))
    assert not np.array_equal(ours, side)


def test_untrained_is_stamped_on_predictions_only(body):
    people = People(body)
    plain, stamped = (comparison(people, [0], {"t": Knowing(people)}, body.model, flag) for flag in (False, True))
    changed = [not np.array_equal(tile(plain, i), tile(stamped, i)) for i in range(5)]
    assert changed == [False, True, True, False, False]


def test_unknown_truth_is_not_drawn(body):
    people = People(body, known=torch.zeros(3, 4))
    sheet = comparison(people, [0], {"t": Knowing(people)}, body.model)
    assert np.array_equal(tile(sheet, 3), tile(sheet, 0))
    assert (tile(sheet, 4) == 236).all()


def test_nothing_to_compare(body):
    people = People(body)
    with pytest.raises(InputError, match="0 samples and 1 networks to compare"):
        comparison(people, [], {"t": Knowing(people)}, body.model)


def test_second_view_turns_about_the_vertical_and_is_centred():
    corners = [[x, y, z] for x in (-0.2, 0.2) for y in (-0.3, 0.3) for z in (29.9, 30.1)]
    box = np.add(corners, (0.1, 0.1, 0))
    turned = second_view(box, VIRTUAL_CAMERA, (192, 256), 90)
    assert turned.max(0) == pytest.approx((0.1, 0.3, 30.2))
    assert turned.min(0) == pytest.approx((-0.1, -0.3, 29.8))
    half = second_view(box, VIRTUAL_CAMERA, (192, 256), 60)
    assert np.ptp(half, axis=0) == pytest.approx(
        (0.4 * 0.5 + 0.2 * np.sqrt(0.75), 0.6, 0.4 * np.sqrt(0.75) + 0.2 * 0.5)
    )
    away = second_view(np.add(box, (50, 0, 0)), VIRTUAL_CAMERA, (192, 256), 90)  # outside the image
    assert away == pytest.approx(turned)


def test_photographs(body):
    pictures = [np.full((600, 900, 3), 200, np.uint8), np.full((100, 80, 3), 90, np.uint8)]
    runtime = FakeRuntime([outputs_of((0, 0.3, 40.0))])
    plain = photographs(pictures, runtime, body.model, trained=True, columns=1)
    stamped = photographs(pictures, runtime, body.model, trained=False, columns=1)
    assert plain.shape == (2 * (320 + GAP) + GAP, 2 * (480 + GAP) + GAP, 3)
    left, right = plain[GAP : GAP + 320, GAP : GAP + 480], plain[GAP : GAP + 320, 2 * GAP + 480 : -GAP]
    assert (left == 200).all()
    assert (right != 200).any()
    assert (stamped != plain).any()
    wide = photographs(pictures, runtime, body.model, trained=True, columns=2)
    assert wide.shape[1] == 4 * (480 + GAP) + GAP


def test_a_network_behind_the_runtime_protocol(body):
    people = People(body)
    runtime = AsRuntime(Knowing(people))
    crop = np.zeros((256, 192, 3), np.uint8)
    crop[0, 0, 0] = 2
    np.testing.assert_array_equal(runtime(crop)["betas"][0], people.records.betas[2])
    runtime.close()

"""The frames and network outputs that every pipeline processes."""

from pathlib import Path

import numpy as np
import pytest

from coevoer_edge import contract
from coevoer_edge.bench.stream import FRAME_MS, Stream, draw_stream
from coevoer_edge.body.model import BodyModel
from coevoer_edge.estimator import Estimator
from coevoer_edge.pipeline.tracking import next_crop
from coevoer_edge.runtime.protocol import CropPixels, Outputs, RuntimeKind

COUNT = 5


class Answering:
    name = "the stream's answers"
    kind: RuntimeKind = "runtime"

    def __init__(self, stream: Stream) -> None:
        self.stream, self.runs = stream, 0

    def __call__(self, crop: CropPixels) -> Outputs:
        self.runs += 1
        return self.stream.answer((self.runs - 1) % COUNT)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def stream() -> Stream:
    return draw_stream(COUNT)


def test_frames_and_answers_have_the_contract_s_shapes(stream: Stream) -> None:
    assert stream.frames.shape == (COUNT, 480, 640, 3)
    assert stream.frames.dtype == np.uint8
    assert {name: value.shape for name, value in stream.answer(COUNT - 1).items()} == {
        output.name: output.shape for output in contract.OUTPUTS
    }


def test_the_person_is_followed_in_every_frame_of_every_round(stream: Stream) -> None:
    """Each pipeline crops, decodes, smooths and poses in every frame, whatever the network returns."""
    with Estimator(Answering(stream), BodyModel.open(), trained=False) as estimator:
        for _ in range(2):
            estimator.start_stream()
            for i, frame in enumerate(stream.frames):
                tracked = estimator.detect_for_video(frame, i * FRAME_MS)
                assert tracked.person is not None
                assert tracked.state == "tracking"


def test_the_answers_are_about_the_person_in_the_picture(stream: Stream) -> None:
    """The crop that results from them contains all motion: outside it, the image changes only by noise."""
    with Estimator(Answering(stream), BodyModel.open(), trained=False, smooth=False) as estimator:
        person = estimator.detect_for_video(stream.frames[0], 0).person
    assert person is not None
    crop = next_crop(person, 640, 480)
    assert crop is not None
    moved = np.abs(stream.frames[-1].astype(int) - stream.frames[0]).max(-1) > 60
    rows, columns = np.nonzero(moved)
    inside = (columns > crop.x0) & (columns < crop.x0 + crop.width) & (rows > crop.y0) & (rows < crop.y0 + crop.height)
    assert moved.sum() > 500
    assert inside.mean() > 0.98


def test_it_is_drawn_again_alike_and_survives_the_disk(stream: Stream, tmp_path: Path) -> None:
    draw_stream(COUNT).save(tmp_path)
    again = Stream.load(tmp_path)
    assert (again.frames == stream.frames).all()
    for name, value in stream.answers.items():
        np.testing.assert_array_equal(again.answers[name], value)

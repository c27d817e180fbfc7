"""The frames that every pipeline processes, and the network outputs that make each pipeline do the same work.

In: seeds. Out: `Stream`. A synthetic woman gestures with both hands. MediaPipe detects her body, face and hands as it
would a real person's, so it does all of its work too.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.conformance.stage import Body, oracle
from coevoer_edge.pipeline.camera import Crop, convert_translation
from coevoer_edge.pipeline.person import decode, embody, frame_camera
from coevoer_edge.pipeline.tracking import Tracker
from coevoer_edge.runtime.protocol import Outputs

WIDTH_PX, HEIGHT_PX = 640, 480
FRAMES = 30
FRAME_MS = 1000 / 30

_DRAWN = Crop((WIDTH_PX - HEIGHT_PX * 0.75) / 2, 0, HEIGHT_PX * 0.75, HEIGHT_PX)  # the part that is rendered
_LOOK, _GESTURES = 10, 7  # seeds, chosen by eye: a plain room, both hands visible in every frame
_GESTURES_S = FRAMES * FRAME_MS / 1000 + 0.5  # these continue beyond the last frame
_WINDOW_M, _DISTANCE_M, _PELVIS_BELOW_M = 1.2, 2.5, 0.2  # height of the visible area; her position
_PELVIS, _NECK = JOINT_NAMES.index("pelvis"), JOINT_NAMES.index("neck")


@dataclass(frozen=True, eq=False)
class Stream:
    """T frames (T, 480, 640, 3) uint8 RGB at 30 per second, and the contract's outputs for each, (T, ...) float32."""

    frames: NDArray[np.uint8]
    answers: Outputs

    def answer(self, number: int) -> Outputs:
        """The contract's outputs (batch 1) for one frame's crop."""
        return {name: values[number : number + 1] for name, values in self.answers.items()}

    def save(self, folder: Path) -> None:
        """Write `frames.npy` and `answers.npz`."""
        np.save(folder / "frames.npy", self.frames)
        np.savez(folder / "answers.npz", allow_pickle=False, **self.answers)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the frames stay on disk until they are used."""
        with np.load(folder / "answers.npz") as answers:
            return cls(np.load(folder / "frames.npy", mmap_mode="r"), {name: answers[name] for name in answers.files})


def draw_stream(count: int = FRAMES) -> Stream:
    """Render the frames, follow the person through them with the truth and a network's noise, and keep these outputs.

    A `count` below `FRAMES` returns the first of them.
    """
    model = BodyModel.open()
    frames, people = _draw(count, model)
    tracker, rng = Tracker(), np.random.default_rng(0)
    answers: list[Outputs] = []
    for i, person in enumerate(people):
        crop = tracker.look(i * FRAME_MS, WIDTH_PX, HEIGHT_PX)
        outputs = oracle([person], crop, WIDTH_PX, HEIGHT_PX, rng)
        if not tracker.judge(embody(decode(outputs, crop, "the truth"), model, trained=True)):
            raise AssertionError(f"frame {i}: the tracker rejects the truth")  # an internal error, not the user's
        answers.append(outputs)
    return Stream(frames, {name: np.concatenate([a[name] for a in answers]) for name in contract.OUTPUT_NAMES})


def _draw(count: int, model: BodyModel) -> tuple[NDArray[np.uint8], list[Body]]:
    """Frames, and the person in each. The picture is 192 x 256 px, enlarged, with its edges extended to the frame's."""
    from coevoer_edge.data.synthetic.gestures import SyntheticMotion
    from coevoer_edge.data.synthetic.people import SyntheticPeople
    from coevoer_edge.data.synthetic.view import View
    from coevoer_edge.model.threads import one_thread

    source = SyntheticPeople(0, "train", model)
    view = View(
        rotation=np.eye(3),
        translation_m=np.array((0.0, _PELVIS_BELOW_M, _DISTANCE_M)),
        focal_px=contract.IMAGE_HEIGHT_PX * _DISTANCE_M / _WINDOW_M,
        principal_px=np.array((contract.IMAGE_WIDTH_PX / 2, contract.IMAGE_HEIGHT_PX / 2)),
        towards_crop=np.eye(3),
    )
    whole = np.array((0.0, 0.0, contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX))
    scene = replace(source.prepare([_LOOK])[0], view=view, frame_px=whole)
    motion = SyntheticMotion(np.random.default_rng(_GESTURES), _GESTURES_S)
    frames = np.empty((count, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    people = []
    for i in range(count):
        with one_thread():
            record = source.finish([replace(scene, person=motion.at(i * FRAME_MS / 1000))])
        picture = Image.fromarray(record.image[0].numpy().transpose(1, 2, 0))
        enlarged = np.asarray(picture.resize((round(_DRAWN.width), HEIGHT_PX), Image.Resampling.BICUBIC))
        frames[i] = np.pad(enlarged, ((0, 0), (round(_DRAWN.x0),) * 2, (0, 0)), mode="edge")
        truth = {f.name: getattr(record, f.name)[0].numpy() for f in fields(SmplxParameters)}
        people.append(_stand(SmplxParameters(**truth), record.camera[0].numpy(), model))
    return frames, people


def _stand(parameters: SmplxParameters, translation_m: NDArray[np.float32], model: BodyModel) -> Body:
    """Convert a person from the camera of the rendered part to the camera of the frame."""
    camera = frame_camera(WIDTH_PX, HEIGHT_PX)
    translation = convert_translation(translation_m, _DRAWN.camera(), camera)
    joints = model.skeleton(parameters).joints
    torso_m = float(np.linalg.norm(joints[_NECK] - joints[_PELVIS]))
    depth_m = float(joints[_PELVIS, 2] + translation[2])
    return Body(parameters, translation, camera.project(joints + translation), camera.focal_px * torso_m / depth_m)

"""Run one job in its own process, and measure the time of each turn and the memory.

In: the job as JSON on the command line, then a line on stdin for each turn. Out, on stdout: a line of JSON at the first
result (`{"ready": true}`) or the error that prevents it (`{"error": "..."}`), one with the milliseconds of each turn,
and, when stdin ends, one with the peak resident memory. A turn runs once untimed, then once timed, because in real use
every frame follows a similar one.

It is started as a script, possibly by another Python, because MediaPipe needs an environment of its own. So only the
standard library is imported before the job is known.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Turn = Callable[[int], float]  # runs turn i and returns its milliseconds
About = Callable[[], dict[str, Any]]

HOLISTIC_MODELS = (
    *("face_detection_short_range", "face_landmark_with_attention"),
    *("hand_landmark_full", "hand_recrop"),
    *("pose_detection", "pose_landmark_full"),
)
"""The files of `mediapipe/modules/*/*.tflite` that Holistic opens at complexity 1 with a refined face."""


def network(job: dict[str, Any]) -> tuple[Turn, About]:
    """A bundle's network alone: a crop (256, 192, 3) uint8 to the contract's outputs, on the bundle's golden images."""
    import numpy as np

    from coevoer_edge.bundle import Bundle
    from coevoer_edge.runtime import open_runtime

    bundle = Bundle.open(job["bundle"])
    runtime = open_runtime(bundle, job["threads"])
    with np.load(bundle.golden) as golden:
        crops = golden["image"]
    return _timed(lambda i: runtime(crops[i % len(crops)])), lambda: {"runtime": runtime.name}


def pipeline(job: dict[str, Any]) -> tuple[Turn, About]:
    """`Estimator.detect_for_video` and `mesh()`: a frame to a smoothed person with a mesh.

    The network runs on the crop and is timed; then the stream's own outputs replace the network's. The person is
    therefore followed in every frame, whatever the weights were trained on.
    """
    from coevoer_edge.bench.stream import FRAME_MS, Stream
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.errors import CheckFailed
    from coevoer_edge.estimator import Estimator
    from coevoer_edge.runtime import open_runtime
    from coevoer_edge.runtime.protocol import CropPixels, Outputs, RuntimeKind

    class Answering:
        """A runtime that runs the network and then returns given outputs."""

        def __init__(self) -> None:
            self._network = open_runtime(bundle, job["threads"])
            self.name = self._network.name
            self.kind: RuntimeKind = self._network.kind
            self.answer: Outputs = {}

        def __call__(self, crop: CropPixels) -> Outputs:
            self._network(crop)
            return self.answer

        def close(self) -> None:
            self._network.close()

    bundle = Bundle.open(job["bundle"])
    stream = Stream.load(Path(job["stream"]))
    runtime = Answering()
    rule = bundle.manifest.pipeline
    estimator = Estimator(runtime, BodyModel.open(), trained=bundle.manifest.trained, pipeline=rule)

    def turn(i: int) -> float:
        number = i % len(stream.frames)
        if number == 0:
            estimator.start_stream()
        frame, runtime.answer = _frame(job, number), stream.answer(number)
        start = time.perf_counter()
        tracked = estimator.detect_for_video(frame, number * FRAME_MS)
        mesh = tracked.person.mesh().vertices if tracked.person else None
        ms = (time.perf_counter() - start) * 1000
        if mesh is None:
            raise CheckFailed(
                f"{bundle.path.name}: nobody is followed in frame {number}, although the outputs are true; its "
                "pipeline constants reject them. Compare `pipeline` in its manifest with docs/pipeline.md."
            )
        return ms

    return turn, lambda: {"runtime": runtime.name}


def mesh(job: dict[str, Any]) -> tuple[Turn, About]:
    """The open body alone: parameters to joints and vertices, `BodyModel.pose`."""
    from coevoer_edge.bench.stream import Stream
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.body.parameters import SmplxParameters

    stream, body = Stream.load(Path(job["stream"])), BodyModel.open()
    people = [SmplxParameters.from_outputs(stream.answer(i)) for i in range(len(stream.frames))]
    return _timed(lambda i: body.pose(people[i % len(people)])), lambda: {"runtime": "numpy"}


def gemm(job: dict[str, Any]) -> tuple[Turn, About]:
    """One INT8 matrix product in ONNX Runtime, uint8 by int8 to int32, `size` cubed, with weights packed beforehand."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    from coevoer_edge.runtime.onnx import session_options

    size, rng = job["size"], np.random.default_rng(0)
    weights = numpy_helper.from_array(rng.integers(-127, 128, (size, size), dtype=np.int8), "b")
    shape = [size, size]
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "gemm",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, shape)],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    options = session_options(job["threads"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    left = rng.integers(0, 256, (size, size), dtype=np.uint8)
    return _timed(lambda _: session.run(None, {"a": left})), lambda: {"runtime": "onnxruntime"}


def eager(job: dict[str, Any]) -> tuple[Turn, About]:
    """A network in eager PyTorch, float32, from its checkpoint: a crop (256, 192, 3) uint8 to the outputs."""
    import numpy as np
    import torch

    from coevoer_edge import contract
    from coevoer_edge.model.checkpoint import load
    from coevoer_edge.runtime.protocol import to_input, to_outputs

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    model, _ = load(job["checkpoint"])
    crops = np.random.default_rng(0).integers(0, 256, (8, *contract.INPUT.shape[2:], 3), dtype=np.uint8)

    def run(i: int) -> None:
        with torch.inference_mode():
            outputs = model(torch.from_numpy(to_input(crops[i % len(crops)])))
        to_outputs([output.numpy() for output in outputs])

    return _timed(run), lambda: {"runtime": "torch eager"}


def holistic(job: dict[str, Any]) -> tuple[Turn, About]:
    """MediaPipe Holistic on the stream's frames, as a video: complexity 1, refined face, its own choice of threads."""
    from importlib import import_module

    solution = import_module("mediapipe.python.solutions.holistic")
    import numpy as np  # MediaPipe installs it, so the error for a missing one names MediaPipe

    package = Path(str(import_module("mediapipe").__file__)).parent
    count = len(np.load(Path(job["stream"]) / "frames.npy", mmap_mode="r"))
    tracker = solution.Holistic(model_complexity=1, refine_face_landmarks=True)
    found = dict.fromkeys(("pose", "face", "left_hand", "right_hand"), 0)
    turns = 0

    def turn(i: int) -> float:
        nonlocal turns
        frame = _frame(job, i % count)
        start = time.perf_counter()
        result = tracker.process(frame)
        ms = (time.perf_counter() - start) * 1000
        turns += 1
        for part in found:
            found[part] += getattr(result, f"{part}_landmarks") is not None
        return ms

    models = [path for path in package.glob("modules/*/*.tflite") if path.stem in HOLISTIC_MODELS]
    megabytes = sum(path.stat().st_size for path in models) / 1e6
    return turn, lambda: {
        "runtime": "tflite",
        "megabytes": megabytes,
        "found": {part: count / turns for part, count in found.items()},
    }


def _frame(job: dict[str, Any], number: int) -> Any:
    """One frame (480, 640, 3) uint8; the file is closed at once, so that it does not count as the job's memory."""
    import numpy as np

    return np.array(np.load(Path(job["stream"]) / "frames.npy", mmap_mode="r")[number])


def _timed(run: Callable[[int], Any]) -> Turn:
    def turn(i: int) -> float:
        start = time.perf_counter()
        run(i)
        return (time.perf_counter() - start) * 1000

    return turn


def _peak_bytes() -> int:
    """The peak of resident memory so far.

    On Linux, getrusage is not used, because its figure includes the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def _say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _open(job: dict[str, Any]) -> tuple[Turn, About]:
    # Remove this folder, whose modules have generic names. Our own Python may need the package's folder instead;
    # MediaPipe's must not see it.
    sys.path[0:1] = [] if job["do"] == "holistic" else [str(Path(__file__).parents[2])]
    jobs = (network, pipeline, mesh, gemm, eager, holistic)
    return {do.__name__: do for do in jobs}[job["do"]](job)


def _main() -> int:
    try:
        turn, about = _open(json.loads(sys.argv[1]))
        turn(0)
        _say({"ready": True})
        for i, _ in enumerate(sys.stdin):
            turn(2 * i + 1)
            _say({"ms": turn(2 * i + 2)})
        _say(about() | {"peak_bytes": _peak_bytes()})
    except Exception as error:  # the parent process reports it to the user
        _say({"error": str(error), "kind": type(error).__name__})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())

"""The running chain with a fake runtime: crops, cameras, projections, tracking and errors."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FACING, FakeRuntime, outputs_of
from photo import ASTRONAUT
from PIL import Image

from coevoer_edge import contract
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.errors import BundleError, CoEvoerError, InputError
from coevoer_edge.estimator import Estimator
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA, Crop
from coevoer_edge.pipeline.constants import PIPELINE
from coevoer_edge.pipeline.image import extract_crop, load_image
from coevoer_edge.pipeline.tracking import _FOLLOWED, next_crop


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return load_image(ASTRONAUT)


def test_one_pass_sees_the_whole_frame(body, image):
    runtime = FakeRuntime([outputs_of((0.1, 0.2, 60.0))])
    person = Estimator(runtime, body, trained=False, passes=1)(image)
    crop = Crop.whole_frame(512, 512)
    assert person.crop == crop
    np.testing.assert_array_equal(runtime.seen, [extract_crop(image, crop)])
    assert person.trained is False
    np.testing.assert_allclose(person.translation_m, (0.1, 0.2, 60.0), atol=1e-6)
    np.testing.assert_allclose(person.parameters.global_orient[0], FACING, atol=1e-6)


def test_joints_mesh_and_boxes_are_in_the_full_image(body, image):
    person = Estimator(FakeRuntime([outputs_of((0.1, 0.2, 60.0))]), body, trained=True, passes=1)(image)
    assert person.joints_cam.shape == (55, 3)
    in_crop = VIRTUAL_CAMERA.project(person.joints_cam)
    np.testing.assert_allclose(person.joints_px, person.crop.crop_to_image(in_crop), atol=1e-6)
    vertices = person.mesh().vertices
    assert vertices.shape == (body.num_vertices, 3)
    np.testing.assert_allclose(vertices, body.pose(person.parameters).vertices + person.translation_m, atol=1e-6)
    low, high = person.crop.crop_to_image([(0.25 * 192, 0.5 * 256), (0.75 * 192, 256)])
    np.testing.assert_allclose(person.part_boxes_px[0], (*low, *high), atol=1e-6)
    np.testing.assert_allclose(person.visibility, (0.9, 0.8, 0.2, 0.1), atol=1e-6)
    head, pelvis = person.joints_px[15], person.joints_px[0]
    assert head[1] < pelvis[1]  # upright
    assert person.joints_px[16][0] > person.joints_px[17][0]  # facing the camera: the left shoulder is on the right


def test_second_pass_follows_the_body(body, image):
    runtime = FakeRuntime([outputs_of((0.3, 0.1, 60.0)), outputs_of((0.0, 0.0, 45.0))])
    person = Estimator(runtime, body, trained=True)(image)
    first = Estimator(FakeRuntime(runtime.answers), body, trained=True, passes=1)(image)
    expected = next_crop(first, 512, 512)
    assert len(runtime.seen) == 2
    assert person.crop == expected != first.crop
    np.testing.assert_array_equal(runtime.seen[1], extract_crop(image, expected))
    np.testing.assert_allclose(person.translation_m, (0, 0, 45), atol=1e-6)


@pytest.mark.parametrize(
    "translation",
    [(0, 0, -60), (500, 0, 60), (0, 0, 5000), (0, 0, 0.01)],
    ids=["behind the camera", "outside the image", "tiny", "around the camera"],
)
def test_useless_body_is_not_followed(body, image, translation):
    runtime = FakeRuntime([outputs_of(translation)])
    person = Estimator(runtime, body, trained=True, passes=3)(image)
    assert len(runtime.seen) == 1
    assert person.crop == Crop.whole_frame(512, 512)


def seen(joints_px, translation_m=(0, 0, 1), joints_cam=None):
    """The part of a person that the next crop depends on."""
    joints_cam = np.ones((55, 3)) if joints_cam is None else joints_cam
    return SimpleNamespace(translation_m=np.array(translation_m, float), joints_cam=joints_cam, joints_px=joints_px)


@pytest.mark.parametrize(("depth_m", "followed"), [(0.5, True), (0.0, False), (-0.5, False), (np.nan, False)])
def test_next_crop_wants_the_origin_and_the_joints_before_the_camera(depth_m, followed):
    joints_px = np.random.default_rng(0).uniform(0, 100, (55, 2))
    assert (next_crop(seen(joints_px, (0, 0, depth_m)), 100, 100) is not None) == followed
    joints_cam = np.ones((55, 3))
    joints_cam[15, 2] = depth_m
    assert (next_crop(seen(joints_px, joints_cam=joints_cam), 100, 100) is not None) == followed


@pytest.mark.parametrize(("depth_m", "looks"), [(0.005, 2), (-0.005, 1)])
def test_an_image_whose_body_has_its_origin_behind_the_camera_gets_no_second_look(body, image, depth_m, looks):
    """If a body lies with its head pointing away, only its origin can be behind the camera (6 b)."""
    lying = outputs_of((0.0, 0.38, depth_m))
    lying["global_orient"][...] = axis_angle_to_matrix((np.pi / 2, 0, 0))  # y up becomes z into the scene
    runtime = FakeRuntime([lying])
    near = replace(PIPELINE, smallest_overlap=1e-12, smallest_crop=1e-12)  # so near, little of the box is in the image
    person = Estimator(runtime, body, trained=True, pipeline=near, passes=2)(image)
    assert (person.joints_cam[_FOLLOWED, 2] > 0).all()
    assert len(runtime.seen) == looks


def test_an_image_follows_the_bundles_own_rule(body, image):
    """`smallest_overlap` and `smallest_crop` come from the manifest, for images and for streams."""
    strict = replace(PIPELINE, smallest_crop=0.99)
    runtime = FakeRuntime([outputs_of((0.3, 0.1, 60.0))])
    Estimator(runtime, body, trained=True, pipeline=strict)(image)
    assert len(runtime.seen) == 1


def test_next_crop_is_clipped_to_the_image():
    joints_px = np.random.default_rng(0).uniform((-100, 20), (90, 80), (55, 2))
    joints_px[[0, 15]] = (-100, 20), (90, 80)
    crop = next_crop(seen(joints_px), 100, 100)
    assert crop == Crop.around((0, 20, 90, 80))


def test_next_crop_leaves_the_legs():
    joints_px = np.full((55, 2), 50.0)
    joints_px[0], joints_px[15] = (40, 60), (60, 30)
    legs = [1, 2, 4, 5, 7, 8, 10, 11]
    joints_px[legs] = 5000.0
    joints_px[legs[0]] = np.nan
    assert next_crop(seen(joints_px), 100, 100) == Crop.around((40, 30, 60, 60))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_next_crop_wants_finite_joints(bad):
    joints_px = np.random.default_rng(0).uniform(0, 100, (55, 2))
    assert next_crop(seen(joints_px), 100, 100) is not None
    joints_px[20] = bad
    assert next_crop(seen(joints_px), 100, 100) is None


def test_rotations_are_projected(body, image):
    person = Estimator(FakeRuntime([outputs_of(noise=0.02)]), body, trained=True)(image)
    for name in ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose"):
        R = getattr(person.parameters, name)
        np.testing.assert_allclose(R @ R.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(R), 1, atol=1e-12)


def test_paths_arrays_and_pil_images_agree(body, image):
    estimator = Estimator(FakeRuntime(), body, trained=True)
    people = [estimator(source) for source in (image, ASTRONAUT, str(ASTRONAUT), Image.open(ASTRONAUT))]
    people.append(estimator.detect(image))
    for person in people[1:]:
        np.testing.assert_array_equal(person.joints_px, people[0].joints_px)


@pytest.mark.parametrize("shape", [(1, 1, 3), (100, 20000, 3), (20000, 3), (2, 7, 4)], ids=str)
def test_any_size(body, shape):
    person = Estimator(FakeRuntime(), body, trained=True)(np.full(shape, 9, np.uint8))
    assert np.isfinite(person.joints_px).all()


def test_close(body, image):
    runtime = FakeRuntime()
    with Estimator(runtime, body, trained=True) as estimator:
        estimator(image)
    estimator.close()
    assert runtime.closed == 1
    with pytest.raises(CoEvoerError, match=re.escape("The estimator is closed; open another with")):
        estimator(image)


def test_bad_input_is_refused(body):
    estimator = Estimator(FakeRuntime(), body, trained=True)
    with pytest.raises(InputError, match="dtype float32"):
        estimator(np.zeros((5, 5, 3), np.float32))
    with pytest.raises(InputError, match="No image at"):
        estimator("nowhere.jpg")
    with pytest.raises(InputError, match=re.escape("`passes` is 0; give 1 (whole frame only) or more.")):
        Estimator(FakeRuntime(), body, trained=True, passes=0)


@pytest.mark.parametrize("name", contract.OUTPUT_NAMES)
def test_contract_breach_is_refused(body, image, name):
    whole = outputs_of()
    missing = {key: value for key, value in whole.items() if key != name}
    with pytest.raises(BundleError, match=f"^Runtime fake returned {name} with shape None; the contract says"):
        Estimator(FakeRuntime([missing]), body, trained=True)(image)
    with pytest.raises(BundleError, match=f"^Runtime fake returned {name} with shape"):
        Estimator(FakeRuntime([whole | {name: whole[name][0]}]), body, trained=True)(image)
    spoiled = whole[name].copy()
    spoiled.flat[-1] = np.nan
    with pytest.raises(BundleError, match=f"^Runtime fake returned values in {name} that are not finite"):
        Estimator(FakeRuntime([whole | {name: spoiled}]), body, trained=True)(image)


def test_no_torch_in_the_running_chain():
    program = (
        "import sys, numpy as np; sys.path.insert(0, 'tests')\n"
        "import coevoer_edge.run\n"
        "from coevoer_edge.body.model import BodyModel; from coevoer_edge.estimator import Estimator\n"
        "from fakes import FakeRuntime\n"
        "estimator = Estimator(FakeRuntime(), BodyModel.open(), trained=True)\n"
        "estimator(np.zeros((9, 9), np.uint8)).mesh()\n"
        "list(estimator.track((np.zeros((9, 9), np.uint8), 33.0 * i) for i in range(3)))\n"
        "print(sorted({'torch', 'smplx', 'trimesh', 'onnx', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

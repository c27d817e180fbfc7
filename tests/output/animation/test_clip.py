"""A clip gives back what was recorded, and says what it cannot."""

from dataclasses import fields, replace

import numpy as np
import pytest
from motions import CAMERA, SIZE_PX, moving_clip, moving_people, place_at

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import geodesic_deg
from coevoer_edge.errors import InputError
from coevoer_edge.output.animation.clip import Clip, ClipRecorder
from coevoer_edge.output.animation.motion import at_even_rate, motion_of, real_camera
from coevoer_edge.output.meshes import CAMERA_TO_GLTF
from coevoer_edge.pipeline.camera import convert_translation


def test_parameters_there_and_back():
    clip = moving_clip()
    for i, truth in enumerate(moving_people()):
        back = clip.parameters(i)
        for field in fields(truth):
            np.testing.assert_allclose(getattr(back, field.name), getattr(truth, field.name), atol=1e-6)


def test_arrays_carry_smplx_names_and_one_row_a_frame():
    arrays = moving_clip(gaps=(3,)).smplx_arrays()
    widths = {"global_orient": 3, "body_pose": 63, "jaw_pose": 3, "leye_pose": 3, "reye_pose": 3, "left_hand_pose": 45}
    widths |= {"right_hand_pose": 45, "betas": 10, "expression": 10, "transl": 3}
    assert {name: array.shape for name, array in arrays.items()} == {name: (16, w) for name, w in widths.items()}
    assert all(np.isnan(array[3]).all() and np.isfinite(array[4]).all() for array in arrays.values())


def test_frames_without_a_person_are_marked():
    clip = moving_clip(gaps=(0, 5))
    assert np.flatnonzero(~clip.found).tolist() == [0, 5]
    with pytest.raises(InputError, match="no person in frame 5"):
        clip.parameters(5)


def test_refusals():
    with pytest.raises(InputError, match="no frames"):
        ClipRecorder(SIZE_PX, trained=True).clip()
    with pytest.raises(InputError, match="must increase"):
        replace(moving_clip(), timestamps_ms=np.zeros(16))
    with pytest.raises(InputError, match=r"betas of the clip is \(16, 9\); 16 timestamps need \(16, 10\)"):
        replace(moving_clip(), betas=np.zeros((16, 9), np.float32))
    with pytest.raises(InputError, match="nothing to animate"):
        motion_of(moving_clip(gaps=range(16)), BodyModel.open())
    with pytest.raises(InputError, match="needs translation_m"):
        ClipRecorder(SIZE_PX, trained=True).add(0.0, next(moving_people()))


def test_world_joints_are_the_body_layers_under_the_real_lens():
    body, clip = BodyModel.open(), moving_clip()
    motion = motion_of(clip, body)
    _, places = motion.world()
    for i in (0, 7, 15):
        parameters = clip.parameters(i)
        shift = convert_translation(place_at(i), CAMERA, real_camera(SIZE_PX))
        expected = (body.pose(replace(parameters, expression=np.zeros(10))).joints + shift) @ CAMERA_TO_GLTF.T
        np.testing.assert_allclose(places[i], expected, atol=1e-5)


def test_the_real_lens_keeps_the_origin_in_its_pixel():
    place = np.array((0.3, -0.2, 30.0))
    lens = real_camera(SIZE_PX)
    assert lens.focal_px == 800
    converted = convert_translation(place, CAMERA, lens)
    np.testing.assert_allclose(lens.project(converted), CAMERA.project(place))
    assert 2 < converted[2] < 3


def test_even_frames_pass_unchanged():
    motion = motion_of(moving_clip(), BodyModel.open())
    even = at_even_rate(motion)
    np.testing.assert_array_equal(even.times_s.round(9), motion.times_s.round(9))
    np.testing.assert_allclose(even.rotations, motion.rotations, atol=1e-12)
    np.testing.assert_allclose(even.pelvis_m, motion.pelvis_m, atol=1e-12)


def test_gaps_are_bridged_the_shortest_way_and_the_start_is_held():
    full, gappy = (at_even_rate(motion_of(moving_clip(gaps=g), BodyModel.open())) for g in ((), (0, 1, 4)))
    assert len(gappy.times_s) == len(full.times_s) == 16
    np.testing.assert_allclose(gappy.rotations[:2], np.broadcast_to(full.rotations[2], (2, 55, 3, 3)), atol=1e-12)
    before, middle, after = gappy.rotations[3], gappy.rotations[4], gappy.rotations[5]
    np.testing.assert_allclose(geodesic_deg(before, middle), geodesic_deg(middle, after), atol=1e-6)
    np.testing.assert_allclose(geodesic_deg(before, middle) * 2, geodesic_deg(before, after), atol=1e-6)
    np.testing.assert_allclose(gappy.rotations[6:], full.rotations[6:], atol=1e-12)


def test_uneven_timestamps_are_resampled():
    clip = moving_clip()
    late = clip.timestamps_ms.copy()
    late[8:] += 80.0  # two frames dropped
    even = at_even_rate(motion_of(replace(clip, timestamps_ms=late), BodyModel.open()))
    full = motion_of(clip, BodyModel.open())
    assert len(even.times_s) == 18
    np.testing.assert_allclose(even.rotations[:8], full.rotations[:8], atol=1e-12)
    np.testing.assert_allclose(even.rotations[10:], full.rotations[8:], atol=1e-12)
    np.testing.assert_allclose(even.pelvis_m[8], full.pelvis_m[7] * 2 / 3 + full.pelvis_m[8] / 3, atol=1e-12)


@pytest.mark.parametrize("rate", [24.0, 24000 / 1001, 25.0, 30.0, 30000 / 1001, 59.94, 60.0])
@pytest.mark.parametrize("first", [0.0, 0.4])
def test_times_in_whole_milliseconds_keep_the_rate(rate, first):
    """A 24 fps WebM has intervals of 42 and 41 ms: the median would give 23.81."""
    clip = moving_clip()
    long = replace_times(clip, np.round(1000 * (np.arange(200) + first) / rate))
    assert long.frames_per_second == pytest.approx(rate, abs=0.003)


def test_frames_with_rounded_times_are_kept_as_they_are():
    clip = moving_clip(24.0)
    rounded = replace(clip, timestamps_ms=clip.timestamps_ms.round())
    motion = motion_of(rounded, BodyModel.open())
    even = at_even_rate(motion)
    assert even.frames_per_second == 24
    np.testing.assert_allclose(even.rotations, motion.rotations, atol=1e-12)


def test_an_unusual_rate_is_the_median():
    clip = replace_times(moving_clip(), np.arange(50) * 1000 / 17.3)
    assert clip.frames_per_second == pytest.approx(17.3)


def replace_times(clip: Clip, times_ms: np.ndarray) -> Clip:
    """The first frame of a clip, held over other times."""
    arrays = {field.name: getattr(clip, field.name) for field in fields(clip)}
    held = {
        name: np.repeat(a[:1], len(times_ms), axis=0)
        for name, a in arrays.items()
        if np.ndim(a) and len(a) == len(clip.timestamps_ms)
    }
    return replace(clip, **held | {"timestamps_ms": times_ms})

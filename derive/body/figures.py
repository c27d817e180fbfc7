"""The figures on the open body's card: `python -m derive.body.figures` (extra `derive`).

In: open_body.npz and anny. Out: lines of text. The people and poses are new, not those that the body was fitted to.
"""

import dataclasses
import time

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.model_file import OPEN_BODY_PATH, read_model_file
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from derive.body.open_body import NUM_PEOPLE, people_in_t_pose, smplx_order
from derive.body.rig import all_joint_weights, joint_weights
from derive.body.source import load_source

_NEW_PEOPLE = 200
_POSES = 50


def main() -> None:
    """Print all figures."""
    file = read_model_file(None)
    size_mb = OPEN_BODY_PATH.stat().st_size / 1e6
    print(f"{len(file.v_template)} vertices, {len(file.faces)} faces, {size_mb:.2f} MB")
    source = load_source()
    mean = people_in_t_pose(source, NUM_PEOPLE, seed=0)[0].mean(axis=0)
    order = smplx_order(source, mean, joint_weights(source))
    vertices, joints = people_in_t_pose(source, _NEW_PEOPLE, seed=1)
    vertices = vertices[:, order]

    error = np.linalg.norm(np.einsum("jv,bvx->bjx", file.J_regressor, vertices) - joints, axis=-1)  # B 55
    print(f"joint regressor, {_NEW_PEOPLE} new people: {_spread(error)}")
    worst = np.argsort(-error.mean(axis=0))[:6]
    print("  largest means: " + ", ".join(f"{JOINT_NAMES[j]} {1e3 * error[:, j].mean():.1f} mm" for j in worst))

    offsets = (vertices - file.v_template).reshape(_NEW_PEOPLE, -1)
    directions = file.shapedirs[..., :10].reshape(offsets.shape[1], -1).astype(np.float64)
    coefficients = np.linalg.lstsq(directions, offsets.T, rcond=None)[0]
    left = np.linalg.norm((offsets - (directions @ coefficients).T).reshape(vertices.shape), axis=-1)
    print(f"ten shape directions, the same people: {_spread(left)}")

    rng = np.random.default_rng(2)
    limited = BodyModel(file)
    full = BodyModel(dataclasses.replace(file, weights=all_joint_weights(source)[order].astype(np.float32)))
    poses = [_random_pose(rng) for _ in range(_POSES)]
    apart = [np.linalg.norm(limited.pose(p).vertices - full.pose(p).vertices, axis=-1) for p in poses]
    print(f"rounded weights against unrounded, {_POSES} poses: {_spread(np.array(apart))}")

    spent = []
    for pose in poses * 10:
        start = time.perf_counter()
        limited.pose(pose)
        spent.append(1e3 * (time.perf_counter() - start))
    print(f"one body in numpy: p50 {np.median(spent):.2f} ms, p95 {np.percentile(spent, 95):.2f} ms")


def _spread(distance_m: Float64Array) -> str:
    p95, top = np.percentile(distance_m, (95, 100)) * 1e3
    return f"mean {1e3 * distance_m.mean():.2f} mm, p95 {p95:.2f} mm, max {top:.1f} mm"


def _random_pose(rng: np.random.Generator) -> SmplxParameters:
    root, body, left, right, jaw = (axis_angle_to_matrix(rng.normal(0, 0.35, (n, 3))) for n in (1, 21, 15, 15, 1))
    return SmplxParameters(root, body, left, right, jaw, betas=rng.normal(size=10), expression=rng.normal(size=10))


if __name__ == "__main__":
    main()

"""The stored outputs of the teacher: what they say of themselves, and that they are what its weights answer."""

import hashlib
import json

import numpy as np
import pytest
from safetensors import safe_open

from coevoer_edge import contract
from coevoer_edge.data.folder import default_images
from coevoer_edge.evaluation.golden import with_mirrors
from coevoer_edge.parity.stored import DIGESTS, STORED_FILE, TEACHER, StoredReference, image_digest
from derive import teacher_golden

MAX_BYTES = 1_000_000
OTHER_MACHINE = 1e-3
"""Of an output's size: sums in another order, as `parity` allows the float network made again."""

needs_weights = pytest.mark.skipif(
    not teacher_golden.WEIGHTS.is_file(), reason="the teacher's weights lie in the repository, not in an sdist"
)


@pytest.fixture(scope="module")
def stored() -> StoredReference:
    return StoredReference.open()


@pytest.fixture(scope="module")
def words() -> dict[str, str]:
    with safe_open(STORED_FILE, "np") as file:
        return file.metadata()


def test_it_is_of_the_golden_images_and_their_mirror_images(stored: StoredReference, words: dict[str, str]) -> None:
    golden = default_images("golden")
    assert stored.images_sha256 == words["images_sha256"] == golden.sha256
    assert words["images"] == f"{golden.source}, and their mirror images"
    images = with_mirrors(golden.images)
    assert set(stored.outputs) == {image_digest(image) for image in images}
    assert len(images) == len(stored.outputs) == 256


def test_it_says_what_made_it(stored: StoredReference, words: dict[str, str]) -> None:
    assert (stored.rung.name, stored.rung.model, stored.rung.kind) == ("reference", TEACHER, "stored")
    assert stored.rung.source == f"{TEACHER}.safetensors, sha256 {words['weights_sha256'][:16]}"
    tools = json.loads(words["tools"])
    assert list(tools) == ["numpy", "pillow", "safetensors", "torch"]
    assert stored.rung.runtime == words["runtime"]
    assert words["runtime"].startswith(f"torch {tools['torch']}")


def test_the_outputs_are_the_contracts(stored: StoredReference) -> None:
    for outputs in stored.outputs.values():
        assert {name: value.shape for name, value in outputs.items()} == {o.name: o.shape for o in contract.OUTPUTS}
        assert {value.dtype for value in outputs.values()} == {np.dtype(np.float32)}
        assert all(np.isfinite(value).all() for value in outputs.values())
    assert STORED_FILE.stat().st_size < MAX_BYTES


def test_each_image_has_its_own_answer(stored: StoredReference) -> None:
    """In the order that is asked for; a mirror image has another answer than the image."""
    images = default_images("golden", 3).images
    first, last = (stored.answers([images[i]]) for i in (0, 2))
    answers = stored.answers([images[2], images[0]])
    assert first is not None
    assert last is not None
    assert answers is not None
    assert [answer["camera"].tolist() for answer in answers] == [kept["camera"].tolist() for kept in (*last, *first)]
    mirrored = stored.answers([images[0][:, ::-1]])
    assert mirrored is not None
    assert not np.array_equal(mirrored[0]["camera"], first[0]["camera"])


def test_other_images_have_none(stored: StoredReference) -> None:
    known = default_images("golden", 1).images[0]
    changed = known.copy()
    changed[0, 0, 0] ^= 1
    assert stored.answers([known, changed]) is None


@needs_weights
def test_the_weights_are_those_that_it_names(words: dict[str, str]) -> None:
    assert hashlib.sha256(teacher_golden.WEIGHTS.read_bytes()).hexdigest() == words["weights_sha256"]
    assert words["weights_sha256"] in teacher_golden.WEIGHTS.with_suffix(".md").read_text(encoding="utf-8")


@needs_weights
def test_the_weights_give_the_stored_outputs(stored: StoredReference) -> None:
    check_against_the_weights(stored, 2)


@needs_weights
@pytest.mark.slow
def test_the_weights_give_all_stored_outputs(stored: StoredReference) -> None:
    check_against_the_weights(stored, 128)


def check_against_the_weights(stored: StoredReference, count: int) -> None:
    images = with_mirrors(default_images("golden", count).images)
    made = teacher_golden.tensors(teacher_golden.WEIGHTS, images)
    answers = stored.answers(images)
    assert answers is not None
    assert made[DIGESTS].shape == (len(images), 32)
    for name in contract.OUTPUT_NAMES:
        kept = np.concatenate([answer[name] for answer in answers])
        assert np.linalg.norm(made[name] - kept) < OTHER_MACHINE * np.linalg.norm(kept), name

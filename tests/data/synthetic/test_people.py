"""The synthetic dataset: samples are reproducible and labels are exact."""

import pickle

import numpy as np
import pytest
import torch

from coevoer_edge import contract
from coevoer_edge.body.keypoints import KEYPOINT_NAMES, NUM_KEYPOINTS
from coevoer_edge.body.layer import PELVIS, KeypointLayer, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.annotated import annotate
from coevoer_edge.data.record import BODY_PARTS, Record, StagedSource
from coevoer_edge.data.shards import CHUNK, Shards, write_shards
from coevoer_edge.data.sources import TEST_COUNT, open_source, open_test
from coevoer_edge.data.synthetic.people import FirstSamples, SyntheticPeople
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA

COUNT = 24


@pytest.fixture(scope="module")
def people() -> SyntheticPeople:
    return SyntheticPeople(3)


@pytest.fixture(scope="module")
def record(people) -> Record:
    return people.batch(range(COUNT))


def same(a: Record, b: Record) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_sample_is_the_same_alone_and_in_a_batch(people, record):
    again = SyntheticPeople(3).batch([5, 2])
    assert torch.equal(again.image[0], record.image[5])
    for name, one, many in zip(Record._fields, again, record, strict=True):
        torch.testing.assert_close(one.float(), many[[5, 2]].float(), rtol=0, atol=2e-3 if name == "camera" else 1e-4)


def test_two_stages_give_the_same_batch_even_between_processes(people):
    prepared = pickle.loads(pickle.dumps(people.prepare([4, 7])))
    assert same(people.finish(prepared), people.batch([4, 7]))
    assert isinstance(people, StagedSource)


def test_seeds_and_domains_share_no_sample(record):
    for other in (SyntheticPeople(4), SyntheticPeople(3, "held_out")):
        assert not torch.equal(other.batch([0]).image, record.image[:1])
        assert not torch.allclose(other.batch([0]).body_pose, record.body_pose[:1])


def test_shapes_and_ranges(record):
    shapes = {output.name: output.shape[1:] for output in contract.OUTPUTS}
    for name in ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose"):
        rotations = getattr(record, name)
        assert rotations.shape == (COUNT, *shapes[name])
        torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand_as(rotations), rtol=0, atol=1e-5)
    assert record.image.shape == (COUNT, 3, 256, 192)
    assert record.image.dtype == torch.uint8
    assert record.keypoints_2d.shape == (COUNT, NUM_KEYPOINTS, 2)
    assert record.labels.max() < len(BODY_PARTS)
    assert all(torch.isfinite(tensor.float()).all() for tensor in record)
    assert ((record.part_boxes >= 0) & (record.part_boxes <= 1)).all()
    assert set(record.visibility.unique().tolist()) <= {0.0, 1.0}


def test_the_3d_keypoints_are_those_of_the_parameters(record):
    posed = KeypointLayer(BodyModel.open())(all_rotations(record), all_coefficients(record))
    from_pelvis = posed - posed[:, PELVIS : PELVIS + 1]
    torch.testing.assert_close(from_pelvis, record.keypoints_3d, rtol=0, atol=1e-5)


def test_the_camera_shows_the_keypoints_where_they_are(record):
    """The virtual camera has no perspective, so it agrees within a few per cent of the body's height."""
    posed = KeypointLayer(BodyModel.open())(all_rotations(record), all_coefficients(record))
    shown = VIRTUAL_CAMERA.project((posed + record.camera[:, None]).double().numpy())
    seen = (record.keypoints_2d_weight == 1).numpy()
    away = np.linalg.norm(shown - record.keypoints_2d.numpy(), axis=-1)[seen]
    assert np.median(away) < 5
    assert np.percentile(away, 95) < 30


def test_labels_lie_under_the_keypoints(record):
    """At the centre of a visible hand's knuckles, the picture mostly shows that hand or an occluder."""
    right, total = 0, 0
    for side, part in (("left", 2), ("right", 3)):
        knuckles = [KEYPOINT_NAMES.index(f"{side}_{finger}1") for finger in ("index", "middle", "ring", "pinky")]
        for i in range(COUNT):
            x, y = record.keypoints_2d[i, knuckles].mean(0).long().tolist()
            if record.visibility[i, part] and 0 <= x < 192 and 0 <= y < 256:
                total += 1
                right += BODY_PARTS[int(record.labels[i, y, x])] == f"{side}_hand"
    assert total >= 8
    assert right >= 0.7 * total


def test_boxes_hold_the_fingertips_of_visible_hands(record):
    size = np.array((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX))
    for side, box in (("left", 1), ("right", 2)):
        tips = [i for i, name in enumerate(KEYPOINT_NAMES) if name.startswith(side) and name.endswith("_tip")]
        for i in range(COUNT):
            points = record.keypoints_2d[i, tips].numpy() / size
            points = points[((points > 0) & (points < 1)).all(1) & (record.keypoints_2d_weight[i, tips] == 1).numpy()]
            if record.part_boxes_weight[i, box] and len(points):
                low, high = record.part_boxes[i, box].numpy().reshape(2, 2)
                assert ((points >= low - 0.01) & (points <= high + 0.01)).all()


def test_a_picture_without_a_person_says_so():
    people = SyntheticPeople(3)
    scenes = [people._scene(index) for index in range(120)]
    empty = [index for index, scene in enumerate(scenes) if scene.empty]
    assert 1 <= len(empty) <= 12
    record = people.batch(empty[:2])
    for weight in (record.known, record.visibility, record.keypoints_2d_weight, record.keypoints_3d_weight):
        assert not weight.any()
    assert not record.labels.any()
    assert torch.isfinite(record.camera).all()


def test_annotated_pictures_show_the_labels(record):
    pictures = annotate(record)
    assert [picture.shape for picture in pictures] == [(256, 192, 3)] * COUNT
    assert (pictures[0] != record.image[0].numpy().transpose(1, 2, 0)).any()


class Numbered:
    """A source whose samples differ in one number."""

    def __init__(self, record: Record) -> None:
        self.record, self.drawn = record, 0

    def __len__(self) -> int:
        return 1 << 40

    def batch(self, indices):
        self.drawn += len(indices)
        small = Record(*(tensor[:1].expand(len(indices), *tensor.shape[1:]) for tensor in self.record))
        return small._replace(betas=torch.tensor(indices)[:, None].expand(-1, 10).float())


def test_shards_give_back_what_was_written_and_resume(tmp_path, record, monkeypatch):
    monkeypatch.setattr("coevoer_edge.data.shards.CHUNK", 8)
    source = Numbered(record)
    write_shards(source, 8, 16, tmp_path, batch_size=3)
    assert source.drawn == 16
    write_shards(source, 0, 24, tmp_path, batch_size=8)
    assert source.drawn == 24, "only the missing chunk is rendered"
    shards = Shards(tmp_path)
    assert len(shards) == 24
    batch = shards.batch([23, 0, 9])
    assert batch.betas[:, 0].tolist() == [23, 0, 9]
    assert torch.equal(batch.image[1], record.image[0])
    with pytest.raises(IndexError, match="sample 24 of 24"):
        shards.batch([24])


def test_shards_are_written_in_whole_chunks(tmp_path, record):
    with pytest.raises(InputError, match=f"must be multiples of {CHUNK}"):
        write_shards(Numbered(record), 0, 100, tmp_path)
    with pytest.raises(InputError, match="contains no samples; render some with"):
        Shards(tmp_path)


def test_sources_by_name(tmp_path):
    assert isinstance(open_source("synthetic", 0, torch.device("cpu")), SyntheticPeople)
    domains = open_test("synthetic")
    assert [name for name, _ in domains] == ["training look", "held-out look"]
    assert [len(source) for _, source in domains] == [TEST_COUNT, TEST_COUNT]
    assert isinstance(domains[0][1], FirstSamples)
    for call in (lambda: open_source("coco", 0, torch.device("cpu")), lambda: open_test(str(tmp_path / "none"))):
        with pytest.raises(InputError, match="valid are synthetic"):
            call()


def test_training_and_test_people_are_different_people():
    train = open_source("synthetic", 0, torch.device("cpu"))
    tests = [source.source for _, source in open_test("synthetic")]
    assert {train.seed}.isdisjoint(source.seed for source in tests)
    with pytest.raises(IndexError):
        open_test("synthetic")[0][1].batch([TEST_COUNT])

import pytest
import torch
from click.testing import CliRunner
from tiny import tiny_network as make_tiny
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.model import MODEL_NAMES, CoEvoer, CoEvoerOutputs, build
from coevoer_edge.model import __main__ as table
from coevoer_edge.model.build import _SIZES, _assemble
from coevoer_edge.model.enhancer import ConcatenatedSelfAttention
from coevoer_edge.model.foreground import PooledSegments

BATCH = 1e-5  # largest difference between a batch and its singles, float32; the camera's depth is 22 m
START = 0.2  # largest entry by which an untrained network's first pose differs from the one it starts at; measured 0.08

PARAMETERS = {  # golden: `python -m coevoer_edge.model`
    "coevoer-l": 338_493_018,
    "coevoer-b": 108_555_098,
    "coevoer-s": 35_748_162,
    "coevoer-t": 10_630_658,
}
MACS_T = 1_019_461_248


@pytest.fixture(scope="module")
def coevoer_t() -> CoEvoer:
    return build("coevoer-t").eval()


def image(batch: int = 1) -> Tensor:
    return torch.rand(batch, *contract.INPUT.shape[1:], generator=torch.Generator().manual_seed(0))


def test_output_fields_are_the_contracts_in_its_order() -> None:
    assert CoEvoerOutputs._fields == contract.OUTPUT_NAMES


@pytest.mark.parametrize("batch", [1, 3])
def test_output_shapes_are_the_contracts(tiny_network: CoEvoer, batch: int) -> None:
    with torch.no_grad():
        outputs = tiny_network(image(batch))
    assert [tuple(o.shape) for o in outputs] == [(batch, *o.shape[1:]) for o in contract.OUTPUTS]
    assert all(o.dtype == torch.float32 and o.isfinite().all() for o in outputs)


def test_batch_equals_its_singles(tiny_network: CoEvoer) -> None:
    batch = image(3)
    with torch.no_grad():
        together = tiny_network(batch)
        singles = [tiny_network(batch[i : i + 1]) for i in range(3)]
    for name, whole, *parts in zip(contract.OUTPUT_NAMES, together, *singles, strict=True):
        torch.testing.assert_close(torch.cat(parts), whole, rtol=BATCH, atol=BATCH, msg=lambda m, n=name: f"{n}: {m}")


def test_rotations_boxes_and_probabilities_are_what_they_are_called(tiny_network: CoEvoer) -> None:
    with torch.no_grad():
        outputs = tiny_network(image(3))
    for name in ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose"):
        R = getattr(outputs, name)
        torch.testing.assert_close(R.mT @ R, torch.eye(3).expand_as(R), rtol=0, atol=1e-4)
    assert (outputs.part_boxes[..., :2] <= outputs.part_boxes[..., 2:]).all()
    assert ((outputs.visibility > 0) & (outputs.visibility < 1)).all()


def test_outputs_depend_on_the_image(tiny_network: CoEvoer) -> None:
    with torch.no_grad():
        outputs = tiny_network(image(2))
    assert all(not torch.equal(o[0], o[1]) for o in outputs)


def test_same_seed_same_weights_and_the_global_generator_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    first, again, other = build("coevoer-t"), build("coevoer-t"), build("coevoer-t", seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(123)
    whatever_came_before = build("coevoer-t")
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
        assert torch.equal(value, whatever_came_before.state_dict()[key])
    assert any(not torch.equal(v, other.state_dict()[k]) for k, v in first.state_dict().items())


def test_unknown_name_is_refused() -> None:
    with pytest.raises(InputError) as error:
        build("coevoer-xl")
    assert str(error.value) == "Unknown model 'coevoer-xl'; valid: coevoer-l, coevoer-b, coevoer-s, coevoer-t."


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_parameter_counts(name: str) -> None:
    with torch.device("meta"):
        network = _assemble(name, _SIZES[name], enhancer=True, foreground=True)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]


def test_untrained_network_shows_a_person_who_faces_the_camera(coevoer_t: CoEvoer) -> None:
    with torch.no_grad():
        outputs = coevoer_t(image())
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    torch.testing.assert_close(outputs.global_orient[0, 0], facing, rtol=0, atol=START)
    still = [name not in ("pelvis", "left_shoulder", "right_shoulder") for name in BODY_JOINT_NAMES][1:]
    for rotations in (outputs.body_pose[:, still], outputs.left_hand_pose, outputs.right_hand_pose, outputs.jaw_pose):
        torch.testing.assert_close(rotations, torch.eye(3).expand_as(rotations), rtol=0, atol=START)
    left, right = (outputs.body_pose[0, BODY_JOINT_NAMES.index(f"{s}_shoulder") - 1] for s in ("left", "right"))
    assert left[1, 0] < -0.5  # SMPL-X's arms lie along x in the rest pose, left ones towards +x, and y is up
    assert right[1, 0] > 0.5
    x, y, z = outputs.camera[0].tolist()
    assert (x, y) == (pytest.approx(0, abs=START), pytest.approx(0.7, abs=START))
    assert z == pytest.approx(22, abs=1)


def test_hands_share_no_parameter(tiny_network: CoEvoer) -> None:
    pointers = [p.data_ptr() for _, p in tiny_network.named_parameters(remove_duplicate=False)]
    assert len(set(pointers)) == len(pointers)
    before = tiny_network(image())
    mirrored = make_tiny()
    with torch.no_grad():
        mirrored.left_hand_head.out.weight.mul_(2)
        after = mirrored(image())
    changed = [name for name in contract.OUTPUT_NAMES if not torch.equal(getattr(before, name), getattr(after, name))]
    assert changed == ["left_hand_pose"]


@pytest.mark.parametrize(("enhancer", "foreground"), [(False, True), (True, False), (False, False)])
def test_ablation_variants_run(enhancer: bool, foreground: bool) -> None:
    network = make_tiny(enhancer=enhancer, foreground=foreground)
    assert isinstance(network.enhancer, ConcatenatedSelfAttention) != enhancer
    assert isinstance(network.foreground, PooledSegments) != foreground
    with torch.no_grad():
        outputs = network(image())
    assert [tuple(o.shape) for o in outputs] == [o.shape for o in contract.OUTPUTS]


def test_builder_takes_the_ablations_by_name() -> None:
    network = build("coevoer-t", enhancer=False, foreground=False)
    assert isinstance(network.enhancer, ConcatenatedSelfAttention)
    assert isinstance(network.foreground, PooledSegments)


def test_gradient_reaches_every_parameter_but_none_goes_through_the_boxes() -> None:
    network = make_tiny()
    outputs = network(image(2))
    pose = outputs._replace(part_boxes=outputs.part_boxes.detach(), visibility=outputs.visibility.detach())
    sum(o.square().sum() if o.shape[-1] != 3 else o.sin().sum() for o in pose).backward()
    without = {key.split(".")[0] for key, p in network.named_parameters() if p.grad is None}
    assert without == {"box_net", "visibility_head"}
    with_gradient = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in with_gradient)


def test_model_owns_the_mean_and_standard_deviation_of_its_input(tiny_network: CoEvoer) -> None:
    assert tiny_network.encoder.patch_embed.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert tiny_network.encoder.patch_embed.std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])


def test_buffers_are_no_part_of_a_checkpoint(tiny_network: CoEvoer) -> None:
    assert set(tiny_network.state_dict()) == {key for key, _ in tiny_network.named_parameters()}


def test_table_prints_parameters_and_macs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MODEL_NAMES", ("coevoer-t",))
    result = CliRunner().invoke(table.command, ["--parts"])
    assert result.exit_code == 0, result.output
    header, total, *parts = result.output.splitlines()
    assert header.split() == ["model", "parameters", "GMACs"]
    assert total.split() == ["coevoer-t", f"{PARAMETERS['coevoer-t']:,}", f"{MACS_T / 1e9:.2f}"]
    assert sum(int(line.split()[1].replace(",", "")) for line in parts) == PARAMETERS["coevoer-t"]


def test_macs_are_counted_with_attention(coevoer_t: CoEvoer) -> None:
    assert table.count_macs(coevoer_t) == MACS_T


@pytest.mark.slow
def test_table_of_all_models() -> None:
    result = CliRunner().invoke(table.command)
    assert result.exit_code == 0, result.output
    rows = [line.split()[:2] for line in result.output.splitlines()[1:]]
    assert rows == [[name, f"{count:,}"] for name, count in PARAMETERS.items()]

"""Whole packages through the MIL interpreter: float16, W8A8, images, compressed weights, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil.frontend.milproto.load import load as coremltools_load
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 (coremltools' own name for it)
from coremltools.converters.mil.mil import types
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge.errors import BundleError, InputError, PlatformError
from coevoer_edge.runtime.mil import MilProgram

FLOAT16_TOLERANCE = 2e-3  # largest difference, outputs of RMS 0.2; measured 6e-4
QUANTIZATION_RATIO = 1.1  # RMS distance from float: package against the PT2E graph it was made of
SHAPE = (1, 3, 64, 48)


class SmallNetwork(nn.Module):
    """Convolutions, then one transformer block and a head: what our exports are made of."""

    def __init__(self, C: int = 48, heads: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        )
        self.patches = nn.Conv2d(16, C, 4, 4)
        self.position = nn.Parameter(0.1 * torch.randn(1, 48, C))
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(C, eps=1e-6), nn.LayerNorm(C, eps=1e-6)
        self.query, self.key, self.value, self.project = (nn.Linear(C, C) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(C, 4 * C), nn.GELU(), nn.Linear(4 * C, C))
        self.head = nn.Linear(C, 64)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(self.stem(image)).flatten(2).transpose(1, 2) + self.position  # B N C
        B, N, C = x.shape
        y = self.norm1(x)
        q, k, v = (f(y).reshape(B, N, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        x = x + self.project(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, C))
        x = x + self.mlp(self.norm2(x))
        return self.head(x).flatten(1)  # B N*64


def convert(module: torch.export.ExportedProgram, path: Path, **arguments: Any) -> Path:
    model = ct.convert(
        module.run_decompositions({}),
        minimum_deployment_target=arguments.pop("target", ct.target.iOS18),
        skip_model_load=True,
        **arguments,
    )
    model.save(str(path))
    return path


def build(path: Path, function: Callable[..., Any], *shapes: tuple[int, ...], target: Any = ct.target.iOS18) -> Path:
    """Save a program that coremltools' builder makes, without its optimizations."""
    specs = [mb.TensorSpec(shape, types.fp32) for shape in shapes]
    model = ct.convert(
        mb.program(input_specs=specs, opset_version=target)(function),
        convert_to="mlprogram",
        minimum_deployment_target=target,
        compute_precision=ct.precision.FLOAT32,
        pass_pipeline=ct.PassPipeline.EMPTY,
        skip_model_load=True,
    )
    model.save(str(path))
    return path


def image_io(**arguments: Any) -> dict[str, Any]:
    image = ct.ImageType(name="image", shape=SHAPE, scale=1 / 255, color_layout=ct.colorlayout.RGB)
    return {"inputs": [image], "outputs": [ct.TensorType(name="out", dtype=np.float32)], **arguments}


@pytest.fixture(scope="module")
def network() -> SmallNetwork:
    torch.manual_seed(0)
    return SmallNetwork().eval()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 48, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def float_package(network: SmallNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = torch.export.export(network, (torch.rand(SHAPE),))
    return convert(program, tmp_path_factory.mktemp("mil") / "float.mlpackage", **image_io())


def to_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous().float() / 255


def rms(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize("precision", ["fp32", "fp16-storage"])
def test_float16_package_is_the_float_network(
    precision: Any, network: SmallNetwork, pixels: np.ndarray, float_package: Path
) -> None:
    out = MilProgram.open(float_package, precision)({"image": pixels})["out"]
    with torch.inference_mode():
        np.testing.assert_allclose(out, network(to_tensor(pixels)).numpy(), atol=FLOAT16_TOLERANCE)


def test_fusions_can_be_read_from_the_file(float_package: Path) -> None:
    program = MilProgram.open(float_package)
    counts = program.op_counts()
    assert counts["scaled_dot_product_attention"] == 1
    assert (counts["layer_norm"], counts["gelu"], counts["softmax"], counts["const"]) == (2, 1, 0, 0)
    assert all(program.is_constant(op.inputs["weight"][0]) for op in program if op.kind == "linear")


def test_w8a8_package_is_no_further_from_float_than_its_graph(
    network: SmallNetwork, pixels: np.ndarray, tmp_path: Path
) -> None:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    image = to_tensor(pixels)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    graph = prepare_pt2e(torch.export.export(network, (image,)).module(), quantizer)
    graph(image)
    graph = convert_pt2e(graph)
    package = convert(torch.export.export(graph, (image,)), tmp_path / "w8a8.mlpackage", **image_io())

    with torch.inference_mode():
        reference, quantized = network(image), graph(image)
    for precision in ("fp32", "fp16-storage"):
        program = MilProgram.open(package, precision)
        out = torch.from_numpy(program({"image": pixels})["out"])
        assert rms(out, reference) <= QUANTIZATION_RATIO * rms(quantized, reference), precision
        assert rms(out, quantized) < 1.5 * rms(quantized, reference), precision  # unrelated rounding gives 1.4

    layers = [op for op in program if op.kind in ("linear", "conv")]
    assert len(layers) == 10
    for layer in layers:
        weight = program.producer(layer.inputs["weight"][0])
        assert weight is not None
        assert weight.kind == "constexpr_blockwise_shift_scale"
        assert program.value(weight.inputs["data"][0]).dtype == "int8"
        source = program.producer(layer.inputs["x"][0])
        assert source is not None
        assert source.kind == "dequantize"
    assert program.op_counts()["scaled_dot_product_attention"] == 1


def test_image_scale_bias_and_colour_order_are_applied_once(pixels: np.ndarray, tmp_path: Path) -> None:
    identity = torch.export.export(nn.Hardtanh(-9.0, 9.0), (torch.rand(SHAPE),))
    bias = np.array([-0.1, -0.2, -0.3], np.float32)
    for layout in (ct.colorlayout.RGB, ct.colorlayout.BGR):
        image = ct.ImageType(name="image", shape=SHAPE, scale=1 / 128, bias=list(bias), color_layout=layout)
        io = {"inputs": [image], "outputs": [ct.TensorType(name="out", dtype=np.float32)]}
        package = convert(identity, tmp_path / f"{layout.name}.mlpackage", compute_precision=ct.precision.FLOAT32, **io)
        program = MilProgram.open(package)
        assert program.op_counts()["mul"] == 1  # they are operations of the program
        planes = pixels if layout == ct.colorlayout.RGB else pixels[..., ::-1]
        expected = (planes.astype(np.float32) / 128 + bias).transpose(2, 0, 1)[None]
        np.testing.assert_allclose(program({"image": pixels})["out"], expected, atol=1e-6)

    grey = torch.export.export(nn.Hardtanh(-9.0, 9.0), (torch.rand(1, 1, 8, 6),))
    image = ct.ImageType(name="image", shape=(1, 1, 8, 6), scale=0.01, color_layout=ct.colorlayout.GRAYSCALE)
    package = convert(grey, tmp_path / "grey.mlpackage", inputs=[image], compute_precision=ct.precision.FLOAT32)
    (out,) = MilProgram.open(package)({"image": pixels[:8, :6, 0]}).values()
    np.testing.assert_allclose(out[0, 0], pixels[:8, :6, 0] * np.float32(0.01), atol=1e-6)


def test_fp16_storage_rounds_every_half_value_and_overflows(
    float_package: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    program = MilProgram.open(float_package, "fp16-storage")
    values = program.intermediates({"image": pixels})
    halves = [name for name in values if program.value(name).dtype == "float16"]
    assert len(halves) > 20
    for name in halves:
        assert np.array_equal(values[name], values[name].astype(np.float16).astype(np.float32)), name

    class Squares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * x) * 0.001

    package = convert(torch.export.export(Squares(), (torch.ones(1, 4),)), tmp_path / "squares.mlpackage")
    x = {"x": np.full((1, 4), 300, np.float32)}
    (exact,) = MilProgram.open(package)(x).values()
    (overflown,) = MilProgram.open(package, "fp16-storage")(x).values()
    np.testing.assert_allclose(exact, 90, rtol=1e-3)
    assert np.isinf(overflown).all()


def test_intermediates_are_those_of_the_network(network: SmallNetwork, float_package: Path, pixels: np.ndarray) -> None:
    program = MilProgram.open(float_package)
    attention = next(op for op in program if op.kind == "scaled_dot_product_attention").name
    value = program.intermediates({"image": pixels}, [attention])[attention]
    assert value.shape == (1, 3, 48, 16)
    with pytest.raises(InputError, match="no value 'nothing'"):
        program.intermediates({"image": pixels}, ["nothing"])


class Frontend(nn.Module):
    """Torch operations whose Core ML form the converter chooses."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        patched = x.clone()
        patched[:, 1, 2:6:2] = y[:, 0, :2]
        return (
            F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
            F.interpolate(x, scale_factor=2, mode="nearest"),
            F.interpolate(x, (5, 11), mode="bilinear", align_corners=True),
            F.conv_transpose2d(
                x, y[0, :4, :3, :3].unsqueeze(1).expand(4, 2, 3, 3) * 0 + 0.5, stride=2, padding=1, output_padding=1
            ),
            F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            F.adaptive_avg_pool2d(x, 1),
            F.max_pool2d(x, 3, 2, 1),
            patched,
            x[:, :, ::3, -4:-1].roll(1, 3),
            x.flip(2).cumsum(1),
            torch.cat((x.amax(1), y.argmax(1).float()), 2),
            F.normalize(x, dim=1),
            torch.where(x > y, x, y.neg()).clamp(min=-0.5),
            torch.einsum("bchw,bchv->bhwv", x, y),
            F.pixel_shuffle(x, 2),
            F.pad(x, (1, 2, 3, 0), mode="reflect"),
            x.var(1, unbiased=False) + x.std((2, 3), keepdim=True)[:, 0],
            torch.atan2(x, y) + torch.rsqrt(y.abs() + 1) + x.sigmoid().log() + x.abs().pow(1.5),
            x.masked_fill(y > 0, 2.0).softmax(-1) + F.hardswish(x) + F.elu(y) + F.leaky_relu(x, 0.2),
            torch.gather(x, 2, y.argsort(2)),
            x.flatten(2) @ y.flatten(2).transpose(1, 2),
        )


def test_torch_operations_survive_conversion(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(1, 4, 8, 9), torch.randn(1, 4, 8, 9)
    program = torch.export.export(Frontend(), (x, y))
    package = convert(program, tmp_path / "frontend.mlpackage", compute_precision=ct.precision.FLOAT32)
    outputs = list(MilProgram.open(package)({"x": x.numpy(), "y": y.numpy()}).values())
    for i, expected in enumerate(Frontend()(x, y)):
        np.testing.assert_allclose(outputs[i], expected, 1e-4, 1e-4, err_msg=f"output {i}")


@pytest.mark.parametrize("target", [ct.target.iOS16, ct.target.iOS18], ids=lambda t: t.name)
def test_compressed_weights_of_coremltools(target: Any, tmp_path: Path) -> None:
    """Palettes, pruning and linear quantization, in the packed form of iOS16 and the blocked one of iOS18."""
    from coremltools.optimize import coreml as optimize

    torch.manual_seed(0)
    layer = nn.Linear(64, 96).eval()
    package = convert(torch.export.export(layer, (torch.rand(2, 64),)), tmp_path / "float.mlpackage", target=target)
    plain = ct.models.MLModel(str(package), skip_model_load=True)
    x = np.random.default_rng(1).standard_normal((2, 64)).astype(np.float32)
    recipes = {
        "constexpr_lut_to_dense": (optimize.palettize_weights, optimize.OpPalettizerConfig(mode="uniform", nbits=6)),
        "constexpr_sparse_to_dense": (optimize.prune_weights, optimize.OpMagnitudePrunerConfig(target_sparsity=0.5)),
        "constexpr_blockwise_shift_scale" if target == ct.target.iOS18 else "constexpr_affine_dequantize": (
            optimize.linear_quantize_weights,
            optimize.OpLinearQuantizerConfig(mode="linear"),
        ),
    }
    for kind, (compress, config) in recipes.items():
        model = compress(plain, optimize.OptimizationConfig(global_config=config))
        model.save(str(tmp_path / f"{kind}.mlpackage"))
        program = MilProgram.open(tmp_path / f"{kind}.mlpackage")
        assert program.op_counts()[kind] == 1
        (decoded,) = (
            op for op in optimize.decompress_weights(model)._mil_program["main"].operations if op.op_type == "linear"
        )
        (out,) = program({"input": x}).values()
        np.testing.assert_allclose(
            out, x @ decoded.weight.val.astype(np.float32).T + layer.bias.detach().numpy(), atol=2e-3
        )


def test_constexpr_cast_makes_a_float32_weight(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float16)

    def function(x):  # type: ignore[no-untyped-def]
        return mb.linear(x=x, weight=mb.constexpr_cast(source_val=weight, output_dtype="fp32"))

    program = MilProgram.open(build(tmp_path / "cast.mlpackage", function, (1, 5), target=ct.target.iOS16))
    assert program.op_counts() == {"constexpr_cast": 1, "linear": 1}
    (out,) = program({"x": np.eye(1, 5, dtype=np.float32)}).values()
    np.testing.assert_array_equal(out, weight[:, :1].T.astype(np.float32))


def test_constants_equal_those_of_coremltools_own_reader(float_package: Path) -> None:
    model = ct.models.MLModel(str(float_package), skip_model_load=True)
    spec = model.get_spec()
    function = coremltools_load(spec, spec.specificationVersion, model.weights_dir).functions["main"]
    ours = MilProgram.open(float_package).program.constants
    theirs = {op.outputs[0].name: op.outputs[0].val for op in function.operations if op.op_type == "const"}
    assert sum(isinstance(value, np.ndarray) for value in theirs.values()) > 20
    for name, value in ours.items():
        assert np.array_equal(np.asarray(theirs[name]), np.asarray(value)), name


def test_flexible_dimensions(tmp_path: Path) -> None:
    class Flatten(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(x.shape[0] * x.shape[1], 3).sum(1)

    rows = torch.export.Dim("rows", min=2, max=9)
    exported = torch.export.export(Flatten(), (torch.rand(4, 5, 3),), dynamic_shapes={"x": {0: rows}})
    program = MilProgram.open(convert(exported, tmp_path / "flexible.mlpackage"))
    for count in (3, 7):
        x = np.random.default_rng(0).random((count, 5, 3)).astype(np.float32)
        (out,) = program({"x": x}).values()
        np.testing.assert_allclose(out, x.reshape(-1, 3).sum(1), rtol=2e-3)


def test_unknown_operations_are_named(tmp_path: Path) -> None:
    def function(x):  # type: ignore[no-untyped-def]
        noise = mb.random_normal(shape=[1, 3], name="noise")
        return mb.add(x=x, y=noise)

    package = build(tmp_path / "random.mlpackage", function, (1, 3))
    with pytest.raises(PlatformError, match=r"random_normal \('noise', operation 0\)"):
        MilProgram.open(package)


def test_wrong_inputs_are_refused(float_package: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    program = MilProgram.open(float_package)
    for inputs, message in (
        ({}, "takes image; got nothing"),
        ({"picture": pixels}, "takes image; got picture"),
        ({"image": pixels[:32]}, r"uint8 of \(64, 48, 3\); got uint8 of \(32, 48, 3\)"),
        ({"image": pixels.astype(np.float32)}, "got float32"),
        ({"image": pixels.transpose(2, 0, 1)}, r"got uint8 of \(3, 64, 48\)"),
    ):
        with pytest.raises(InputError, match=message):
            program(inputs)
    with pytest.raises(InputError, match="no precision 'fp8'"):
        MilProgram.open(float_package, "fp8")  # type: ignore[arg-type]

    tensor = MilProgram.open(build(tmp_path / "t.mlpackage", lambda x: mb.relu(x=x), (1, 3)))
    with pytest.raises(InputError, match=r"has shape \(1, 3\); got \(3,\)"):
        tensor({"x": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match="does not fit"):
        tensor({"x": np.array([["a", "b", "c"]])})


def test_damaged_packages_are_refused(float_package: Path, tmp_path: Path) -> None:
    def damaged(name: str) -> tuple[Path, Path]:
        copy = tmp_path / name
        shutil.copytree(float_package, copy)
        return copy, copy / "Data/com.apple.CoreML"

    with pytest.raises(BundleError, match=r"no Manifest\.json"):
        MilProgram.open(tmp_path)

    package, data = damaged("cut.mlpackage")
    weights = data / "weights/weight.bin"
    weights.write_bytes(weights.read_bytes()[:-500])
    with pytest.raises(BundleError, match=r"cut short|ends before"):
        MilProgram.open(package)

    package, data = damaged("shifted.mlpackage")
    weights = data / "weights/weight.bin"
    content = weights.read_bytes()
    weights.write_bytes(content[:64] + bytes(64) + content[64:-64])
    with pytest.raises(BundleError, match="does not belong to this program"):
        MilProgram.open(package)

    package, data = damaged("weightless.mlpackage")
    (data / "weights/weight.bin").unlink()
    with pytest.raises(BundleError, match="not in the package"):
        MilProgram.open(package)

    package, data = damaged("garbled.mlpackage")
    (data / "model.mlmodel").write_bytes(b"\xff" * 64)
    with pytest.raises(BundleError, match="not a Core ML specification"):
        MilProgram.open(package)

    package, _ = damaged("rootless.mlpackage")
    manifest = json.loads((package / "Manifest.json").read_text())
    del manifest["rootModelIdentifier"]
    (package / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="names no root model"):
        MilProgram.open(package)

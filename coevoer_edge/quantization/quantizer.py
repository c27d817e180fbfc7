"""Annotate Linear and Conv2d for PT2E: the inputs, weights and outputs of GEMMs, and nothing else.

In: an exported graph and a recipe. Out: the same graph, annotated.

Weights: int8, symmetric, one scale for each output channel. Activations: int8, one scale and zero point for the tensor.
LayerNorm, softmax, GELU and the sums between them stay float, because quantizing those is what degrades vision
transformers. A ReLU6 after a convolution is fused with it in every runtime: the output is the value between 0 and 6, so
that no step is spent on values that the ReLU6 cuts off.
"""

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from coevoer_edge.model.captured_program import GEMMS
from coevoer_edge.quantization.observers import SMALLEST_SCALE, HalfPerChannelMinMax
from coevoer_edge.quantization.ranges import activation_observer
from coevoer_edge.quantization.recipe import QuantizationRecipe

_RELU6 = (torch.ops.aten.relu6.default, torch.ops.aten.hardtanh.default)


def module_path(node: Node) -> str:
    """Path of the module that a node came from, as in `named_modules`; empty for the root's own operations."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(next(reversed(stack.values()))[0]).removeprefix("network.") if stack else ""


def _clamped(gemm: Node) -> Node:
    """The ReLU6 that is the only reader of a GEMM, or the GEMM."""
    reader = next(iter(gemm.users)) if len(gemm.users) == 1 else gemm
    return reader if reader.target in _RELU6 else gemm


class GemmQuantizer(Quantizer):  # type: ignore[misc]  # torchao ships no types
    """Annotates each Linear and Conv2d as the recipe says."""

    def __init__(self, recipe: QuantizationRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self._activation = QuantizationSpec(
            dtype=torch.int8,
            quant_min=-128,
            quant_max=127,
            qscheme=torch.per_tensor_affine,
            observer_or_fake_quant_ctr=activation_observer(recipe),
        )
        self._weight = QuantizationSpec(
            dtype=torch.int8,
            quant_min=-127,
            quant_max=127,
            qscheme=torch.per_channel_symmetric,
            ch_axis=0,
            observer_or_fake_quant_ctr=HalfPerChannelMinMax.with_args(eps=SMALLEST_SCALE),
        )

    def annotate(self, model: GraphModule) -> GraphModule:
        """Annotate in place.

        Raises:
            InputError: a pattern of the recipe that matches no Linear and no Conv2d.
        """
        gemms = [node for node in model.graph.nodes if node.target in GEMMS]
        self.recipe.refuse_idle_patterns([module_path(node) for node in gemms], "Linear or Conv2d")
        for node in gemms:
            if self.recipe.treatment(module_path(node)) == "float":
                continue
            data, weight = node.args[:2]
            written = _clamped(node)
            inputs = {data: self._activation, weight: self._weight}
            node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(input_qspec_map=inputs, _annotated=True)
            # XNNPACK's int8 kernels write int8.
            annotation = written.meta.setdefault(Q_ANNOTATION_KEY, QuantizationAnnotation(_annotated=True))
            annotation.output_qspec = self._activation
        return model

    def validate(self, model: GraphModule) -> None:
        """Accept every model: the annotations are the same for every target."""

"""Named builders: the only place that states the sizes of the networks.

In: a name. Out: an initialised `CoEvoer`.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.model.attention import Attention, Mlp
from coevoer_edge.model.boxes import ROI_SIZE, BoxNet, PartFeatures
from coevoer_edge.model.coevoer import CoEvoer
from coevoer_edge.model.embedding import GRID, PatchEmbedding, TrunkEmbedding
from coevoer_edge.model.encoder import BODY_TASKS, Encoder
from coevoer_edge.model.enhancer import CollaborativeEvolutionEnhancer, ConcatenatedSelfAttention, RefineNet
from coevoer_edge.model.foreground import ForegroundExtraction, PooledSegments
from coevoer_edge.model.heads import MAX_DEPTH_M, TokenHead
from coevoer_edge.model.trunk import Trunk, load_pretrained

_SEGMENT_TOKENS = 16  # in each torso segment


@dataclass(frozen=True)
class Sizes:
    """The numbers that differ between models: encoder width, depth, heads; decoder width; regression heads.

    `trunk`: patches are embedded by BlazePose's pretrained trunk (the hybrid ViT). The models without it follow the
    published network and fit ViTPose's weights.
    """

    trunk: bool
    dim: int
    depth: int
    heads: int
    decoder_dim: int
    reduced: int
    hidden: int


_SIZES = {
    "coevoer-l": Sizes(trunk=False, dim=1024, depth=24, heads=16, decoder_dim=512, reduced=64, hidden=1024),
    "coevoer-b": Sizes(trunk=False, dim=768, depth=12, heads=12, decoder_dim=384, reduced=64, hidden=768),
    "coevoer-s": Sizes(trunk=True, dim=384, depth=12, heads=6, decoder_dim=256, reduced=64, hidden=512),
    "coevoer-t": Sizes(trunk=True, dim=192, depth=6, heads=3, decoder_dim=192, reduced=64, hidden=256),
}
MODEL_NAMES = tuple(_SIZES)


def refuse_unknown(name: str) -> None:
    """Raise `InputError` for a name that is not in `MODEL_NAMES`."""
    if name not in _SIZES:
        raise InputError(f"Unknown model {name!r}; valid: {', '.join(MODEL_NAMES)}.")


def build(name: str, *, enhancer: bool = True, foreground: bool = True, seed: int = 0) -> CoEvoer:
    """Build and initialise a network.

    Args:
        name: one of `MODEL_NAMES`.
        enhancer: False gives the paper's Variant1 (Table 4): self-attention over concatenated part features.
        foreground: False gives Variant2 (Table 4): pooled feature map instead of Portrait Foreground Extraction.
        seed: seed of the initialisation; equal seeds give equal weights, and the global generator is unchanged.

    Raises:
        InputError: unknown name.
    """
    refuse_unknown(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _assemble(name, _SIZES[name], enhancer=enhancer, foreground=foreground)
        _initialise(model)
    return model


def blank(name: str, *, enhancer: bool = True, foreground: bool = True) -> CoEvoer:
    """The network of `build` without its initialisation, which takes seconds in the large sizes; weights are loaded
    next.

    Raises:
        InputError: unknown name.
    """
    refuse_unknown(name)
    with torch.random.fork_rng(devices=[]):
        return _assemble(name, _SIZES[name], enhancer=enhancer, foreground=foreground)


def _assemble(name: str, s: Sizes, *, enhancer: bool, foreground: bool) -> CoEvoer:
    dim, heads = s.decoder_dim, s.decoder_dim // 64

    def head(tokens: int, out: int) -> TokenHead:
        return TokenHead(dim, tokens, s.reduced, s.hidden, out)

    num_body = 6 * len(BODY_JOINT_NAMES) + contract.NUM_BETAS + 3
    return CoEvoer(
        name,
        encoder=Encoder(TrunkEmbedding(s.dim, Trunk()) if s.trunk else PatchEmbedding(s.dim), s.dim, s.depth, s.heads),
        foreground=ForegroundExtraction(s.dim, dim, heads, _SEGMENT_TOKENS)
        if foreground
        else PooledSegments(s.dim, dim),
        box_net=BoxNet(s.dim),
        part_features=PartFeatures(s.dim, dim),
        enhancer=CollaborativeEvolutionEnhancer(dim, heads) if enhancer else ConcatenatedSelfAttention(dim, heads),
        refine_net=RefineNet(dim),
        body_tokens=nn.Linear(s.dim, dim),
        body_head=head(len(BODY_TASKS) + _SEGMENT_TOKENS, num_body),
        face_head=head(ROI_SIZE**2, 6 + contract.NUM_EXPRESSION),
        left_hand_head=head(ROI_SIZE**2, 6 * contract.NUM_HAND_JOINTS),
        right_hand_head=head(ROI_SIZE**2, 6 * contract.NUM_HAND_JOINTS),
        visibility_head=Mlp(s.dim, s.dim // 2, 1),
    )


def _initialise(model: CoEvoer) -> None:
    """Initialise as a ViT, with a pretrained trunk; heads start at a person who faces the camera with arms hanging."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for key, parameter in model.named_parameters():
        if key.endswith("task_tokens") or ".queries." in key:
            nn.init.trunc_normal_(parameter, std=0.02)
    embedding = model.encoder.patch_embed
    if isinstance(embedding, TrunkEmbedding):
        load_pretrained(embedding.trunk)
        embedding.spread_bilinearly()
    for module in model.encoder.modules():
        if isinstance(module, Attention):
            _look_around(module)
    with torch.no_grad():
        model.encoder.pos_embed.copy_(_sines(*GRID, model.encoder.pos_embed.shape[-1]))
        num_body = len(BODY_JOINT_NAMES)
        model.body_head.out.bias[: 6 * num_body] = _start_pose().flatten()
        model.body_head.out.bias[-3:] = torch.tensor([0.0, _START_Y_M, _logit(_START_DEPTH_M / MAX_DEPTH_M)])
        for head, joints in ((model.left_hand_head, 15), (model.right_hand_head, 15), (model.face_head, 1)):
            head.out.bias[: 6 * joints] = _identity_sixd(joints).flatten()


_START_DEPTH_M = 22.0  # an upper body of 1.1 m fills the 256 px of the crop at focal 5000 px
_START_Y_M = 0.7  # the root turns about the pelvis (y -0.35 m), and the chest, 0.35 m above it, is the crop's middle
_ARM_DOWN_RAD = math.radians(65)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


@torch.no_grad()
def _look_around(attention: Attention) -> None:
    """Start like trained attention: each token attends to similar tokens, its neighbours first.

    Query times key is near the identity, so that tokens attend to those of similar content and place; value times
    output is near minus the identity. The numbers are those of Trockman and Kolter 2023, Mimetic Initialization of
    Self-Attention Layers (arXiv:2305.09828).
    """
    dim = attention.query.weight.shape[0]
    noise = dim**-0.5
    for rows in torch.arange(dim).chunk(attention.heads):
        u, s, v = torch.linalg.svd(0.7 * noise * torch.randn(dim, dim) + 0.7 * torch.eye(dim))
        root = s[: len(rows)].sqrt()[:, None]
        attention.query.weight[rows] = root * u.T[: len(rows)]
        attention.key.weight[rows] = root * v[: len(rows)]
    u, s, v = torch.linalg.svd(0.4 * noise * torch.randn(dim, dim) - 0.4 * torch.eye(dim))
    attention.value.weight.copy_(s.sqrt()[:, None] * u.T)
    attention.fc.weight.copy_(v.T * s.sqrt())


def _sines(rows: int, columns: int, dim: int) -> torch.Tensor:
    """Sines and cosines of row and column, (1, rows * columns, dim), the initial value of a learned embedding.

    The values are those of MAE (He et al. 2022). From random values, a ViT would first have to learn which patches are
    neighbours.
    """
    rates = 10000.0 ** -(torch.arange(dim // 4) / (dim // 4))
    place = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"), dim=-1)
    angles = place.view(-1, 2, 1) * rates  # N 2 dim/4
    return torch.cat((angles.sin(), angles.cos()), dim=-1).view(1, rows * columns, dim)


def _identity_sixd(joints: int) -> torch.Tensor:
    """First two columns of the identity, (6, J)."""
    return torch.tensor([1.0, 0, 0, 0, 1, 0])[:, None].repeat(1, joints)


def _start_pose() -> torch.Tensor:
    """Root turned from SMPL-X's y-up to the camera's y-down, arms hanging; (6, 22)."""
    sixd = _identity_sixd(len(BODY_JOINT_NAMES))
    sixd[4, 0] = -1.0  # half a turn about x: columns (1 0 0), (0 -1 0)
    for name, sign in (("left_shoulder", -1.0), ("right_shoulder", 1.0)):
        c, s = math.cos(_ARM_DOWN_RAD), sign * math.sin(_ARM_DOWN_RAD)
        sixd[:, BODY_JOINT_NAMES.index(name)] = torch.tensor([c, s, 0, -s, c, 0])
    return sixd

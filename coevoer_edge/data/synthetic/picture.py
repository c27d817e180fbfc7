"""Batched rendering of training images: a dressed and lit body in front of a background, with camera effects.

In: vertices in the camera frame, the camera, a `Look` per sample. Out: `Picture`. It is batched torch on any device; a
sample's picture does not depend on the rest of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.rasterizer import Fragments, rasterize, vertex_normals
from coevoer_edge.data.record import BODY_PARTS
from coevoer_edge.data.synthetic.background import H, W, paint_backgrounds, paint_boxes, stacked
from coevoer_edge.data.synthetic.fabric import Threads, carry
from coevoer_edge.data.synthetic.lighting import light_vertices
from coevoer_edge.data.synthetic.look import Look
from coevoer_edge.data.synthetic.photograph import photograph
from coevoer_edge.data.synthetic.props import place_props, prop_faces
from coevoer_edge.data.synthetic.wardrobe import LAYERS, Outfit, Wardrobe

SAMPLES_PER_PX = 1.5  # along each side: the person is rendered this much larger, then averaged
_LABELED_JOINTS = {
    "head": ("head", "jaw", "left_eye", "right_eye"),
    "left_hand": ("left_wrist", "left_index", "left_middle", "left_pinky", "left_ring", "left_thumb"),
    "right_hand": ("right_wrist", "right_index", "right_middle", "right_pinky", "right_ring", "right_thumb"),
    "left_arm": ("left_shoulder", "left_elbow"),
    "right_arm": ("right_shoulder", "right_elbow"),
    "torso": ("pelvis", "spine", "neck", "left_collar", "right_collar"),
    "legs": tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot")),
}
"""The joints of each label, by the beginning of their names."""

_PART_LABELS = {"face": "head", "left_hand": "left_hand", "right_hand": "right_hand"}
_AT_ONCE = {"cpu": 1, "cuda": 32}  # samples; more do not fit into the cache of a CPU
_NEAR_M = 0.012  # a vertex this far behind the surface at its pixel still counts as visible
_CUT_PER_M = 250.0  # sharpness of the layers' edges
_LAYER_COLORS = {"bottom": 2, "top": 0, "jacket": 1, "wrap": 3}  # rows of Cloth.colors, from the lowest layer up


@dataclass(frozen=True)
class Picture:
    """B training images with per-pixel labels."""

    image: Tensor  # B 3 256 192 uint8
    mask: Tensor  # B 256 192 bool: the person (body, clothes, hair), not hidden by an occluder
    part_seen: Tensor  # B 4 float, contract.VISIBILITY: visible share of the part if it were alone and unclipped
    labels: Tensor  # B 256 192 uint8: index in BODY_PARTS; clothes and hair have the label of what they cover


class Painter:
    """Renders bodies of one topology, whose constant tensors it keeps on a device."""

    def __init__(self, body: BodyModel, device: torch.device) -> None:
        self._device = device
        self._wardrobe = Wardrobe(body, device)
        V = body.num_vertices
        props = torch.from_numpy(prop_faces())
        self._body_faces = torch.from_numpy(body.faces.astype(np.int64)).to(device)
        self._faces = torch.cat((self._body_faces, (props + V).to(device)))
        self._corners = [self._faces[:, i].contiguous() for i in range(3)]
        of_vertex = torch.from_numpy(_label_vertices(np.asarray(body.file.weights)))
        of_face = of_vertex[self._body_faces.cpu()].mode(1).values
        head = torch.full((len(props),), BODY_PARTS.index("head"))
        self._face_labels = torch.cat((of_face, head)).to(torch.uint8).to(device)
        self._parts = [torch.arange(V, device=device)[~self._wardrobe.inner]]
        for part in contract.PARTS:
            own = torch.from_numpy(np.asarray(body.part_vertices[part], np.int64)).to(device)
            self._parts.append(own[~self._wardrobe.inner[own]])
        rest = self._wardrobe.rest
        self._area = _vertex_areas(rest, self._body_faces)  # V
        skull = self._wardrobe.head & (rest[:, 1] > 0.3) & ~self._wardrobe.inner
        self._skull = skull.nonzero().squeeze(1)
        ones = torch.ones(len(self._skull), 1, device=device)
        self._to_head = torch.linalg.pinv(torch.cat((rest[self._skull], ones), 1).double()).float()  # 4 S

    @torch.no_grad()
    def paint(self, vertices: Tensor, focal_px: Tensor, principal_px: Tensor, looks: Sequence[Look]) -> Picture:
        """Render B bodies.

        `vertices` (B, V, 3) in the camera frame (x right, y down, z into the scene), m; `focal_px` (B,) and
        `principal_px` (B, 2) in pixels of the 256 x 192 picture.
        """
        step = _AT_ONCE.get(self._device.type, _AT_ONCE["cpu"])
        parts = [
            self._paint(vertices[i : i + step], focal_px[i : i + step], principal_px[i : i + step], looks[i : i + step])
            for i in range(0, len(looks), step)
        ]
        return Picture(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    def _paint(
        self, vertices: Tensor, focal_px: Tensor, principal_px: Tensor, looks: Sequence[Look]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        vertices, focal_px, principal_px = (
            t.to(self._device, torch.float32) for t in (vertices, focal_px, principal_px)
        )
        outfit = self._wardrobe.dress(looks)
        outward = vertex_normals(vertices, self._body_faces)
        on_head, prop_colors = place_props([look.hair for look in looks], self._device)
        skulls = vertices.index_select(1, self._skull)
        # Fitted one by one, so that the result does not depend on the batch.
        to_camera = [self._to_head @ skull for skull in skulls]  # each 4 3
        props = torch.stack([part @ fit[:3] + fit[3:] for part, fit in zip(on_head, to_camera, strict=True)])
        surface = torch.cat((vertices + outward * outfit.offset_m[..., None], props), 1)
        normals = vertex_normals(surface, self._faces)
        picture_px = (
            surface[..., :2] / surface[..., 2:].clamp(min=1e-3) * focal_px[:, None, None] + principal_px[:, None]
        )
        high, wide = round(H * SAMPLES_PER_PX), round(W * SAMPLES_PER_PX)
        points = torch.cat((picture_px * SAMPLES_PER_PX, surface[..., 2:]), -1)
        fragments = self._rasterize(points, high, wide)
        lit, glint = light_vertices(surface, normals, outfit.gloss, looks)
        person = self._colored(fragments, outfit, prop_colors, lit, glint, looks)  # B 4 high wide
        person = F.interpolate(person, size=(H, W), mode="area")
        image = paint_backgrounds([look.background for look in looks], self._device)
        image = image * (1 - person[:, 3:]) + person[:, :3]
        hidden = torch.zeros(len(looks), H, W, dtype=torch.bool, device=self._device)
        chosen = [i for i, look in enumerate(looks) if look.occluder.kind != "none"]
        if chosen:
            boxes = stacked([looks[i].occluder.boxes for i in chosen], self._device)
            colors = stacked([looks[i].occluder.colors for i in chosen], self._device)
            layer, alpha = paint_boxes(boxes, colors)
            image[chosen] = image[chosen] * (1 - alpha) + layer
            hidden[chosen] = alpha[:, 0] > 0.5
        image = photograph(image, [look.camera for look in looks], [look.seed for look in looks])
        labels = self._label(fragments)  # B high wide
        near = F.interpolate(labels[:, None], size=(H, W), mode="nearest-exact")[:, 0]
        most = F.adaptive_max_pool2d(labels[:, None].float(), (H, W))[:, 0].to(torch.uint8)
        mask = (person[:, 3] > 0.5) & ~hidden
        picture_labels = torch.where(near > 0, near, most) * mask
        seen = self._seen(points, fragments.depth, labels, hidden, surface, normals)
        return (image * 255).round().to(torch.uint8), picture_labels > 0, seen, picture_labels

    def _rasterize(self, points: Tensor, high: int, wide: int) -> Fragments:
        """Call `rasterize`; for a single body on the CPU, only with the faces that may be visible."""
        if len(points) > 1 or points.is_cuda:
            return rasterize(points, self._faces, high, wide, cull_backfaces=True)
        x, y = points[0, :, 0].contiguous(), points[0, :, 1].contiguous()
        ax, bx, cx = (x.index_select(0, corner) for corner in self._corners)
        ay, by, cy = (y.index_select(0, corner) for corner in self._corners)
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        framed = (torch.maximum(torch.maximum(ax, bx), cx) > -1) & (torch.minimum(torch.minimum(ax, bx), cx) < wide + 1)
        framed &= (torch.maximum(torch.maximum(ay, by), cy) > -1) & (
            torch.minimum(torch.minimum(ay, by), cy) < high + 1
        )
        kept = (framed & (area < 1.0)).nonzero().squeeze(1)  # px^2: faces this narrow are left to the rasteriser
        fragments = rasterize(points, self._faces.index_select(0, kept), high, wide, cull_backfaces=True)
        seen = fragments.face_id
        if not len(kept):
            return fragments
        return replace(fragments, face_id=torch.where(seen < 0, seen, kept[seen.clamp(min=0)]))

    def _label(self, fragments: Fragments) -> Tensor:
        return self._face_labels[fragments.face_id.clamp(min=0)] * fragments.mask

    def _colored(
        self,
        fragments: Fragments,
        outfit: Outfit,
        prop_colors: Tensor,
        lit: Tensor,
        glint: Tensor,
        looks: Sequence[Look],
    ) -> Tensor:
        """Premultiplied colour and opacity (B, 4, high, wide)."""
        B, P = prop_colors.shape[:2]
        V = outfit.color.shape[1]
        place = self._wardrobe.rest.expand(B, -1, -1)
        body = torch.cat((outfit.color, place, outfit.fields_m, outfit.blobs), 2)
        bare = torch.cat((prop_colors, prop_colors.new_full((B, P, body.shape[2] - 3), -1.0)), 2)
        attributes = torch.cat((torch.cat((body, bare), 1), lit, glint), 2).reshape(B * (V + P), -1)
        hit = fragments.mask.flatten().nonzero().squeeze(1)
        image = hit // fragments.face_id[0].numel()
        corners = (
            self._faces.index_select(0, fragments.face_id.flatten().index_select(0, hit)) + (image * (V + P))[:, None]
        )
        weights = fragments.barycentric.view(-1, 3).index_select(0, hit)
        values = F.embedding_bag(corners, attributes, mode="sum", per_sample_weights=weights)
        values = values.T.contiguous()  # C N: each channel is contiguous
        color, place, fields, blobs, light, shine = torch.split(values, [3, 3, len(LAYERS), 2, 3, 3])
        cover = (fields * _CUT_PER_M + 0.5).clamp(0, 1)
        color = self._layered(color, place, cover, blobs, image, looks)
        shaded = (color * light + shine).clamp(0, 1.5)
        flat = shaded.new_zeros(4, fragments.face_id.numel())
        flat.index_copy_(1, hit, torch.cat((shaded, torch.ones_like(shaded[:1]))))
        result: Tensor = flat.view(4, *fragments.face_id.shape).transpose(0, 1)
        return result

    def _layered(
        self, color: Tensor, place: Tensor, cover: Tensor, blobs: Tensor, image: Tensor, looks: Sequence[Look]
    ) -> Tensor:
        """(3, N) colours of skin, hair and clothes, layered; the last axis of all inputs is the N pixels."""
        device = self._device
        cloths, wears = [look.cloth for look in looks], [look.hair for look in looks]
        colors = np.stack([cloth.colors for cloth in cloths])  # B 5 2 3
        for i, wear in enumerate(wears):
            if wear.headwear == "cover":
                colors[i, 3] = wear.wear_color, wear.wear_color * 0.8
        numbers = (
            [look.skin.beard for look in looks],
            [look.skin.brow for look in looks],
            [wear.color for wear in wears],
            [cloth.logo_color for cloth in cloths],
            [cloth.patterned for cloth in cloths],
            [*colors.reshape(len(looks), -1)],
        )
        table = torch.cat([stacked(values, device) for values in numbers], 1)  # B 45
        carried = carry(table, image)  # 45 N
        shaven, beard, brow, hair, logo, patterned, cloth = torch.split(carried, [1, 3, 3, 3, 3, 5, 30])
        share, ink = Threads(cloths, device).at(image, place, blobs[0])
        is_brow = place[1] > 0.28
        opacity = torch.where(is_brow, 0.85, shaven[0]) * (0.85 + 0.15 * blobs[1])
        color = torch.lerp(color, torch.where(is_brow, brow, beard), (cover[1] * opacity).clamp(0, 1))
        strands = 0.9 + 0.18 * blobs[1] + 0.06 * torch.sin(900 * place[0] + 4 * blobs[0])
        color = torch.lerp(color, hair * strands, cover[0])
        grain = 1 + 0.03 * blobs[1]
        for layer, k in _LAYER_COLORS.items():
            first, second = cloth[6 * k : 6 * k + 3], cloth[6 * k + 3 : 6 * k + 6]
            own = torch.lerp(first, second, share * patterned[k]) * grain
            if layer == "top":
                own = torch.lerp(own, logo, ink)
            color = torch.lerp(color, own, cover[LAYERS.index(layer)])
        return color

    def _seen(
        self, points: Tensor, depth: Tensor, labels: Tensor, hidden: Tensor, surface: Tensor, normals: Tensor
    ) -> Tensor:
        """(B, 4): the visible share of each part's surface that faces the camera, weighted by its projected area.

        Surface hidden by the part itself is excluded from both sides of the ratio.
        """
        high, wide = depth.shape[1:]
        V = len(self._wardrobe.rest)
        points, surface, normals = points[:, :V], surface[:, :V], normals[:, :V]
        towards = -(normals * F.normalize(surface, dim=-1)).sum(-1)  # B V
        extent = towards.clamp(min=0)
        column, row = points[..., 0].floor().long(), points[..., 1].floor().long()
        framed = (column >= 0) & (column < wide) & (row >= 0) & (row < high) & (points[..., 2] > 0)
        at = row.clamp(0, high - 1) * wide + column.clamp(0, wide - 1)
        front = points[..., 2] <= depth.flatten(1).gather(1, at) + _NEAR_M
        row, column = ((axis / SAMPLES_PER_PX).long() for axis in (row.clamp(0, high - 1), column.clamp(0, wide - 1)))
        free = ~hidden.flatten(1).gather(1, row * W + column)
        label = labels.flatten(1).gather(1, at)  # B V
        shares = []
        for name, part in zip(contract.VISIBILITY, self._parts, strict=True):
            own = label[:, part] == BODY_PARTS.index(_PART_LABELS[name]) if name in _PART_LABELS else label[:, part] > 0
            weight = extent[:, part] * self._area[part]
            by_itself = framed[:, part] & ~front[:, part] & own
            seen = (weight * (framed & front & free)[:, part]).sum(1)
            shares.append(seen / (weight * ~by_itself).sum(1).clamp(min=1e-9))
        return torch.stack(shares, 1)


def _label_vertices(weights: NDArray[np.float32]) -> NDArray[np.int64]:
    """(V,) index in BODY_PARTS of the joint with the largest skinning weight; `weights` is (V, 55)."""
    label_of = {
        joint: BODY_PARTS.index(label)
        for label, starts in _LABELED_JOINTS.items()
        for joint in JOINT_NAMES
        if joint.startswith(starts)
    }
    of_joint = [label_of[joint] for joint in JOINT_NAMES]
    strongest: NDArray[np.int64] = np.asarray(of_joint, np.int64)[weights.argmax(1)]
    return strongest


def _vertex_areas(rest: Tensor, faces: Tensor) -> Tensor:
    """(V,) a third of the total area of the faces around each vertex, m^2."""
    a, b, c = (rest[faces[:, i]] for i in range(3))
    area = torch.linalg.cross(b - a, c - a).norm(dim=1) / 6
    total = torch.zeros(len(rest), device=rest.device)
    for i in range(3):
        total.index_add_(0, faces[:, i], area)
    return total

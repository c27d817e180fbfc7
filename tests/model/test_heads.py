import numpy as np
import pytest
import torch
from torch import Tensor

from coevoer_edge.body.rotations import sixd_to_matrix
from coevoer_edge.model.heads import MAX_DEPTH_M, TokenHead, sixd_to_rotation, to_translation

ORTHONORMAL = 1e-4  # largest entry of R^T R - I; the 1e-6 in the square root costs 2e-6 at length 1, more when shorter
TO_NUMPY = 1e-4  # largest difference from coevoer_edge.body.rotations, which adds nothing in its square root


@pytest.fixture
def sixd() -> Tensor:
    """(400, 6, 5): random directions whose columns are neither short nor nearly parallel."""
    torch.manual_seed(0)
    values = torch.randn(4000, 3, 2)
    length = values.norm(dim=1)
    cosine = torch.nn.functional.cosine_similarity(values[..., 0], values[..., 1], dim=1).abs()
    usual = values[(length.amin(1) > 0.5) & (cosine < 0.9)][:2000]
    return usual.transpose(1, 2).reshape(400, 5, 6).transpose(1, 2).contiguous()  # B 6 J


def test_rotations_are_orthonormal_with_determinant_1(sixd: Tensor) -> None:
    R = sixd_to_rotation(sixd)
    assert R.shape == (400, 5, 3, 3)
    torch.testing.assert_close(R.mT @ R, torch.eye(3).expand_as(R), rtol=0, atol=ORTHONORMAL)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(400, 5), rtol=0, atol=ORTHONORMAL)


def test_network_and_numpy_agree_on_6d(sixd: Tensor) -> None:
    expected = sixd_to_matrix(sixd.transpose(1, 2).numpy())
    np.testing.assert_allclose(sixd_to_rotation(sixd).numpy(), expected, rtol=0, atol=TO_NUMPY)


def test_first_columns_of_a_rotation_give_it_back(sixd: Tensor) -> None:
    R = sixd_to_rotation(sixd)
    columns = torch.cat((R[..., 0], R[..., 1]), dim=-1).transpose(1, 2)  # B 6 J
    torch.testing.assert_close(sixd_to_rotation(columns), R, rtol=0, atol=ORTHONORMAL)


def test_joints_do_not_mix(sixd: Tensor) -> None:
    one_by_one = torch.cat([sixd_to_rotation(sixd[:, :, j : j + 1]) for j in range(5)], dim=1)
    torch.testing.assert_close(sixd_to_rotation(sixd), one_by_one)


def test_gradient_is_finite_at_usual_values_and_at_the_degenerate_ones(sixd: Tensor) -> None:
    degenerate = torch.zeros(3, 6, 5)
    degenerate[1, 0], degenerate[1, 3] = 1.0, 2.0  # parallel columns
    degenerate[2, 0] = 1.0  # second column zero
    for values in (sixd.clone(), degenerate):
        values.requires_grad_()
        sixd_to_rotation(values).sin().sum().backward()
        assert values.grad is not None
        assert values.grad.isfinite().all()


def test_depth_stays_between_0_and_the_maximum() -> None:
    raw = torch.linspace(-30, 30, 601)[:, None].expand(-1, 3)
    camera = to_translation(raw)
    torch.testing.assert_close(camera[:, :2], raw[:, :2])
    assert ((camera[:, 2] >= 0) & (camera[:, 2] <= MAX_DEPTH_M)).all()
    assert (camera[1:, 2] >= camera[:-1, 2]).all()
    assert to_translation(torch.zeros(1, 3))[0, 2].item() == pytest.approx(MAX_DEPTH_M / 2)


def test_maximum_depth_is_osx_k_value() -> None:
    assert pytest.approx(56.4, abs=0.05) == MAX_DEPTH_M


def test_token_head_reads_every_token_in_its_place() -> None:
    torch.manual_seed(0)
    head = TokenHead(dim=8, tokens=4, reduced=3, hidden=16, out=5).requires_grad_(False)
    tokens = torch.randn(2, 4, 8)
    assert head(tokens).shape == (2, 5)
    assert not torch.allclose(head(tokens), head(tokens.flip(1)))
    for i in range(4):
        moved = tokens.clone()
        moved[:, i] = torch.randn(2, 8)
        assert not torch.allclose(head(moved), head(tokens))

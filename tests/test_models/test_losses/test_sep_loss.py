"""SEPLoss against Fourier sums written out, and the tokens that say nothing."""

import cmath
import math

import mmvitkd  # noqa: F401
from mmvitkd.analysis import sep
from mmvitkd.models.losses import SEPLoss
from mmvitkd.models.utils.features import Features

import pytest
import torch


def sides(width=6, count=2, dtype=torch.float32):
    tokens = (torch.randn(count, 4, width).to(dtype) for _ in range(2))
    return tuple(Features(each, (2, 2)) for each in tokens)


def naive_curve(token):
    width = len(token)
    energies = []
    for k in range(width // 2 + 1):
        terms = (x * cmath.exp(-2j * math.pi * k * c / width) for c, x in enumerate(token))
        pair = 1 if 2 * k in (0, width) else 2
        energies.append(pair * abs(sum(terms)) ** 2)
    return [sum(energies[: k + 1]) / sum(energies) for k in range(len(energies))]


def naive(student, teacher):
    losses = []
    for s, t in zip(
        *(side.tokens.double().flatten(0, 1).tolist() for side in (student, teacher)),
        strict=True,
    ):
        gaps = [a - b for a, b in zip(naive_curve(s), naive_curve(t), strict=True)]
        losses.append(sum(gap * gap for gap in gaps) / len(gaps))
    return sum(losses) / len(losses)


@pytest.mark.parametrize('width', [2, 6, 7])
def test_the_formula(width):
    student, teacher = sides(width)
    found = SEPLoss(3.0)(student, teacher).item()
    assert found == pytest.approx(3 * naive(student, teacher), abs=1e-6)
    torch.testing.assert_close(SEPLoss(3.0)(student.to_map(), teacher).item(), found)


def test_the_curves_are_those_of_the_measure():
    """Of one token on each side."""
    student, teacher = (Features(side.tokens[:1, :1], (1, 1)) for side in sides(8))
    first, second = (sep(side.tokens, 'folded')['curve'] for side in (student, teacher))
    wanted = sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) / len(first)
    assert SEPLoss(1.0)(student, teacher).item() == pytest.approx(wanted, abs=1e-6)


def test_the_gradient():
    student, teacher = sides(dtype=torch.float64)
    leaf = student.tokens.requires_grad_()
    loss = SEPLoss(1.0)
    assert torch.autograd.gradcheck(lambda x: loss(Features(x, (2, 2)), teacher), leaf)


def test_a_scaled_token_has_the_same_pattern():
    student, _ = sides()
    scaled = Features(1e-20 * student.tokens, student.grid)
    assert SEPLoss(1.0)(student, scaled).item() < 1e-10


@pytest.mark.parametrize('constant', [0.0, 3.0, 0.1])
@pytest.mark.parametrize('side', [0, 1])
def test_zero_and_constant_tokens_are_left_out(side, constant):
    tokens = [each.tokens.clone() for each in sides()]
    tokens[side][0, :2] = constant
    leaf = tokens[0].requires_grad_()
    found = SEPLoss(1.0)(Features(leaf, (2, 2)), Features(tokens[1], (2, 2)))
    kept = (
        Features(each.detach().flatten(0, 1)[2:, None], (1, 1)) for each in (leaf, tokens[1])
    )
    assert found.item() == pytest.approx(naive(*kept), abs=1e-6)
    found.backward()
    assert leaf.grad.isfinite().all()
    assert not leaf.grad[0, :2].any() and leaf.grad[1].any()


@pytest.mark.parametrize('constant', [0.0, 1.0])
def test_without_a_token_that_counts_it_is_zero(constant):
    student, teacher = sides()
    leaf = torch.full_like(student.tokens, constant).requires_grad_()
    found = SEPLoss()(Features(leaf, (2, 2)), teacher)
    found.backward()
    assert found.item() == 0 and not leaf.grad.any()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    student, teacher = sides(dtype=dtype)
    as_floats = (Features(side.tokens.float(), side.grid) for side in (student, teacher))
    with torch.autocast('cpu', torch.bfloat16):
        found = SEPLoss(1.0)(student, teacher)
    assert found.dtype == torch.float32
    assert torch.equal(found, SEPLoss(1.0)(*as_floats))


@pytest.mark.parametrize('value', [math.nan, math.inf])
@pytest.mark.parametrize('side', [0, 1])
@pytest.mark.parametrize('other', ['varies', 'is constant'])
def test_a_token_that_is_not_finite_is_not_left_out(value, side, other):
    tokens = [each.tokens.clone() for each in sides()]
    tokens[side][0, 0, 0] = value
    if other == 'is constant':
        tokens[1 - side][0, 0] = 1
    assert SEPLoss()(*(Features(each, (2, 2)) for each in tokens)).isnan()


def test_finite_tokens_whose_spread_overflows_count():
    student, teacher = sides()
    student.tokens[0, 0] = torch.tensor([3e38, -3e38, 0, 0, 0, 0])
    found = SEPLoss(1.0)(student, teacher).item()
    assert found == pytest.approx(naive(student, teacher), abs=1e-6)

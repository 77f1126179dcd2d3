"""Relative errors and R2 against naive float64 formulas, of what each loss compares."""

import mmvitkd  # noqa: F401
from mmvitkd.models.losses import CosineSmoothL1Loss, FeatureMSELoss, SEPLoss, align
from mmvitkd.models.losses.error_sums import (
    compared_features,
    error_sums,
    relative_errors,
)
from mmvitkd.models.utils.features import Features

import numpy as np
import pytest
import torch
from mmrazor.models.losses import KLDivergence, L2Loss


def tokens(*shape, mean=3.0, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator) + mean).to(dtype)


def naive(student, teacher, mean_token=None):
    """Token by token, in float64."""
    s, t = (x.double().numpy().reshape(-1, x.shape[-1]) for x in (student, teacher))
    m = sum(t) / len(t) if mean_token is None else mean_token
    error = sum(np.sum((a - b) ** 2) for a, b in zip(s, t, strict=True))
    rest = sum(np.sum((b - m) ** 2) for b in t)
    energy = sum(np.sum(b**2) for b in t)
    return error / energy, 1 - error / rest, rest / energy


@pytest.mark.parametrize('given', [None, np.linspace(1, 5, 4)])
def test_the_naive_formula(given):
    student, teacher = tokens(5, 6, 4), tokens(5, 6, 4, seed=1)
    mean = None if given is None else torch.from_numpy(given)
    found = relative_errors(error_sums(student, teacher), mean)
    torch.testing.assert_close(
        torch.stack(list(found)),
        torch.tensor(naive(student, teacher, given)),
        rtol=1e-6,
        atol=0,
    )


def test_batches_can_be_added():
    student, teacher = tokens(7, 6, 4), tokens(7, 6, 4, seed=1)
    parts = [error_sums(student[i : i + 3], teacher[i : i + 3]) for i in (0, 3, 6)]
    torch.testing.assert_close(
        torch.stack(list(relative_errors(sum(parts)))),
        torch.tensor(naive(student, teacher)),
        rtol=1e-6,
        atol=0,
    )


def test_a_constant_student_at_the_mean_has_an_r2_of_0():
    teacher = tokens(4, 9, 8)
    student = teacher.mean((0, 1)).expand_as(teacher)
    found = relative_errors(error_sums(student, teacher))
    assert float(found.r2) == pytest.approx(0, abs=1e-6)
    assert float(found.rel_error) == pytest.approx(float(found.mean_token), rel=1e-6)


def test_a_mean_that_carries_nearly_all_energy_does_not_cancel():
    teacher = tokens(16, 49, 8, mean=300.0)
    found = relative_errors(error_sums(teacher + 0.25, teacher))
    expected = naive(teacher + 0.25, teacher)
    assert expected[2] < 2e-5
    torch.testing.assert_close(
        torch.stack(list(found)), torch.tensor(expected), rtol=1e-5, atol=0
    )


def test_a_target_of_zeros_gives_numbers():
    zeros = torch.zeros(2, 3, 4)
    assert all(torch.isfinite(x) for x in relative_errors(error_sums(zeros, zeros)))


def test_sums_have_no_gradient_and_change_nothing():
    student = tokens(2, 3, 4).requires_grad_()
    before = torch.get_rng_state()
    assert not error_sums(student, tokens(2, 3, 4)).requires_grad
    assert torch.equal(before, torch.get_rng_state())


def test_our_losses_are_compared_after_alignment():
    student = Features(tokens(2, 4, 6), (2, 2))
    teacher = Features(tokens(2, 16, 12, dtype=torch.float16), (4, 4))
    found = compared_features(FeatureMSELoss(), student, teacher)
    expected = align(student, teacher)
    assert torch.equal(found[0], expected[0].tokens)
    assert torch.equal(found[1], expected[1].tokens)
    assert found[1].dtype == torch.float32


def test_a_loss_that_standardises_is_compared_so_and_not_updated():
    loss = CosineSmoothL1Loss().train()
    sides = [Features(tokens(8, 4, 6, seed=seed), (2, 2)) for seed in (0, 1)]
    loss(*sides)
    state = {name: value.clone() for name, value in loss.state_dict().items()}
    _, target = compared_features(loss, *sides)
    torch.testing.assert_close(target.mean((0, 1)), torch.zeros(6), atol=1e-5, rtol=0)
    assert all(torch.equal(state[name], value) for name, value in loss.state_dict().items())


def test_a_loss_that_standardises_is_compared_before_its_first_batch():
    sides = [Features(tokens(8, 4, 6, seed=seed), (2, 2)) for seed in (0, 1)]
    loss = CosineSmoothL1Loss().train()
    _, target = compared_features(loss, *sides)
    torch.testing.assert_close(target.std((0, 1), unbiased=False), torch.ones(6))
    assert int(loss.standardize.batches) == 0


def test_maps_of_another_librarys_loss():
    student, teacher = tokens(2, 6, 3, 5), tokens(2, 6, 3, 5, seed=1)
    found = compared_features(L2Loss(), student, teacher)
    assert torch.equal(found[0], student.flatten(2).transpose(1, 2))


@pytest.mark.parametrize(
    ('loss', 'shapes', 'reason'),
    [
        (KLDivergence(), [(2, 10), (2, 10)], r'\(2, 10\)'),
        (L2Loss(), [(2, 4, 6), (2, 4, 8)], r'\(2, 4, 6\) with \(2, 4, 8\)'),
        (SEPLoss(), [(2, 4, 3, 3), (2, 4, 3, 3)], 'SEPLoss does not compare the values'),
    ],
)
def test_what_is_no_features_of_one_shape_says_so(loss, shapes, reason):
    with pytest.raises(ValueError, match=reason):
        compared_features(loss, *(tokens(*shape) for shape in shapes))

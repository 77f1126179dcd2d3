"""Relative error, R2 over the mean token and cosine: against their formulas in numpy."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.relative_error import RelativeError

import numpy as np
import pytest
import torch


def measured(student, teacher):
    error = RelativeError()
    error.update(student, teacher)
    return error.result()


def naive(student, teacher):
    s, t = (x.double().flatten(0, -2).numpy() for x in (student, teacher))
    cosine = (s * t).sum(1) / np.linalg.norm(s, axis=1) / np.linalg.norm(t, axis=1)
    error = ((s - t) ** 2).sum()
    constant = ((t - t.mean(0)) ** 2).sum()
    return {
        'rel_error': error / (t**2).sum(),
        'mean_token': constant / (t**2).sum(),
        'r2': 1 - error / constant,
        'cosine': cosine.mean(),
    }


@pytest.mark.parametrize('shape', [(6, 16, 12), (20, 12)], ids=['tokens', 'vectors'])
def test_it_is_as_the_formulas_say(shape):
    teacher = torch.randn(shape) + 3
    student = teacher + torch.randn(shape)
    assert measured(student, teacher) == pytest.approx(naive(student, teacher), rel=1e-12)


def test_the_mean_token_itself_has_an_r2_of_0():
    teacher = torch.randn(4, 9, 8) + torch.linspace(0, 5, 8)
    constant = teacher.double().mean((0, 1)).expand(4, 9, 8)
    found = measured(constant, teacher)
    assert found['r2'] == pytest.approx(0, abs=1e-12)
    assert found['rel_error'] == pytest.approx(found['mean_token'], rel=1e-12)


def test_a_perfect_student_and_one_that_is_worse_than_the_constant():
    teacher = torch.randn(4, 9, 8) + 10
    assert measured(teacher, teacher)['r2'] == 1
    assert measured(0 * teacher, teacher)['r2'] < -90


def test_parts_and_the_sums_of_processes_add_up():
    student, teacher = torch.randn(7, 5, 8), torch.randn(7, 5, 8)
    parts = [RelativeError(), RelativeError()]
    for i, place in enumerate(torch.arange(7).split([1, 2, 4])):
        parts[i % 2].update(student[place], teacher[place])
    whole = RelativeError()
    whole.add_sums(parts[0].sums + parts[1].sums)
    assert whole.result() == pytest.approx(measured(student, teacher), rel=1e-12)


def test_a_large_constant_token_costs_no_precision():
    teacher = torch.randn(4, 9, 8).double()
    student = teacher + 0.1
    near, far = measured(student, teacher), measured(student + 1e3, teacher + 1e3)
    assert far['r2'] == pytest.approx(near['r2'], rel=1e-6)


def test_a_constant_channel_is_no_problem_and_a_constant_teacher_is_named():
    teacher = torch.randn(4, 9, 8)
    teacher[..., 3] = 7
    assert measured(teacher + 0.1, teacher) == pytest.approx(naive(teacher + 0.1, teacher))
    with pytest.raises(ValueError, match='teacher: all 36 rows are the same'):
        measured(torch.randn(4, 9, 8), torch.full((4, 9, 8), 0.1))


def test_what_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match=r'\(2, 9, 8\) and \(2, 9, 4\)'):
        measured(torch.randn(2, 9, 8), torch.randn(2, 9, 4))
    error = RelativeError()
    error.update(torch.randn(2, 9, 8), torch.randn(2, 9, 8))
    with pytest.raises(ValueError, match='4 channels after 8'):
        error.update(torch.randn(2, 9, 4), torch.randn(2, 9, 4))
    with pytest.raises(ValueError, match='nothing measured'):
        RelativeError().result()
    with pytest.raises(ValueError, match='NaN'):
        measured(torch.full((2, 9, 8), torch.nan), torch.randn(2, 9, 8))

"""Error and floor: the tail of the covariance at the width of the student's first block."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.error_and_floor import ErrorAndFloor

import numpy as np
import pytest
import torch


def accumulated(widths, student, teacher):
    found = ErrorAndFloor(widths)
    for rows in zip(student.split(3), teacher.split(3), strict=True):
        found.update(*rows)
    return found.result()


@pytest.fixture
def tokens():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 8, 5, 6, generator=generator, dtype=torch.float64) + 1


def test_the_floor_is_numpys_tail(tokens):
    student, teacher = tokens
    found = accumulated([2, 2], student, teacher)
    rows = teacher.reshape(-1, 6).numpy()
    tail = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[:4].sum() * len(rows)
    assert found['floor'] == pytest.approx(tail / (rows**2).sum(), rel=1e-9)
    error = (student - teacher).square().sum() / teacher.square().sum()
    assert found['rel_error'] == pytest.approx(error.item(), rel=1e-9)
    assert (found['width'], found['is_bound']) == (2, True)


def test_a_wider_last_block_is_not_bound(tokens):
    assert accumulated([2, 2, 6], *tokens)['is_bound'] is False


def test_unknown_widths_have_no_floor(tokens):
    assert 'floor' not in accumulated([], *tokens)

"""Pins MMRazor's KLDivergence to the papers' SoftKD: T^2 x KL, mean over the batch."""

import math

import mmvitkd  # noqa: F401

import pytest
import torch
from mmrazor.registry import MODELS


def _softmax(x: list[float]) -> list[float]:
    top = max(x)
    powers = [math.exp(value - top) for value in x]
    return [power / sum(powers) for power in powers]


def _naive(student: torch.Tensor, teacher: torch.Tensor, tau: float) -> float:
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p = _softmax([value / tau for value in t])
        q = _softmax([value / tau for value in s])
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return tau**2 * total / len(student)


@pytest.mark.parametrize('tau', [1.0, 4.0])
@pytest.mark.parametrize('loss_weight', [1.0, 0.9])
def test_is_tau_squared_times_kl_over_the_batch(tau, loss_weight):
    generator = torch.Generator().manual_seed(0)
    student = 3 * torch.randn(5, 7, generator=generator)
    teacher = 3 * torch.randn(5, 7, generator=generator)
    loss = MODELS.build(dict(type='mmrazor.KLDivergence', tau=tau, loss_weight=loss_weight))
    wanted = loss_weight * _naive(student, teacher, tau)
    assert wanted > 0.5
    assert loss(student, teacher).item() == pytest.approx(wanted, rel=1e-5)


def test_the_teacher_is_detached():
    student, teacher = torch.randn(2, 5, 7).requires_grad_().unbind(0)
    teacher = teacher.detach().requires_grad_()
    MODELS.build(dict(type='mmrazor.KLDivergence'))(student, teacher).backward()
    assert teacher.grad is None

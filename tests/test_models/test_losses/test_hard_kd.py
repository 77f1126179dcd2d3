"""Pins MMRazor's CrossEntropyLoss to the papers' HardKD: labels are the teacher's argmax."""

import math

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT
from mmrazor.models.losses import CrossEntropyLoss
from mmrazor.registry import MODELS

CONFIG = """
# HardKD (arXiv 2511.15572, losses): cross-entropy against the teacher's class.
_base_ = '{root}/configs/cait_s24_deit_tiny_widelast.py'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='mmrazor.CrossEntropyLoss', loss_weight=0.9),
        ),
    ),
)
"""


def naive(student: torch.Tensor, teacher: torch.Tensor) -> float:
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        label = max(range(len(t)), key=t.__getitem__)
        total += math.log(sum(math.exp(v - s[label]) for v in s))
    return total / len(student)


@pytest.fixture
def logits():
    return 3 * torch.randn(5, 7), 3 * torch.randn(5, 7)


@pytest.mark.parametrize('loss_weight', [1.0, 0.9])
def test_is_cross_entropy_against_the_teachers_class(loss_weight, logits):
    loss = MODELS.build(dict(type='mmrazor.CrossEntropyLoss', loss_weight=loss_weight))
    wanted = loss_weight * naive(*logits)
    assert wanted > 0.5
    assert loss(*logits).item() == pytest.approx(wanted, rel=1e-5)


def test_gradient_reaches_the_student_alone(logits):
    student, teacher = (x.double().requires_grad_() for x in logits)
    assert torch.autograd.gradcheck(lambda s: CrossEntropyLoss()(s, teacher), (student,))
    CrossEntropyLoss()(student, teacher).backward()
    assert student.grad.any() and teacher.grad is None


def test_autocast_does_not_lower_it(logits):
    """Half-precision logits, as a head hands them over, are raised to float32."""
    low = [x.bfloat16() for x in logits]
    with torch.autocast('cpu', torch.bfloat16):
        found = CrossEntropyLoss()(*low)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(naive(*(x.float() for x in low)), rel=1e-5)


def test_a_config_takes_it_in_place_of_soft_kd(tmp_path, request):
    """Under this name; the plain one is the label loss of MMPretrain elsewhere."""
    path = tmp_path / 'hard_kd.py'
    path.write_text(CONFIG.format(root=request.config.rootpath))
    distiller = Config.fromfile(path).model.distiller
    loss = ROOT.build(distiller).distill_losses['loss_kd']
    assert type(loss) is CrossEntropyLoss and loss.loss_weight == 0.9

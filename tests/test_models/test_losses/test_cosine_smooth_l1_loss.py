"""CosineSmoothL1Loss against loops in float64, and how its statistics run."""

from math import sqrt

import mmvitkd  # noqa: F401
from mmvitkd.models import CosineSmoothL1Loss
from mmvitkd.models.utils.features import Features
from mmvitkd.registry import MODELS

import pytest
import torch


def features(seed, count=2, width=3, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(count, 4, width, generator=generator, dtype=torch.float64)
    return Features(scale * tokens + torch.arange(width), (2, 2))


def naive(student, target, w):
    """The formula, token by token and number by number."""
    losses = []
    for s, t in zip(student.flatten(0, 1).tolist(), target, strict=True):
        dot = sum(a * b for a, b in zip(s, t, strict=True))
        cosine = dot / sqrt(sum(a * a for a in s)) / sqrt(sum(b * b for b in t))
        gaps = [abs(a - b) for a, b in zip(s, t, strict=True)]
        smooth = sum(g * g / 2 if g < 1 else g - 0.5 for g in gaps) / len(gaps)
        losses.append(w * (1 - cosine) + (1 - w) * smooth)
    return sum(losses) / len(losses)


def standardised(batches, eps=1e-6):
    """The tokens of the last batch by the moments of all, in loops."""
    rows = [row for batch in batches for row in batch.tokens.flatten(0, 1).tolist()]
    means = [sum(c) / len(c) for c in zip(*rows, strict=True)]
    stds = [
        sqrt(sum((x - m) ** 2 for x in c) / len(c) + eps)
        for c, m in zip(zip(*rows, strict=True), means, strict=True)
    ]
    last = batches[-1].tokens.flatten(0, 1).tolist()
    return [[(x - m) / s for x, m, s in zip(row, means, stds, strict=True)] for row in last]


@pytest.mark.parametrize('w', [0.0, 0.5, 0.9, 1.0])
def test_the_formula(w):
    """Of three batches, which count alike as long as 1 / batches is above the momentum."""
    loss = CosineSmoothL1Loss(2.0, cosine_weight=w)
    batches = [features(seed, scale=seed + 1) for seed in range(3)]
    student = features(9)
    for batch in batches:
        found = loss(student, batch)
    wanted = 2 * naive(student.tokens, standardised(batches), w)
    assert found.item() == pytest.approx(wanted, rel=1e-9)


def test_without_standardisation():
    student, teacher = features(0), features(1)
    found = CosineSmoothL1Loss(standardize=False)(student, teacher)
    wanted = naive(student.tokens, teacher.tokens.flatten(0, 1).tolist(), 0.5)
    assert found.item() == pytest.approx(wanted, rel=1e-9)


def test_later_batches_have_the_weight_of_the_momentum():
    loss = CosineSmoothL1Loss(momentum=0.5)
    means = []
    for seed in range(4):
        teacher = features(seed)
        loss(teacher, teacher)
        means.append(teacher.tokens.mean((0, 1)))
    wanted = means[0]
    for mean in means[1:]:
        wanted = (wanted + mean) / 2
    torch.testing.assert_close(loss.standardize.mean, wanted)


def test_in_eval_mode_the_statistics_stay():
    loss = CosineSmoothL1Loss()
    loss.eval()(features(0), features(1))  # the dry run: the batch's own statistics
    assert loss.standardize.batches == 0
    loss.train()(features(0), features(1))
    before = {k: v.clone() for k, v in loss.state_dict().items()}
    first = loss.eval()(features(0), features(1))
    loss(features(2), features(3))
    assert torch.equal(first, loss(features(0), features(1)))
    assert all(torch.equal(before[k], v) for k, v in loss.state_dict().items())


def test_statistics_are_saved_and_loaded():
    first, second = CosineSmoothL1Loss(), CosineSmoothL1Loss()
    first(features(0), features(1))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(features(0), features(2)), second(features(0), features(2)))


def test_a_constant_channel_has_a_target_of_zero():
    teacher = features(1)
    teacher.tokens[..., 1] = 5.0
    student = Features(teacher.tokens.clone().requires_grad_(), teacher.grid)
    loss = CosineSmoothL1Loss()
    loss(student, teacher).backward()
    assert not loss.standardize(teacher.tokens)[..., 1].any()
    assert student.tokens.grad.isfinite().all()


def test_the_gradient():
    loss, teacher = CosineSmoothL1Loss().eval(), features(1)
    leaf = features(0).tokens.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(Features(x, (2, 2)), teacher), leaf)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    student, teacher = (Features(features(i).tokens.to(dtype), (2, 2)) for i in (0, 1))
    found = CosineSmoothL1Loss()(student, teacher)
    as_floats = (Features(f.tokens.float(), f.grid) for f in (student, teacher))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, CosineSmoothL1Loss()(*as_floats))


def test_another_width_and_grid_are_aligned():
    student = Features(torch.randn(2, 4, 3), (2, 2))
    teacher = Features(torch.randn(2, 9, 6), (3, 3))
    loss = CosineSmoothL1Loss()
    assert loss(student, teacher).isfinite()
    assert loss.standardize.mean.shape == (3,)


@pytest.mark.parametrize(
    ('options', 'message'),
    [(dict(cosine_weight=2), r'cosine_weight=2: '), (dict(momentum=0), r'momentum=0: ')],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='mmvitkd.CosineSmoothL1Loss', **options))

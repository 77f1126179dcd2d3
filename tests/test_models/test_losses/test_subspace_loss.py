"""SubspaceLoss against an SVD in float64, in half precision, and what it refuses."""

import mmvitkd  # noqa: F401
from mmvitkd.models.losses import SubspaceLoss
from mmvitkd.models.utils.features import Features
from mmvitkd.registry import MODELS

import pytest
import torch
from toy_distillation import distillation

LINEAR = dict(in_channels=16, out_channels=32, norm=None, bias=True)


def sides(count=2, width=12, dtype=torch.float32):
    """16 tokens on both sides."""
    tokens = (torch.randn(count, 16, width).to(dtype) for _ in range(2))
    return tuple(Features(each, (4, 4)) for each in tokens)


def naive(student, teacher, d):
    losses = []
    for s, t in zip(student.tokens.double(), teacher.tokens.double(), strict=True):
        first, second = (torch.linalg.svd(x)[2][:d] for x in (s, t))
        losses.append(1 - (first @ second.mT).square().sum().item() / d)
    return sum(losses) / len(losses)


@pytest.mark.parametrize('d', [1, 5, 12])
def test_the_formula(d):
    student, teacher = sides()
    found = SubspaceLoss(d, loss_weight=2.0)(student, teacher).item()
    assert found == pytest.approx(2 * naive(student, teacher, d), abs=1e-6)


def test_maps_and_features_give_the_same():
    student, teacher = sides()
    found = SubspaceLoss(3)(student.to_map(), teacher)
    torch.testing.assert_close(found, SubspaceLoss(3)(student, teacher))


def test_the_same_directions_have_no_loss_whatever_their_energies():
    student, _ = sides()
    left, values, right = torch.linalg.svd(student.tokens, full_matrices=False)
    stronger = left * values.square()[:, None] @ right
    assert SubspaceLoss(4)(student, Features(stronger, (4, 4))).item() < 1e-5


def test_the_gradient():
    student, teacher = sides(dtype=torch.float64)
    leaf = student.tokens.requires_grad_()
    loss = SubspaceLoss(3)
    assert torch.autograd.gradcheck(lambda x: loss(Features(x, (4, 4)), teacher), leaf)


@pytest.mark.parametrize('tokens', [torch.zeros(2, 16, 12), torch.ones(2, 16, 12)])
def test_images_of_one_token_or_none_have_finite_gradients(tokens):
    student, teacher = sides()
    leaf = tokens.clone().requires_grad_()
    SubspaceLoss(3)(Features(leaf, (4, 4)), teacher).backward()
    assert leaf.grad.isfinite().all()
    assert SubspaceLoss(3)(student, Features(tokens, (4, 4))).isfinite()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_decomposed_in_float32(dtype):
    student, teacher = sides(dtype=dtype)
    as_floats = (Features(side.tokens.float(), side.grid) for side in (student, teacher))
    wanted = SubspaceLoss(3)(*as_floats)
    with torch.autocast('cpu', torch.bfloat16):
        found = SubspaceLoss(3)(student, teacher)
    assert found.dtype == torch.float32
    assert torch.equal(found, wanted)


def test_a_step_under_autocast_has_the_gradient_of_float32():
    student, teacher = sides()
    grads = []
    for enabled in (False, True):
        leaf = student.tokens.clone().requires_grad_()
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            loss = SubspaceLoss(3)(Features(leaf, (4, 4)), teacher)
        loss.backward()
        grads.append(leaf.grad)
    assert torch.equal(*grads)


def test_more_directions_than_tokens_are_refused():
    student, teacher = sides(width=32)
    with pytest.raises(ValueError, match=r'd=17 .* 16 tokens of 32 channels'):
        SubspaceLoss(17)(student, teacher)


@pytest.mark.parametrize(
    ('options', 'message'), [(dict(d=0), r'd=0: '), (dict(eps=0.0), r'eps=0.0: ')]
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='mmvitkd.SubspaceLoss', **options))


def student_of(width, d, **kwargs):
    """A distillation whose projector is forced, 16 tokens behind a width."""
    arch = dict(embed_dims=width, num_layers=3, num_heads=2, feedforward_channels=32)
    config = distillation(pair_projector=dict(LINEAR, in_channels=width))
    config['architecture'] = dict(config['architecture'])
    config['architecture']['backbone'] = dict(config['architecture']['backbone'], arch=arch)
    config['architecture']['head'] = dict(config['architecture']['head'], in_channels=width)
    config['pair_extra_losses'] = dict(subspace=dict(type='mmvitkd.SubspaceLoss', d=d))
    return MODELS.build({**config, **kwargs})


def test_more_directions_than_the_student_is_wide_are_refused_when_it_is_built():
    with pytest.raises(ValueError, match=r'pair_extra_losses\.subspace .* d=9 .* 8 wide'):
        student_of(8, 9)
    assert student_of(8, 8).distiller.distill_losses['loss_pair_0_subspace'].d == 8


def test_without_a_projector_the_width_is_the_features():
    with pytest.raises(ValueError, match=r'd=9 .* 8 wide'):
        student_of(8, 9, pair_projector=None)


@pytest.mark.parametrize('side', [0, 1])
def test_nan_makes_the_loss_nan(side):
    """Which the hook that watches the losses can name."""
    tokens = sides()
    tokens[side].tokens[0, 0, 0] = torch.nan
    assert SubspaceLoss(3)(*tokens).isnan()

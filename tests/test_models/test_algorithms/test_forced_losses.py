"""Steps of a distillation with further losses, in float32 and under autocast to bfloat16."""

import mmvitkd  # noqa: F401
from mmvitkd.registry import MODELS

import pytest
import torch
from mmpretrain.structures import DataSample
from toy_distillation import distillation

LINEAR = dict(in_channels=16, out_channels=32, norm=None, bias=True)
EXTRA = dict(
    subspace=dict(type='mmvitkd.SubspaceLoss', d=6, loss_weight=10.0),
    sep=dict(type='mmvitkd.SEPLoss', loss_weight=300.0),
)


def build(**kwargs):
    config = distillation(pair_projector=LINEAR, pair_extra_losses=EXTRA)
    model = MODELS.build({**config, **kwargs})
    model.init_weights()
    return model.train()


def losses_of(model):
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    samples = [DataSample().set_gt_label(i) for i in range(4)]
    return model(images, samples, mode='loss')


@pytest.mark.parametrize('autocast', [False, True])
def test_steps_lower_the_losses(autocast):
    model = build(pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    totals = []
    for _ in range(30):
        with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            losses = losses_of(model)
        forced = [losses[f'distill.loss_pair_0_{name}'] for name in EXTRA]
        assert all(loss.dtype == torch.float32 for loss in forced)
        totals.append(sum(losses.values()))
        optimizer.zero_grad()
        totals[-1].backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients)
        optimizer.step()
    assert totals[-1] < 0.8 * totals[0]


def test_both_read_the_projector_of_the_pair():
    model = build()
    weight = model.distiller.connectors['pair_0_S'].proj.weight
    for name in EXTRA:
        [gradient] = torch.autograd.grad(
            losses_of(model)[f'distill.loss_pair_0_{name}'], weight
        )
        assert gradient.any()


def test_their_relative_errors_are_left_out():
    from mmvitkd.models.algorithms.compared_features import compared_features

    assert list(compared_features(build().eval(), torch.zeros(2, 3, 32, 32))) == ['pair_0']


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (
            dict(pairs=None, pair_loss=None, pair_projector=None),
            'pair_extra_losses=.* needs pairs',
        ),
        (
            dict(pair_extra_losses=dict(sep=dict(type='mmvitkd.SEPLoss', weight=1))),
            r'pair_extra_losses\.sep.*weight',
        ),
    ],
)
def test_what_does_not_fit_is_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)

"""What does not fit in a loss, a pair or a key of `model` is named as the user wrote it."""

from functools import partial

import mmvitkd  # noqa: F401
from mmvitkd.models.losses import align
from mmvitkd.registry import MODELS

import pytest
from torch import nn
from toy_distillation import distillation, logits_and


def loss(forward, takes_features=True):
    """Register a loss that has one method."""
    attributes = dict(forward=forward, takes_features=takes_features)
    MODELS.register_module(module=type(forward.__name__, (nn.Module,), attributes))


@loss
def Unweighted(self, preds_S, preds_T):
    student, teacher = align(preds_S, preds_T)
    return (student.tokens - teacher.tokens).square().mean()


@loss
def OtherNames(self, student, teacher):
    return student


@loss
def NoAlign(self, preds_S, preds_T):
    return (preds_S - preds_T).square().mean()


@loss
def OfTensors(self, preds_S, preds_T):
    return nn.functional.mse_loss(preds_S, preds_T)


@partial(loss, takes_features=False)
def OfMaps(self, preds_S, preds_T):
    return (preds_S - preds_T).square().mean()


@loss
def PerImage(self, preds_S, preds_T):
    return preds_S.tokens.mean((1, 2))


@loss
def Nothing(self, preds_S, preds_T):
    pass


@MODELS.register_module()
class NeedsAlpha(nn.Module):
    """Has an argument that must be given."""

    takes_features = True

    def __init__(self, alpha, loss_weight=1.0):
        super().__init__()

    def forward(self, preds_S, preds_T):
        return preds_S.tokens.mean()


def build(**kwargs):
    return MODELS.build({**distillation(pair_projector=None), **kwargs})


def mse(**kwargs):
    return dict(type='mmvitkd.FeatureMSELoss', **kwargs)


@pytest.mark.parametrize(
    ('pair_loss', 'message'),
    [
        ('mse', "^pair_loss='mse': wanted dict"),
        (dict(loss_weight=1.0), '^pair_loss=.*: wanted dict'),
        (
            dict(type='FeatureMSELoss'),
            r'^pair_loss\.type=.*mmvitkd\.FeatureMSELoss',
        ),
        (dict(type='mmvitkd.SpectralLos'), r'^pair_loss\.type=.*mmvitkd\.SpectralLoss'),
        (dict(type='KLDivergense'), r'^pair_loss\.type=.* KLDivergence'),
        (mse(weight=2), "^pair_loss: .*'weight' .* did you mean loss_weight"),
        (dict(type='mmvitkd.NeedsAlpha'), "^pair_loss: NeedsAlpha needs the argument 'alpha'"),
        (
            dict(type='mmvitkd.OtherNames'),
            "^pair_loss: .*'preds_S' .* student, teacher",
        ),
        (dict(type='mmvitkd.Unweighted', loss_weight=1.0), "^pair_loss: .*'loss_weight'"),
        (dict(type='mmvitkd.NoAlign'), r'pair_loss .*`align\(preds_S, preds_T\)`.*\.to_map'),
        (dict(type='mmvitkd.OfTensors'), r'pair_loss .*`align\(preds_S, preds_T\)`'),
        (
            dict(type='mmvitkd.OfMaps'),
            r'pair_loss .*RuntimeError: .* have the shapes .*`align\(preds_S, preds_T\)`',
        ),
        (dict(type='mmvitkd.Nothing'), 'pair_loss .* returned a NoneType, wanted a tensor'),
    ],
)
def test_of_pair_loss(pair_loss, message):
    with pytest.raises(ValueError, match=message):
        build(pair_loss=pair_loss)


def test_a_loss_may_return_a_value_for_each_image():
    build(pair_loss=dict(type='mmvitkd.PerImage'))


def test_a_loss_without_a_weight_is_for_one_pair():
    unweighted = dict(type='mmvitkd.Unweighted')
    build(pair_loss=unweighted)
    with pytest.raises(ValueError, match=r'^pair_loss: .*loss_weight.* 0\.5'):
        build(pair_loss=unweighted, pairs=[(0, 1), (2, 3)])


def test_a_misspelt_key_of_the_model():
    with pytest.raises(ValueError, match=r'^model\.pair_los: .*did you mean pair_loss') as info:
        build(pair_los=mse())
    assert info.value.key == 'model.pair_los'


@pytest.mark.parametrize(
    ('part', 'change', 'message'),
    [
        (
            'distill_losses',
            dict(loss_kd=dict(type='KLDiv')),
            r"'loss_kd'\]\.type='KLDiv'",
        ),
        ('connectors', dict(to_map=dict(type='TokensToMap')), r'to_map.*mmvitkd\.TokensToMap'),
        (
            'loss_forward_mappings',
            dict(loss_second=dict(preds_S=dict(recorder='layer', from_student=True))),
            r"mappings\['loss_second'\]: SpectralLoss\.forward needs the argument 'preds_T'",
        ),
    ],
)
def test_of_a_distiller(part, change, message):
    distiller = logits_and('backbone.layers.2')
    distiller[part].update(change)
    with pytest.raises(ValueError, match=message):
        build(distiller=distiller)


def test_a_missing_argument_comes_before_the_connector_it_leaves_unused():
    distiller = logits_and('backbone.layers.2')
    distiller['connectors']['of_teacher'] = dict(type='mmvitkd.TokensToMap')
    del distiller['loss_forward_mappings']['loss_kd']['preds_T']
    with pytest.raises(ValueError, match=r"'loss_kd'\]: .* needs the argument 'preds_T'"):
        build(distiller=distiller)

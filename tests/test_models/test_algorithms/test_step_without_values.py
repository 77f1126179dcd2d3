"""A training step reads no value from its device, and waits for no copy to it."""

import mmvitkd  # noqa: F401

import pytest
from copies import Copies
from mmengine.dataset import default_collate
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS
from toy import PREPROCESSOR, vit
from toy_distillation import distillation, logits_and, noise


def student():
    """As in our configs: what our preprocessor and our loss stand for in MMPretrain waits."""
    config = vit()
    config['data_preprocessor'] = dict(PREPROCESSOR, type='mmvitkd.ClsDataPreprocessor')
    config['head']['loss'] = dict(type='mmvitkd.LabelSmoothLoss', label_smooth_val=0.1)
    return config


LOSSES = {
    'features': {},
    'spectra': dict(
        pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=1.0),
    ),
    'logits and layers': dict(
        distiller=dict(type='mmrazor.ConfigurableDistiller', **logits_and('backbone.layers.2')),
        pairs=None,
        pair_loss=None,
        pair_projector=None,
    ),
}


@pytest.mark.parametrize('losses', LOSSES.values(), ids=LOSSES)
def test_on_a_device_without_values(losses):
    """Meta tensors have none: to read one is an error."""
    model = MODELS.build(distillation(architecture=student(), **losses)).to('meta').train()
    wrapper = build_optim_wrapper(
        model, dict(type='mmvitkd.BF16OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
    )
    with Copies() as copies:
        logged = model.train_step(default_collate(noise(4)), wrapper)
    assert len(logged) > 2
    assert {value.device.type for value in logged.values()} == {'meta'}
    assert copies.waited == [False] * 2  # images and labels

"""The average equals MMEngine's to the bit, also after it was loaded."""

import mmvitkd  # noqa: F401
from mmvitkd.engine.optimizers.ema import MomentumAnnealingEMA

import pytest
import torch
from mmengine.model import MomentumAnnealingEMA as MMEngines
from torch import nn


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Linear(7, 3).half())


def change(model, step):
    """Change weights and buffers as a training step does."""
    generator = torch.Generator().manual_seed(step)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator))
        else:
            value += 1


def assert_same(ours, theirs):
    found, wanted = ours.state_dict(), theirs.state_dict()
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name
        assert found[name].dtype == value.dtype


OPTIONS = {
    'annealed': dict(momentum=4e-5, gamma=10),
    'constant': dict(momentum=0.3, gamma=1),
    'above one half': dict(momentum=0.4, gamma=1000),
    'seldom': dict(momentum=0.01, gamma=3, interval=3),
    'buffers': dict(momentum=0.01, gamma=3, update_buffers=True),
    'on a device': dict(momentum=0.01, gamma=3, device='cpu'),
}


@pytest.mark.parametrize('options', OPTIONS.values(), ids=OPTIONS)
def test_every_step_is_mmengines(options):
    model = network()
    ours, theirs = MomentumAnnealingEMA(model, **options), MMEngines(model, **options)
    for step in range(12):
        change(model, step)
        ours.update_parameters(model)
        theirs.update_parameters(model)
        assert_same(ours, theirs)
    assert ours.steps == 12
    assert not torch.equal(ours.module[0].weight, model[0].weight)


@pytest.mark.parametrize('first', [MMEngines, MomentumAnnealingEMA])
@pytest.mark.parametrize('done', [0, 1, 5])
def test_it_continues_from_either_ones_state(first, done):
    model = network()
    start = first(model, momentum=0.01, gamma=3)
    ours = MomentumAnnealingEMA(model, momentum=0.01, gamma=3)
    theirs = MMEngines(model, momentum=0.01, gamma=3)
    for step in range(3):  # loading must reset this count
        change(model, 100 + step)
        ours.update_parameters(model)
    for step in range(done):
        change(model, step)
        start.update_parameters(model)
    for average in (ours, theirs):
        average.load_state_dict(start.state_dict(), strict=True)
    for step in range(done, done + 4):
        change(model, step)
        ours.update_parameters(model)
        theirs.update_parameters(model)
        assert_same(ours, theirs)


def test_it_may_be_part_of_a_model_that_loads():
    model = network()
    whole = nn.ModuleDict(dict(average=MomentumAnnealingEMA(model, gamma=3)))
    saved = {name: value.clone() for name, value in whole.state_dict().items()}
    whole['average'].update_parameters(model)
    whole.load_state_dict(saved)
    change(model, 1)
    whole['average'].update_parameters(model)
    assert torch.equal(whole['average'].module[0].weight, model[0].weight)

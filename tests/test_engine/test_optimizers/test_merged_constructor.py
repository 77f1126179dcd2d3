"""Merged parameter groups train the same weights to the bit."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.optimizers.merged_constructor import merge_groups

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS
from toy import vit

CONFIGS = Path(__file__).parents[3] / 'configs'
SCHEDULES = sorted((CONFIGS / '_base_' / 'schedules').glob('*.py'))
MMENGINES = 'DefaultOptimWrapperConstructor'
MERGED = 'mmvitkd.MergedOptimWrapperConstructor'
LAYERS = 'mmvitkd.MergedLearningRateDecayOptimWrapperConstructor'
NO_DECAY = dict(norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0)
PARAMWISE = {
    'none': None,
    'decay': NO_DECAY,
    'rates': dict(
        NO_DECAY,
        bias_lr_mult=2.0,
        custom_keys={'.cls_token': dict(decay_mult=0.0), 'head': dict(lr_mult=0.1)},
    ),
}


def wrapper_of(model, paramwise=NO_DECAY, constructor=MMENGINES, **optimizer):
    cfg = dict(
        type='mmvitkd.BF16OptimWrapper',
        optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.05) | optimizer,
        paramwise_cfg=paramwise,
        constructor=constructor,
    )
    return build_optim_wrapper(model, cfg)


def student():
    torch.manual_seed(0)
    return MODELS.build(vit())


def train(model, wrapper, steps=20, first=0):
    """Its losses; every step has its own images."""
    losses = []
    for step in range(first, first + steps):
        generator = torch.Generator().manual_seed(step)
        images = torch.randn(4, 3, 32, 32, generator=generator)
        labels = torch.randint(5, (4,), generator=generator)
        with wrapper.optim_context(model):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        wrapper.update_params(loss)
        losses.append(loss.item())
    return losses


def assert_same_weights(ours, theirs):
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name


@pytest.mark.parametrize('paramwise', PARAMWISE.values(), ids=PARAMWISE)
@pytest.mark.parametrize('optimizer', [{}, dict(foreach=True), dict(fused=True)], ids=str)
def test_weights_are_the_same_to_the_bit(paramwise, optimizer):
    models, losses = [student() for _ in range(2)], []
    for model, constructor in zip(models, (MMENGINES, MERGED), strict=True):
        losses.append(train(model, wrapper_of(model, paramwise, constructor, **optimizer)))
    assert losses[0] == losses[1]
    assert losses[0][-1] != losses[0][0]
    assert_same_weights(*models)


@pytest.mark.parametrize('paramwise', PARAMWISE.values(), ids=PARAMWISE)
def test_each_parameter_keeps_its_options(paramwise):
    options = []
    for constructor in (MMENGINES, MERGED):
        model = student()
        names = {id(p): name for name, p in model.named_parameters()}
        wrapper = wrapper_of(model, paramwise, constructor)
        options.append(
            {
                names[id(p)]: {k: v for k, v in group.items() if k != 'params'}
                for group in wrapper.optimizer.param_groups
                for p in group['params']
            }
        )
    assert options[0] == options[1]
    assert options[0].keys() == set(names.values())
    assert len(wrapper.optimizer.param_groups) <= 5


@pytest.mark.parametrize('paramwise', [NO_DECAY, PARAMWISE['rates']])
def test_the_logged_rate_stays(paramwise):
    logged = []
    for constructor in (MMENGINES, MERGED):
        rates = wrapper_of(student(), paramwise, constructor).get_lr()
        logged.append({name: values[0] for name, values in rates.items()})
    assert logged[0] == logged[1]
    assert logged[0].keys() == {'lr', 'base_lr'}


def test_groups_and_parameters_are_in_the_order_of_their_first_appearance():
    groups = [
        dict(params=['a'], lr=1),
        dict(params=['b']),
        dict(params=['c', 'd'], lr=1, param_name='c'),
        dict(params=['e'], lr=1, weight_decay=0),
        dict(params=['f']),
    ]
    assert merge_groups(groups) == [
        dict(params=['a', 'c', 'd'], lr=1),
        dict(params=['b', 'f']),
        dict(params=['e'], lr=1, weight_decay=0),
    ]
    assert groups[0] == dict(params=['a'], lr=1)


def test_layer_decay_is_merged_by_layer():
    paramwise = dict(NO_DECAY, layer_decay_rate=0.5)
    theirs = wrapper_of(student(), paramwise, LAYERS.replace('mmvitkd.Merged', ''))
    model = student()
    ours = wrapper_of(model, paramwise, LAYERS)
    names = {id(p): name for name, p in model.named_parameters()}
    wanted = {
        g['param_name']: (g['lr'], g['weight_decay']) for g in theirs.optimizer.param_groups
    }
    found = {
        names[id(p)]: (group['lr'], group['weight_decay'])
        for group in ours.optimizer.param_groups
        for p in group['params']
    }
    assert found == wanted
    assert len(ours.optimizer.param_groups) < len(wanted) / 2
    assert ours.get_lr()['lr'][0] == theirs.get_lr()['lr'][0]


@pytest.mark.parametrize('fused', [False, True])
def test_a_resumed_optimizer_goes_on_to_the_bit(fused, tmp_path):
    whole = student()
    wanted = train(whole, wrapper_of(whole, constructor=MERGED, fused=fused), 8)
    first = student()
    wrapper = wrapper_of(first, constructor=MERGED, fused=fused)
    train(first, wrapper, 5)
    state = dict(model=first.state_dict(), optimizer=wrapper.state_dict())
    torch.save(state, tmp_path / 'state.pth')
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    resumed = student()
    wrapper = wrapper_of(resumed, constructor=MERGED, fused=fused)
    resumed.load_state_dict(state['model'])
    wrapper.load_state_dict(state['optimizer'])
    assert train(resumed, wrapper, 3, first=5) == wanted[5:]
    assert_same_weights(resumed, whole)


@pytest.mark.parametrize('kind', ['AdamW', 'Adam', 'SGD'])
def test_fused_steps_are_the_same_to_1e_5(kind):
    losses = []
    for fused in (False, True):
        model = student()
        wrapper = wrapper_of(model, constructor=MERGED, type=kind, fused=fused)
        losses.append(train(model, wrapper))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert all(group['fused'] for group in wrapper.optimizer.param_groups)
    assert len(set(losses[0])) == 20


@pytest.mark.parametrize('path', SCHEDULES, ids=lambda path: path.stem)
def test_every_schedule_merges_its_groups(path):
    assert Config.fromfile(path).optim_wrapper.constructor == MERGED

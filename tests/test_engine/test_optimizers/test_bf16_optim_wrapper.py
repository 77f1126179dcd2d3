"""bfloat16 on CUDA, float32 without it, which is logged once."""

import warnings

import mmvitkd  # noqa: F401
from mmvitkd.engine import BF16OptimWrapper

import pytest
import torch
from logged import logged
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 1))


def _train(wrapper, model, steps=4):
    """Train some steps; return the dtype of the network's output."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        with wrapper.optim_context(model):
            out = model(torch.randn(4, 8, generator=generator))
            loss = (out.float() - 1).square().mean()
        wrapper.update_params(loss)
    return out.dtype


@pytest.mark.parametrize(
    'options', [{}, dict(accumulative_counts=2), dict(clip_grad=dict(max_norm=0.1))], ids=str
)
def test_without_cuda_it_is_mmengines_wrapper(no_cuda, options):
    trained = {}
    for kind in (OptimWrapper, BF16OptimWrapper):
        model = trained[kind] = _network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        assert _train(kind(optimizer=optimizer, **options), model) == torch.float32
    assert not torch.equal(trained[OptimWrapper][0].weight, _network()[0].weight)
    for ours, theirs in zip(*[m.parameters() for m in trained.values()], strict=True):
        assert torch.equal(ours, theirs)


def test_bfloat16_on_the_cpu(no_cuda):
    model = _network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with logged() as messages:
        wrapper = BF16OptimWrapper(cpu=True, optimizer=optimizer)
    assert _train(wrapper, model) == torch.bfloat16
    assert model[0].weight.dtype == torch.float32
    assert not messages


def test_float32_is_logged_once(no_cuda):
    model = _network()
    cfg = dict(
        type='mmvitkd.BF16OptimWrapper',
        optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1),
        paramwise_cfg=dict(bias_decay_mult=0.0),
    )
    with warnings.catch_warnings(), logged() as messages:
        warnings.simplefilter('error')
        warnings.filterwarnings('ignore', "'pkgutil.find_loader'")  # MMEngine, Python 3.12
        wrapper = build_optim_wrapper(model, cfg)
        _train(wrapper, model)
    assert type(wrapper) is BF16OptimWrapper
    assert [m for m in messages if 'bfloat16' in m] == [
        'INFO No CUDA: training in float32 instead of bfloat16, with the CPU.'
    ]


def test_the_log_names_the_number_of_processes(no_cuda, monkeypatch):
    path = 'mmvitkd.engine.optimizers.bf16_optim_wrapper.get_world_size'
    monkeypatch.setattr(path, lambda: 2)
    optimizer = torch.optim.SGD(_network().parameters(), lr=0.1)
    with logged() as messages:
        BF16OptimWrapper(optimizer=optimizer)
    assert messages[0].endswith('with 2 processes on gloo.')


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_cuda_the_forward_pass_is_in_bfloat16():
    model = _network().cuda()
    wrapper = BF16OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    with logged() as messages, wrapper.optim_context(model):
        assert model(torch.ones(1, 8, device='cuda')).dtype == torch.bfloat16
    assert messages == []
    assert model[0].weight.dtype == torch.float32

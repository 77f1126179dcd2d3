"""No training step synchronises with the device, except those that log."""

from itertools import count
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from toy import PREPROCESSOR, vit
from toy_distillation import distillation, noise

CONFIGS = Path(__file__).parents[2] / 'configs'
RUNS = count()
# Python's ways to read a number, and operators that return one to C++ or depend on one.
METHODS = {'item', 'tolist', 'cpu', 'numpy', '__bool__', '__int__', '__float__', '__index__'}
OPERATORS = {'_local_scalar_dense', 'is_nonzero', 'item', 'nonzero', 'masked_select', 'equal'}


class Operators(TorchDispatchMode):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in OPERATORS:
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


class Methods(TorchFunctionMode):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, '__name__', '') in METHODS:
            self.found.append(f'Tensor.{func.__name__}')
        return func(*args, **(kwargs or {}))


@pytest.fixture
def waits(monkeypatch):
    """Collect what each training step reads: step, counted from 1 -> the reads."""
    found = {}
    run_iter = EpochBasedTrainLoop.run_iter

    def counted(loop, idx, batch):
        reads = found.setdefault(loop.iter + 1, [])
        with Methods(reads), Operators(reads):
            run_iter(loop, idx, batch)

    monkeypatch.setattr(EpochBasedTrainLoop, 'run_iter', counted)
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers
    monkeypatch.setattr('os.fsync', lambda file: None)  # seconds on a busy disk
    return found


def student():
    """As in our configs; MMPretrain's own preprocessor and loss synchronise."""
    config = vit(drop_path_rate=0.1)
    config['data_preprocessor'] = dict(PREPROCESSOR, type='mmvitkd.ClsDataPreprocessor')
    config['head']['loss'] = dict(type='mmvitkd.LabelSmoothLoss', label_smooth_val=0.1)
    return config


def runner_of(folder, interval=3, **kwargs):
    """A distillation with the hooks of our configs, 6 steps per epoch."""
    hooks = Config.fromfile(CONFIGS / '_base_' / 'default_runtime.py').default_hooks
    hooks.logger.interval = interval
    loader = dict(
        dataset=noise(24),
        batch_size=4,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
    )
    arguments = dict(
        model=distillation(architecture=student()),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(
            type='mmvitkd.BF16OptimWrapper',
            constructor='mmvitkd.MergedOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
            paramwise_cfg=dict(norm_decay_mult=0.0),
            clip_grad=dict(max_norm=1.0),
        ),
        param_scheduler=dict(type='CosineAnnealingLR', by_epoch=False, T_max=12),
        default_hooks=hooks.to_dict(),
        custom_hooks=[dict(type='mmvitkd.StudentEMAHook')],
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        experiment_name=f'waits_{next(RUNS)}',
        log_level='ERROR',
    )
    return Runner(**arguments | kwargs)


@pytest.mark.parametrize(('interval', 'steps'), [(3, {3, 6, 9, 12}), (4, {4, 10})])
def test_only_the_first_step_and_those_that_log_wait(waits, tmp_path, interval, steps):
    runner_of(tmp_path, interval).train()
    assert len(waits) == 12
    assert {step for step, reads in waits.items() if reads} == {1} | steps


def test_a_step_that_logs_reads_all_losses_at_once(waits, tmp_path):
    runner_of(tmp_path).train()
    # The losses, the norm of the gradients, and whether the losses are finite.
    item = ['Tensor.item', 'aten._local_scalar_dense.default']
    assert sorted(waits[9]) == sorted(['Tensor.tolist', 'Tensor.tolist', *item])


def test_mmengines_hook_waits_at_every_step(waits, tmp_path):
    """The counting finds its reads."""
    hooks = dict(runtime_info=dict(type='RuntimeInfoHook'))
    runner_of(tmp_path, default_hooks=hooks, custom_hooks=[]).train()
    assert all('Tensor.item' in reads for reads in waits.values())


@pytest.mark.parametrize(
    'read',
    [float, bool, int, Tensor.tolist, Tensor.cpu, lambda x: x.numpy(), torch.nonzero],
)
def test_every_kind_of_read_is_counted(read):
    reads = []
    with Methods(reads), Operators(reads):
        value = 2 * torch.ones(())
        assert reads == []
        read(value)
    assert reads


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_cuda_no_step_waits(tmp_path, monkeypatch):
    """CUDA itself reports every synchronisation, of copies to the device too."""
    run_iter = EpochBasedTrainLoop.run_iter

    def watched(loop, idx, batch):
        quiet = loop.iter > 0 and (loop.iter + 1) % 3
        torch.cuda.set_sync_debug_mode('error' if quiet else 'default')
        try:
            run_iter(loop, idx, batch)
        finally:
            torch.cuda.set_sync_debug_mode('default')

    monkeypatch.setattr(EpochBasedTrainLoop, 'run_iter', watched)
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)
    runner_of(tmp_path).train()

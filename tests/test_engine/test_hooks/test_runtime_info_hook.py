"""The log equals MMEngine's to the bit in every file of a run."""

import re
from collections import OrderedDict
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.engine import RuntimeInfoHook

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook, iter_timer_hook
from mmengine.hooks import RuntimeInfoHook as MMEngines
from mmengine.logging import MessageHub

CONFIGS = Path(__file__).parents[3] / 'configs'
HOOKS = ['RuntimeInfoHook', 'mmvitkd.RuntimeInfoHook']
# What names the run: its folder is the hook's.
NAMES = {'cfg', 'experiment_name', 'last_ckpt'}


def hub_of(hub) -> dict:
    """All that a message hub holds, comparable, in its order."""
    scalars = [
        (name, *((part.dtype, part.tolist()) for part in buffer.data))
        for name, buffer in hub.log_scalars.items()
    ]
    info = {k: str(v) for k, v in hub.runtime_info.items() if k not in NAMES}
    return dict(scalars=scalars, info=info, resumed=hub._resumed_keys)


def files_of(runner) -> dict:
    """What a run wrote of its log: lines without the date, scalars, checkpoints' hubs."""
    folder = Path(runner.work_dir)
    files = {}
    for path in sorted(folder.glob('*/*.log')):
        files['log'] = re.findall(r'INFO - ((?:Epoch|Iter)\(.*)', path.read_text())
    for path in sorted(folder.glob('*/vis_data/*.json')):
        files['scalars' if path.stem == 'scalars' else 'timed'] = path.read_text()
    for path in folder.glob('*.pth'):
        hub = torch.load(path, weights_only=True)['message_hub']
        info = {k: str(v) for k, v in hub['runtime_info'].items() if k not in NAMES}
        scalars = {
            name: [(part.dtype, part.tolist()) for part in history.values()]
            for name, history in hub['log_scalars'].items()
        }
        files[path.name] = (list(scalars.items()), info, hub['resumed_keys'])
    return files


@pytest.fixture
def ticking(monkeypatch):
    """Starts a clock that advances by the same steps in every run."""

    def start():
        ticks = count()
        clock = SimpleNamespace(time=lambda: next(ticks) / 64)
        monkeypatch.setattr(iter_timer_hook, 'time', clock)

    return start


RUNS = {
    'epochs': dict(),
    'the last steps of an epoch': dict(log_interval=3, ignore_last=False),
    'seldom': dict(log_interval=100, validate=False),
    'one epoch a line': dict(log_interval=4),
    'iterations': dict(iters=7, log_interval=3),
    'accumulation': dict(optim_wrapper=dict(accumulative_counts=3)),
    'clipped': dict(optim_wrapper=dict(clip_grad=dict(max_norm=0.1))),
    'clipped by value': dict(optim_wrapper=dict(clip_grad=dict(type='value', clip_value=0.1))),
    'a loss that comes': dict(model=dict(type='ToyStudent', extra_from=6), log_interval=4),
    'average': dict(custom_hooks=[dict(type='mmvitkd.StudentEMAHook')]),
}


@pytest.mark.parametrize('run', RUNS.values(), ids=RUNS)
def test_a_run_logs_the_same(make_runner, ticking, run):
    run = dict(run, log_level='INFO')
    wrapper = dict(type='mmvitkd.BF16OptimWrapper', optimizer=dict(type='AdamW', lr=0.1))
    run['optim_wrapper'] = {**wrapper, **run.get('optim_wrapper', {})}
    found = []
    for hook in HOOKS:
        ticking()
        runner = make_runner(hook, runtime_info=hook, **run)
        runner.train()
        found.append((hub_of(runner.message_hub), files_of(runner)))
    (theirs, their_files), (ours, our_files) = found
    assert ours == theirs
    assert our_files == their_files
    assert {'log', 'scalars'} <= our_files.keys()
    assert any('loss_ce: ' in line for line in our_files['log'])


@pytest.mark.parametrize(
    ('length', 'name'), [(dict(), 'epoch_1.pth'), (dict(iters=7), 'iter_2.pth')], ids=str
)
def test_a_resumed_run_logs_the_same(make_runner, ticking, length, name):
    found = []
    for hook in HOOKS:
        ticking()
        first = make_runner(f'first_{hook}', runtime_info=hook, **length)
        first.train()
        path = f'{first.work_dir}/{name}'
        runner = make_runner(hook, runtime_info=hook, log_level='INFO', resume=path, **length)
        runner.train()
        found.append((hub_of(runner.message_hub), files_of(runner)))
    assert found[0] == found[1]


class Stops(Hook):
    """Interrupts training between two lines of the log."""

    priority = 'VERY_LOW'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 6:
            raise KeyboardInterrupt


def test_an_interrupted_run_logs_the_same(make_runner, ticking):
    found = []
    for hook in HOOKS:
        ticking()
        runner = make_runner(hook, runtime_info=hook, log_interval=4)
        runner.register_hook(Stops())
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        found.append(hub_of(runner.message_hub))
    assert found[0] == found[1]
    assert [len(values) for name, (_, values), _ in found[1]['scalars'] if 'loss' in name] == [
        7,
        7,
        7,
    ]


def outputs_of(step):
    """Outputs of a model at a step: keys vary, and not all values are tensors."""
    values = OrderedDict(
        loss=torch.tensor(1 / (step + 1)),
        one_value=torch.full((1, 1), step / 3),
        number=step / 7,
        whole=step,
        numpy=np.float32(step / 9),
        array=np.array([step / 11]),
        halves=torch.tensor(step / 13).bfloat16(),
        counted=torch.tensor(step),
    )
    if step % 3 == 1:
        values['seldom'] = torch.tensor(step / 17)
    if step % 2:
        values['mixed'] = torch.tensor(0.1) if step % 4 == 1 else 0.1
        del values['number']
    return values


def test_values_of_any_kind_in_some_steps_only():
    hubs = []
    for i, hook in enumerate((MMEngines(), RuntimeInfoHook())):
        hub = MessageHub.get_instance(f'kinds_{i}_{id(hook)}')
        wrapper = SimpleNamespace(get_lr=lambda: dict(lr=[0.1], base_lr=[0.2]))
        runner = SimpleNamespace(message_hub=hub, optim_wrapper=wrapper)
        for runner.iter in range(9):
            hook.before_train_iter(runner, runner.iter)
            outputs = None if runner.iter == 4 else outputs_of(runner.iter)
            hook.after_train_iter(runner, runner.iter, outputs=outputs)
            if runner.iter == 5:
                hub.get_scalar('train/loss').mean(2)
        hubs.append(hub_of(hub))
    assert hubs[0] == hubs[1]
    assert len(hubs[0]['scalars']) == 12


def test_several_values_under_a_name_are_refused_as_by_mmengine():
    hook, hub = RuntimeInfoHook(), MessageHub.get_instance('several')
    wrapper = SimpleNamespace(get_lr=lambda: dict(lr=[0.1]))
    runner = SimpleNamespace(message_hub=hub, optim_wrapper=wrapper, iter=0)
    hook.after_train_iter(runner, 0, outputs=dict(loss=torch.ones(1)))
    hook.before_train_iter(runner, 1)
    with pytest.raises(AssertionError):
        hook.after_train_iter(runner, 1, outputs=dict(loss=torch.ones(2)))


def test_nothing_is_read_until_the_log_is():
    """Meta tensors have no values; on a GPU, reading one would wait for it."""
    hook, hub = RuntimeInfoHook(), MessageHub.get_instance('meta')
    wrapper = SimpleNamespace(get_lr=lambda: dict(lr=[0.1]))
    runner = SimpleNamespace(message_hub=hub, optim_wrapper=wrapper, iter=0)
    hook.after_train_iter(runner, 0, outputs=dict(loss=torch.ones(()), accuracy=torch.ones(())))
    meta = torch.ones((), device='meta')
    for runner.iter in range(1, 9):
        hook.before_train_iter(runner, runner.iter)
        hook.after_train_iter(runner, runner.iter, outputs=dict(loss=meta, accuracy=meta))
    with pytest.raises((RuntimeError, NotImplementedError), match='meta'):
        hub.get_scalar('train/accuracy').mean()


def test_it_is_in_every_config():
    runtime = Config.fromfile(CONFIGS / '_base_' / 'default_runtime.py')
    assert runtime.default_hooks.runtime_info == dict(type='mmvitkd.RuntimeInfoHook')

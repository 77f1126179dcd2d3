"""A signal stops a training at a step from which it continues to the bit."""

import os
import signal
import subprocess
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine import PreemptionHook

import pytest
import torch
from logged import logged
from mmengine.hooks import Hook


class Sends(Hook):
    """Send a signal to this process, or to its group, in an iteration."""

    def __init__(self, iteration, number=signal.SIGTERM, to=os.getpid, stage='train'):
        self.iteration, self.number, self.to, self.stage = iteration, number, to, stage

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if self.stage == 'train' and runner.iter == self.iteration:
            os.kill(self.to(), self.number)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if self.stage == 'val' and runner.iter == self.iteration and batch_idx == 1:
            os.kill(self.to(), self.number)


def checkpoints(runner):
    return sorted(path.name for path in Path(runner.work_dir).glob('*.pth'))


def assert_same_end(found, wanted, scalars):
    assert scalars(found) == scalars(wanted)
    for name, value in wanted.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value), name
    assert checkpoints(found) == checkpoints(wanted)


def stop(runner, *args, **kwargs):
    """Train until the signal; return what was logged."""
    runner.register_hook(Sends(*args, **kwargs))
    with logged() as lines, pytest.raises(SystemExit) as left:
        runner.train()
    assert left.value.code == 75
    return '\n'.join(lines)


@pytest.fixture(autouse=True)
def handlers():
    """Every test must leave the handlers as they were."""
    # A command that a script starts in the background ignores Ctrl-C, and so would the hook.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    names = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before = [signal.getsignal(name) for name in names]
    yield
    assert [signal.getsignal(name) for name in names] == before
    signal.signal(signal.SIGINT, ignored)


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGUSR1', 'SIGINT'])
def test_the_step_is_finished_and_saved(make_runner, name):
    runner = make_runner()
    said = stop(runner, 5, getattr(signal, name))
    assert checkpoints(runner) == ['epoch_1.pth', 'iter_6.pth']
    assert f'{name}: stopped after iteration 6 of 12' in said and '--resume' in said


@pytest.mark.parametrize('length', [dict(epochs=3), dict(iters=10)], ids=str)
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('at', [0, 2, 3, 5])  # 3: the last step of an epoch
def test_the_resumed_run_equals_the_uninterrupted_one(
    make_runner, scalars, length, workers, at
):
    arguments = dict(workers=workers, custom_hooks=[dict(type='mmvitkd.StudentEMAHook')])
    whole = make_runner('whole', **arguments, **length)
    whole.train()
    stop(make_runner('stopped', **arguments, **length), at)
    resumed = make_runner('stopped', resume=True, **arguments, **length)
    resumed.train()
    assert_same_end(resumed, whole, scalars)


def test_unseeded_samples_too_without_workers(make_runner, scalars):
    arguments = dict(cfg=dict(sample_seeds=False))
    whole = make_runner('whole', **arguments)
    whole.train()
    stop(make_runner('stopped', **arguments), 5)
    resumed = make_runner('stopped', resume=True, **arguments)
    resumed.train()
    assert_same_end(resumed, whole, scalars)


class SendsToGroup(Hook):
    """Let another process send a signal to all of this one's group, as Slurm does."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            os.setpgrp()  # the tests' own group gets no signal
            subprocess.run(['kill', '-TERM', '--', f'-{os.getpgrp()}'], start_new_session=True)


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_outlast_a_signal_to_the_whole_group(make_runner, scalars, persistent):
    arguments = dict(workers=2, persistent=persistent)
    whole = make_runner('whole', **arguments)
    whole.train()
    stopped = make_runner('stopped', **arguments)
    stopped.register_hook(SendsToGroup())
    with pytest.raises(SystemExit):
        stopped.train()
    resumed = make_runner('stopped', resume=True, **arguments)
    resumed.train()
    assert_same_end(resumed, whole, scalars)
    for run in (whole, stopped, resumed):
        getattr(run.train_dataloader._iterator, '_shutdown_workers', lambda: None)()


def test_persistent_workers_end_with_their_training(make_runner):
    """They obey a signal of the training's, which ends them when Python exits."""
    runner = make_runner(workers=1, persistent=True, epochs=1)
    runner.train()
    (worker,) = runner.train_dataloader._iterator._workers
    worker.terminate()
    worker.join(20)
    assert worker.exitcode == 0


@pytest.mark.parametrize('at', [4, 8])
def test_persistent_workers_between_two_epochs(make_runner, scalars, at):
    arguments = dict(workers=2, persistent=True)
    whole = make_runner('whole', **arguments)
    whole.train()
    stopped = make_runner('stopped', **arguments)
    stop(stopped, at, stage='val')
    resumed = make_runner('stopped', resume=True, **arguments)
    resumed.train()
    assert_same_end(resumed, whole, scalars)
    for run in (whole, stopped, resumed):
        getattr(run.train_dataloader._iterator, '_shutdown_workers', lambda: None)()


def test_a_step_without_an_update_is_followed_by_the_next(make_runner, scalars):
    wrapper = dict(optimizer=dict(type='AdamW', lr=0.1), accumulative_counts=2)
    whole = make_runner('whole', optim_wrapper=wrapper)
    whole.train()
    stopped = make_runner('stopped', optim_wrapper=wrapper)
    stop(stopped, 4)
    assert checkpoints(stopped)[-1] == 'iter_6.pth'
    resumed = make_runner('stopped', optim_wrapper=wrapper, resume=True)
    resumed.train()
    assert_same_end(resumed, whole, scalars)


@pytest.mark.parametrize('interval', [1, 3])
def test_in_a_validation(make_runner, scalars, interval):
    """It is left at once if its epoch has been saved, and finished otherwise."""
    arguments = dict(checkpoint=dict(interval=interval))
    whole = make_runner('whole', **arguments)
    whole.train()
    stopped = make_runner('stopped', **arguments)
    stop(stopped, 8, stage='val')
    assert checkpoints(stopped)[-1] == ('epoch_2.pth' if interval == 1 else 'iter_8.pth')
    assert len(scalars(stopped)['val/accuracy/top1']) == (1 if interval == 1 else 2)
    resumed = make_runner('stopped', resume=True, **arguments)
    resumed.train()
    assert_same_end(resumed, whole, scalars)


def test_a_second_interrupt_is_not_waited_for(make_runner):
    runner = make_runner()
    runner.register_hook(Sends(5, signal.SIGINT))
    runner.register_hook(Sends(5, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert checkpoints(runner) == ['epoch_1.pth']


def test_two_ranks_stop_at_the_same_step(make_runner, run_twice, distributed, tmp_path):
    def train(rank, folder='stopped', at=None, **kwargs):
        runner = make_runner(folder, **distributed, **kwargs)
        if rank == 1 and at is not None:
            runner.register_hook(Sends(at))
        runner.train()

    assert run_twice(lambda rank: train(rank, 'whole')) == [0, 0]
    (tmp_path / 'meet').unlink()
    assert run_twice(lambda rank: train(rank, at=2)) == [75, 75]
    found = torch.load(tmp_path / 'stopped' / 'iter_4.pth', weights_only=True)
    assert (found['meta']['epoch'], found['meta']['iter']) == (1, 4)
    (tmp_path / 'meet').unlink()
    assert run_twice(lambda rank: train(rank, resume=True)) == [0, 0]
    last = [
        torch.load(tmp_path / name / 'epoch_3.pth', weights_only=True)
        for name in ('whole', 'stopped')
    ]
    for key, value in last[0]['state_dict'].items():
        assert torch.equal(last[1]['state_dict'][key], value)


def test_an_ignored_signal_stays_ignored(make_runner):
    """As Ctrl-C is for a command that a script starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        runner = make_runner(epochs=2)
        runner.register_hook(Sends(5, signal.SIGINT))
        runner.train()
    finally:
        signal.signal(signal.SIGINT, before)
    assert runner.iter == 8


def test_a_runner_that_was_stopped_can_train_on(make_runner):
    runner = make_runner(epochs=2)
    stop(runner, 1)
    runner._hooks = [hook for hook in runner.hooks if not isinstance(hook, Sends)]
    runner.train()
    assert runner.epoch == 2


def test_a_checkpoint_by_iterations_is_kept_in_a_validation(make_runner):
    runner = make_runner(checkpoint=dict(by_epoch=False, interval=4))
    stop(runner, 4, stage='val')
    make_runner(checkpoint=dict(by_epoch=False, interval=4), resume=True).train()
    assert checkpoints(runner) == ['iter_12.pth', 'iter_4.pth', 'iter_8.pth']


def test_unknown_signals_are_refused():
    with pytest.raises(ValueError, match="'SIGNOTHING'"):
        PreemptionHook(['SIGNOTHING'])


def test_without_our_checkpoint_hook_it_is_off_and_says_so(make_runner):
    hooks = dict(preemption=dict(type='mmvitkd.PreemptionHook'))
    runner = make_runner(default_hooks=hooks, validate=False)
    with logged() as lines:
        runner.train()
    assert 'default_hooks.checkpoint' in '\n'.join(lines)

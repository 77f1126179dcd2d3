"""A training goes on, and warns once, when logs and pictures cannot be written."""

import errno
import json
import logging
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine import LocalVisBackend
from mmvitkd.engine.hooks import DiskFullHook

import pytest
from mmengine.hooks import Hook

WHOLE = LocalVisBackend._dump


@pytest.fixture
def full(monkeypatch):
    """Refuse all lines of scalars but those that the given function allows."""

    def set_full(allows=lambda step: False):
        def dump(self, values, path, form):
            if not allows(values['step']):
                raise OSError(errno.ENOSPC, 'No space left on device', path)
            WHOLE(self, values, path, form)

        monkeypatch.setattr(LocalVisBackend, '_dump', dump)

    return set_full


class FullLog(Hook):
    """Has the log on a full disk from the first epoch on."""

    def before_train(self, runner):
        (self.file,) = [h for h in runner.logger.handlers if isinstance(h, logging.FileHandler)]
        self.file.setStream(logging.FileHandler('/dev/full').stream)


def test_it_warns_once_for_each_and_trains_to_the_end(make_runner, full, capsys):
    full()
    hooks = [DiskFullHook(), FullLog()]
    runner = make_runner(custom_hooks=hooks, log_level='INFO', log_interval=1)
    runner.train()
    assert Path(runner.work_dir, 'epoch_3.pth').exists()
    output = capsys.readouterr()
    assert 'Traceback' not in output.err
    warnings = [line for line in output.out.splitlines() if 'No space left' in line]
    assert len(warnings) == 2
    assert hooks[1].file.baseFilename in warnings[0]
    assert 'LocalVisBackend.add_scalars' in warnings[1] and '.json' in warnings[1]


def test_it_writes_again_when_there_is_space(make_runner, full):
    full(lambda step: step >= 9)
    runner = make_runner(custom_hooks=[DiskFullHook()], log_interval=1, validate=False)
    runner.train()
    (path,) = Path(runner.work_dir).rglob('scalars.json')
    steps = [json.loads(line)['step'] for line in path.read_text().splitlines()]
    assert steps == [9, 10, 11, 12]


def test_a_second_run_with_the_same_visualizer_is_not_wrapped_twice(make_runner):
    runner, hook = make_runner(), DiskFullHook()
    hook.before_run(runner)
    first = runner.visualizer.get_backend('LocalVisBackend')
    hook.before_run(runner)
    assert runner.visualizer.get_backend('LocalVisBackend') is first
    assert first.experiment is first._backend  # what is not a writer is passed on

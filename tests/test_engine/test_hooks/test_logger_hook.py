"""The log has lines in every epoch, however short it is."""

import json
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.hooks import LoggerHook

import pytest
from toy_runs import build_run


def logged_iterations(runner):
    """The iterations that the JSON log of a training has."""
    runner.train()
    [path] = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    scalars = [json.loads(line) for line in path.read_text().splitlines()]
    return [each['iter'] for each in scalars if 'loss' in each]


def hooks(**logger):
    return dict(logger=dict(type='mmvitkd.LoggerHook', **logger))


def test_four_lines_in_a_short_epoch(make_runner):
    """Four iterations: MMEngine's 100 would log the last one alone."""
    runner = make_runner(epochs=2, default_hooks=hooks())
    assert logged_iterations(runner) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_interval_that_is_given_stays(make_runner):
    runner = make_runner(epochs=2, default_hooks=hooks(interval=2))
    assert logged_iterations(runner) == [2, 4, 6, 8]


@pytest.mark.parametrize(
    ('length', 'interval'), [(1, 1), (7, 1), (12, 3), (125, 31), (400, 100), (5004, 100)]
)
def test_a_quarter_of_an_epoch_and_at_most_100(tmp_path, length, interval):
    runner = build_run(tmp_path, epochs=1, validate=False, default_hooks=hooks())
    runner._train_dataloader['dataset']['size'] = 2 * length
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    [hook] = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
    hook.before_run(runner)
    assert hook.interval == interval


def test_a_validation_logs_every_100_batches(make_runner):
    """Its progress is not that of the training: here it has three batches."""
    runner = make_runner(epochs=1, default_hooks=hooks())
    runner.train()
    [path] = Path(runner.work_dir).glob('*/*.log')
    assert 'Epoch(val) [1][1/3]' not in path.read_text()

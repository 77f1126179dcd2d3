"""A training that is broken anywhere ends as if it had not been, after the same command.

``python -m pytest tests/faults/test_training.py --all-faults -s`` breaks every operation of
every case, and prints how many.
"""

import errno
from functools import cache
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.integrity import verify
from mmvitkd.engine.runner import Runner

import pytest
from injection import KILLED
from mmengine.registry import DefaultScope
from toy_runs import build_run
from trials import in_child, points, state_of

BEST = dict(save_best='accuracy/top1', rule='greater', max_keep_ckpts=2)
EMA = [dict(type='mmvitkd.StudentEMAHook')]
CASES = {
    'epochs': {},
    'iterations': dict(iters=5),
    'one kept': dict(checkpoint=dict(max_keep_ckpts=1)),
    'best and average': dict(checkpoint=BEST, custom_hooks=EMA),
    'two workers': dict(workers=2),
}
SAMPLE = 6


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers


def training(case):
    """The command: build and train, from the newest checkpoint if there is one."""

    def train(folder):
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            build_run(folder, resume=True, **CASES[case]).train()

    return train


@cache
def whole(case, folder):
    """The operations of an uninterrupted run, and what it leaves."""
    code, operations = in_child(training(case), folder / 'whole')
    assert code == 0, operations
    return operations, state_of(folder / 'whole')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tmp_path_factory.mktemp('faults')


@pytest.fixture
def chosen(request):
    """Choose the operations to break: a sample, or all with ``--all-faults``."""

    def choose(operations, seed):
        if request.config.getoption('--all-faults'):
            return range(1, len(operations) + 1)
        return points(len(operations), SAMPLE, seed)

    return choose


@pytest.mark.parametrize('case', CASES)
def test_killed_at_any_file_operation(case, root, tmp_path, chosen):
    operations, wanted = whole(case, root / case)
    numbers = chosen(operations, seed=1)
    for at in numbers:
        folder = tmp_path / str(at)
        assert in_child(training(case), folder, at)[0] == KILLED
        code, said = in_child(training(case), folder)
        assert code == 0, (operations[at - 1], said)
        assert state_of(folder) == wanted, operations[at - 1]
    print(f'\n{case}: killed at {len(numbers)} of {len(operations)} operations, all equal')


@pytest.mark.parametrize('error', [errno.ENOSPC, errno.EIO], ids=['full', 'io'])
@pytest.mark.parametrize('case', ['epochs', 'best and average'])
def test_failing_at_any_file_operation(case, error, root, tmp_path, chosen):
    operations, wanted = whole(case, root / case)
    numbers, ended = chosen(operations, seed=error), 0
    for at in numbers:
        folder = tmp_path / str(at)
        code, said = in_child(training(case), folder, at, error)
        assert code in (0, 1), (operations[at - 1], code)
        if code == 1:
            ended += 1
            # MMEngine writes into the open log before training; tools/train.py names that.
            if not operations[at - 1].endswith('.log'):
                assert str(folder) in said, (operations[at - 1], said)
        for path in folder.glob('*.pth'):
            assert verify(path) == 'sha256', operations[at - 1]
        code, said = in_child(training(case), folder)
        assert code == 0, (operations[at - 1], said)
        assert state_of(folder) == wanted, operations[at - 1]
    print(
        f'\n{case}, {errno.errorcode[error]}: {len(numbers)} operations, {ended} ended the run'
    )


def test_killed_twice(root, tmp_path):
    """Also while it resumes, and in a work dir that was moved."""
    operations, wanted = whole('best and average', root / 'best and average')
    train = training('best and average')
    for seed, at in enumerate(points(len(operations), SAMPLE // 2, seed=3)):
        folder, moved = tmp_path / f'{at}', tmp_path / f'{at} moved'
        folder.mkdir()
        assert in_child(train, folder, at)[0] == KILLED
        resumed, _ = in_child(train, folder, 1 + 7 * seed)
        assert resumed in (0, KILLED)
        folder.rename(moved)
        assert in_child(train, moved)[0] == 0
        assert state_of(moved) == wanted, operations[at - 1]
        assert not Path(folder).exists()

"""A resumed run names the settings that its checkpoint overrides."""

import mmvitkd  # noqa: F401

import pytest
from logged import logged


def optimizer(**changed):
    return dict(optimizer=dict(dict(type='AdamW', lr=0.1, weight_decay=0.05), **changed))


def resumed(make_runner, old=None, **new):
    """What a run says that resumes after two of three epochs, with other settings."""
    before = make_runner('old', **dict(dict(optim_wrapper=optimizer()), **(old or {})))
    before.train()
    path = f'{before.work_dir}/epoch_2.pth'
    runner = make_runner('new', resume=path, **dict(dict(optim_wrapper=optimizer()), **new))
    with logged() as lines:
        runner.train()
    return [line for line in lines if 'no effect' in line]


def test_nothing_if_nothing_has_changed(make_runner):
    assert not resumed(make_runner)


@pytest.mark.parametrize('scheduled', [True, False])
def test_a_learning_rate(make_runner, scheduled):
    kwargs = {} if scheduled else dict(param_scheduler=None)
    [line] = resumed(make_runner, kwargs, optim_wrapper=optimizer(lr=0.3), **kwargs)
    assert 'WARNING' in line and 'optimizer.lr=0.3 instead of 0.1.' in line
    assert 'load_from' in line


def test_other_settings_of_the_optimizer(make_runner):
    [line] = resumed(make_runner, optim_wrapper=optimizer(weight_decay=0.1, betas=(0.8, 0.99)))
    assert 'optimizer.weight_decay=0.1 instead of 0.05' in line
    assert 'optimizer.betas=(0.8, 0.99) instead of' in line
    assert 'lr' not in line


def test_a_schedule(make_runner):
    step = dict(type='StepLR', step_size=7, gamma=0.5, by_epoch=False)
    [line] = resumed(make_runner, param_scheduler=step)
    assert 'param_scheduler.0.step_size=7 instead of 5' in line


def test_another_length(make_runner):
    [line] = resumed(make_runner, epochs=4)
    assert '16 iterations instead of 12' in line and '.end' not in line


def test_how_the_optimizer_computes_is_no_difference(make_runner):
    assert not resumed(make_runner, optim_wrapper=optimizer(foreach=True))


def test_with_another_batch_size_the_config_counts(make_runner):
    before = make_runner('old')
    before.train()
    runner = make_runner(
        'new', resume=f'{before.work_dir}/epoch_2.pth', optim_wrapper=optimizer(lr=0.3)
    )
    runner._train_dataloader['batch_size'] = 4
    with logged() as lines:
        runner.train()
    assert not any('no effect' in line for line in lines)
    assert runner.optim_wrapper.param_groups[0]['initial_lr'] == 0.3

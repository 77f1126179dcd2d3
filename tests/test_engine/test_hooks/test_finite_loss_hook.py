"""A loss that is not finite stops the run before it affects a checkpoint."""

import os
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.engine import FiniteLossHook

import pytest
import torch
from mmengine.hooks import Hook


class Steps(Hook):
    """Counts the iterations that ended."""

    steps = 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps += 1


def _stopped(runner) -> str:
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    return str(error.value)


def _assert_all_finite(folder, names):
    assert sorted(n for n in os.listdir(folder) if n.endswith('.pth')) == names
    for name in names:
        weights = torch.load(f'{folder}/{name}', weights_only=True)['state_dict']
        assert all(value.isfinite().all() for value in weights.values())


# In a run -----------------------------------------------------------------------------


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf')])
def test_the_error_names_iteration_losses_and_checkpoint(make_runner, bad):
    model = dict(type='ToyStudent', bad_from=7, bad=bad)
    runner = make_runner(model=model, log_interval=100)
    norm = []

    class Norm(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            norm.append(outputs['loss_norm'].item())

    runner.register_hook(Norm())
    message = _stopped(runner)
    assert len(norm) == 8  # the end of the second epoch
    assert message == (
        f'The loss is not finite since iteration 7 (epoch 2, rank 0): loss={bad}, '
        f'loss_ce={bad}, loss_norm={norm[6]:.6g}. '
        f'Last checkpoint: {runner.work_dir}/epoch_1.pth.'
    )


def test_no_checkpoint_is_written_after_it(make_runner):
    runner = make_runner(model=dict(type='ToyStudent', bad_from=8), log_interval=100)
    _stopped(runner)  # 8 is the last iteration of the second epoch
    _assert_all_finite(runner.work_dir, ['epoch_1.pth'])
    with open(f'{runner.work_dir}/last_checkpoint') as file:
        assert file.read() == 'epoch_1.pth'


@pytest.mark.parametrize('validate', [False, True])
def test_no_checkpoint_is_deleted_for_it(make_runner, validate):
    runner = make_runner(
        model=dict(type='ToyStudent', bad_from=3),
        iters=6,
        validate=validate,
        checkpoint=dict(max_keep_ckpts=1),
        log_interval=100,
    )
    message = _stopped(runner)
    _assert_all_finite(runner.work_dir, ['iter_2.pth'])
    assert message.startswith('The loss is not finite since iteration 3 (epoch 1, rank 0)')
    assert message.endswith(f'Last checkpoint: {runner.work_dir}/iter_2.pth.')


def test_there_may_be_no_checkpoint_yet(make_runner):
    runner = make_runner(model=dict(type='ToyStudent', bad_from=1))
    assert _stopped(runner).endswith('Last checkpoint: none was saved.')
    _assert_all_finite(runner.work_dir, [])


@pytest.mark.parametrize('hook', [{}, dict(interval=2)], ids=str)
def test_it_checks_at_its_interval(make_runner, hook):
    runner = make_runner(
        model=dict(type='ToyStudent', bad_from=5),
        log_interval=100 if hook else 2,
        custom_hooks=[dict(type='mmvitkd.FiniteLossHook', **hook)],
    )
    runner.register_hook(steps := Steps(), 'VERY_HIGH')
    assert 'since iteration 5 (' in _stopped(runner)
    assert steps.steps == 6


def test_it_checks_at_the_end_of_an_epoch(make_runner):
    runner = make_runner(
        model=dict(type='ToyStudent', bad_from=5),
        log_interval=100,
        validate=False,
        checkpoint=dict(interval=-1, save_last=False),
    )
    runner.register_hook(steps := Steps(), 'VERY_HIGH')
    assert 'since iteration 5 (epoch 2' in _stopped(runner)
    assert steps.steps == 8


def test_a_loss_term_may_appear_later(make_runner):
    make_runner(model=dict(type='ToyStudent', extra_from=6), log_interval=100).train()
    late = dict(type='ToyStudent', extra_from=6, bad_from=7)
    assert 'since iteration 7 (' in (message := _stopped(make_runner('late', model=late)))
    assert 'loss_extra=' in message
    early = dict(type='ToyStudent', extra_from=6, bad_from=5)
    runner = make_runner('early', model=early, log_interval=100)
    assert 'since iteration 5 (' in (message := _stopped(runner))
    assert 'loss_extra=' not in message


def test_a_manual_checkpoint_is_stopped_too(make_runner):
    runner = make_runner(model=dict(type='ToyStudent', bad_from=2), log_interval=100)

    class Saves(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            runner.save_checkpoint(runner.work_dir, f'own_{runner.iter + 1}.pth')

    runner.register_hook(Saves())
    assert 'since iteration 2 (' in _stopped(runner)
    _assert_all_finite(runner.work_dir, ['own_1.pth'])


def test_no_process_writes_a_checkpoint_after_it(make_runner, run_twice, distributed, tmp_path):
    """The loss of the first process, which saves, is still fine when its weights are not."""

    def train(rank):
        bad_from = 3 if rank == 1 else None
        model = dict(type='ToyStudent', bad_from=bad_from)
        runner = make_runner(model=model, iters=4, log_interval=100, **distributed)
        if rank == 1:
            message = _stopped(runner)
            (tmp_path / 'message').write_text(message)
        else:
            runner.train()

    assert run_twice(train) == [1, 0]  # the first one misses the other
    assert 'since iteration 3 (epoch 1, rank 1)' in (tmp_path / 'message').read_text()
    _assert_all_finite(tmp_path / 'run', ['iter_1.pth', 'iter_2.pth'])


# Alone --------------------------------------------------------------------------------


def test_the_interval_must_be_one():
    with pytest.raises(ValueError, match=r'FiniteLossHook.interval=0: '):
        FiniteLossHook(interval=0)


def test_it_reads_nothing_between_two_checks():
    """Meta tensors have no values; on a GPU, reading one would wait for it."""
    hook = FiniteLossHook(interval=10)
    runner = SimpleNamespace(iter=0)
    outputs = dict(loss=torch.ones((), device='meta'), loss_b=torch.ones((), device='meta'))
    for runner.iter in range(9):
        hook.after_train_iter(runner, runner.iter, outputs=outputs)
    runner.iter = 9
    with pytest.raises(RuntimeError, match='meta'):
        hook.after_train_iter(runner, 9, outputs=outputs)


def test_it_keeps_no_graph():
    hook = FiniteLossHook(interval=10)
    weight = torch.ones((), requires_grad=True)
    hook.after_train_iter(SimpleNamespace(iter=0), 0, outputs=dict(loss=2 * weight))
    assert not hook._terms.requires_grad


@pytest.mark.parametrize('outputs', [None, {}, dict(accuracy=torch.tensor(float('nan')))])
def test_other_outputs_are_ignored(outputs):
    hook = FiniteLossHook(interval=1)
    hook.after_train_iter(SimpleNamespace(iter=0), 0, outputs=outputs)


def test_half_precision_losses():
    hook = FiniteLossHook(interval=1)
    losses = dict(loss=torch.tensor(6e4).half(), loss_b=torch.tensor(1.0).bfloat16())
    hook.after_train_iter(SimpleNamespace(iter=0), 0, outputs=losses)


# Weights ------------------------------------------------------------------------------


class Poisons(Hook):
    """Write a value into a weight after the last loss of an epoch was computed."""

    def __init__(self, of, value=float('nan')):
        self.of, self.value = of, value

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 7:
            with torch.no_grad():
                self.of(runner).view(-1)[0] = self.value


def _average_of(runner):
    (hook,) = [hook for hook in runner.hooks if hasattr(hook, 'ema_model')]
    return hook.ema_model.module.fc.weight


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize(
    ('of', 'name'),
    [
        (lambda runner: runner.model.connector.bias, 'connector.bias'),
        (_average_of, 'EMA of fc.weight'),
    ],
    ids=['weight', 'average'],
)
def test_a_bad_weight_stops_the_run_before_it_is_saved(make_runner, of, name, value):
    runner = make_runner(
        epochs=2,
        model='ToyDistillation',
        custom_hooks=[dict(type='mmvitkd.StudentEMAHook')],
        checkpoint=dict(max_keep_ckpts=1),
        log_interval=100,
    )
    runner.register_hook(Poisons(of, value), 'LOWEST')
    message = _stopped(runner)
    assert f'Weights are not finite after iteration 8 (epoch 2, rank 0): {name}' in message
    _assert_all_finite(runner.work_dir, ['epoch_1.pth'])

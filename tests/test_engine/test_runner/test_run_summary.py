"""The lines about a run: losses, data, schedule, precision."""

import mmvitkd
from mmvitkd.config.provenance import provenance_of
from mmvitkd.engine.runner.run_summary import summary_of

import pytest


def summary(runner):
    """The lines of a run by their first word, once it has built what it runs."""
    runner.train()
    return dict(line.split(': ', 1) for line in summary_of(runner))


def test_a_training_by_epochs(make_runner):
    found = summary(make_runner(epochs=2))
    assert found['Data'] == 'train 8 images; val 30 images held out'
    assert found['Schedule'] == '2 epochs of 4 iterations, 2 images each, lr 0.1'
    assert found['Precision'] == 'float32 on CPU, 1 process'


def test_a_training_by_iterations_that_does_not_validate(make_runner):
    found = summary(make_runner(iters=5, validate=False))
    assert found['Data'] == 'train 8 images'
    assert found['Schedule'].startswith('5 iterations, 2 images each')


def test_the_warm_up_and_its_highest_rate(make_runner):
    warmup = dict(type='LinearLR', start_factor=0.01, end=1, convert_to_iter_based=True)
    found = summary(make_runner(param_scheduler=warmup))
    assert found['Schedule'].endswith('lr 0.1 after 4 of warm-up')


def test_the_warm_up_of_deits_schedule_ends_one_epoch_late(make_runner):
    released = dict(type='mmvitkd.DeiTCosineLR', warmup_epochs=1)
    found = summary(make_runner(param_scheduler=released))
    assert found['Schedule'].endswith('lr 0.1 after 8 of warm-up')


@pytest.mark.parametrize('base', [4, 1])
def test_the_scaled_rate(make_runner, base):
    """Batches have 2 images; MMEngine's log of base_lr has the same rate."""
    optimizer = dict(type='SGD', lr=0.1, weight_decay=1e-4)
    groups = dict(optimizer=optimizer, paramwise_cfg=dict(bias_decay_mult=0.0))
    scale = dict(enable=True, base_batch_size=base)
    runner = make_runner(optim_wrapper=groups, auto_scale_lr=scale)
    rate = 0.1 * 2 / base
    assert summary(runner)['Schedule'].endswith(f'lr {rate:.3g}')
    rates = runner.optim_wrapper.get_lr()
    assert rates['base_lr'] == rates['lr'][:1]  # after the schedule


@pytest.mark.parametrize('with_label', [True, False])
def test_a_student_without_labels_has_no_loss_of_labels(with_label):
    options = dict(with_label=with_label) | (dict(num_classes=10) if with_label else {})
    path = 'mmvitkd::foundation/dinov2_small_deit_tiny_projector.py'
    cfg = mmvitkd.load_config(path, options, measure=False)
    losses = provenance_of(cfg.model).losses
    assert any('labels' in loss for loss in losses) == with_label

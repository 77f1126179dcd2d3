"""A run goes on with another batch size or number of ranks, or says that it cannot."""

from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner import resume

import pytest
import torch
from logged import logged
from mmengine.hooks import Hook

SCHEDULE = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=3, begin=1, end=4, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[2], gamma=0.5, by_epoch=True),
]


def run(make_runner, folder, batch_size, **kwargs):
    """Train for four epochs of eight images; return the learning rates at every iteration."""
    runner = make_runner(folder, epochs=4, param_scheduler=SCHEDULE, **kwargs)
    runner._train_dataloader['batch_size'] = batch_size
    runner.train()
    hub = runner.message_hub
    names = [name for name in ('train/lr', 'train/base_lr') if name in hub.log_scalars]
    return runner, list(zip(*(hub.get_scalar(name).data[0] for name in names), strict=True))


class Stops(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            for hook in runner.hooks:
                if hasattr(hook, 'save_after_iter'):
                    hook.save_after_iter(runner)
            raise KeyboardInterrupt


@pytest.mark.parametrize(('before', 'after'), [(2, 4), (4, 2), (2, 1), (2, 3)])
@pytest.mark.parametrize('scaled', [False, True])
@pytest.mark.parametrize('paramwise', [None, dict(bias_decay_mult=0.0)])
def test_the_schedule_is_that_of_the_present_batch_size(
    make_runner, before, after, scaled, paramwise
):
    """The rates are those of a run with the new batch size from the beginning."""
    scale = dict(auto_scale_lr=dict(enable=scaled, base_batch_size=2))
    optimizer = dict(type='AdamW', lr=0.1, weight_decay=0.05)
    scale['optim_wrapper'] = dict(optimizer=optimizer, paramwise_cfg=paramwise)
    _, wanted = run(make_runner, 'wanted', after, **scale)
    old, _ = run(make_runner, 'old', before, **scale)
    runner, rates = run(
        make_runner, 'new', after, resume=f'{old.work_dir}/epoch_2.pth', **scale
    )
    assert rates[-len(wanted) // 2 :] == wanted[-len(wanted) // 2 :]
    assert runner.iter == len(wanted) == 4 * -(-8 // after)


def test_it_is_said(make_runner):
    old, _ = run(make_runner, 'old', 2)
    runner = make_runner('new', epochs=4, resume=f'{old.work_dir}/epoch_2.pth')
    runner._train_dataloader['batch_size'] = 4
    with logged() as lines:
        runner.train()
    assert 'had 4 iterations of 2 images, and now has 2 of 4' in '\n'.join(lines)


@pytest.mark.parametrize(('seen', 'batch_size'), [(2, 4), (3, 2)])
def test_from_the_middle_of_an_epoch(make_runner, seen, batch_size):
    """The images of the rest of the epoch are those that are left."""
    drawn = []
    for folder, size in [('whole', 8), ('old', 2)]:
        runner = make_runner(folder, epochs=2, checkpoint=dict(max_keep_ckpts=1))
        runner._train_dataloader['batch_size'] = size
        runner.register_hook(hook := Sees())
        if folder == 'old':
            runner.register_hook(Stops(4 + seen))
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        else:
            runner.train()
        drawn.append(hook.drawn)
    resumed = make_runner('old', epochs=2, resume=True)
    resumed._train_dataloader['batch_size'] = batch_size
    resumed.register_hook(hook := Sees())
    resumed.train()
    assert drawn[1] + hook.drawn == drawn[0]


class Sees(Hook):
    """Keep the random numbers of every sample."""

    def __init__(self):
        self.drawn = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.drawn += data_batch['drawn'].tolist()


@pytest.mark.parametrize(('before', 'after'), [(3, 2), (2, 3)])
def test_at_the_end_of_an_epoch_whose_last_batch_is_smaller(make_runner, before, after):
    runner = make_runner('old', epochs=2)
    runner._train_dataloader['batch_size'] = before
    runner.register_hook(Stops(-(-8 // before)))  # the first epoch's last iteration
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    resumed = make_runner('old', epochs=2, resume=True)
    resumed._train_dataloader['batch_size'] = after
    resumed.train()
    assert resumed.iter == 2 * -(-8 // after)
    assert len(resumed.message_hub.get_scalar('train/loss').data[0]) == resumed.iter + (
        -(-8 // before) - -(-8 // after)
    )


def test_a_place_between_two_steps_is_refused(make_runner):
    runner = make_runner('old', epochs=2)
    runner.register_hook(Stops(5))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    resumed = make_runner('old', epochs=2, resume=True)
    resumed._train_dataloader['batch_size'] = 4
    with pytest.raises(ValueError, match=r'--resume: .* epoch 2, .*found 4 images .*wanted 2'):
        resumed.train()


def test_a_run_by_iterations_is_refused(make_runner):
    old = make_runner('old', iters=4)
    old.train()
    resumed = make_runner('old', iters=6, resume=f'{old.work_dir}/iter_4.pth')
    resumed._train_dataloader['batch_size'] = 4
    with pytest.raises(ValueError, match=r'--resume: .*had 2 images.*wanted 2'):
        resumed.train()


def test_a_schedule_by_metrics_is_refused(make_runner):
    plateau = dict(type='ReduceOnPlateauLR', monitor='accuracy/top1')
    old = make_runner('old', epochs=2, param_scheduler=plateau)
    old.train()
    resumed = make_runner(
        'old', epochs=4, param_scheduler=plateau, resume=f'{old.work_dir}/epoch_2.pth'
    )
    resumed._train_dataloader['batch_size'] = 4
    with pytest.raises(ValueError, match='param_scheduler: ReduceOnPlateauLR'):
        resumed.train()


def test_a_rank_without_the_file_is_sent_a_copy(tmp_path, monkeypatch):
    """As on two machines, whose work dirs have the same path."""
    file = tmp_path / 'epoch_1.pth'
    sent = []

    def broadcast(objects):
        if sent:
            objects[:] = sent
        else:
            sent[:] = objects

    monkeypatch.setattr(resume, 'broadcast_object_list', broadcast)
    monkeypatch.setattr(resume, 'all_gather_object', lambda value: [True, False])
    file.write_bytes(b'weights')
    resume._send_where_missing(file)  # on the first rank
    file.unlink()
    monkeypatch.setattr(resume, 'is_main_process', lambda: False)
    resume._send_where_missing(file)
    assert file.read_bytes() == b'weights'


@pytest.mark.parametrize('seed', [None, 7])
@pytest.mark.parametrize('batches', [None, 3])
def test_the_data_have_the_seed_of_the_checkpoint(make_runner, scalars, seed, batches):
    whole = make_runner('whole', randomness=dict(seed=seed))
    whole._train_dataloader['num_batch_per_epoch'] = batches
    whole.train()
    resumed = make_runner(
        'resumed', randomness=dict(seed=None), resume=f'{whole.work_dir}/epoch_1.pth'
    )
    resumed._train_dataloader['num_batch_per_epoch'] = batches
    resumed.train()
    assert scalars(resumed) == scalars(whole)


def test_images_per_step_count_all_ranks():
    sampler = SimpleNamespace(batch_size=16)
    loop = SimpleNamespace(dataloader=SimpleNamespace(batch_sampler=sampler))
    assert resume.images_per_step(SimpleNamespace(train_loop=loop, world_size=4)) == 64


def test_a_checkpoint_without_optimizer_is_refused(make_runner):
    """Also by a script's `resume`, which no check of a tool precedes."""
    old = make_runner(
        'old', checkpoint=dict(save_best='accuracy/top1', rule='greater'), scores=[1, 2, 1]
    )
    old.train()
    best = f'{old.work_dir}/best_accuracy_top1_epoch_2.pth'
    with pytest.raises(ValueError, match=r'best_accuracy.*optimizer.*epoch_3\.pth'):
        make_runner('new', resume=best).train()
    make_runner('weights', load_from=best).train()


def test_where_a_run_goes_on(make_runner):
    old = make_runner('old')
    old.train()
    runner = make_runner('new', resume=f'{old.work_dir}/epoch_2.pth')
    with logged() as lines:
        runner.train()
    [line] = [line for line in lines if 'Resumed from' in line]
    assert 'epoch_2.pth, after 8 of 12 iterations: epoch 3 of 3' in line


@pytest.mark.parametrize(('epochs', 'level'), [(3, 'INFO'), (2, 'WARNING')])
def test_nothing_is_left_to_train(make_runner, epochs, level):
    """Submitting a finished run again is no fault; an end before the checkpoint may be."""
    old = make_runner('old')
    old.train()
    runner = make_runner('new', epochs=epochs, resume=f'{old.work_dir}/epoch_3.pth')
    with logged() as lines:
        runner.train()
    [line] = [line for line in lines if 'is finished' in line]
    assert line.startswith(level) and f'after 12 of {4 * epochs} iterations' in line
    assert not any('no effect' in line for line in lines)


def test_a_checkpoint_that_does_not_fill_the_whole_model_is_refused(make_runner):
    old, _ = run(make_runner, 'old', 2)
    path = f'{old.work_dir}/epoch_2.pth'
    checkpoint = torch.load(path, weights_only=True)
    whole = checkpoint['state_dict']
    names = list(whole)
    for weights, message in (
        ({f'inner.{name}': value for name, value in whole.items()}, f'0 of its {len(names)} '),
        ({name: whole[name] for name in names[1:]}, f'missing: {names[0]}'),
        (whole | {'more': torch.ones(1)}, 'unknown: more'),
    ):
        torch.save(checkpoint | dict(state_dict=weights), path)
        with pytest.raises(ValueError, match=rf'resume=.*epoch_2\.pth(.|\n)*{message}'):
            run(make_runner, 'new', 2, resume=path)


def test_a_checkpoint_of_another_width_is_refused_before_it_is_loaded(make_runner, capfd):
    old, _ = run(make_runner, 'old', 2)
    path = f'{old.work_dir}/epoch_2.pth'
    checkpoint = torch.load(path, weights_only=True)
    wider = {'fc.weight': torch.ones(7, 4), 'fc.bias': torch.ones(7)}
    torch.save(checkpoint | dict(state_dict=checkpoint['state_dict'] | wider), path)
    capfd.readouterr()
    message = r'resume=.*epoch_2\.pth(.|\n)*fc\.weight: wanted \(3, 4\), found \(7, 4\)'
    with pytest.raises(ValueError, match=message):
        run(make_runner, 'new', 2, resume=path)
    assert 'size mismatch' not in capfd.readouterr().out  # MMEngine's line for each tensor

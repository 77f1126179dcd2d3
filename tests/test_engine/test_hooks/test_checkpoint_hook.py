"""Checkpoints are plain, complete, enough to resume, and in the right folder."""

import hashlib
import os
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.hooks import Hook

EMA = dict(type='mmvitkd.StudentEMAHook')
PARTS = {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'}
# What our hook adds.
OURS = {'random_states', 'validated', 'files'}


def _names(folder) -> list[str]:
    return sorted(path.name for path in Path(folder).glob('*.pth'))


def _contents(folder) -> dict[str, str]:
    """The files of a folder, by their hash."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).iterdir()
        if path.is_file()
    }


def _load(folder, name):
    return torch.load(Path(folder) / name, weights_only=True)


def _kinds(value):
    """The types of everything in a checkpoint, also of the keys."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (type(key), *_kinds(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _kinds(item)
    yield type(value)


# Content ------------------------------------------------------------------------------


@pytest.mark.parametrize('length', [dict(epochs=2), dict(iters=2)], ids=str)
def test_every_file_is_plain(make_runner, length):
    runner = make_runner(
        custom_hooks=[EMA],
        checkpoint=dict(save_best='accuracy/top1', published_keys=['meta', 'state_dict']),
        scores=[1, 1, 2, 2],  # of the student and of its average
        **length,
    )
    runner.train()
    names = _names(runner.work_dir)
    step = next(iter(length)).removesuffix('s')
    assert [name.split('-')[0].removesuffix('.pth') for name in names] == [
        f'best_accuracy_top1_{step}_2',
        f'best_accuracy_top1_{step}_2',
        f'{step}_1',
        f'{step}_2',
        f'{step}_2',
    ]
    plain = {dict, list, tuple, str, int, float, bool, type(None), torch.Tensor}
    for name in names:
        assert set(_kinds(_load(runner.work_dir, name))) <= plain


def test_a_checkpoint_is_complete(make_runner):
    runner = make_runner(custom_hooks=[EMA])
    runner.train()
    assert _load(runner.work_dir, 'epoch_2.pth').keys() == PARTS | OURS | {'ema_state_dict'}


def test_objects_are_refused(make_runner):
    runner = make_runner()
    runner.message_hub.update_info('someone', object())
    with pytest.raises(TypeError) as error:
        runner.train()
    place = "checkpoint['message_hub']['runtime_info']['someone'] is a object"
    assert str(error.value).startswith(place)
    assert _names(runner.work_dir) == []


def test_it_holds_the_validation_of_its_epoch(make_runner):
    runner = make_runner(scores=[10.0, 30.0, 20.0])
    runner.train()
    for epoch, wanted in [(1, [10]), (2, [10, 30]), (3, [10, 30, 20])]:
        hub = _load(runner.work_dir, f'epoch_{epoch}.pth')['message_hub']
        assert hub['log_scalars']['val/accuracy/top1']['log_history'].tolist() == wanted


def test_a_script_may_save_one_itself(make_runner):
    runner = make_runner(epochs=2)
    runner.train()
    runner.save_checkpoint(runner.work_dir, 'own.pth')
    assert _load(runner.work_dir, 'own.pth').keys() == PARTS
    make_runner(epochs=4, resume=f'{runner.work_dir}/own.pth').train()


def test_an_interrupted_write_leaves_the_old_file(make_runner, monkeypatch):
    """It is written again when validation ends; that is when MMEngine can lose it."""
    runner = make_runner(epochs=1)
    replace = os.replace

    class Interrupts(Hook):
        def before_val(self, runner):
            monkeypatch.setattr(os, 'replace', self.interrupt)

        def interrupt(self, *args):
            raise KeyboardInterrupt

    runner.register_hook(Interrupts())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert os.listdir(runner.work_dir).count('epoch_1.pth') == 1
    assert [n for n in os.listdir(runner.work_dir) if n.endswith('.tmp')] == []
    monkeypatch.setattr(os, 'replace', replace)
    make_runner(epochs=2, resume=f'{runner.work_dir}/epoch_1.pth').train()


# Resuming -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('length', 'name'),
    [(dict(epochs=3), 'epoch_1.pth'), (dict(iters=5), 'iter_3.pth')],
    ids=str,
)
def test_the_log_continues(make_runner, scalars, length, name):
    whole = make_runner('whole', custom_hooks=[EMA], **length)
    whole.train()
    resumed = make_runner(
        'resumed', custom_hooks=[EMA], resume=f'{whole.work_dir}/{name}', **length
    )
    resumed.train()
    assert scalars(whole).keys() >= {'train/lr', 'train/loss_ce', 'val/accuracy/top1_ema'}
    assert scalars(resumed) == scalars(whole)
    for key, buffer in whole.message_hub.log_scalars.items():  # the times as well
        ours = resumed.message_hub.get_scalar(key)
        assert [len(x) for x in ours.data] == [len(x) for x in buffer.data], key
        assert [x.dtype for x in ours.data] == [x.dtype for x in buffer.data], key


def test_a_fused_optimizer_with_merged_groups_resumes_to_the_bit(make_runner, scalars):
    wrapper = dict(
        type='mmvitkd.BF16OptimWrapper',
        constructor='mmvitkd.MergedOptimWrapperConstructor',
        optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.05, fused=True),
        paramwise_cfg=dict(bias_decay_mult=0.0),
        clip_grad=dict(max_norm=0.5),
    )
    whole = make_runner('whole', optim_wrapper=wrapper)
    whole.train()
    path = f'{whole.work_dir}/epoch_1.pth'
    resumed = make_runner('resumed', optim_wrapper=wrapper, resume=path)
    resumed.train()
    assert scalars(resumed) == scalars(whole)
    assert len(scalars(whole)['train/grad_norm']) == 12
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)


class StopsInThirdEpoch(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 9:
            raise KeyboardInterrupt


def test_the_newest_is_found(make_runner, scalars):
    whole = make_runner('whole')
    whole.train()
    stopped = make_runner('stopped')
    stopped.register_hook(StopsInThirdEpoch())
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    resumed = make_runner('stopped', resume=True)
    resumed.train()
    assert scalars(resumed) == scalars(whole)


def _resume_best(make_runner, folder, first=(50.0, 70.0), then=(60.0, 90.0), **checkpoint):
    """Two epochs in 'old', then two more in a folder; the best of all is the last."""
    checkpoint = dict(save_best='accuracy/top1', rule='greater') | checkpoint
    old = make_runner('old', epochs=2, scores=list(first), checkpoint=checkpoint)
    old.train()
    before = _contents(old.work_dir)
    new = make_runner(
        folder,
        epochs=4,
        scores=list(then),
        checkpoint=checkpoint,
        resume=old.message_hub.get_info('last_ckpt'),
    )
    new.train()
    return old, new, before


def test_the_best_is_still_kept(make_runner):
    _, new, _ = _resume_best(make_runner, 'old')
    assert [n for n in _names(new.work_dir) if 'best' in n] == [
        'best_accuracy_top1_epoch_4.pth'
    ]
    assert new.message_hub.get_info('best_score') == 90


def test_the_best_so_far_is_remembered(make_runner):
    _, new, _ = _resume_best(make_runner, 'old', then=(60.0, 65.0))
    assert [n for n in _names(new.work_dir) if 'best' in n] == [
        'best_accuracy_top1_epoch_2.pth'
    ]
    assert new.message_hub.get_info('best_score') == 70


@pytest.mark.parametrize('then', [(60.0, 90.0), (60.0, 65.0)], ids=['better', 'worse'])
def test_a_run_in_another_folder_keeps_the_old_files(make_runner, then):
    published = dict(published_keys=['state_dict'], max_keep_ckpts=1)
    old, new, before = _resume_best(make_runner, 'new', then=then, **published)
    assert _contents(old.work_dir) == before
    wanted = ['best_accuracy_top1_epoch_4', 'epoch_4'] if then[1] > 70 else ['epoch_4']
    found = {name.split('-')[0].removesuffix('.pth') for name in _names(new.work_dir)}
    assert found == set(wanted)
    assert (Path(new.work_dir) / 'last_checkpoint').read_text() == 'epoch_4.pth'


@pytest.mark.parametrize('folder', ['old', 'new'])
def test_a_separate_folder_for_checkpoints(make_runner, tmp_path, folder):
    """MMEngine composes it of out_dir and the name of the work dir."""
    out_dir = str(tmp_path / 'out')
    _, new, _ = _resume_best(make_runner, folder, out_dir=out_dir)
    best = [f'{f}/{n}' for f in ('old', 'new') for n in _names(f'{out_dir}/{f}') if 'best' in n]
    kept = 'best_accuracy_top1_epoch_4.pth'
    if folder == 'old':
        assert best == [f'old/{kept}']
    else:
        assert best == ['old/best_accuracy_top1_epoch_2.pth', f'new/{kept}']
    assert _names(new.work_dir) == []


def test_two_best_metrics(make_runner, scalars):
    checkpoint = dict(
        save_best=['accuracy/top1', 'accuracy/top1_ema'], rule=['greater', 'greater']
    )
    arguments = dict(custom_hooks=[EMA], checkpoint=checkpoint)
    old = make_runner('old', epochs=2, scores=[5.0, 7.0, 6.0, 8.0], **arguments)
    old.train()
    path = f'{old.work_dir}/epoch_2.pth'
    make_runner('old', epochs=3, scores=[9.0, 3.0], resume=path, **arguments).train()
    assert [n for n in _names(old.work_dir) if 'best' in n] == [
        'best_accuracy_top1_ema_epoch_2.pth',
        'best_accuracy_top1_epoch_3.pth',
    ]


# Keeping and publishing ---------------------------------------------------------------


def test_old_ones_are_deleted(make_runner):
    runner = make_runner(epochs=4, checkpoint=dict(max_keep_ckpts=2))
    runner.train()
    assert _names(runner.work_dir) == ['epoch_3.pth', 'epoch_4.pth']


def test_no_more_epochs_are_saved_than_asked_for(make_runner):
    """MMEngine's hook would also save every best epoch."""
    runner = make_runner(
        epochs=4,
        scores=[10.0, 20.0, 30.0, 25.0],
        checkpoint=dict(interval=2, save_best='accuracy/top1', rule='greater'),
    )
    runner.train()
    assert _names(runner.work_dir) == [
        'best_accuracy_top1_epoch_3.pth',
        'epoch_2.pth',
        'epoch_4.pth',
    ]


def test_published_keys(make_runner):
    runner = make_runner(epochs=2, checkpoint=dict(published_keys=['meta', 'state_dict']))
    runner.train()
    (name,) = [name for name in _names(runner.work_dir) if '-' in name]
    published = _load(runner.work_dir, name)
    assert name.startswith('epoch_2-')
    assert published.keys() == {'meta', 'state_dict'}
    for key, value in runner.model.state_dict().items():
        assert torch.equal(published['state_dict'][key], value)

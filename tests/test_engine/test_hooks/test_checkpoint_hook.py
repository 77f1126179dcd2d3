"""Checkpoints are plain, complete, enough to resume, and in the right folder."""

import hashlib
import os
import shutil
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.engine.hooks import checkpoint_hook
from mmvitkd.engine.hooks.checkpoint_hook import CheckpointHook, seconds_of

import pytest
import torch
from logged import logged
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


def test_every_second_one_is_kept_in_addition_to_the_newest(make_runner):
    runner = make_runner(epochs=5, checkpoint=dict(max_keep_ckpts=1, keep_every=2))
    runner.train()
    assert _names(runner.work_dir) == ['epoch_2.pth', 'epoch_4.pth', 'epoch_5.pth']
    with pytest.raises(ValueError, match=r'checkpoint\.keep_every=0'):
        CheckpointHook(keep_every=0)


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


# Interruptions ------------------------------------------------------------------------


class Interrupts(Hook):
    """Interrupt a run at a place: the name of a hook's method, and the iteration."""

    priority = 'HIGHEST'

    def __init__(self, place, iteration):
        self.iteration = iteration
        setattr(self, place, self.interrupt)

    def interrupt(self, runner, *args, **kwargs):
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def _interrupted(runner, place, iteration):
    runner.register_hook(Interrupts(place, iteration))
    with pytest.raises(KeyboardInterrupt):
        runner.train()


@pytest.mark.parametrize('length', [dict(epochs=3), dict(iters=12)], ids=str)
@pytest.mark.parametrize('last', [False, True], ids=['middle', 'last'])
def test_a_validation_that_was_cut_off_comes_first(make_runner, scalars, length, last):
    arguments = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'), **length)
    whole = make_runner('whole', **arguments)
    whole.train()
    _interrupted(make_runner('cut', **arguments), 'before_val_epoch', 12 if last else 8)
    resumed = make_runner('cut', resume=True, **arguments)
    resumed.train()
    assert scalars(resumed) == scalars(whole)
    assert _names(resumed.work_dir) == _names(whole.work_dir)
    for name in _names(whole.work_dir):
        assert (
            _load(resumed.work_dir, name)['validated']
            == _load(whole.work_dir, name)['validated']
        )


def test_no_validation_comes_first_where_none_is_due(make_runner, scalars):
    arguments = dict(train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=3))
    _interrupted(make_runner('cut', **arguments), 'before_train_iter', 5)
    resumed = make_runner('cut', resume=True, **arguments)
    resumed.train()
    assert len(scalars(resumed)['val/accuracy/top1']) == 1


def test_a_lost_last_checkpoint_does_not_start_over(make_runner, scalars):
    whole = make_runner('whole')
    whole.train()
    cut = make_runner('cut')
    _interrupted(cut, 'before_train_iter', 9)
    (Path(cut.work_dir) / 'last_checkpoint').write_text('')
    resumed = make_runner('cut', resume=True)
    resumed.train()
    assert scalars(resumed) == scalars(whole)


def test_a_damaged_newest_one_is_passed_over(make_runner, scalars):
    whole = make_runner('whole')
    whole.train()
    cut = make_runner('cut')
    _interrupted(cut, 'before_train_iter', 9)
    os.truncate(f'{cut.work_dir}/epoch_2.pth', 3000)
    resumed = make_runner('cut', resume=True)
    with logged() as lines:
        resumed.train()
    assert 'epoch_2.pth is left out' in '\n'.join(lines)
    assert scalars(resumed) == scalars(whole)


@pytest.mark.parametrize('copied', [False, True])
def test_a_work_dir_may_be_moved_or_copied(make_runner, tmp_path, copied):
    best = dict(save_best='accuracy/top1', rule='greater', max_keep_ckpts=1)
    cut = make_runner('old', scores=[10.0, 30.0, 1.0, 1.0], checkpoint=best)
    _interrupted(cut, 'before_train_iter', 9)
    before = _contents(cut.work_dir)
    if copied:
        shutil.copytree(tmp_path / 'old', tmp_path / 'new')
    else:
        os.rename(tmp_path / 'old', tmp_path / 'new')
    new = make_runner('new', scores=[40.0], checkpoint=best, resume=True)
    new.train()
    assert _names(new.work_dir) == ['best_accuracy_top1_epoch_3.pth', 'epoch_3.pth']
    assert (tmp_path / 'old').exists() == copied
    assert not copied or _contents(tmp_path / 'old') == before


def test_the_best_by_the_first_metric(make_runner):
    checkpoint = dict(save_best='auto', rule='greater')
    runner = make_runner(scores=[10.0, 30.0, 20.0], checkpoint=checkpoint)
    runner.train()
    assert [n for n in _names(runner.work_dir) if 'best' in n] == [
        'best_accuracy_top1_epoch_2.pth'
    ]


@pytest.mark.parametrize('lost', [False, True])
def test_a_separate_folder_is_searched(make_runner, scalars, tmp_path, lost):
    arguments = dict(checkpoint=dict(out_dir=str(tmp_path / 'out')))
    whole = make_runner('whole', **arguments)
    whole.train()
    cut = make_runner('cut', **arguments)
    _interrupted(cut, 'before_train_iter', 9)
    if lost:
        os.remove(f'{cut.work_dir}/last_checkpoint')
    resumed = make_runner('cut', resume=True, **arguments)
    resumed.train()
    assert os.path.samefile(resumed.resumed_from, tmp_path / 'out' / 'cut' / 'epoch_2.pth')
    assert scalars(resumed) == scalars(whole)


def test_weights_to_start_from_are_for_the_first_start(make_runner):
    """As tools/train.py --resume gives them, with a config that has load_from."""
    first = make_runner('first')
    first.train()
    path = f'{first.work_dir}/epoch_3.pth'
    runner = make_runner('run', epochs=1, resume='auto', load_from=path)
    runner.train()
    assert runner.resumed_from is None
    assert runner.iter == 4
    other = make_runner('other', epochs=1)
    other.train()
    assert not torch.equal(runner.model.fc.weight, other.model.fc.weight)
    again = make_runner('run', epochs=2, resume='auto', load_from=path)
    again.train()
    assert again.resumed_from == f'{runner.work_dir}/epoch_1.pth'


# In the middle of an epoch --------------------------------------------------------------


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('name', ['iter_3.pth', 'iter_6.pth', 'iter_9.pth', 'iter_12.pth'])
def test_iterations_as_the_unit_of_checkpoints(make_runner, scalars, workers, name):
    arguments = dict(workers=workers, checkpoint=dict(by_epoch=False, interval=3))
    whole = make_runner('whole', **arguments)
    whole.train()
    path = f'{whole.work_dir}/{name}'
    resumed = make_runner('resumed', resume=path, **arguments)
    resumed.train()
    assert scalars(resumed) == scalars(whole)
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key


def test_a_checkpoint_by_time_replaces_the_one_before(make_runner, monkeypatch):
    """Here every look at the clock is ten minutes after the last one."""
    clock = count(0, 600)
    monkeypatch.setattr(checkpoint_hook, 'time', SimpleNamespace(monotonic=lambda: next(clock)))
    runner = make_runner(validate=False, checkpoint=dict(every='25min', interval=2))
    runner.register_hook(seen := Sees())
    runner.train()
    assert seen.names[3] == ['iter_3.pth']
    assert seen.names[6] == ['iter_6.pth']
    assert _names(runner.work_dir) == ['epoch_2.pth', 'epoch_3.pth']


def test_ranks_save_by_time_once(make_runner, run_twice, distributed, monkeypatch, tmp_path):
    """The first rank wants it at two steps before both ranks know."""

    def train(rank):
        clock = count(0, 600)
        monkeypatch.setattr(
            checkpoint_hook, 'time', SimpleNamespace(monotonic=lambda: next(clock))
        )
        arguments = dict(
            validate=False, epochs=12, checkpoint=dict(every='45min', interval=100)
        )
        runner = make_runner(**arguments, **distributed)
        runner.register_hook(seen := Sees())
        runner.train()
        torch.save(seen.names, tmp_path / f'{rank}.pth')

    assert run_twice(train) == [0, 0]
    names = torch.load(tmp_path / '0.pth')
    by_time = {name for found in names.values() for name in found if 'iter' in name}
    numbers = sorted(int(name[5:-4]) for name in by_time)
    assert numbers and all(b - a > 1 for a, b in pairwise(numbers))


class Sees(Hook):
    """Note the checkpoints that are there after each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.names = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.names[runner.iter + 1] = _names(runner.work_dir)


@pytest.mark.parametrize(
    ('text', 'wanted'), [('90s', 90), ('30min', 1800), ('1.5h', 5400), ('2 h', 7200)]
)
def test_times(text, wanted):
    assert seconds_of(text) == wanted


@pytest.mark.parametrize('text', ['30', 'soon', '0min', '5 days', 30])
def test_other_times_are_refused(text):
    with pytest.raises(ValueError, match=r'default_hooks\.checkpoint\.every='):
        CheckpointHook(every=text)


def test_an_unknown_key_is_refused_before_training():
    with pytest.raises(ValueError, match=r"default_hooks\.checkpoint: .*'intervall'"):
        CheckpointHook(intervall=3)


def test_a_finished_training_says_so(make_runner):
    runner = make_runner(epochs=1)
    runner.train()
    again = make_runner(epochs=1, resume=True, log_level='INFO')
    with logged() as lines:
        again.train()
    assert 'this training is finished, after 4 of 4' in '\n'.join(lines)


def test_accumulated_gradients_that_are_not_saved_are_said(make_runner):
    wrapper = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=3)
    runner = make_runner(optim_wrapper=wrapper)
    with logged() as lines:
        runner.train()
    assert len([line for line in lines if 'accumulative_counts' in line]) == 1


def test_iterations_wait_for_the_optimizers_next_step(make_runner, scalars):
    wrapper = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=3)
    arguments = dict(optim_wrapper=wrapper, checkpoint=dict(by_epoch=False, interval=5))
    whole = make_runner('whole', **arguments)
    whole.train()
    assert _names(whole.work_dir) == ['iter_12.pth', 'iter_6.pth']
    resumed = make_runner('resumed', resume=f'{whole.work_dir}/iter_6.pth', **arguments)
    resumed.train()
    assert scalars(resumed) == scalars(whole)


def test_a_scheduler_that_keeps_a_function(make_runner, scalars):
    """OneCycleLR's state holds one, which a plain checkpoint cannot."""
    cycle = dict(type='OneCycleLR', eta_max=0.1, total_steps=12, by_epoch=False)
    whole = make_runner('whole', param_scheduler=cycle)
    whole.train()
    path = f'{whole.work_dir}/epoch_2.pth'
    resumed = make_runner('resumed', resume=path, param_scheduler=cycle)
    resumed.train()
    assert scalars(resumed) == scalars(whole)


# Writing ------------------------------------------------------------------------------


def test_no_file_is_deleted_before_its_successor_is_named(make_runner, monkeypatch):
    runner = make_runner(
        checkpoint=dict(max_keep_ckpts=1, save_best='accuracy/top1', rule='greater'),
        scores=[10.0, 20.0, 30.0],
    )
    done = []
    replace, remove = os.replace, os.remove

    def note(name, function):
        def wrapper(*paths):
            done.append((name, Path(paths[-1]).name))
            return function(*paths)

        return wrapper

    monkeypatch.setattr(os, 'replace', note('write', replace))
    monkeypatch.setattr(os, 'remove', note('delete', remove))
    runner.train()
    for deleted, successor in [
        ('epoch_1.pth', 'epoch_2.pth'),
        ('best_accuracy_top1_epoch_1.pth', 'best_accuracy_top1_epoch_2.pth'),
    ]:
        at = done.index(('delete', deleted))
        assert ('write', successor) in done[:at]
        named = len(done[:at]) - done[:at][::-1].index(('write', 'last_checkpoint'))
        assert done.index(('write', successor)) < named

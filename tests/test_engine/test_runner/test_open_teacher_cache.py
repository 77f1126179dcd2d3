"""A training refuses a cache that is not its own, and never harms what is stored."""

import fcntl
import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.cache.header import NAME, read_header
from mmvitkd.engine.runner import open_teacher_cache as module
from mmvitkd.models.teachers import cache_folder
from mmvitkd.utils.bytesize import size_text
from mmvitkd.utils.folder_lock import LOCK, folder_lock

import cached_training as toy
import pytest
import torch
from mmengine.registry import DATASETS
from PIL import Image

REPEATED = dict(type='mmvitkd.RepeatAugSampler', num_repeats=3)


@pytest.fixture(scope='module')
def filled(tmp_path_factory):
    """Images, a teacher, and a cache of 3 views of each image."""
    root = toy.make_data(tmp_path_factory.mktemp('filled'))
    toy.train(toy.config(root, str(root / 'cache')), root / 'filled')
    return root


@pytest.fixture
def root(filled, tmp_path):
    """A copy of them."""
    return Path(shutil.copytree(filled, tmp_path / 'copy'))


def refused(cfg, root, error=ValueError):
    """The one line that refuses a training; nothing that was stored has changed."""
    before = shards(root)
    with pytest.raises(error) as found:
        toy.train(cfg, root / 'work')
    assert shards(root) == before
    assert '\n' not in str(found.value)
    return str(found.value)


def shards(root):
    """The bytes of the cache's shards."""
    return {path.name: path.read_bytes() for path in (root / 'cache').glob('shard-*')}


def config(root, cache=None, **kwargs):
    return toy.config(root, cache or str(root / 'cache'), **kwargs)


def images(root):
    return sorted((root / 'train').rglob('*.png'))


def edit_header(root, **changes):
    path = root / 'cache' / NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def the_shard(root):
    (path,) = (root / 'cache').glob('shard-*')
    return path


def test_a_complete_cache_needs_no_teacher(root):
    _, live = toy.train(toy.config(root), root / 'live')
    (root / 'teacher.pth').unlink()
    runner, read = toy.train(config(root), root / 'work')
    assert runner.model.teacher.live is None
    assert len(read) == len(live) == 9
    for one, other in zip(read, live, strict=True):  # int8
        torch.testing.assert_close(one['loss'], other['loss'], rtol=2e-3, atol=0)


def test_with_all_floats_stored_the_losses_are_equal_to_the_bit(root):
    cache = dict(dir=str(root / 'exact'), **toy.EXACT)
    (_, live), (_, filling), (_, read) = (
        toy.train(toy.config(root, given), root / name)
        for given, name in ((None, 'live'), (cache, 'filling'), (cache, 'read'))
    )
    assert toy.same(live, filling)
    assert toy.same(live, read)


def test_repeated_augmentation_fills_what_one_rank_reads(root):
    cache = dict(dir=str(root / 'repeated'), **toy.EXACT)
    cfg = toy.config(root, cache, sampler=REPEATED)
    _, filling = toy.train(cfg, root / 'filling')
    (root / 'teacher.pth').unlink()
    runner, read = toy.train(cfg, root / 'read')
    assert runner.model.teacher.live is None
    assert toy.same(filling, read)


def test_fewer_views_than_epochs_are_read_again(root):
    cache = dict(dir=str(root / 'two'), views=2, **toy.EXACT)
    runner, _ = toy.train(toy.config(root, cache), root / 'work')
    assert len(toy.stored(root / 'two')) == 2 * 10
    header = read_header(root / 'two')
    assert (header.views, header.num_rows, header.repeats) == (2, 20, 1)
    assert runner.cfg.sample_views == 2


@pytest.mark.parametrize('views', [1, 2])
def test_a_training_that_asks_for_fewer_views_reads_a_larger_cache(root, views):
    (root / 'teacher.pth').unlink()
    cache = dict(dir=str(root / 'cache'), views=views)
    runner, _ = toy.train(config(root, cache), root / 'work')
    assert runner.model.teacher.live is None


# Another teacher ----------------------------------------------------------------------------


def test_another_teacher_config(root):
    cfg = config(root)
    cfg.model.teacher.backbone.arch.num_heads = 2
    message = refused(cfg, root)
    assert 'teacher_cache' in message and str(root / 'cache') in message
    assert 'teacher.config.backbone.arch.num_heads: 4 in the cache, 2 in this run' in message


def test_another_file_of_weights(root):
    toy.save_teacher(root / 'teacher.pth', seed=2)
    assert 'teacher.weights_sha256' in refused(config(root), root)


def test_the_same_weights_in_another_file(root):
    weights = torch.load(root / 'teacher.pth', weights_only=True)['state_dict']
    torch.save(dict(state_dict={f'module.{k}': v for k, v in weights.items()}), root / 'b.pth')
    cfg = config(root, teacher_ckpt=str(root / 'b.pth'))
    assert len(toy.train(cfg, root / 'work')[1]) == 9


def test_random_weights_instead_of_a_file(root):
    cfg = config(root, teacher_ckpt=None, allow_random_teacher=True)
    assert 'teacher.weights_sha256' in refused(cfg, root)


def test_a_file_instead_of_random_weights(root):
    cache = str(root / 'random')
    toy.train(
        toy.config(root, cache, teacher_ckpt=None, allow_random_teacher=True), root / 'filling'
    )
    with pytest.raises(ValueError, match='weights_sha256'):
        toy.train(toy.config(root, cache), root / 'work')


def test_a_random_teacher_of_another_seed(root):
    cfg = toy.config(root, str(root / 'random'), teacher_ckpt=None, allow_random_teacher=True)
    cfg.sample_seed = 0
    toy.train(cfg, root / 'filling')
    assert len(toy.train(cfg, root / 'again')[1]) == 9
    cfg.randomness.seed = 1
    with pytest.raises(ValueError, match='weights_sha256'):
        toy.train(cfg, root / 'work')


def test_a_teacher_that_computes_in_another_precision(root):
    cfg = config(root, teacher_options=dict(precision='bf16'))
    assert "teacher.precision: None in the cache, 'bf16' in this run" in refused(cfg, root)


def test_stored_numbers_that_are_not_the_teachers(root):
    """The weights are as the header says, but the rows are of another teacher."""
    toy.save_teacher(root / 'teacher.pth', seed=2)
    cache = dict(dir=str(root / 'two'), views=2)
    toy.train(toy.config(root, cache), root / 'filling')
    header = json.loads((root / 'cache' / NAME).read_text())
    other = json.loads((root / 'two' / NAME).read_text())
    kept = {key: header['teacher'][key] for key in ('weights_sha256', 'checkpoint_sha256')}
    other['teacher'] |= kept
    (root / 'two' / NAME).write_text(json.dumps(other))
    toy.save_teacher(root / 'teacher.pth', seed=1)
    shutil.rmtree(root / 'cache')
    (root / 'two').rename(root / 'cache')
    forget_a_row(root)
    message = refused(config(root, dict(dir=str(root / 'cache'), views=2)), root)
    assert 'differs from what the teacher computes' in message


def forget_a_row(root, row=0):
    """Make a row of a cache missing."""
    header = read_header(root / 'cache')
    numbers = header.num_rows, header.row_bytes
    with toy.RowStore.open(root / 'cache', *numbers, writable=True) as store:
        store.forget(toy.np.array([row]))


# Other data ---------------------------------------------------------------------------------


def test_another_pipeline(root):
    cfg = config(root)
    cfg.train_dataloader.dataset.pipeline[1].prob = 0.25
    assert 'pipeline[1].prob: 0.5 in the cache, 0.25 in this run' in refused(cfg, root)


def test_another_pipeline_of_a_part_of_the_data(root):
    cfg = toy.config(root, str(root / 'parts'))
    part = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[part, part])
    toy.train(cfg, root / 'filling')
    cfg.train_dataloader.dataset.datasets[1].pipeline[1].prob = 0.25
    with pytest.raises(ValueError, match=r'datasets\[1\].pipeline\[1\].prob: 0.5 in the cache'):
        toy.train(cfg, root / 'work')


def test_another_normalisation(root):
    cfg = config(root)
    cfg.model.architecture.data_preprocessor.mean = [0.0, 0.0, 0.0]
    assert 'normalization[0][0]' in refused(cfg, root)


def test_an_image_of_another_size(root):
    with open(images(root)[3], 'ab') as file:
        file.write(b'more')
    message = refused(config(root), root)
    assert 'another size: bee/1.png' in message


def test_an_image_that_vanished(root):
    images(root)[3].unlink()
    assert 'missing: bee/1.png' in refused(config(root), root)


def test_a_new_image(root):
    shutil.copy(images(root)[0], root / 'train' / 'ant' / 'z.png')
    assert 'new: ant/z.png' in refused(config(root), root)


def test_other_pixels_in_a_file_of_equal_size(root):
    path = images(root)[4]
    size = path.stat().st_size
    Image.new('RGB', (50, 44)).save(path)
    with open(path, 'ab') as file:
        file.write(bytes(size - path.stat().st_size))
    assert path.stat().st_size == size
    assert 'the pixels of cat/0.png' in refused(config(root), root)


@DATASETS.register_module()
class Reversed:
    """A data set in reverse order."""

    def __init__(self, dataset):
        self.dataset = DATASETS.build(dataset)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[len(self) - 1 - index]

    def get_data_info(self, index):
        return self.dataset.get_data_info(len(self) - 1 - index)


def test_another_order(root):
    cfg = config(root)
    cfg.train_dataloader.dataset = dict(
        type='mmengine.Reversed', dataset=cfg.train_dataloader.dataset
    )
    message = refused(cfg, root)
    assert 'another order: image 0 is elk/1.png, was ant/0.png' in message


def test_a_list_that_cannot_be_read(root):
    (root / 'cache' / 'files.tsv').unlink()
    images(root)[3].unlink()
    assert 'files.tsv' in refused(config(root), root)


def test_another_seed(root):
    cfg = config(root)
    cfg.randomness.seed = 5
    message = refused(cfg, root)
    assert 'seed 0' in message and 'seed 5' in message and 'sample_seed=0' in message
    cfg.sample_seed = 0
    assert len(toy.train(cfg, root / 'work')[1]) == 9


def test_more_views_than_are_stored(root):
    cfg = config(root, epochs=5)
    message = refused(cfg, root)
    assert 'holds 3 views' in message and 'asks for 5' in message
    assert 'teacher_cache.views=3' in message


def test_repeated_samples(root):
    assert 'repeats: 1 in the cache, 3 in this run' in refused(
        config(root, sampler=REPEATED), root
    )


def test_another_version_of_a_package(root):
    versions = read_header(root / 'cache').versions
    edit_header(root, versions=versions | {'Pillow': '1.0'})
    message = refused(config(root), root)
    assert "versions.Pillow: '1.0' in the cache" in message
    assert 'teacher_cache.ignore_versions=True' in message
    cache = dict(dir=str(root / 'cache'), ignore_versions=True)
    assert len(toy.train(config(root, cache), root / 'work')[1]) == 9


def test_a_version_that_is_ignored_does_not_hide_other_pixels(root):
    header = read_header(root / 'cache')
    index, view, repeat, _ = header.pixel_checks[0]
    checks = [[index, view, repeat, 'another'], *header.pixel_checks[1:]]
    edit_header(root, versions={}, pixel_checks=checks)
    cache = dict(dir=str(root / 'cache'), ignore_versions=True)
    assert 'the pixels of ' in refused(config(root, cache), root)


# Damaged files ------------------------------------------------------------------------------


def test_a_truncated_shard(root):
    path = the_shard(root)
    with open(path, 'r+b') as file:
        file.truncate(path.stat().st_size - 10)
    message = refused(config(root), root)
    assert str(path) in message and 'bytes, wanted' in message and '--repair' in message


def test_a_missing_shard(root):
    the_shard(root).unlink()
    assert 'no shard-' in refused(config(root), root)


def test_a_flipped_byte(root):
    path = the_shard(root)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    message = refused(config(root), root)
    assert str(path) in message and 'row 29' in message and '--repair' in message


def test_a_newer_header(root):
    edit_header(root, format=99)
    message = refused(config(root), root)
    assert 'cache.json' in message and 'format 99' in message


def test_a_header_that_is_no_json(root):
    (root / 'cache' / NAME).write_text('{')
    message = refused(config(root), root)
    assert 'cache.json' in message and '--repair' not in message


def test_rows_without_a_header(root):
    before = toy.stored(root / 'cache')
    header = (root / 'cache' / NAME).read_bytes()
    (root / 'cache' / NAME).unlink()
    message = refused(config(root), root)
    assert the_shard(root).name in message and NAME in message
    (root / 'cache' / NAME).write_bytes(header)
    assert toy.stored(root / 'cache') == before


def test_an_interrupted_creation_is_done_again(root, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    cache = dict(dir=str(root / 'new'), features='fp16')
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cache_folder, 'write_header', killed)
        toy.train(toy.config(root, cache), root / 'killed')
    assert list((root / 'new').glob('shard-*')) and not (root / 'new' / NAME).exists()
    cache['features'] = 'fp32'  # rows of another size
    toy.train(toy.config(root, cache), root / 'work')
    assert len(toy.stored(root / 'new')) == 30


@pytest.mark.parametrize('name', ['notes.txt', 'epoch_1.pth'])
def test_a_folder_that_is_no_cache(root, name):
    (root / 'other').mkdir()
    (root / 'other' / name).write_text('mine')
    message = refused(config(root, str(root / 'other')), root)
    assert str(root / 'other') in message and name in message and NAME in message
    assert (root / 'other' / name).read_text() == 'mine'


def test_a_file_that_is_no_folder(root):
    message = refused(config(root, str(root / 'teacher.pth')), root, FileNotFoundError)
    assert 'teacher.pth' in message and NAME in message


# What cannot be stored ----------------------------------------------------------------------


def test_mixup(root):
    cfg = config(root)
    augments = dict(augments=dict(type='Mixup', alpha=0.8))
    cfg.model.architecture.train_cfg = augments
    message = refused(cfg, root)
    assert 'teacher_cache' in message and 'batch_augments' in message


def test_another_pipeline_in_later_epochs(root):
    cfg = config(root)
    cfg.custom_hooks = [dict(type='SwitchRecipeHook', schedule=[])]
    message = refused(cfg, root)
    assert 'teacher_cache' in message and 'SwitchRecipeHook' in message


def test_a_loader_without_seeds(root):
    cfg = config(root)
    cfg.train_dataloader.num_batch_per_epoch = 2
    assert 'num_batch_per_epoch' in refused(cfg, root)


def test_a_run_without_the_hook(root):
    cfg = config(root)
    del cfg.default_hooks['teacher_cache']
    message = refused(cfg, root)
    assert 'default_hooks.teacher_cache' in message and 'TeacherCacheHook' in message


# The teacher's file -------------------------------------------------------------------------


def test_an_incomplete_cache_and_no_teacher(root):
    forget_a_row(root)
    (root / 'teacher.pth').unlink()
    assert 'teacher.pth' in refused(config(root), root, FileNotFoundError)


def test_an_incomplete_cache_is_completed(root):
    before = toy.stored(root / 'cache')
    forget_a_row(root, row=17)
    toy.train(config(root), root / 'work')
    assert toy.stored(root / 'cache').keys() == before.keys()


def test_no_space(root, monkeypatch):
    usage = shutil.disk_usage(root)._replace(free=512)
    monkeypatch.setattr(cache_folder.shutil, 'disk_usage', lambda _: usage)
    message = refused(config(root, str(root / 'new')), root)
    assert str(root / 'new') in message and '3 views of 10 images' in message
    assert '512 B' in message and 'teacher_cache.views' in message
    assert not (root / 'new').exists()


def test_the_log_says_what_is_missing_and_how_much_space_it_takes(root, caplog, monkeypatch):
    forget_a_row(root, row=17)
    usage = shutil.disk_usage(root)._replace(free=3 * 2**20)
    monkeypatch.setattr(module, 'disk_usage', lambda _: usage)
    runner, _, text = logged(config(root), root, caplog)
    size = size_text(runner.model.teacher.row_bytes)
    assert (
        f'1 of 30 views are missing: the teacher computes them, and stores them: {size}' in text
    )
    assert '3 MiB are free' in text


# One run at a time writes -------------------------------------------------------------------


def logged(cfg, root, caplog):
    """Train; return the run, its losses and what it logged."""
    cfg.log_level = 'INFO'
    runner, losses = toy.train(cfg, root / 'work')
    text = Path(runner._log_dir, f'{runner.timestamp}.log').read_text()
    return runner, losses, text


def test_the_second_run_computes_and_does_not_store(root, caplog):
    forget_a_row(root, row=17)
    before = toy.stored(root / 'cache')
    with folder_lock(root / 'cache', 'a training that fills it (run 1234)'):
        _, losses, text = logged(config(root), root, caplog)
    assert len(losses) == 9
    assert '1 of 30 views are missing' in text and 'does not store them' in text
    assert 'run 1234' in text and 'process' in text  # the holder
    assert toy.stored(root / 'cache') == before


def test_a_folder_that_cannot_be_written_to(root, caplog, monkeypatch):
    def denied(*_):
        raise PermissionError(13, 'Permission denied', str(root / 'cache' / '.mmvitkd.lock'))

    forget_a_row(root, row=17)
    before = toy.stored(root / 'cache')
    monkeypatch.setattr(module, 'folder_lock', denied)
    _, losses, text = logged(config(root), root, caplog)
    assert len(losses) == 9
    assert 'does not store them: it cannot be written to' in text and '.mmvitkd.lock' in text
    assert toy.stored(root / 'cache') == before


def test_shards_that_cannot_be_written_to(root, caplog, monkeypatch):
    forget_a_row(root, row=17)
    before, opened = toy.stored(root / 'cache'), toy.RowStore.open

    def open_(folder, *numbers, writable):
        if writable:
            raise OSError(30, 'Read-only file system', str(the_shard(root)))
        return opened(folder, *numbers, writable=writable)

    with monkeypatch.context() as patch:
        patch.setattr(toy.RowStore, 'open', open_)
        _, losses, text = logged(config(root), root, caplog)
    assert len(losses) == 9
    assert 'does not store them: it cannot be written to' in text and 'shard-' in text
    assert toy.stored(root / 'cache') == before


def test_a_cache_that_another_run_creates_meanwhile(root, monkeypatch):
    """The second one found no cache when it was built; its own would have other rows."""
    cache = str(root / 'new')
    second = toy.build(toy.config(root, dict(dir=cache, features='fp16')), root / 'second')
    toy.train(toy.config(root, dict(dir=cache, features='fp32')), root / 'first')
    before = toy.stored(root / 'new')
    with pytest.raises(ValueError, match=r"stored with .*features='fp32'"):
        second.train()
    assert toy.stored(root / 'new') == before


def test_a_cache_of_another_teacher_that_is_created_meanwhile(root):
    second = toy.build(toy.config(root, str(root / 'new')), root / 'second')
    toy.save_teacher(root / 'teacher.pth', seed=2)
    toy.train(toy.config(root, str(root / 'new')), root / 'first')
    with pytest.raises(ValueError, match='weights_sha256'):
        second.train()


@pytest.mark.parametrize('run', ['1234', '5678'])
def test_a_lock_that_another_machine_has_just_taken(tmp_path, monkeypatch, run):
    """Its holder writes who it is a moment later: this run, or another."""

    def write():
        json.dump(dict(user=f'a repair (run {run})'), file)
        file.flush()

    monkeypatch.setattr(module.secrets, 'token_hex', lambda _: '1234')
    monkeypatch.setattr(module, 'barrier', write)
    with open(tmp_path / LOCK, 'w') as file, ExitStack() as stack:
        fcntl.flock(file, fcntl.LOCK_EX)
        is_held, error = module.lock_for_run(stack, tmp_path, 'a repair', wanted=True)
    assert not is_held
    assert (error is None) == (run == '1234')


def with_other_ranks(monkeypatch, *others):
    """Let a gathering of (host, reason) find other ranks; return what this one says."""
    mine = []

    def gathered(given):
        if isinstance(given, tuple) and len(given) == 2:
            mine.append(given[1])
            return [given, *others]
        return [given]

    monkeypatch.setattr(module, 'all_gather_object', gathered)
    return mine


def test_why_other_machines_do_not_store_is_logged_once(root, caplog, monkeypatch):
    other = ('node7', 'it cannot be written to (Read-only file system)')
    with_other_ranks(monkeypatch, ('node6', ''), other, other)
    _, _, text = logged(config(root), root, caplog)
    assert text.count(f'on node7 does not store what it computes: {other[1]}') == 1
    assert 'node6' not in text


# A full disk --------------------------------------------------------------------------------


@pytest.mark.parametrize('where', ['write', 'mark'])
def test_a_full_disk_does_not_end_the_training(root, where, caplog, monkeypatch):
    from mmvitkd.cache.shard_file import Shard

    cache = str(root / 'new')
    _, live = toy.train(toy.config(root, dict(dir=str(root / 'x'))), root / 'whole')
    found, calls = getattr(Shard, where), []

    def full(self, *args):
        calls.append(args)
        if len(calls) > (13 if where == 'write' else 1):
            raise OSError(28, 'No space left on device', str(self.path))
        return found(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Shard, where, full)
        told = with_other_ranks(patch)
        _, losses, text = logged(toy.config(root, cache), root, caplog)
    assert told[0] == '' and 'No space left on device' in told[-1]
    assert toy.same(losses, live)
    assert 'No space left on device' in text and 'shard-' in text
    assert 'views more need' in text and 'stores no more' in text
    assert text.count('stores no more') == 1
    rows = toy.stored(root / 'new')
    assert 0 < len(rows) < 30
    toy.train(toy.config(root, cache), root / 'again')
    assert len(toy.stored(root / 'new')) == 30
    assert {row: toy.stored(root / 'new')[row] for row in rows} == rows

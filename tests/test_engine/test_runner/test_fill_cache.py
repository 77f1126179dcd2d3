"""Filling ahead: the rows of each rank, what a rank leaves out, and what is drawn."""

from contextlib import contextmanager

import mmvitkd  # noqa: F401
from mmvitkd.config.load_config import complete_config
from mmvitkd.engine.runner import fill_cache as module
from mmvitkd.engine.runner.fill_cache import fill_teacher_cache

import cached_training as toy
import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return toy.make_data(tmp_path_factory.mktemp('data'))


def completed(root, cache, **kwargs):
    cfg = toy.config(root, str(cache), **kwargs)
    complete_config(cfg)
    return cfg


def test_it_stores_all_views_once(root, tmp_path):
    cfg = completed(root, tmp_path / 'cache')
    assert fill_teacher_cache(cfg, CPU) == 30
    assert fill_teacher_cache(cfg, CPU) == 0
    assert len(toy.stored(tmp_path / 'cache')) == 30


def test_the_config_does_not_change(root, tmp_path):
    cfg = completed(root, tmp_path / 'cache')
    before = cfg.to_dict()
    fill_teacher_cache(cfg, CPU)
    assert cfg.to_dict() == before


def test_it_fills_for_any_number_of_ranks(root, tmp_path):
    """Repeated augmentation shows 10 of 30 on one rank, and up to 30 on several."""
    sampler = dict(type='mmvitkd.RepeatAugSampler', num_repeats=3)
    cfg = completed(root, tmp_path / 'cache', sampler=sampler, epochs=1)
    assert fill_teacher_cache(cfg, CPU) == 30
    runner, _ = toy.train(
        toy.config(root, str(tmp_path / 'cache'), sampler=sampler, epochs=1), tmp_path / 'work'
    )
    assert runner.model.teacher.live is None


@pytest.mark.parametrize(
    ('kind', 'drop_last', 'passes'),
    [('InfiniteSampler', False, 4), ('DefaultSampler', False, 4), ('DefaultSampler', True, 5)],
)
def test_a_training_by_iterations(root, tmp_path, kind, drop_last, passes):
    """Its passes over the 10 images grow with the ranks: all views are stored."""
    cfg = toy.config(root, dict(dir=str(tmp_path / 'cache'), views=6))
    cfg.train_dataloader.sampler = dict(type=kind, shuffle=True)
    cfg.train_dataloader.drop_last = drop_last
    cfg.train_cfg = dict(by_epoch=False, max_iters=10)
    cfg.default_hooks.checkpoint.by_epoch = False
    copy = toy.deepcopy(cfg)
    complete_config(copy)
    assert fill_teacher_cache(copy, CPU) == 60
    runner, losses = toy.train(cfg, tmp_path / 'work')
    teacher = runner.model.teacher
    assert teacher.live is None and len(losses) == 10
    assert sum(map(len, teacher._views.planned_rows())) == 10 * passes


@OPTIM_WRAPPERS.register_module()
class HalfOptimWrapper(OptimWrapper):
    """A wrapper of the user's own, in float16."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.float16):
            yield


@pytest.mark.parametrize(
    'wrapper',
    [dict(type='mmvitkd.BF16OptimWrapper', cpu=True), dict(type='mmengine.HalfOptimWrapper')],
)
def test_it_computes_in_the_precision_of_the_training(root, tmp_path, wrapper):
    """The images of a batch are the same without shuffling: so are all bits."""
    sampler = dict(type='DefaultSampler', shuffle=False)
    for name in ('filled', 'trained'):
        cfg = toy.config(root, dict(dir=str(tmp_path / name), **toy.EXACT), sampler=sampler)
        cfg.optim_wrapper.update(wrapper)
        if name == 'trained':
            toy.train(cfg, tmp_path / 'work')
        else:
            complete_config(cfg)
            fill_teacher_cache(cfg, CPU)
    assert toy.stored(tmp_path / 'filled') == toy.stored(tmp_path / 'trained')


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU has this precision')
def test_a_precision_that_this_device_does_not_have(root, tmp_path):
    cfg = completed(root, tmp_path / 'cache')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    with pytest.raises(AssertionError, match='only available training on gpu') as found:
        fill_teacher_cache(cfg, CPU)
    assert found.value.config_key == 'optim_wrapper'


def test_a_random_teacher_is_the_one_of_the_training(root, tmp_path):
    random = dict(teacher_ckpt=None, allow_random_teacher=True)
    torch.manual_seed(99)
    fill_teacher_cache(completed(root, tmp_path / 'cache', **random), CPU)
    cfg = toy.config(root, str(tmp_path / 'cache'), **random)
    assert len(toy.train(cfg, tmp_path / 'work')[1]) == 9


@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
def test_every_row_is_of_one_rank_whatever_others_have_stored(world_size):
    class Loader:
        batch_size = 4

    rows = np.arange(100)
    parts = [module._of_rank(rows, Loader, rank, world_size) for rank in range(world_size)]
    assert sorted(np.concatenate(parts)) == rows.tolist()
    later = module._of_rank(rows[rows % 3 > 0], Loader, 0, world_size)
    assert set(later) == set(parts[0]) - set(rows[::3])


def test_a_rank_that_leaves_rows_out_is_noticed(root, tmp_path, monkeypatch):
    """As with folders of their own on two machines."""
    monkeypatch.setattr(module, '_of_rank', lambda rows, *_: rows[::2])
    with pytest.raises(OSError, match='lacks 15 views'):
        fill_teacher_cache(completed(root, tmp_path / 'cache'), CPU)
    monkeypatch.undo()
    assert fill_teacher_cache(completed(root, tmp_path / 'cache'), CPU) == 15

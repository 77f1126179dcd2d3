"""A training with a teacher cache: killed and resumed, with our other hooks, exported."""

import os
import signal
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.hooks import teacher_accuracy_hook
from mmvitkd.models.teachers import CachedTeacher

import cached_training as toy
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

SAVING = dict(type='mmvitkd.CheckpointHook', interval=1, by_epoch=False)
VALIDATION = dict(val_cfg=dict(), val_evaluator=dict(type='mmvitkd.Accuracy', topk=(1,)))


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return toy.make_data(tmp_path_factory.mktemp('data'))


@pytest.fixture
def config(root, tmp_path):
    """The config of a training with a new cache, to be changed."""

    def make(**kwargs):
        cfg = toy.config(root, dict(dir=str(tmp_path / 'cache'), **toy.EXACT), **kwargs)
        cfg.default_hooks.checkpoint = dict(SAVING)
        return cfg

    return make


class Kill(Hook):
    """Kill the process after an iteration, and after its checkpoint."""

    priority = 'LOWEST'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(cfg, work_dir, iteration):
    """Train in another process that is killed."""
    child = os.fork()
    if not child:
        runner = toy.build(cfg, work_dir)
        runner.register_hook(Kill(iteration))
        runner.train()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def weights(runner):
    return {key: value.clone() for key, value in runner.model.state_dict().items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key


@pytest.mark.parametrize('iteration', [1, 2, 3, 5, 9])
def test_killed_while_it_fills_and_resumed(config, root, tmp_path, iteration):
    """Three iterations an epoch."""
    live = toy.config(root)
    live.default_hooks.checkpoint = dict(SAVING)
    whole, _ = toy.train(live, tmp_path / 'whole')
    cfg = config()
    killed(cfg, tmp_path / 'work', iteration)
    rows = toy.stored(tmp_path / 'cache')
    assert len(rows) == min(4 * (iteration % 3), 10) + 10 * (iteration // 3)
    cfg.resume = True
    runner, losses = toy.train(cfg, tmp_path / 'work')
    assert len(losses) == 9 - iteration
    assert_equal(weights(runner), weights(whole))
    after = toy.stored(tmp_path / 'cache')
    assert len(after) == 30
    assert {row: after[row] for row in rows} == rows


def test_views_that_come_again_are_read_in_the_next_epoch(config, tmp_path, monkeypatch):
    computed = []
    compute = CachedTeacher._compute

    def counting(self, images, *args):
        computed.append(len(images))
        return compute(self, images, *args)

    monkeypatch.setattr(CachedTeacher, '_compute', counting)
    cfg = config()
    cfg.teacher_cache.views = 1
    toy.train(cfg, tmp_path / 'work')
    assert sum(computed) == 10


SUBSPACE = dict(type='mmvitkd.SubspaceLoss', d=6, loss_weight=3.0)
MEASURING = {
    'mmvitkd.TargetStatisticsHook': dict(pair_target='centred'),
    'mmvitkd.SubspaceFloorHook': dict(
        pair_projector=dict(in_channels=16, out_channels=32),
        pair_extra_losses=dict(subspace=SUBSPACE),
    ),
}


@pytest.mark.parametrize('hook', MEASURING)
def test_what_a_hook_asks_the_teacher_is_stored_as_the_training_would(
    config, tmp_path, monkeypatch, hook
):
    """In the training's precision, and before the training asks for it."""
    computed, compute = [], CachedTeacher._compute

    def watched(self, images, *args):
        computed.extend([torch.is_autocast_enabled('cpu')] * len(images))
        return compute(self, images, *args)

    monkeypatch.setattr(CachedTeacher, '_compute', watched)
    cfg = config(**MEASURING[hook])
    cfg.optim_wrapper.update(type='mmvitkd.BF16OptimWrapper', cpu=True)
    cfg.default_hooks.measuring = dict(type=hook)
    toy.train(cfg, tmp_path / 'work')
    assert computed == [True] * 30


def with_validation(cfg):
    loader = {**cfg.train_dataloader, 'sampler': dict(type='DefaultSampler', shuffle=False)}
    loader['dataset'] = {**loader['dataset'], 'split': 'val'}
    cfg.merge_from_dict(dict(**VALIDATION, val_dataloader=loader))
    return cfg


@pytest.mark.parametrize(
    ('evaluator', 'file', 'reason'),
    [
        ([], None, None),
        ([], 'gone.pth', 'gone.pth'),
        (VALIDATION['val_evaluator'], None, 'its cache is complete'),
    ],
)
def test_a_complete_cache_and_a_validation(config, tmp_path, evaluator, file, reason):
    """Where errors of the features are all that is validated, the teacher is built for it."""
    cfg = with_validation(config(pairs=[(2, 3)], distiller=None))
    cfg.default_hooks.feature_error = dict(type='mmvitkd.FeatureErrorHook')
    cfg.merge_from_dict(dict(val_evaluator=evaluator, log_level='INFO'))
    toy.train(cfg, tmp_path / 'fills')
    cfg.model.teacher_ckpt = file or cfg.model.teacher_ckpt
    runner, _ = toy.train(cfg, tmp_path / 'reads')
    text = Path(runner._log_dir, f'{runner.timestamp}.log').read_text()
    assert ('feature/val_r2' in text) == (reason is None)
    assert ('in validation: none' in text and str(reason) in text) == (reason is not None)


def test_with_an_average_and_both_measuring_hooks(config, root, tmp_path):
    hooks = dict(
        sep=dict(type='mmvitkd.SEPHook', interval=1, num_images=4),
        teacher_accuracy=dict(type='mmvitkd.TeacherAccuracyHook'),
    )
    texts, ends = [], []
    live = with_validation(toy.config(root))
    live.default_hooks.checkpoint = dict(SAVING)
    for name, cfg in (('live', live), *((n, with_validation(config())) for n in ('a', 'b'))):
        cfg.custom_hooks = [dict(type='mmvitkd.StudentEMAHook')]
        cfg.default_hooks.update(hooks)
        cfg.log_level = 'INFO'
        if name == 'b':
            cfg.model.teacher_ckpt = 'gone.pth'
        runner, _ = toy.train(cfg, tmp_path / name)
        texts.append(Path(runner._log_dir, f'{runner.timestamp}.log').read_text())
        ends.append(torch.load(tmp_path / name / 'iter_9.pth', weights_only=True))
    for key in ('state_dict', 'ema_state_dict'):
        for other in ends[1:]:
            assert_equal(ends[0][key], other[key])
    assert "The teacher's own validation top-1" in texts[1]
    assert "The teacher's own top-1 on stored training views" in texts[2]
    assert 'SEPHook leaves teacher out: it is read from a cache' in texts[2]


def test_no_rank_validates_a_teacher_that_another_has_not_built(config, tmp_path, monkeypatch):
    """As where the cache of another machine is complete."""

    def gather(own):
        return [own, True] if isinstance(own, bool) else [own]

    monkeypatch.setattr(teacher_accuracy_hook, 'all_gather_object', gather)
    cfg = with_validation(config())
    cfg.default_hooks.teacher_accuracy = dict(type='mmvitkd.TeacherAccuracyHook')
    cfg.log_level = 'INFO'
    runner, _ = toy.train(cfg, tmp_path / 'run')
    text = Path(runner._log_dir, f'{runner.timestamp}.log').read_text()
    assert "The teacher's own top-1: none, the cache has no logits" in text


def test_no_weight_of_the_teacher_is_in_a_checkpoint(config, tmp_path):
    runner, _ = toy.train(config(), tmp_path / 'work')
    assert isinstance(runner.model.teacher, CachedTeacher)
    last = torch.load(tmp_path / 'work' / 'iter_9.pth', weights_only=True)
    assert all(key.startswith('architecture.') for key in last['state_dict'])


def test_a_run_that_fails_keeps_what_it_computed(config, tmp_path):
    class Fail(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 1:
                raise RuntimeError('no luck')

    cfg = config()
    cfg.default_hooks.pop('checkpoint')
    runner = toy.build(cfg, tmp_path / 'work')
    runner.register_hook(Fail())
    with pytest.raises(RuntimeError, match='no luck'):
        runner.train()
    assert len(toy.stored(tmp_path / 'cache')) == 8


def test_the_dumped_config_asks_for_the_same_views(config, root, tmp_path):
    runner, _ = toy.train(config(), tmp_path / 'work')
    (path,) = (tmp_path / 'work').glob('*.py')
    again, losses = toy.train(Config.fromfile(path), tmp_path / 'again')
    assert len(losses) == 9
    assert again.model.teacher.live is None
    assert again.cfg.sample_views == runner.cfg.sample_views == 3


def test_iterations_without_epochs(config, root, tmp_path):
    """Seven iterations of 4 images are two full passes over 10, and 8 of the third."""
    cfg = config(sampler=dict(type='InfiniteSampler', shuffle=True))
    cfg.train_cfg = dict(by_epoch=False, max_iters=7)
    _, losses = toy.train(cfg, tmp_path / 'work')
    assert len(toy.stored(tmp_path / 'cache')) == 28
    _, read = toy.train(cfg, tmp_path / 'again')
    assert toy.same(losses, read)

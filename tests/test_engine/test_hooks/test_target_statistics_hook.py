"""Statistics of a run's targets: measured once, resumed to the bit, read from a cache."""

from itertools import count

import mmvitkd
from mmvitkd.engine.runner import Runner
from mmvitkd.models import BaseTeacher

import pytest
import torch
from mmengine.registry import DATASETS
from mmpretrain.structures import DataSample
from toy import vit
from toy_distillation import distillation

RUNS = count()


@DATASETS.register_module()
class TargetNoise(torch.utils.data.Dataset):
    """Images drawn anew each time they are read, as augmented ones are."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        image = (128 * torch.rand(3, 32, 32) + 4 * index).to(torch.uint8)
        return dict(inputs=image, data_samples=DataSample().set_gt_label(index % 5))


def lift(**kwargs):
    student = dict(
        vit(out_type='raw', final_norm=False),
        neck=dict(type='mmvitkd.LiftProjector', in_channels=16, out_channels=32),
        head=dict(type='mmpretrain.LinearClsHead', num_classes=5, in_channels=32),
    )
    defaults = dict(architecture=student, pairs=[('neck.norm', 3)], pair_projector=None)
    return distillation(**{**defaults, 'pair_target': 'standardised', **kwargs})


def runner(folder, model=None, epochs=2, hook=True, cached=False, **kwargs):
    config = dict(
        model=model or lift(),
        work_dir=str(folder / f'run_{next(RUNS)}'),
        train_dataloader=dict(
            dataset=dict(type='TargetNoise'),
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        default_hooks=dict(
            runtime_info=dict(type='mmvitkd.RuntimeInfoHook'),
            checkpoint=dict(type='mmvitkd.CheckpointHook', interval=1),
            random_state=dict(type='mmvitkd.RandomStateHook'),
            teacher_cache=dict(type='mmvitkd.TeacherCacheHook'),
            feature_error=dict(type='mmvitkd.FeatureErrorHook'),
            **(dict(statistics=dict(type='mmvitkd.TargetStatisticsHook')) if hook else {}),
        ),
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        experiment_name=f'target_statistics_{next(RUNS)}',
        log_level='ERROR',
    )
    keys = ('train_dataloader', 'model')
    views = dict(sample_views=2, **{key: config[key] for key in keys}) if cached else {}
    return Runner(**{**config, 'cfg': views, **kwargs})


def target_of(run):
    return run.model.distiller.connectors['pair_0_T']


@pytest.fixture
def told(monkeypatch):
    """What a run logs."""
    lines = []

    def listen(run):
        monkeypatch.setattr(run.logger, 'info', lambda text, *_: lines.append(str(text)))
        return run

    return listen, lines


def test_a_target_is_measured_and_told(tmp_path, told):
    listen, lines = told
    run = listen(runner(tmp_path))
    run.train()
    assert int(target_of(run).count) == 16 * 16
    [line] = [line for line in lines if 'Target of pair_0 (standardised)' in line]
    assert '256 tokens of 16 training views (seed 0)' in line


def test_nothing_is_drawn_from_the_trainings_random_numbers(tmp_path):
    """With a raw target, measured for the LayerNorm, whose start is then undone."""

    class Undone(mmvitkd.engine.hooks.TargetStatisticsHook):
        def before_train(self, runner):
            super().before_train(runner)
            runner.model.student.neck.norm.reset_parameters()

    weights = []
    for hooks, switch in (([], False), ([Undone()], True)):
        model = lift(pair_target='raw', norm_from_target=switch)
        run = runner(tmp_path, model, hook=False, custom_hooks=hooks)
        run.train()
        weights.append(run.model.student.state_dict())
    plain, measured = weights
    assert all(torch.equal(plain[name], measured[name]) for name in plain)


@pytest.mark.parametrize('switch', [False, True])
def test_a_resumed_run_is_equal_to_the_bit(tmp_path, told, switch):
    model = dict(pair_target='raw', norm_from_target=True) if switch else {}
    whole = runner(tmp_path, lift(**model), epochs=3)
    whole.train()
    resumed = runner(
        tmp_path,
        lift(**model),
        epochs=3,
        resume=True,
        load_from=f'{whole.work_dir}/epoch_1.pth',
    )
    listen, lines = told
    listen(resumed).train()
    assert not [line for line in lines if 'Target of' in line]
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_layernorm_starts_at_its_target(tmp_path):
    wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
    model = lift(pair_target='raw', norm_from_target=True)
    run = runner(tmp_path, model, epochs=1, optim_wrapper=wrapper)
    run.train()
    target, norm = target_of(run), run.model.student.neck.norm
    assert torch.equal(norm.weight, target.std)
    assert torch.equal(norm.bias, target.mean)


def test_weights_of_a_file_keep_their_layernorm(tmp_path):
    model = lift(pair_target='raw', norm_from_target=True)
    first = runner(tmp_path, model, epochs=1)
    first.train()
    wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
    path = f'{first.work_dir}/epoch_1.pth'
    second = runner(tmp_path, model, epochs=1, optim_wrapper=wrapper, load_from=path)
    second.train()
    ours, theirs = (run.model.student.neck.norm.bias for run in (second, first))
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, target_of(second).mean)


def test_a_cache_is_measured_without_its_teacher(tmp_path):
    """The second run builds no teacher, and finds what the first has measured."""
    cache = dict(dir=str(tmp_path / 'cache'))
    runs = []
    for _ in range(2):
        runs.append(runner(tmp_path, lift(teacher_cache=cache), cached=True))
        runs[-1].train()
    first, second = (target_of(run) for run in runs)
    assert runs[1].model.teacher.live is None
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.std, second.std)
    assert int(first.count) == 256


def test_a_cache_stores_normed_tokens(tmp_path):
    """The final norm is stored in the place of the last block, and no norm is needed later."""
    cache = dict(dir=str(tmp_path / 'cache'))
    targets = []
    for _ in range(2):
        model = lift(pair_target='final_norm', norm_from_target=True, teacher_cache=cache)
        run = runner(tmp_path, model, cached=True)
        run.train()
        targets.append(target_of(run).std)
    assert run.model.teacher.live is None
    assert torch.equal(*targets)
    assert run.model.teacher.header.tensors['pair_0']['source'] == 'backbone.ln1'


def test_training_without_the_hook_says_which(tmp_path):
    with pytest.raises(ValueError, match=r'pair_target.*TargetStatisticsHook'):
        runner(tmp_path, hook=False).train()


def test_a_teacher_of_ones_is_refused_before_training(tmp_path):
    class Ones(BaseTeacher):
        def forward(self, images, data_samples):
            return {'pair_0': torch.ones(len(images), 17, 32)}

    model = lift(teacher=Ones(), pairs=[('neck.norm', 'x')], allow_random_teacher=False)
    with pytest.raises(ValueError, match=r'pair_target.*pair_0: all 32 channels are constant'):
        runner(tmp_path, model).train()


@pytest.mark.parametrize('wrong', [dict(num_images=0), dict(seed=-1)])
def test_numbers_out_of_range(wrong):
    [key] = wrong
    with pytest.raises(ValueError, match=rf'TargetStatisticsHook\.{key}'):
        mmvitkd.engine.hooks.TargetStatisticsHook(**wrong)


@pytest.mark.parametrize('target', ['raw', 'centred'])
def test_a_cache_serves_other_targets(tmp_path, target):
    cache = dict(dir=str(tmp_path / 'cache'))
    for kind in ('standardised', target):
        run = runner(tmp_path, lift(teacher_cache=cache, pair_target=kind), cached=True)
        run.train()
    assert run.model.teacher.live is None

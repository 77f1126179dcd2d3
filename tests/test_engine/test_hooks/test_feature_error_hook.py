"""The logged errors: the right numbers, the warning, and no effect on the training."""

import copy
from itertools import count

import mmvitkd  # noqa: F401
from mmvitkd.engine.hooks import feature_error_hook
from mmvitkd.engine.runner import Runner
from mmvitkd.models import BaseTeacher
from mmvitkd.models.losses.error_sums import error_sums, relative_errors

import pytest
import torch
from mmengine.hooks import LoggerHook
from mmengine.registry import DATASETS
from toy import vit
from toy_distillation import distillation, encoder, logits_and, loss_arguments, noise

RUNS = count()


@DATASETS.register_module()
class FeatureErrorNoise(torch.utils.data.Dataset):
    def __init__(self, size, seed=0):
        self.samples = noise(size, seed)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


def loader(size, seed=0, shuffle=False, batch_size=4):
    return dict(
        dataset=dict(type='FeatureErrorNoise', size=size, seed=seed),
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type='default_collate'),
    )


def runner(folder, hook=True, epochs=2, validate=True, model=None, hooks=None, **kwargs):
    """6 steps an epoch, every second one measured."""
    error = dict(type='mmvitkd.FeatureErrorHook', interval=2) if hook is True else hook
    validation = dict(
        val_dataloader=loader(10, seed=7),
        val_cfg=dict(),
        val_evaluator=dict(type='Accuracy', topk=1),
    )
    config = dict(
        model=model or distillation(),
        work_dir=str(folder / f'run_{next(RUNS)}'),
        train_dataloader=loader(24, shuffle=True),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        default_hooks=dict(
            runtime_info=dict(type='mmvitkd.RuntimeInfoHook'),
            logger=dict(type='LoggerHook', interval=3),
            checkpoint=dict(type='mmvitkd.CheckpointHook', interval=1),
            random_state=dict(type='mmvitkd.RandomStateHook'),
        )
        | (dict(feature_error=error) if error else {})
        | (hooks or {}),
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        experiment_name=f'feature_error_{next(RUNS)}',
        log_level='ERROR',
    )
    return Runner(**{**config, **(validation if validate else {}), **kwargs})


def logged(run, prefix='feature'):
    """The logged values by name, of training and validation."""
    return {
        name.partition('/')[2]: buffer.data[0].tolist()
        for name, buffer in run.message_hub.log_scalars.items()
        if name.partition('/')[2].startswith(prefix)
    }


@pytest.fixture
def said(monkeypatch):
    lines = []

    def listen(run):
        for level in ('info', 'warning'):
            monkeypatch.setattr(
                run.logger,
                level,
                lambda text, *_, level=level: lines.append((level, str(text))),
            )
        return run

    return listen, lines


def test_training_logs_the_errors_of_what_the_loss_was_given(tmp_path, monkeypatch):
    """Against the arguments of the loss, kept by another hook of the module."""
    run = runner(tmp_path, epochs=1, validate=False)
    kept = []
    loss = run.model.distiller.distill_losses['loss_pair_0']
    loss.register_forward_pre_hook(lambda *args: kept.append(args[2]), with_kwargs=True)
    run.train()
    sides = [
        tuple(x.detach().flatten(2).mT for x in each.values()) for each in kept[-5::2]
    ]  # before the first step a trial calls it
    found = logged(run)
    seen = torch.zeros(0, 32)
    for i, (student, teacher) in enumerate(sides):
        seen = torch.cat([seen, teacher.flatten(0, 1)])
        expected = relative_errors(error_sums(student, teacher), seen.double().mean(0))
        for key, value in expected._asdict().items():
            assert found[f'feature/pair_0/{key}'][i] == pytest.approx(float(value), rel=1e-5)
    assert len(sides) == len(found['feature/pair_0/r2']) == 3


def test_validation_is_exact(tmp_path):
    """Against both models run by hand on all images at once."""
    run = runner(tmp_path, epochs=1)
    run.train()
    found = logged(run)
    model = run.model.eval()
    images = torch.stack([sample['inputs'] for sample in noise(10, seed=7)])
    arguments = loss_arguments(model, model.data_preprocessor(dict(inputs=images))['inputs'])
    sides = (arguments[key].flatten(2).mT for key in ('preds_S', 'preds_T'))
    for key, value in relative_errors(error_sums(*sides))._asdict().items():
        assert found[f'feature/pair_0/val_{key}'] == [pytest.approx(float(value), rel=1e-5)]


def test_the_average_is_validated_too(tmp_path):
    hooks = [dict(type='mmvitkd.StudentEMAHook', momentum=0.9)]
    run = runner(tmp_path, custom_hooks=hooks)
    run.train()
    found = logged(run)
    raw, averaged = (found[f'feature/pair_0/val_r2{suffix}'] for suffix in ('', '_ema'))
    assert len(raw) == len(averaged) == 2
    assert raw != averaged
    targets = (found[f'feature/pair_0/val_mean_token{suffix}'] for suffix in ('', '_ema'))
    assert next(targets) == next(targets)


def test_a_checkpoint_can_be_kept_for_it(tmp_path):
    checkpoint = dict(
        checkpoint=dict(
            type='mmvitkd.CheckpointHook', save_best='feature/pair_0/val_r2', rule='greater'
        )
    )
    run = runner(tmp_path, hooks=checkpoint)
    run.train()
    assert run.message_hub.get_info('best_score') == max(logged(run)['feature/pair_0/val_r2'])


@pytest.mark.parametrize('amp', [False, True])
def test_training_is_the_same_to_the_bit(tmp_path, amp):
    wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3))
    if amp:
        wrapper['type'] = 'mmvitkd.BF16OptimWrapper'
    runs = []
    for hook in (True, None):
        runs.append(runner(tmp_path, hook, optim_wrapper=wrapper))
        runs[-1].train()
    ours, theirs = (run.model.state_dict() for run in runs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    losses = [logged(run, 'loss') for run in runs]
    assert losses[0] == losses[1]


def test_a_resumed_run_logs_the_same(tmp_path):
    whole = runner(tmp_path, epochs=3)
    whole.train()
    resumed = runner(tmp_path, epochs=3, resume=True, load_from=f'{whole.work_dir}/epoch_1.pth')
    resumed.train()
    assert logged(resumed) == logged(whole)


class Lookup(BaseTeacher):
    """Gives every training image the same tokens."""

    def forward(self, images, data_samples):
        return {'pair_0': torch.ones(len(images), 17, 32)}


@pytest.mark.parametrize(
    ('kwargs', 'reason'),
    [
        (dict(validate=False), 'does not validate'),
        (dict(model='lookup'), 'a Lookup is no model'),
    ],
)
def test_why_validation_has_none(tmp_path, said, kwargs, reason):
    listen, lines = said
    if kwargs.get('model'):
        kwargs['model'] = distillation(
            teacher=Lookup(), pairs=[(2, 'any')], allow_random_teacher=False
        )
    run = listen(runner(tmp_path, **kwargs))
    run.train()
    assert (
        len([text for _, text in lines if 'in validation: none' in text and reason in text])
        == 1
    )
    assert not [name for name in logged(run) if 'val_' in name]
    assert 'feature/pair_0/r2' in logged(run)


def test_no_rank_validates_if_one_cannot(tmp_path, said, monkeypatch):
    """Such as one on a machine without the teacher's file."""
    reason = 'the teacher cannot be built: another machine lacks it'
    monkeypatch.setattr(feature_error_hook, 'all_gather_object', lambda own: [own, reason])
    listen, lines = said
    run = listen(runner(tmp_path))
    run.train()
    assert [text for _, text in lines if reason in text]
    assert not [name for name in logged(run) if 'val_' in name]


def test_losses_without_features_are_named_once(tmp_path, said):
    listen, lines = said
    distiller = logits_and('backbone.layers.2')
    model = distillation(distiller=distiller, pairs=None, pair_loss=None, pair_projector=None)
    run = listen(runner(tmp_path, model=model))
    run.train()
    [line] = [text for _, text in lines if 'Relative error of loss_' in text]
    assert 'loss_kd' in line
    found = {name.split('/')[1] for name in logged(run)}
    assert found == {'first', 'second', 'val_rel_error', 'val_r2'}


def test_a_model_without_a_teacher_is_left_alone(tmp_path):
    run = runner(tmp_path, model=vit())
    run.train()
    assert logged(run) == {}


def warnings(lines):
    return [text for level, text in lines if level == 'warning' and 'CONSTANT' in text]


def test_a_student_worse_than_the_constant_is_told_once(tmp_path, said):
    """The target has hardly any variance, and nothing is learnt."""
    listen, lines = said
    model = distillation(pair_projector=None)
    wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
    run = listen(runner(tmp_path, model=model, optim_wrapper=wrapper))
    run.train()
    [text] = warnings(lines)
    assert 'loss_pair_0' in text
    errors = {name: values[-1] for name, values in logged(run).items()}
    assert errors['feature/pair_0/val_r2'] < 0
    assert 'docs/targets.md' in text


def test_several_losses_are_told_in_one_warning(tmp_path, said):
    listen, lines = said
    model = distillation(pair_projector=None, pairs=[(1, 1), (2, 2)])
    wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
    listen(runner(tmp_path, model=model, optim_wrapper=wrapper)).train()
    [text] = warnings(lines)
    assert 'loss_pair_0' in text and 'loss_pair_1' in text


def test_no_warning_during_the_warmup(tmp_path, said):
    listen, lines = said
    warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100)
    model = distillation(pair_projector=None)
    wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
    listen(runner(tmp_path, model=model, optim_wrapper=wrapper, param_scheduler=warmup)).train()
    assert warnings(lines) == []


def test_a_run_without_a_log_validates_all_the_same(tmp_path):
    run = runner(tmp_path, dict(type='mmvitkd.FeatureErrorHook'))
    run._hooks = [hook for hook in run.hooks if not isinstance(hook, LoggerHook)]
    run.train()
    found = logged(run)
    assert 'feature/val_r2' in found and 'feature/pair_0/r2' not in found


def test_an_interval_below_1_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'FeatureErrorHook\.interval=0'):
        runner(tmp_path, dict(type='mmvitkd.FeatureErrorHook', interval=0))


def test_two_processes_log_the_errors_of_all_images(run_twice, distributed, tmp_path):
    """Their 9 validation images are divided 5 to 4, and one is repeated; nothing is learnt."""
    projector = dict(in_channels=16, out_channels=32, norm='LN')
    kwargs = dict(
        model=distillation(architecture=vit(), pair_projector=projector),
        val_dataloader=loader(9, seed=7, batch_size=2),
        train_dataloader=loader(24, batch_size=24),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        epochs=1,
    )

    def train(rank):
        kwargs['train_dataloader']['batch_size'] = 12
        run = runner(tmp_path, **copy.deepcopy(kwargs), **distributed)
        run.train()
        torch.save(logged(run), tmp_path / f'{rank}.pth')

    assert run_twice(train) == [0, 0]
    alone = runner(tmp_path, **copy.deepcopy(kwargs))
    alone.train()
    expected = logged(alone)
    assert len(expected) == 8
    for rank in range(2):
        found = torch.load(tmp_path / f'{rank}.pth')
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-5), name


def test_embeddings_and_tokens_without_labels(tmp_path):
    """The errors alone are a validation, and choose the best checkpoint."""
    checkpoint = dict(type='mmvitkd.CheckpointHook', save_best='feature/val_r2')
    hooks = dict(checkpoint=checkpoint)
    run = runner(tmp_path, model=encoder(), val_evaluator=[], hooks=hooks)
    run.train()
    found = logged(run)
    pairs = 'pair_0', 'pair_1'
    for pair in pairs:
        assert 0 < found[f'feature/{pair}/val_mean_token'][0] <= 1
        assert len(found[f'feature/{pair}/r2']) == 6
    for key in ('rel_error', 'r2'):
        values = [found[f'feature/{pair}/val_{key}'] for pair in pairs]
        means = [sum(each) / 2 for each in zip(*values, strict=True)]
        assert found[f'feature/val_{key}'] == pytest.approx(means)
    assert run.message_hub.get_info('best_score') == max(found['feature/val_r2'])

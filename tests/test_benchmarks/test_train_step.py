"""The benchmark of a training step: all do the work they claim, and the table is right."""

import json
import sys

import mmvitkd  # noqa: F401

import pytest
import timing
import torch
import toy
import train_step
from bare_loop import BareLoop, feature_error
from contestants import DEFAULT, ENTRIES, chosen
from mmengine.config import Config
from starters import Starters, check_loss
from training_pair import training_pair

KD = dict(
    _scope_='mmrazor',
    type='ConfigurableDistiller',
    student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
    teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='')),
    distill_losses=dict(loss_kd=dict(type='KLDivergence', tau=2.0, loss_weight=0.9)),
    loss_forward_mappings=dict(
        loss_kd=dict(
            preds_S=dict(recorder='logits', from_student=True),
            preds_T=dict(recorder='logits', from_student=False),
        )
    ),
)
HOOKS = dict(
    logger=dict(type='LoggerHook', interval=100),
    checkpoint=dict(type='mmvitkd.CheckpointHook', interval=1),
    finite_loss=dict(type='mmvitkd.FiniteLossHook'),
)
EAGER = ['limit', 'mmrazor', 'timm-logits', 'timm-feature', 'ours', 'ours-average', 'alone']


def config(**model):
    """A run of the toy student, 16 wide, and a timm teacher, 32 wide."""
    student = toy.vit()
    del student['data_preprocessor']  # the run's counts
    head = dict(type='TruncNormal', layer='Linear', std=0.02)
    loss = dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=0.1)
    student['head'].update(init_cfg=head, loss=loss)
    distillation = dict(
        type='mmvitkd.FeatureDistill',
        architecture=student,
        teacher=dict(toy.timm_vit(), model_name='deit_tiny_patch16_224'),
        distiller=KD,
        pairs=[(1, 2), (2, 3)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
    )
    return Config(
        dict(
            default_scope='mmpretrain',
            model={**distillation, **model},
            data_preprocessor=dict(mean=toy.MEAN, std=toy.STD, to_rgb=True, num_classes=5),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05)),
            param_scheduler=[dict(type='CosineAnnealingLR', by_epoch=True)],
            train_cfg=dict(by_epoch=True, max_epochs=2),
            default_hooks=HOOKS,
            custom_hooks=[dict(type='mmvitkd.StudentEMAHook')],
        )
    )


@pytest.fixture
def started(tmp_path):
    """The contestants that compile nothing, started."""
    starters = Starters(training_pair(config(), tmp_path, batch_size=3), warm_up=2)
    for name in EAGER:
        starters.add(name)
    return starters


def test_all_do_what_they_claim(started):
    assert started.failed == {} and list(started.ready) == EAGER
    terms, losses = started.expected, started.losses
    assert list(terms) == ['labels', 'logits', 'features'] and all(
        x > 0 for x in terms.values()
    )
    assert losses['ours'] == pytest.approx(sum(terms.values()), rel=1e-5)
    assert losses['mmrazor'] == pytest.approx(sum(terms.values()), rel=1e-5)
    assert losses['timm-logits'] == pytest.approx(terms['labels'] + terms['logits'], rel=1e-5)
    assert losses['alone'] == pytest.approx(terms['labels'], rel=1e-5)


def test_all_train(tmp_path):
    """A step changes the weights of its own student, and no teacher's."""
    pair = training_pair(config(), tmp_path, batch_size=3)
    for contestant in (BareLoop(pair), *(ENTRIES[n].build(pair) for n in ('mmrazor', 'ours'))):
        for group in _optimizer(contestant).param_groups:
            group['lr'] = 1e-2
        before = contestant.loss()
        for _ in range(5):
            contestant.step(contestant.batch())
        assert contestant.loss() < 0.99 * before
    assert BareLoop(pair).loss() == pytest.approx(before, rel=1e-5)


def _optimizer(contestant):
    runner = getattr(contestant, 'runner', None)
    return contestant.optimizer if runner is None else runner.optim_wrapper.optimizer


def test_mmrazor_is_stock(tmp_path):
    cfg = config()
    cfg.data_preprocessor.type = 'mmvitkd.ClsDataPreprocessor'
    cfg.model.architecture.head.loss.type = 'mmvitkd.LabelSmoothLoss'
    cfg.optim_wrapper.constructor = 'mmvitkd.MergedOptimWrapperConstructor'
    pair = training_pair(cfg, tmp_path, batch_size=2)
    runner = ENTRIES['mmrazor'].build(pair).runner
    parts = [
        runner.model,
        runner.model.data_preprocessor,
        runner.model.student.head.loss_module,
    ]
    parts += [runner.optim_wrapper, *runner.hooks]
    assert [p for p in parts if type(p).__module__.startswith('mmvitkd')] == []
    ours = ENTRIES['ours'].build(pair).runner.model.data_preprocessor
    assert type(ours).__module__.startswith('mmvitkd')


def test_all_under_autocast(tmp_path):
    pair = training_pair(config(), tmp_path, batch_size=2, dtype='bf16')
    starters = Starters(pair, warm_up=1)
    for name in ('limit', 'mmrazor', 'timm-logits', 'ours', 'ours-bf16-teacher'):
        starters.add(name)
    assert starters.failed == {}
    pair.dtype = 'fp32'
    exactly = BareLoop(pair).loss()
    for name in ('limit', 'mmrazor', 'ours'):
        assert starters.losses[name] == pytest.approx(exactly, rel=5e-2)
        assert starters.losses[name] != pytest.approx(exactly, rel=1e-6)


def test_first_blocks_only(tmp_path):
    pair = training_pair(config(), tmp_path, batch_size=2, first_block=True)
    starters = Starters(pair, warm_up=1)
    for name in ('alone', 'limit', 'mmrazor', 'ours'):
        starters.add(name)
    assert starters.failed == {} and list(starters.expected) == ['labels', 'features']
    assert pair.recipe.label_weight == 1.0 and len(pair.recipe.layers) == 1


def test_another_image_size(tmp_path):
    pair = training_pair(config(), tmp_path, batch_size=2, image_size=48)
    starters = Starters(pair, warm_up=1)
    starters.add('ours')
    assert starters.ready and pair.images.shape == (2, 3, 48, 48)


def test_other_work_is_refused():
    expected = dict(labels=1.0, logits=2.0)
    check_loss('ours', ENTRIES['ours'], 3.0002, expected, 'fp32')
    with pytest.raises(SystemExit, match=r'its loss is 3\.001, that of the bare loop 3 '):
        check_loss('ours', ENTRIES['ours'], 3.001, expected, 'fp32')
    check_loss('ours-fast', ENTRIES['ours-fast'], 3.001, expected, 'fp32')
    check_loss('ours', ENTRIES['ours'], 3.2, expected, 'bf16')
    with pytest.raises(SystemExit, match='labels'):
        check_loss('timm-logits', ENTRIES['timm-logits'], float('nan'), expected, 'bf16')
    check_loss('timm-feature', ENTRIES['timm-feature'], 7.0, expected, 'fp32')


def test_who_fails_is_listed_with_the_reason(tmp_path):
    pair = training_pair(config(teacher=toy.vit(toy.WIDE_ARCH)), tmp_path, batch_size=2)
    starters = Starters(pair, warm_up=1)
    starters.add('timm-logits')
    assert starters.failed['timm-logits'].startswith('ValueError: timm.task wants a timm model')
    assert 'timm-logits: FAILED: ValueError' in train_step.notes(starters)[0]


def test_losses_that_the_bare_loop_lacks_are_named(tmp_path):
    cfg = config(pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=0.2))
    with pytest.raises(ValueError, match='loss_pair_0 is a SpectralLoss'):
        training_pair(cfg, tmp_path, batch_size=2)
    cfg = config(pair_projector=dict(in_channels=16, out_channels=32))
    with pytest.raises(ValueError, match='pair_projector'):
        training_pair(cfg, tmp_path, batch_size=2)


def test_the_error_of_tokens_by_hand():
    """The class token is no patch, and pairs of the teacher's channels are averaged."""
    student, teacher = torch.rand(2, 5, 2), torch.rand(2, 4, 4)
    expected = (student[:, 1:] - teacher.view(2, 4, 2, 2).mean(3)).square().mean()
    assert feature_error(student, teacher).item() == pytest.approx(expected.item())


def test_names(tmp_path):
    with pytest.raises(ValueError, match=r"no 'ours-fsat'\. Close to it: .*ours-fast"):
        chosen(['ours', 'ours-fsat'], 'cpu', False)
    assert chosen(['ours', 'limit'], 'cpu', False) == ['limit', 'ours']
    assert chosen(None, 'cuda', False) == DEFAULT
    assert 'ours-own-stream' not in chosen(None, 'cpu', False)
    assert chosen(None, 'cpu', True)[0] == 'alone'


def test_turns_are_interleaved():
    log = []
    turns = {name: lambda name=name: log.append(name) or float(len(log)) for name in 'ab'}
    assert timing.interleaved(turns, 2) == {'a': [1.0, 3.0], 'b': [2.0, 4.0]}
    assert log == ['a', 'b', 'a', 'b']


def test_seconds_are_the_clock_s():
    ticks = iter([2.0, 5.0])
    assert timing.seconds_of(sum, [1], clock=lambda: next(ticks)) == 3.0


def test_the_table():
    seconds = {'limit': [0.4, 0.1, 0.2, 0.3, 0.5], 'ours': [0.3] * 5}
    assert timing.summary_of(seconds['limit']) == pytest.approx((0.1, 0.2, 0.3))
    lines = timing.summary_table(seconds, 'limit', {'peak': {'ours': 'x'}}).splitlines()
    assert lines[2] == '| limit | 100.0 | 200.0 | 300.0 | 1.000 |  |'
    assert lines[3] == '| ours | 300.0 | 300.0 | 300.0 | 1.500 | x |'


def test_it_prints_and_writes(tmp_path, monkeypatch, capsys):
    config().dump(tmp_path / 'toy.py')
    written = tmp_path / 'times.json'
    who = ['--contestants', 'timm-logits', 'ours', '--pair', str(tmp_path / 'toy.py')]
    how = [
        '--batch-size',
        '2',
        '--iterations',
        '2',
        '--warm-up',
        '1',
        '--clock',
        'processor',
        '--json',
        str(written),
    ]
    monkeypatch.setattr(sys, 'argv', ['train_step.py', *who, *how])
    monkeypatch.setitem(train_step.rate_of_products.__globals__['SIDE'], 'cpu', 64)
    train_step.main()
    printed = capsys.readouterr().out
    assert all(f'\n| {name} | ' in printed for name in ('limit', 'timm-logits', 'ours'))
    assert 'LEFT OUT: the feature loss' in printed
    content = json.loads(written.read_text())
    assert {name: len(times) for name, times in content['seconds'].items()} == {
        'limit': 2,
        'timm-logits': 2,
        'ours': 2,
    }
    assert content['settings']['clock'] == 'processor' and content['versions']['torch']
    assert content['threads'] and content['hardware']['cores'] and 'commit' in content
    assert content['left_out']['timm-logits'] == 'the feature loss'
    macs = content['macs']
    assert macs['step'] == 3 * macs['student'] + macs['teacher'] > 0


def test_a_wrong_name_ends_it_at_once(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['train_step.py', '--contestants', 'mmrazr'])
    with pytest.raises(SystemExit):
        train_step.main()
    assert "no 'mmrazr'. Close to it: mmrazor" in capsys.readouterr().err

"""The training step benchmark: all candidates do the work they claim, the table is right."""

import json
import os
import sys

import mmvitkd  # noqa: F401
from mmvitkd.cache.row_store import RowStore

import numpy as np
import pytest

pytest.importorskip('timm.task', reason='timm before 1.0.23 has no tasks')

import timing
import torch
import toy
import train_step
from bare_loop import BareLoop, feature_error
from cached_steps import BATCHES
from candidates import CACHED, DEFAULT, ENTRIES, FIRST_BLOCK, choose_candidates
from mmengine.config import Config
from runner_steps import EPOCH
from step_report import reader_notes, reader_numbers
from training_pair import training_pair
from workers import Workers, check_loss

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
EAGER = ['baseline', 'mmrazor', 'timm-logits', 'timm-feature', 'ours', 'ours-average', 'alone']


def config(**model):
    """A run of the toy student, 16 wide, and a timm teacher, 32 wide."""
    student = toy.vit()
    del student['data_preprocessor']  # the run has its own
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
    """The candidates that compile nothing, warmed up."""
    workers = Workers(training_pair(config(), tmp_path, batch_size=3), warm_up=2)
    for name in EAGER:
        workers.add(name)
    return workers


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
    for candidate in (BareLoop(pair), *(ENTRIES[n].build(pair) for n in ('mmrazor', 'ours'))):
        for group in _optimizer(candidate).param_groups:
            group['lr'] = 1e-2
        before = candidate.loss()
        for _ in range(5):
            candidate.step(candidate.batch())
        assert candidate.loss() < 0.99 * before
    assert BareLoop(pair).loss() == pytest.approx(before, rel=1e-5)


def _optimizer(candidate):
    runner = getattr(candidate, 'runner', None)
    return candidate.optimizer if runner is None else runner.optim_wrapper.optimizer


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
    workers = Workers(pair, warm_up=1)
    for name in ('baseline', 'mmrazor', 'timm-logits', 'ours', 'ours-bf16-teacher'):
        workers.add(name)
    assert workers.failed == {}
    pair.dtype = 'fp32'
    exactly = BareLoop(pair).loss()
    for name in ('baseline', 'mmrazor', 'ours'):
        assert workers.losses[name] == pytest.approx(exactly, rel=5e-2)
        assert workers.losses[name] != pytest.approx(exactly, rel=1e-6)


def test_first_blocks_only(tmp_path):
    pair = training_pair(config(), tmp_path, batch_size=2, first_block=True)
    workers = Workers(pair, warm_up=1)
    for name in ('alone', 'baseline', 'mmrazor', 'ours'):
        workers.add(name)
    assert workers.failed == {} and list(workers.expected) == ['labels', 'features']
    assert pair.recipe.label_weight == 1.0 and len(pair.recipe.layers) == 1


@pytest.fixture
def cached(tmp_path):
    """The candidates with a teacher cache, of 30 classes, so that it leaves some out."""
    cfg = config(teacher=dict(toy.timm_vit(30), model_name='deit_tiny_patch16_224'))
    cfg.num_classes = 30
    workers = Workers(training_pair(cfg, tmp_path, batch_size=3), warm_up=2)
    for name in ('ours', 'ours-cached', 'ours-filling'):
        workers.add(name)
    assert workers.failed == {}
    return workers


def test_cached_steps_learn_from_what_is_stored(cached):
    live, stored = sum(cached.expected.values()), sum(cached.expected_stored.values())
    assert cached.losses['ours'] == pytest.approx(live, rel=1e-5)
    for name in ('ours-cached', 'ours-filling'):
        assert cached.losses[name] == pytest.approx(stored, rel=1e-5)
        assert cached.losses[name] != pytest.approx(live, rel=1e-5)
    assert cached.expected['labels'] == cached.expected_stored['labels']
    assert cached.expected['features'] == pytest.approx(
        cached.expected_stored['features'], rel=1e-3
    )


def test_a_cached_step_has_no_teacher_and_reads_other_views_every_time(cached):
    step = cached.ready['ours-cached']
    rows = np.array([_rows(step.batch()) for _ in range(BATCHES)])
    assert step.teacher.live is None and not step.teacher.stores
    assert sorted(rows.flatten()) == list(range(3 * BATCHES))
    assert (rows % 3 == [0, 1, 2]).all()  # each image has its own
    assert (np.diff(rows[:, 0]) < 0).any()  # from anywhere


def test_a_filling_step_stores_new_views(cached):
    step = cached.ready['ours-filling']
    batches = [step.batch() for _ in range(2)]
    rows = np.array([_rows(batch) for batch in batches])
    with RowStore.open(step.teacher.folder, 3 * EPOCH, step.teacher.row_bytes, False) as store:
        assert not store.has(rows.flatten()).any()
        step.step(batches[1])
        assert store.has(rows[0]).sum() == 0 and store.has(rows[1]).all()
    assert step.teacher.live is not None


def _rows(batch):
    return [sample.sample_view[0] for sample in batch['data_samples']]


def test_the_kernel_forgets_a_cache_before_it_is_read(cached, monkeypatch):
    asked, step = [], cached.ready['ours-cached']
    monkeypatch.setattr('os.posix_fadvise', lambda fd, *rest: asked.append(rest))
    step.step(step.batch())
    assert asked == []
    cached.pair.drop_page_cache = True
    step.step(step.batch())
    assert asked == [(0, 0, os.POSIX_FADV_DONTNEED)]


def test_the_share_of_the_reader(cached):
    """Of three turns of one step; the warm-up does not count."""
    step = cached.ready['ours-cached']
    assert len(step.waits) == 1 + 2 and min(step.waits) > 0  # the loss, the warm-up
    step.waits += [1.0, 2.0, 3.0]
    seconds = {name: [5.0, 10.0, 15.0] for name in cached.ready}
    row_bytes = step.teacher.row_bytes
    numbers = dict(
        bytes_per_view=row_bytes, share_of_step=0.2, bytes_per_second=9 * row_bytes / 6
    )
    assert reader_numbers(cached, seconds, 1) == {'ours-cached': pytest.approx(numbers)}
    assert '20.00 % of a step' in reader_notes(reader_numbers(cached, seconds, 1))[0]


def test_another_image_size(tmp_path):
    pair = training_pair(config(), tmp_path, batch_size=2, image_size=48)
    workers = Workers(pair, warm_up=1)
    workers.add('ours')
    assert workers.ready and pair.images.shape == (2, 3, 48, 48)


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


def test_a_failed_candidate_is_listed_with_the_reason(tmp_path):
    pair = training_pair(config(teacher=toy.vit(toy.WIDE_ARCH)), tmp_path, batch_size=2)
    workers = Workers(pair, warm_up=1)
    workers.add('timm-logits')
    assert workers.failed['timm-logits'].startswith(
        'ValueError: --pair: timm.task wants a timm'
    )
    assert 'timm-logits: FAILED: ValueError' in train_step.candidate_notes(workers)[0]


def test_losses_that_the_bare_loop_lacks_are_refused(tmp_path):
    cfg = config(pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=0.2))
    with pytest.raises(ValueError, match='loss_pair_0 is a SpectralLoss'):
        training_pair(cfg, tmp_path, batch_size=2)
    cfg = config(pair_projector=dict(in_channels=16, out_channels=32))
    with pytest.raises(ValueError, match='pair_projector'):
        training_pair(cfg, tmp_path, batch_size=2)


def test_the_feature_error_by_hand():
    """The class token is no patch, and pairs of the teacher's channels are averaged."""
    student, teacher = torch.rand(2, 5, 2), torch.rand(2, 4, 4)
    expected = (student[:, 1:] - teacher.view(2, 4, 2, 2).mean(3)).square().mean()
    assert feature_error(student, teacher).item() == pytest.approx(expected.item())


def test_names():
    with pytest.raises(ValueError, match=r"no 'ours-fsat'\. Similar names: .*ours-fast"):
        choose_candidates(['ours', 'ours-fsat'], 'cpu')
    assert choose_candidates(['ours', 'baseline'], 'cpu') == ['baseline', 'ours']
    assert choose_candidates(None, 'cuda') == DEFAULT
    assert 'ours-cuda-stream' not in choose_candidates(None, 'cpu')
    assert choose_candidates(['ours'], 'cpu', FIRST_BLOCK) == ['alone', 'ours']
    assert choose_candidates(None, 'cpu', CACHED) == CACHED
    old = ['limit-compiled', 'ours-own-stream']
    new = ['baseline', 'baseline-compiled', 'ours-cuda-stream']
    assert choose_candidates(old, 'cpu') == new


def test_turns_are_interleaved():
    log = []
    turns = {name: lambda name=name: log.append(name) or float(len(log)) for name in 'ab'}
    assert timing.interleaved(turns, 2) == {'a': [1.0, 3.0], 'b': [2.0, 4.0]}
    assert log == ['a', 'b', 'a', 'b']


def test_seconds_are_the_clocks():
    ticks = iter([2.0, 5.0])
    assert timing.seconds_of(sum, [1], clock=lambda: next(ticks)) == 3.0


def test_the_table():
    seconds = {'baseline': [0.4, 0.1, 0.2, 0.3, 0.5], 'ours': [0.3] * 5}
    assert timing.summary_of(seconds['baseline']) == pytest.approx((0.1, 0.2, 0.3))
    lines = timing.summary_table(seconds, 'baseline', {'peak': {'ours': 'x'}}).splitlines()
    assert lines[2] == '| baseline | 100.0 | 200.0 | 300.0 | 1.000 |  |'
    assert lines[3] == '| ours | 300.0 | 300.0 | 300.0 | 1.500 | x |'


def test_it_prints_and_writes(tmp_path, monkeypatch, capsys):
    config().dump(tmp_path / 'toy.py')
    written = tmp_path / 'times.json'
    who = ['--candidates', 'timm-logits', 'ours', '--pair', str(tmp_path / 'toy.py')]
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
    monkeypatch.setitem(train_step.peak_flops.__globals__['SIDE'], 'cpu', 64)
    train_step.main()
    printed = capsys.readouterr().out
    assert all(f'\n| {name} | ' in printed for name in ('baseline', 'timm-logits', 'ours'))
    assert 'LEFT OUT: the feature loss' in printed
    content = json.loads(written.read_text())
    assert {name: len(times) for name, times in content['seconds'].items()} == {
        'baseline': 2,
        'timm-logits': 2,
        'ours': 2,
    }
    assert content['settings']['clock'] == 'processor' and content['versions']['torch']
    assert content['threads'] and content['hardware']['cores'] and 'commit' in content
    assert content['left_out']['timm-logits'] == 'the feature loss'
    macs = content['macs']
    assert macs['step'] == 3 * macs['student'] + macs['teacher'] > 0


def test_it_compares_with_the_student_alone(tmp_path, monkeypatch, capsys):
    config().dump(tmp_path / 'toy.py')
    written = tmp_path / 'times.json'
    options = '--cached --candidates ours-cached --batch-size 2 --iterations 1 --warm-up 1'
    files = ['--pair', str(tmp_path / 'toy.py'), '--json', str(written)]
    monkeypatch.setattr(sys, 'argv', ['train_step.py', *options.split(), *files])
    monkeypatch.setitem(train_step.peak_flops.__globals__['SIDE'], 'cpu', 64)
    train_step.main()
    printed = capsys.readouterr().out
    assert '| ratio to alone |' in printed and 'ours-cached: reads ' in printed
    content = json.loads(written.read_text())
    assert list(content['seconds']) == ['alone', 'ours-cached']
    assert 0 < content['readers']['ours-cached']['share_of_step'] < 1
    assert list(content['loss_terms_stored']) == ['labels', 'logits', 'features']


def test_a_wrong_name_ends_it_at_once(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['train_step.py', '--contestants', 'mmrazr'])
    with pytest.raises(SystemExit):
        train_step.main()
    assert "no 'mmrazr'. Similar names: mmrazor" in capsys.readouterr().err

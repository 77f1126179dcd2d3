"""docs/controls.md and docs/performance.md agree with the recorded runs."""

import importlib
import json
import sys
from itertools import product
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.experiments import read_suite
from mmvitkd.experiments.statistics import paired_difference

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / 'docs'
CONTROLS, PERFORMANCE = ((DOCS / f'{n}.md').read_text() for n in ('controls', 'performance'))
RESULTS = json.loads((DOCS / 'controls' / 'results.json').read_text())
STEP = json.loads((DOCS / 'performance' / 'step.json').read_text())
CACHED, READER = (
    json.loads((DOCS / 'performance' / f'{name}.json').read_text())
    for name in ('cached', 'reader')
)
# Decimal bytes of a view of ImageNet's training images, as planned: features and logits.
PLANNED = (97e9 + 108e6) / 1_281_167


@pytest.fixture(scope='module')
def tables():
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module('update_tables')
    sys.path.remove(str(DOCS))


def test_the_tables_are_up_to_date(tables, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['update_tables.py', '--check'])
    tables.main()


def test_a_changed_table_is_outdated(tables):
    text = PERFORMANCE.replace('| 1757 |', '| 1758 |')
    assert text != PERFORMANCE
    assert tables.updated(text, tables.DOCUMENTS['performance.md']) == PERFORMANCE


def test_markers_must_be_there(tables):
    with pytest.raises(ValueError, match=r'table: step .* found 0 times'):
        tables.updated('no table', {'step': tables.performance.step_table})


def test_the_controls_are_the_runs_of_the_suite():
    suite = read_suite(ROOT / 'configs' / 'suites' / 'mnist5k_controls.yml')
    assert suite.compared == list(RESULTS['runs']) and RESULTS['failed'] == {}
    for run in RESULTS['runs'].values():
        assert [int(seed) for seed in run['scores']] == RESULTS['seeds'] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ('vit_32_lift', 'vit_32_gap'),
        ('vit_32_widelast', 'vit_40_feature_kd'),
        ('vit_32_widelast', 'vit_32_mlp230'),
        ('vit_32_widelast', 'vit_32_deeper'),
        ('vit_32_widelast', 'vit_32_d9'),
    ],
)
def test_the_differences_in_the_text(tables, first, second):
    scores = [RESULTS['runs'][name]['scores'] for name in (first, second)]
    assert tables.controls.interval_text(paired_difference(*scores), '+.2f') in CONTROLS


def test_all_candidates_did_the_same_work():
    assert STEP['failed'] == {}
    for name, loss in STEP['losses'].items():
        if not name.startswith('timm'):
            assert loss == pytest.approx(STEP['losses']['baseline'], rel=1e-4), name


def test_cached_steps_did_the_work_of_the_bare_loop_with_what_is_stored():
    assert CACHED['failed'] == {} and CACHED['settings']['cached'] == 'True'
    live, stored = (sum(CACHED[key].values()) for key in ('loss_terms', 'loss_terms_stored'))
    wanted = {
        'ours': pytest.approx(live, rel=1e-4),
        'ours-cached': pytest.approx(stored, rel=1e-4),
        'ours-cached-fast': pytest.approx(stored, rel=2e-2),
        'ours-filling': pytest.approx(stored, rel=1e-4),
    }
    assert {name: CACHED['losses'][name] for name in wanted} == wanted


def test_the_text_says_what_a_cache_changes_and_takes():
    for key in ('loss_terms', 'loss_terms_stored'):
        for term in ('logits', 'features'):
            assert f'{CACHED[key][term]:.4f}' in PERFORMANCE, (key, term)
    sizes = {found['bytes_per_view'] for found in CACHED['readers'].values()}
    assert sizes == {READER['row_bytes']}
    assert f'{READER["row_bytes"]:,} bytes' in PERFORMANCE
    assert READER['row_bytes'] == pytest.approx(PLANNED, rel=0.05)


def test_the_text_names_commit_and_versions():
    assert RESULTS['command'] in CONTROLS and RESULTS['commit'][:10] in CONTROLS
    assert f'torch {RESULTS["versions"]["torch"]}' in CONTROLS
    assert STEP['commit'][:10] in PERFORMANCE
    assert CACHED['commit'][:10] in PERFORMANCE and READER['commit'] == CACHED['commit']
    assert STEP['hardware']['processor'] in PERFORMANCE
    for package in ('torch', 'timm', 'pillow', 'opencv'):
        assert STEP['versions'][package] in PERFORMANCE


@pytest.mark.parametrize(
    ('suite', 'record'),
    [
        ('elpv_targets', 'foundation/targets'),
        ('elpv', 'foundation/remedies'),
        ('elpv_label_free', 'foundation/label_free'),
        ('elpv_widths', 'recommend/cells'),
        ('mnist5k_widths', 'recommend/digits'),
    ],
)
def test_the_records_are_the_runs_of_their_suites(suite, record):
    wanted = read_suite(ROOT / 'configs' / 'suites' / f'{suite}.yml')
    found = json.loads((DOCS / f'{record}.json').read_text())
    assert wanted.compared == list(found['runs'])
    assert (found['reference'], found['failed']) == (wanted.reference, {})
    seeds = [str(seed) for seed in found['seeds']]
    for run in found['runs'].values():
        assert [*run['scores']] == [*run['features']] == seeds
    for entry, seed in product((e for e in wanted.entries if not e.once), seeds):
        command = found['trainings'][f'{entry.name}, seed {seed}']['command']
        assert command[2] == str(entry.config.relative_to(ROOT))
        options = command[command.index('--cfg-options') + 1 :]
        options = [option for option in options if option.split('=')[0] not in entry.needs]
        assert options == [f'randomness.seed={seed}', *entry.options]


def test_the_forced_projectors_are_runs_of_their_suite(tables):
    suite = read_suite(ROOT / 'configs' / 'suites' / 'mnist5k_forced.yml')
    results, match = (
        json.loads((DOCS / 'forced' / f'{name}.json').read_text())
        for name in ('results', 'match')
    )
    assert suite.compared == list(results['runs']) == list(tables.forced.FORCED)
    scored = {
        name: set(run['scores']) for name, run in results['runs'].items() if run['scores']
    }
    assert {name: set(seeds) for name, seeds in match['runs'].items()} == scored
    assert (results['reference'], results['failed']) == (suite.reference, {})

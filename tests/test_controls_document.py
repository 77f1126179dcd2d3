"""docs/controls.md says what the recorded results say, and what the configs are."""

import json
import re
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.student_config import student_config
from mmvitkd.experiments import read_suite
from mmvitkd.experiments.statistics import paired_difference, summarize

import pytest
from mmengine.config import Config
from mmpretrain.registry import MODELS

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / 'docs' / 'controls.md').read_text()
RESULTS = json.loads((ROOT / 'docs' / 'controls' / 'results.json').read_text())
SCORES = {
    name: {int(seed): score for seed, score in run['scores'].items()}
    for name, run in RESULTS['runs'].items()
}
ROWS = re.findall(r'^\| [^|]+ \| `(\w+)` \| ([\d,]+) \| (.+) \|$', DOCUMENT, re.MULTILINE)


def shown(summary, form):
    return f'{summary.mean:{form}} ± {summary.half:.2f}'


def test_it_has_every_run_of_the_suite_with_every_seed():
    suite = read_suite(ROOT / 'configs' / 'suites' / 'mnist5k_controls.yml')
    assert [name for name, *_ in ROWS] == suite.compared == list(SCORES)
    assert all(
        list(scores) == RESULTS['seeds'] == [0, 1, 2, 3, 4] for scores in SCORES.values()
    )
    assert RESULTS['failed'] == {}
    assert RESULTS['command'] in DOCUMENT and RESULTS['commit'][:10] in DOCUMENT
    assert f'torch {RESULTS["versions"]["torch"]}' in DOCUMENT


@pytest.mark.parametrize(('name', 'parameters', 'cells'), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_what_was_recorded(name, parameters, cells):
    scores, plain = SCORES[name], SCORES[RESULTS['reference']]
    raw, mean, deviation, difference = (cell.strip() for cell in cells.split('|'))
    assert raw.split() == [f'{score:.1f}' for score in scores.values()]
    summary = summarize(list(scores.values()))
    assert (mean, deviation) == (shown(summary, '.2f'), f'{summary.deviation:.2f}')
    if name != RESULTS['reference']:
        assert difference == shown(paired_difference(scores, plain), '+.2f')
    model = Config.fromfile(ROOT / f'configs/mnist5k/{name}.py').model
    student = MODELS.build(student_config(model))
    assert parameters == f'{sum(p.numel() for p in student.parameters()):,}'


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
def test_the_other_differences_in_the_text(first, second):
    difference = paired_difference(SCORES[first], SCORES[second])
    assert f'{shown(difference, "+.2f")}' in DOCUMENT

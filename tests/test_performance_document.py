"""docs/performance.md says what the recorded runs say."""

import json
import re
from pathlib import Path

import mmvitkd  # noqa: F401

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / 'docs'
DOCUMENT = (DOCS / 'performance.md').read_text()
STEP, FIRST, DATA, GROWTH = (
    json.loads((DOCS / 'performance' / f'{name}.json').read_text())
    for name in ('step', 'first', 'data', 'growth')
)


def quartile(seconds):
    return np.percentile(seconds, 25)


@pytest.mark.parametrize(('run', 'base'), [(STEP, 'limit'), (FIRST, 'alone')])
def test_a_row_for_every_contestant(run, base):
    whole = quartile(run['seconds'][base])
    for name, seconds in run['seconds'].items():
        cells = [f'{1e3 * x:.0f}' for x in np.percentile(seconds, (0, 25, 50))]
        row = f'| `{name}` | {" | ".join(cells)} | {quartile(seconds) / whole:.3f} |'
        assert row in DOCUMENT
    assert run['failed'] == {}


def test_the_same_work_has_the_same_loss():
    wanted = STEP['losses']['limit']
    for name, loss in STEP['losses'].items():
        if not name.startswith('timm'):
            assert loss == pytest.approx(wanted, rel=1e-4), name


def test_a_row_of_the_pipelines():
    for name in DATA['found']['500x375']['seconds']['one core']:
        cells = []
        for size in ('500x375', '1500x1125'):
            for cores, seconds in enumerate(DATA['found'][size]['seconds'].values(), 1):
                own, timm = quartile(seconds[name]), quartile(seconds['timm'])
                cells.append(f'{1e3 * cores * own:.2f} ({timm / own:.2f} x)')
        assert f'| {name} | {" | ".join(cells)} |' in DOCUMENT


def test_a_row_of_the_growth():
    table = DOCUMENT.partition('GMACs an image |')[2].partition('## ')[0]
    rows = re.findall(r'\| ([\d.]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|', table)
    found = []
    for run in GROWTH.values():
        size, macs = int(run['settings']['batch_size']), run['macs']['step']
        ours, limit = (quartile(run['seconds'][name]) for name in ('ours', 'limit'))
        rate = 2 * macs * size / ours / 1e12
        found.append(
            (
                f'{macs / 1e9:.2f}',
                f'{1e3 * ours / size:.0f}',
                f'{rate:.3f}',
                f'{ours / limit:.3f}',
            )
        )
    assert sorted(rows) == sorted(found)


def test_it_says_where_and_with_what():
    assert STEP['commit'][:10] in DOCUMENT and STEP['hardware']['processor'] in DOCUMENT
    for package in ('torch', 'timm', 'pillow', 'opencv'):
        assert STEP['versions'][package] in DOCUMENT

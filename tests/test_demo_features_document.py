"""docs/demo_features.md says what the recorded comparison says."""

import json
import re
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest

DOCS = Path(__file__).parents[1] / 'docs'
DOCUMENT = (DOCS / 'demo_features.md').read_text()
REPORT = json.loads((DOCS / 'demo_features' / 'report.json').read_text())
ROWS = {
    name: [float(cell) for cell in cells.split('|')]
    for name, cells in re.findall(r'^\| ([\w, ]+) \| ([\d. |]+) \|$', DOCUMENT, re.MULTILINE)
}
COLUMNS = [
    ('channels', 0),
    ('SVD 99 %', 0),
    ('PCA 99 %', 0),
    ('overlap', 3),
    ('random overlap', 3),
    ('SEP b90', 3),
    ('sorted b90', 3),
    ('effective rank', 2),
]


def test_it_has_every_model():
    assert list(ROWS) == list(REPORT['compared']) == REPORT['cka']['labels']


@pytest.mark.parametrize('name', REPORT['compared'])
def test_a_row_is_what_was_recorded(name):
    recorded = REPORT['compared'][name]['numbers']
    [to_teacher] = [
        value
        for label, value in zip(
            REPORT['cka']['labels'], REPORT['cka']['matrix'][0], strict=True
        )
        if label == name
    ]
    expected = [round(recorded[column], digits) for column, digits in COLUMNS]
    assert ROWS[name] == [*expected, round(to_teacher, 2)]


def test_the_sentences_say_what_the_rows_say():
    overlap = {name: row[3] for name, row in ROWS.items()}
    distilled = [name for name in ROWS if name.endswith('distilled')]
    others = [name for name in ROWS if name not in (*distilled, 'teacher')]
    assert f'{overlap["teacher"]:.2f}' == '0.61'
    assert {f'{f(overlap[n] for n in others):.2f}' for f in (min, max)} == {'0.74', '0.75'}
    assert {f'{f(overlap[n] for n in distilled):.2f}' for f in (min, max)} == {'0.64', '0.69'}
    assert [ROWS[name][8] for name in distilled] == [0.88, 0.89, 0.95]
    null = next(iter(REPORT['compared'].values()))['numbers']['null b90']
    assert max(abs(row[5] - null) for row in ROWS.values()) < 0.02
    pca = [row[2] for row in ROWS.values()]
    assert (min(pca), max(pca), ROWS['teacher'][2]) == (15, 25, 25)

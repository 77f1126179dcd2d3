"""The CSV tables of a report, number by number."""

import csv

import mmvitkd  # noqa: F401
from mmvitkd.analysis.report.csv_tables import write_tables

import pytest
from representation_reports import report

SUMMARY = ('mean', 'std', 'median', 'q25', 'q75', 'p99')
LIFT = dict(blocks=('0', '2', 'neck'), widths={'neck': 32})


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """A report, and a reader of its tables: rows as dicts."""
    content, folder = report(**LIFT), tmp_path_factory.mktemp('report') / 'tables'
    write_tables(content, folder)

    def read(name):
        with open(folder / f'{name}.csv', newline='') as file:
            return list(csv.DictReader(file))

    return content['blocks'], read


def numbers(row, names):
    return [float(row[name]) for name in names]


def test_dimensions_are_the_reports(written):
    blocks, read = written
    rows = read('dimensions')
    assert len(rows) == 3 * 2 * 4
    for row in rows:
        summary = blocks[row['block']][row['measure']][row['threshold']]
        assert numbers(row, SUMMARY) == [summary[name] for name in SUMMARY]


@pytest.mark.parametrize('measure', ['svd', 'pca'])
def test_energy_curves_are_the_reports(written, measure):
    blocks, read = written
    for key, block in blocks.items():
        rows = [
            r for r in read('energy_curves') if (r['block'], r['measure']) == (key, measure)
        ]
        assert [float(row['share']) for row in rows] == block[measure]['curve']
        assert [float(row['std']) for row in rows] == block[measure]['std']
        assert [int(row['directions']) for row in rows] == [*range(1, len(rows) + 1)]


def test_eigenvalues_and_spectra_are_the_reports(written):
    blocks, read = written
    eigenvalues, spectra = read('eigenvalues'), read('spectra')
    for key, block in blocks.items():
        found = [float(row['eigenvalue']) for row in eigenvalues if row['block'] == key]
        assert found == block['pca']['eigvals']
        own = [row for row in spectra if row['block'] == key]
        assert [float(row['amplitude']) for row in own] == block['spectrum']
        assert [int(row['k']) for row in own] == [*range(block['embed_dims'])]


def test_bandwidths_are_the_reports(written):
    blocks, read = written
    rows = read('bandwidths')
    kinds = ['sep_full', 'sep_folded', 'sep_null', 'sep_null_folded', 'sep_permuted']
    kinds.append('sorted_energy')
    assert [row['measure'] for row in rows if row['block'] == 'neck'][::5] == kinds
    for row in rows:
        block, kind, threshold = blocks[row['block']], row['measure'], row['threshold']
        own = block['sep'][kind[4:]] if kind.startswith('sep_') else block[kind]
        assert float(row['d']) == own['d'][threshold]
        assert float(row['bandwidth']) == own['bandwidth'][threshold]
        if kind == 'sep_permuted':
            change = own['change'][threshold]
            assert numbers(row, ('change', 'low', 'high')) == list(change.values())
            assert float(row['p_value']) == own['p_value'][threshold]
        else:
            assert row['change'] == row['low'] == row['high'] == row['p_value'] == ''


def test_channel_curves_are_the_reports(written):
    blocks, read = written
    rows = read('channel_curves')
    for key, block in blocks.items():
        kinds = {f'sep_{kind}': own for kind, own in block['sep'].items()}
        for kind, own in {**kinds, 'sorted_energy': block['sorted_energy']}.items():
            found = [row for row in rows if (row['block'], row['measure']) == (key, kind)]
            assert [float(row['share']) for row in found] == own['curve']
            assert [float(row['std']) for row in found] == own['std']


def test_angles_and_overlaps_are_the_reports(written):
    blocks, read = written
    angles, overlaps = read('angles'), read('overlaps')
    assert len(overlaps) == 3 * 2
    for row in overlaps:
        rotation = blocks[row['block']]['rotation']
        overlap = rotation[row['against']]['overlap']
        assert numbers(row, SUMMARY) == [overlap[name] for name in SUMMARY]
        assert float(row['null']) == rotation['null']
        own = [
            r for r in angles if (r['block'], r['against']) == (row['block'], row['against'])
        ]
        found = rotation[row['against']]['angles']
        assert [float(r['mean']) for r in own] == found['mean']
        assert [float(r['std']) for r in own] == found['std']


def test_summaries_are_the_reports(written):
    blocks, read = written
    rows = read('summaries')
    assert len(rows) == 3 * 6
    for row in rows:
        own = blocks[row['block']][row['measure']]
        if row['measure'] == 'frequency_intensity':
            assert float(row['mean']) == own
            assert {row[name] for name in SUMMARY[1:]} == {''}
        else:
            assert numbers(row, SUMMARY) == [own[name] for name in SUMMARY]


def test_alignment_is_the_reports(written):
    blocks, read = written
    rows = read('alignment')
    assert [(row['block'], row['other']) for row in rows] == [('0', 'neck'), ('2', 'neck')]
    for row in rows:
        cka = blocks[row['block']]['cka']
        assert float(row['cka']) == cka['to']['neck']
        assert float(row['null']) == cka['null']['neck']
        assert (row['rows'], int(row['num_rows'])) == ('tokens', cka['num_rows'])

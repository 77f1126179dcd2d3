"""From a report to files: all of them, or only those that its measures allow."""

import copy
import re

import mmvitkd  # noqa: F401
from mmvitkd.analysis.report import write_report as representation
from mmvitkd.analysis.report.write_report import write_report

import pytest
from PIL import Image
from representation_reports import report
from shipped_measures import FIGURES, TABLES

# The figures and tables that a measure alone gives.
OF_MEASURES = {
    'svd': ({'layers', 'dimensions', 'energy'}, {'dimensions', 'energy_curves'}),
    'pca': (
        {'layers', 'dimensions', 'energy'},
        {'dimensions', 'energy_curves', 'eigenvalues'},
    ),
    'rotation': ({'rotation'}, {'angles', 'overlaps'}),
    'sep': ({'sep'}, {'bandwidths', 'channel_curves'}),
    'sorted_energy': ({'sorted_energy'}, {'bandwidths', 'channel_curves'}),
    'participation_ratio': ({'in_use'}, {'summaries'}),
    'effective_rank': ({'in_use'}, {'summaries'}),
    'floor': ({'floors'}, {'floors', 'pooled'}),
    'subspace_floor': (set(), {'subspace_floors'}),
    'spectrum': ({'spectrum'}, {'spectra'}),
    'frequency_intensity': ({'intensity'}, {'summaries'}),
    'entropy': ({'u_shape'}, {'summaries'}),
    'activation_magnitude': ({'u_shape'}, {'summaries'}),
    'gradient_magnitude': ({'u_shape'}, {'summaries'}),
    'cka': (set(), {'alignment'}),
}
OVER_BLOCKS = {'layers', 'in_use', 'intensity', 'u_shape'}


@pytest.fixture
def no_files(monkeypatch):
    """Figures are drawn, and empty files written: rendering takes longer than the rest."""
    monkeypatch.setattr(representation, 'save', lambda figure, path: path.touch())


def only(content, *measures):
    """A report of these measures."""
    content = copy.deepcopy(content)
    about = ('num_tokens', 'embed_dims')
    content['blocks'] = {
        key: {name: block[name] for name in (*about, *measures) if name in block}
        for key, block in content['blocks'].items()
    }
    return content


def stems(folder):
    return {path.stem for path in folder.iterdir()} if folder.exists() else set()


def test_a_report_of_all_measures_gives_every_figure_and_table(tmp_path):
    content = report()
    write_report(content, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {'tables', 'figures', 'report.md'}
    wanted = {f'{name}{suffix}' for name in FIGURES for suffix in ('.png', '.pdf')}
    assert {p.name for p in (tmp_path / 'figures').iterdir()} == wanted
    assert {p.name for p in (tmp_path / 'tables').iterdir()} == {f'{n}.csv' for n in TABLES}
    for name in FIGURES:
        with Image.open(tmp_path / 'figures' / f'{name}.png') as image:
            assert image.size[0] >= 600  # single panels are the narrowest
        assert (tmp_path / 'figures' / f'{name}.pdf').read_bytes().startswith(b'%PDF')
    text = (tmp_path / 'report.md').read_text()
    links = re.findall(r'!\[.*\]\((.*)\)', text)
    assert {f'figures/{name}.png' for name in FIGURES} == set(links)


@pytest.mark.parametrize('measure', OF_MEASURES)
def test_a_measure_gives_its_own_files_alone(tmp_path, no_files, measure):
    write_report(only(report(), measure), tmp_path)
    figures, tables = OF_MEASURES[measure]
    assert stems(tmp_path / 'figures') == figures
    assert stems(tmp_path / 'tables') == tables
    links = re.findall(r'\(figures/(.*)\.png\)', (tmp_path / 'report.md').read_text())
    assert set(links) == figures


def test_one_block_gives_nothing_over_blocks(tmp_path, no_files):
    write_report(report(blocks=('11',)), tmp_path)
    assert stems(tmp_path / 'figures') == set(FIGURES) - OVER_BLOCKS
    assert stems(tmp_path / 'tables') == set(TABLES) - {'alignment'}


def test_blocks_of_different_widths_and_a_projector(tmp_path, no_files):
    content = report(blocks=('0', '1', '2', 'neck'), widths={'neck': 32})
    write_report(content, tmp_path)
    assert stems(tmp_path / 'figures') == set(FIGURES)
    assert '| neck | 32 |' in (tmp_path / 'report.md').read_text()


def test_a_model_of_24_blocks(tmp_path, no_files):
    content = report(blocks=tuple(map(str, range(24))), num_images=4, num_tokens=8, width=12)
    write_report(content, tmp_path)
    assert stems(tmp_path / 'figures') == set(FIGURES)
    assert '| block 23 |' in (tmp_path / 'report.md').read_text()

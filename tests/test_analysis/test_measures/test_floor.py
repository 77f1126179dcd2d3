"""The floor as a measure: halves by the images' positions, columns, tables and figures."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.width_floor import WidthFloor, width_floor
from mmvitkd.analysis.measures.block import Batch, Block
from mmvitkd.analysis.measures.checks import check_entries
from mmvitkd.analysis.measures.floor import FloorMeasure, few_images, floor_rows, pooled_rows
from mmvitkd.analysis.measures.settings import Settings
from mmvitkd.analysis.plotting.floors import draw_floors, overlay_floors

import numpy as np
import pytest
import torch
from tokens import low_rank_tokens, random_tokens


def entry_of(tokens, *sizes):
    [block] = Block.all_of({0: tokens}, len(tokens), Settings()).values()
    measure = FloorMeasure(block)
    for places in torch.arange(len(tokens)).split(list(sizes) or [len(tokens)]):
        measure.update(Batch(tokens[places], places.tolist()))
    return check_entries(FloorMeasure, measure.result(), 'block 0')


@pytest.fixture(scope='module')
def entry():
    torch.manual_seed(0)
    return entry_of(random_tokens(8, 20, 32) + 2, 3, 5)


def test_batches_and_positions_do_not_change_it():
    tokens = random_tokens(8, 20, 32)
    wanted = WidthFloor()
    wanted.update(tokens)
    found = entry_of(tokens, 1, 5, 2)['floor']
    whole = width_floor(wanted.whole).tolist()
    assert found['raw']['in_sample'] == pytest.approx(whole, abs=1e-12)
    halves = width_floor(wanted.halves[0], 'standardised', wanted.halves[1]).tolist()
    assert found['standardised']['held_out'] == pytest.approx(halves, abs=1e-12)


def test_the_columns_are_the_width_for_a_hundredth_and_the_mean_token():
    entry = entry_of(low_rank_tokens(rank=3, num_images=8) + 4)
    numbers = {name: number(entry) for name, number in FloorMeasure.columns.items()}
    assert numbers['width 1 %'] in (2, 3)
    assert numbers['mean token'] == entry['floor']['mean_share'] > 0.5


def test_the_tables_have_every_width(entry):
    rows = [*floor_rows(entry)]
    assert len(rows) == 3 * 33
    target, width, in_sample, held_out = rows[33 + 7]
    assert (target, width) == ('centred', 7)
    floors = entry['floor']['centred']
    assert (in_sample, held_out) == (floors['in_sample'][7], floors['held_out'][7])
    assert [row[:2] for row in pooled_rows(entry)][:2] == [('raw', '8'), ('raw', '16')]
    assert [*floor_rows({})] == [*pooled_rows({})] == []


def test_a_report_says_how_many_images_the_held_out_floor_needs():
    entry = {**entry_of(random_tokens(3, 5, 32)), 'embed_dims': 32}
    [text] = few_images({'blocks': {'0': entry}})
    assert 'block 0' in text and '(32)' in text and 'Wanted 14 images' in text
    assert few_images({'blocks': {'0': entry_of(random_tokens(14, 5, 32))}}) == []
    assert {row[3] for row in floor_rows(entry)} == {''}


def test_the_figure_has_both_floors_in_percent_and_marks_widths(entry):
    [axes] = draw_floors({'5': entry}, widths=(16, 48)).axes
    lines = {each.get_label(): each.get_ydata() for each in axes.lines}
    floors = np.array(entry['floor']['standardised']['in_sample'])
    assert lines['standardised'] == pytest.approx(100 * floors)
    assert sum(each.get_linestyle() == '--' for each in axes.lines) == 3
    assert [text.get_text() for text in axes.texts] == ['16']  # 48 is beyond the width


def test_models_are_compared_by_centred_and_standardised_targets(entry):
    figure = overlay_floors({'teacher': entry, 'other': {}, 'student': entry})
    for axes, target in zip(figure.axes, ('centred', 'standardised'), strict=True):
        drawn = {each.get_label(): each.get_ydata() for each in axes.lines}
        assert drawn['student'] == pytest.approx(
            [100 * floor for floor in entry['floor'][target]['in_sample']]
        )
    assert overlay_floors({'other': {}}) is None and draw_floors({'0': {}}) is None

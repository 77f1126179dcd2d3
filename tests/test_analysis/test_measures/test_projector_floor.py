"""The floor of a shared projector as a measure: of 10 and 30 directions, in a table."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.subspace_floor import SubspaceFloor
from mmvitkd.analysis.measures.block import Batch, Block
from mmvitkd.analysis.measures.checks import check_entries
from mmvitkd.analysis.measures.projector_floor import SubspaceFloorMeasure, floor_rows
from mmvitkd.analysis.measures.settings import Settings

import pytest
import torch
from tokens import random_tokens


def entry_of(tokens):
    [block] = Block.all_of({0: tokens}, len(tokens), Settings()).values()
    measure = SubspaceFloorMeasure(block)
    for places in torch.arange(len(tokens)).split(3):
        measure.update(Batch(tokens[places], places.tolist()))
    return check_entries(SubspaceFloorMeasure, measure.result(), 'block 0')


@pytest.mark.parametrize(
    ('num_tokens', 'wanted'), [(32, ['10', '30']), (16, ['10']), (4, ['4'])]
)
def test_the_directions_that_the_tokens_have(num_tokens, wanted):
    tokens = random_tokens(num_images=5, num_tokens=num_tokens, width=40)
    found = entry_of(tokens)['subspace_floor']
    assert list(found) == wanted
    for d, each in found.items():
        floor = SubspaceFloor(int(d))
        floor.update(tokens)
        assert each['floor'] == pytest.approx(floor.result()['floor'], abs=1e-12)


def test_the_column_is_that_of_half_the_width_and_the_table_has_all():
    entry = entry_of(random_tokens(num_images=4, num_tokens=12, width=20))
    [number] = SubspaceFloorMeasure.columns.values()
    floors = entry['subspace_floor']['10']['floor']
    assert number(entry) == floors[10]
    assert [*floor_rows(entry)] == [('10', width, floor) for width, floor in enumerate(floors)]
    assert [*floor_rows({})] == []

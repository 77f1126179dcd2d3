"""A measure that breaks the contract is refused when it is defined or first used."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures import BLOCKS, Block, Measure
from mmvitkd.analysis.measures.selection import all_measures
from mmvitkd.analysis.measures.settings import Settings
from mmvitkd.analysis.report.summary_table import numbers_of
from mmvitkd.analysis.runner.evaluation import Evaluation
from mmvitkd.registry import MEASURES

import pytest
import torch


def define(**changes):
    """A measure that is right but for some attributes."""
    right = dict(
        name='toy',
        meaning='nothing',
        entries=('toy',),
        columns={},
        update=lambda self, batch: None,
        result=lambda self: {'toy': 1.0},
    )
    return type('Toy', (Measure,), {**right, **changes})


def evaluate(measure):
    features = {0: torch.ones(2, 3, 4), 1: torch.ones(2, 3, 4)}
    evaluation = Evaluation(Block.all_of(features, 2, Settings()), [measure])
    evaluation.first_pass(features, range(2))
    return evaluation.result()


def test_a_right_one():
    assert evaluate(define())[1]['toy'] == 1.0


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(name=''), r'Toy\.name: found'),
        (dict(meaning=None), r'Toy\.meaning: found None'),
        (dict(entries='toy'), r"Toy\.entries: found 'toy'"),
        (dict(columns=None), r'Toy\.columns: found None'),
        (dict(columns={'a': 3}), r"Toy\.columns: 'a': found 3"),
        (dict(needs='luck'), r"Toy\.needs: found 'luck', wanted one of"),
        (dict(figures=('figure',)), r"Toy\.figures: found 'figure'"),
    ],
)
def test_what_is_wrong_when_it_is_defined(changes, message):
    with pytest.raises(TypeError, match=message):
        define(**changes)


@pytest.mark.parametrize(
    ('result', 'message'),
    [
        ({}, r'result\(\) has \[\]'),
        ({'toy': 1, 'more': 2}, r"has \['toy', 'more'\]"),
        (3, r'result\(\) has 3'),
        ({'toy': torch.ones(3)}, r"result\(\)\['toy'\]: found a Tensor"),
        ({'toy': {'a': [torch.ones(3)]}}, r"result\(\)\['toy'\]\['a'\]: found a Tensor"),
        ({'toy': {1: 2}}, r'found the key 1'),
    ],
)
def test_results_that_are_not_what_it_announces(result, message):
    with pytest.raises(TypeError, match=rf"measure 'toy', block 0.*{message}"):
        evaluate(define(result=lambda self: result))


def test_a_comparison_of_blocks_gives_an_entry_to_each():
    with pytest.raises(TypeError, match=r"measure 'toy': result\(\) has the keys \[0\]"):
        evaluate(define(needs=BLOCKS, result=lambda self: {0: {'toy': 1.0}}))


def test_a_column_that_is_not_a_number(monkeypatch):
    wrong = define(columns={'toy': lambda block: [3]})
    monkeypatch.setitem(MEASURES.module_dict, 'Toy', wrong)
    with pytest.raises(TypeError, match=r"measure 'toy': columns\['toy'\]: found \[3\]"):
        numbers_of({'embed_dims': 4})


@pytest.mark.parametrize('name', ['svd', 'all'])
def test_a_name_that_is_taken(monkeypatch, name):
    MEASURES.import_from_location()
    monkeypatch.setitem(MEASURES.module_dict, 'Toy', define(name=name))
    with pytest.raises(TypeError, match=rf"measure Toy\.name: there is already a '{name}'"):
        all_measures()

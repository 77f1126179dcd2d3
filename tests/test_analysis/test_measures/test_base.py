"""A measure that breaks the contract is refused when it is defined or first used."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures import (
    ALL_FEATURES,
    BLOCKS,
    FEATURES,
    Block,
    Measure,
    ReportFigure,
    Table,
)
from mmvitkd.analysis.measures.selection import all_measures
from mmvitkd.analysis.measures.settings import Settings
from mmvitkd.analysis.measures.shared_tables import MEANS_NOTE
from mmvitkd.analysis.report.csv_tables import write_tables
from mmvitkd.analysis.report.draw_figures import draw_figures
from mmvitkd.analysis.report.report_text import report_text
from mmvitkd.analysis.report.summary_table import column_notes, numbers_of
from mmvitkd.analysis.runner.evaluation import Evaluation
from mmvitkd.registry import MEASURES
from mmvitkd.utils.cli import format_error

import pytest
import torch
from representation_reports import report


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


def evaluate(*measures):
    features = {0: torch.ones(2, 3, 4), 1: torch.ones(2, 3, 4)}
    evaluation = Evaluation(Block.all_of(features, 2, Settings()), measures)
    evaluation.first_pass(features, range(2))
    return evaluation.result()


def test_a_right_one():
    assert evaluate(define())[1]['toy'] == 1.0


TABLE = Table('rows', ('value',))
FIGURE = ReportFigure('figure', 'Figure', 'A caption.', lambda blocks: None)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(name=''), r"Toy\.name: found ''"),
        (dict(name='two words'), r"Toy\.name: found 'two words'"),
        (dict(meaning=None), r'Toy\.meaning: found None'),
        (dict(needs='luck'), r"Toy\.needs: found 'luck', wanted one of"),
        (dict(entries='toy'), r"Toy\.entries: found 'toy'"),
        (dict(entries=()), r'Toy\.entries: found \(\)'),
        (dict(columns=None), r'Toy\.columns: found None'),
        (dict(columns={'a': 3}), r"Toy\.columns: found \{'a': 3\}"),
        (dict(column_note=('a', 'b')), r'Toy\.column_note: found'),
        (dict(tables={'rows': print}), r"Toy\.tables: found \{'rows'"),
        (dict(tables={Table('rows', 'value'): print}), r'Toy\.tables: found'),
        (dict(tables={TABLE: 3}), r'Toy\.tables: found'),
        (dict(figures=('figure',)), r"Toy\.figures: found \('figure',\)"),
        (dict(figures=FIGURE), r'Toy\.figures: found ReportFigure'),
        (dict(figures=(FIGURE._replace(name='a/b'),)), r'Toy\.figures: found'),
        (dict(details=print), r'Toy\.details: found <built-in'),
        (dict(numbers='text'), r"Toy\.numbers: found 'text'"),
        (dict(warnings=('text',)), r'Toy\.warnings: found'),
        (dict(required={'toy': 'share'}), r"Toy\.required: found \{'toy': 'share'\}"),
        (dict(required={'other': ()}), r"Toy\.required: found 'other'"),
        (dict(depends_on='seed'), r"Toy\.depends_on: found 'seed'"),
        (dict(scalars=[3]), r'Toy\.scalars: found \[3\]'),
        (dict(max_default_blocks='2'), r"Toy\.max_default_blocks: found '2'"),
        (dict(update=Measure.update), r'Toy\.update: found none'),
        (dict(result=Measure.result), r'Toy\.result: found none'),
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
        ({'toy': {}}, r"toy: found no 'share'"),
        ({'toy': 3}, r'toy: found 3, wanted keys'),
    ],
)
def test_results_that_are_not_what_it_announces(result, message):
    with pytest.raises(TypeError, match=rf"measure 'toy', block 0.*{message}"):
        evaluate(define(result=lambda self: result, required={'toy': ('share',)}))


@pytest.mark.parametrize('value', [1.0, {'full': 1.0}])
def test_an_entry_of_another_measure(value):
    other = define(name='other', entries=('sep',), result=lambda self: {'sep': {'full': 2.0}})
    wrong = define(entries=('sep',), result=lambda self: {'sep': value})
    with pytest.raises(TypeError, match="measure 'toy': entries: 'sep' is already there"):
        evaluate(other, wrong)
    right = define(entries=('sep',), result=lambda self: {'sep': {'toy': 1.0}})
    assert evaluate(other, right)[0]['sep'] == {'full': 2.0, 'toy': 1.0}


@pytest.mark.parametrize('number', [float('nan'), float('-inf')])
def test_a_number_that_is_not_finite(number):
    with pytest.raises(ValueError, match=rf"measure 'toy', block 0.*\['a'\]: found {number}"):
        evaluate(define(result=lambda self: {'toy': {'a': [1.0, number]}}))


@pytest.mark.parametrize(
    ('needs', 'method'),
    [(FEATURES, 'update'), (ALL_FEATURES, 'prepare'), (BLOCKS, 'update')],
)
def test_an_exception_in_a_measure_names_it(needs, method):
    def fail(self, argument):
        return 1 / 0

    wrong = define(needs=needs, **{'update': fail, method: fail})
    with pytest.raises(ZeroDivisionError, match=rf"measure 'toy'.*: {method}\(\)"):
        evaluate(wrong)


def test_a_comparison_of_blocks_gives_an_entry_to_each():
    with pytest.raises(TypeError, match=r"measure 'toy': result\(\) has the keys \[0\]"):
        evaluate(define(needs=BLOCKS, result=lambda self: {0: {'toy': 1.0}}))


@pytest.fixture
def register(monkeypatch):
    """Register a measure for one test, with these attributes."""
    MEASURES.import_from_location()

    def register(key='Toy', **changes):
        monkeypatch.setitem(MEASURES.module_dict, key, define(**changes))

    return register


ENTRY = {'embed_dims': 4, 'toy': 1.0}


@pytest.mark.parametrize(
    ('column', 'error', 'message'),
    [
        (lambda block: [3], TypeError, r'found \[3\], wanted a number'),
        (lambda block: float('nan'), ValueError, 'found nan, wanted a finite number'),
        (lambda block: block['typo'], ValueError, "found no 'typo', wanted a number"),
        (lambda block: 1 / 0, ZeroDivisionError, 'by zero'),
    ],
)
def test_a_column_without_a_number(register, column, error, message):
    register(columns={'a': column})
    with pytest.raises(error, match=message) as caught:
        numbers_of(ENTRY)
    assert "measure 'toy': columns['a']" in format_error(caught.value, {})


def test_a_column_of_what_was_not_measured_is_left_out(register):
    register(columns={'a': lambda block: block['toy']})
    assert numbers_of({'embed_dims': 4}) == {'channels': 4}
    assert numbers_of(ENTRY) == {'channels': 4, 'a': 1.0}


@pytest.mark.parametrize('row', [('a', 'b'), 'a', ['a']])
def test_a_row_that_does_not_fit_its_table(register, row, tmp_path):
    register(tables={TABLE: lambda block: [row]})
    with pytest.raises(TypeError, match=r"'toy': tables\['rows'\]: found the row"):
        write_tables({'blocks': {'0': ENTRY}}, tmp_path / 'tables')


@pytest.mark.parametrize('kind', ['warnings', 'numbers', 'details'])
@pytest.mark.parametrize('found', ['text', [3], None])
def test_text_that_is_not_a_list_of_paragraphs(register, kind, found):
    register(**{kind: (lambda report: found,)})
    with pytest.raises(TypeError, match=rf"measure 'toy': {kind}: found"):
        report_text(report(blocks=('0',)), ())


@pytest.mark.parametrize('kind', ['draw', 'overlay', 'depths'])
def test_an_exception_in_a_figure_names_it(register, kind):
    def fail(blocks):
        return 1 / 0

    register(figures=(FIGURE._replace(**{kind: fail}),))
    with pytest.raises(ZeroDivisionError, match="figure 'figure' of the measures toy"):
        list(draw_figures({'0': {'blocks': {'0': ENTRY}} if kind == 'depths' else ENTRY}, kind))


@pytest.mark.parametrize('name', ['svd', 'all'])
def test_a_name_that_is_taken(register, name):
    register(name=name)
    with pytest.raises(TypeError, match=rf"measure Toy\.name: there is already a '{name}'"):
        all_measures()


@pytest.mark.parametrize(
    'changes',
    [
        dict(columns={'channels': print}),
        dict(columns={'SVD 99 %': print}),
        dict(figures=(FIGURE._replace(name='layers'),)),
        dict(tables={Table('angles', ('value',)): print}),
        dict(scalars={'svd99': print}),
    ],
    ids=['channels', 'columns', 'figures', 'tables', 'scalars'],
)
def test_another_measure_has_something_else_of_the_same_name(register, changes):
    (kind,) = changes
    register(**changes)
    with pytest.raises(TypeError, match=rf'measure Toy\.{kind}: there is already another'):
        all_measures()


def test_measures_may_share_what_is_the_same(register):
    shared = dict(columns={'a': print}, figures=(FIGURE,), tables={TABLE: print})
    register(**shared)
    register('Other', name='other', **shared)
    assert all_measures()['other'].figures == (FIGURE,)


def test_notes_are_of_the_columns_that_are_there(register):
    register(columns={'a': lambda block: block['toy']})
    assert column_notes([ENTRY]) == column_notes([ENTRY], comparison=True) == []
    register(
        columns={'a': lambda block: block['toy']},
        column_note=f'a: a number.\n{MEANS_NOTE}',
        comparison_note='a does not compare.',
    )
    assert column_notes([ENTRY]) == [f'a: a number. {MEANS_NOTE}']
    assert column_notes([ENTRY], comparison=True) == ['a does not compare.']
    both = {**ENTRY, 'frequency_intensity': 1.0}
    assert column_notes([both])[0].count(MEANS_NOTE) == 1

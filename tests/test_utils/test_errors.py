"""An error about a setting is worded as the setting was given."""

import pickle

from mmvitkd.utils.cli import format_error
from mmvitkd.utils.errors import (
    KeyedFileNotFoundError,
    KeyedValueError,
    add_note,
    listed,
)

import pytest

MESSAGE = '{checkpoint}: found {weird}, wanted a file, or set {allow_random}=True.'


def test_plain_names():
    error = KeyedValueError(MESSAGE, 'checkpoint', 'allow_random')
    assert error.key == 'checkpoint'
    assert str(error) == 'checkpoint: found {weird}, wanted a file, or set allow_random=True.'


def test_names_of_a_command_line():
    error = KeyedValueError(MESSAGE, 'checkpoint', 'allow_random')
    names = {'checkpoint': '--checkpoint', 'allow_random': '--allow-random'}
    wanted = '--checkpoint: found {weird}, wanted a file, or set --allow-random.'
    assert error.worded(names) == wanted


def test_passed_on_under_other_names():
    error = KeyedFileNotFoundError('{teacher_ckpt}=x: no such file.', 'teacher_ckpt')
    passed_on = error.renamed({'teacher_ckpt': 'checkpoint'})
    assert isinstance(passed_on, FileNotFoundError)
    assert passed_on.key == 'checkpoint'
    assert passed_on.worded({'checkpoint': '--checkpoint'}) == '--checkpoint=x: no such file.'


def test_it_passes_between_processes():
    error = pickle.loads(pickle.dumps(KeyedValueError(MESSAGE, 'checkpoint', 'allow_random')))
    assert (error.key, str(error)) == (
        'checkpoint',
        str(KeyedValueError(MESSAGE, 'checkpoint', 'allow_random')),
    )


@pytest.mark.parametrize(
    ('names', 'text'), [([], ''), (['a', 'b'], 'a, b'), (list('abc'), 'a, b and 1 more')]
)
def test_listed(names, text):
    assert listed(names, limit=2) == text


def test_notes_follow_the_message():
    error = ValueError('found 3.')
    add_note(error, '(block 2)')
    add_note(error, '(measure sep)')
    assert format_error(error, {}) == 'found 3. (block 2) (measure sep)'

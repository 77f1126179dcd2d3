"""Old names of arguments work, and the log says what to write instead."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.deprecation import renamed_arguments

import pytest
from logged import logged


class Thing:
    @renamed_arguments(num_wide='num_wide_blocks')
    def __init__(self, width, num_wide_blocks=1):
        self.num_wide_blocks = num_wide_blocks


def test_an_old_name_works_and_is_logged():
    with logged() as lines:
        assert Thing(1, num_wide=3).num_wide_blocks == 3
    assert lines == ['WARNING Thing: num_wide is now called num_wide_blocks.']


def test_a_new_name_logs_nothing():
    with logged() as lines:
        assert Thing(1, num_wide_blocks=2).num_wide_blocks == 2
    assert lines == []


def test_not_both():
    with pytest.raises(TypeError, match='num_wide is the old name of num_wide_blocks'):
        Thing(1, num_wide=1, num_wide_blocks=1)

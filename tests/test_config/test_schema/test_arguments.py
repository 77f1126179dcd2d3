"""Values are compared with annotations and, without these, with defaults."""

from collections.abc import Sequence
from inspect import Parameter
from typing import Literal

import mmvitkd  # noqa: F401
from mmvitkd.config.schema.arguments import fits, suits

import pytest
from torch import nn


@pytest.mark.parametrize(
    ('value', 'annotation', 'expected'),
    [
        (1, int, True),
        (1, float, True),
        (1.0, int, False),
        ('1', int, False),
        (True, int, False),
        (True, bool, True),
        (None, int | None, True),
        (None, int, False),
        ([1, 2], Sequence[int], True),
        ([1, '2'], Sequence[int], False),
        ('12', Sequence[int], False),
        ((0.9, 0.999), tuple[float, float], True),
        ((0.9,), tuple[float, float], False),
        ('a', Literal['a', 'b'], True),
        ('c', Literal['a', 'b'], False),
        (dict(type='Linear'), nn.Module, True),
        ('Linear', nn.Module, False),
        ('anything', 'a name that only a type checker imports', True),
    ],
)
def test_by_the_annotation(value, annotation, expected):
    assert fits(value, annotation) is expected


@pytest.mark.parametrize(
    ('value', 'default', 'expected'),
    [('1', 1, False), (None, 1, False), (2.5, 1, True), ('a', None, True), (None, None, True)],
)
def test_by_the_default(value, default, expected):
    parameter = Parameter('x', Parameter.KEYWORD_ONLY, default=default)
    assert suits(value, parameter) is expected

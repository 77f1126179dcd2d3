"""Values are compared with annotations and, without these, with defaults."""

from collections.abc import Sequence
from inspect import Parameter
from typing import Literal

import mmvitkd  # noqa: F401
from mmvitkd.config.schema.arguments import accepted_by, fits, suits

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


def test_keywords_that_are_passed_to_the_base():
    class Base:
        def __init__(self, size: int) -> None: ...

    class Child(Base):
        def __init__(self, width: int = 1, **kwargs) -> None: ...

    found = accepted_by(Child)
    assert list(found.parameters) == ['width', 'size'] and found.is_open
    assert not accepted_by(Base).is_open

"""What a class accepts, with what it passes to its bases."""

import mmvitkd  # noqa: F401
from mmvitkd.config.accepted_arguments import accepted_by

import pytest
from torch import nn


def test_keywords_that_are_passed_to_the_base():
    class Base:
        def __init__(self, size: int) -> None: ...

    class Child(Base):
        def __init__(self, width: int = 1, **kwargs) -> None: ...

    found = accepted_by(Child)
    assert list(found.parameters) == ['width', 'size'] and found.is_open
    assert not accepted_by(Base).is_open


class Without(nn.Module):
    """A module without a constructor of its own."""


class Passes(nn.Module):
    def __init__(self, width=1, **kwargs):
        super().__init__()


@pytest.mark.parametrize(
    ('call', 'names', 'is_open'),
    [(Without, [], False), (Passes, ['width'], True), (lambda a, *, b=1: a, ['a', 'b'], False)],
)
def test_modules_and_functions(call, names, is_open):
    found = accepted_by(call)
    assert (list(found.parameters), found.is_open) == (names, is_open)

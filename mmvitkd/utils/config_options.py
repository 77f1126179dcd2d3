"""Read the ``KEY=VALUE`` settings of a command line, also lists of dicts."""

import ast
import re
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

BRACE = re.compile(r'\bdict\(|\{')
BARE = {'true': True, 'false': False, 'none': None}


def read_options(settings: Sequence[str] | None) -> dict[str, Any] | None:
    """Return the settings of ``--cfg-options`` by their keys; None if there are none.

    Dicts are written as in a config, ``dict(type=A)`` or ``{'type': 'A'}``; quotes around words
    may be left out. Values without dicts are read as MMEngine's ``DictAction`` reads them,
    which does not end at a dict in a list.

    Args:
        settings: Each ``KEY=VALUE``.

    Raises:
        ValueError: If one cannot be read.

    Example:
        >>> from mmvitkd.utils.config_options import read_options
        >>> read_options(['a.b=[1,c]', 'd=[dict(type=E)]'])
        {'a.b': [1, 'c'], 'd': [{'type': 'E'}]}
    """
    if settings is None:
        return None
    options = {}
    for setting in settings:
        key, equals, text = setting.partition('=')
        if not equals or not key:
            raise ValueError(f'--cfg-options: {setting!r}: wanted KEY=VALUE.')
        try:
            holds_dicts = BRACE.search(text) is not None
            options[key] = read_value(text) if holds_dicts else DictAction._parse_iterable(text)
        except (ValueError, SyntaxError, AssertionError, RecursionError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(
                f'--cfg-options: {key}={text}: {reason}; wanted a value such as 3, "[a,b]" or '
                '"[dict(type=A, n=1)]".'
            ) from None
    return options


def read_value(text: str) -> Any:
    """Return the value of an expression of lists, tuples, dicts, numbers and words.

    Nothing is executed.

    Raises:
        SyntaxError: If it is not written in Python.
        ValueError: If it holds something else.

    Example:
        >>> from mmvitkd.utils.config_options import read_value
        >>> read_value("[dict(type=LocalVisBackend), {'n': 1}]")
        [{'type': 'LocalVisBackend'}, {'n': 1}]
    """
    return _value(ast.parse(text.strip(), mode='eval').body)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.List):
        return [_value(each) for each in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(each) for each in node.elts)
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=True))
    if _is_dict_call(node):
        return {word.arg: _value(word.value) for word in node.keywords}  # type: ignore[attr-defined]
    if isinstance(node, ast.Name | ast.Attribute):
        word = ast.unparse(node)  # such as mmvitkd.LoadImage
        return BARE.get(word.lower(), word)
    return ast.literal_eval(node)


def _is_dict_call(node: ast.expr) -> bool:
    """Return whether an expression is ``dict(key=value, ...)``."""
    if not isinstance(node, ast.Call) or node.args:
        return False
    is_dict = isinstance(node.func, ast.Name) and node.func.id == 'dict'
    return is_dict and all(word.arg is not None for word in node.keywords)

"""Find which variables a config file reads, and which of its settings are made from them."""

import ast
import builtins
import re
from collections.abc import Iterator

# Of a base config: {{_base_.name}} or _base_.name.
BASE_PLACEHOLDER = re.compile(r'\{\{\s*(_base_(?:\.\w+)+)\s*\}\}')
PLACEHOLDER = re.compile(r'\{\{[^{}]*\}\}')
BASE = '_base_'
METHODS = ('pop', 'get')


def variables_read(text: str) -> set[str]:
    """Return the variables that a config file reads, its own and those of its bases."""
    tree = _parsed(text)
    foreign = _not_variables(tree)
    return {name for node in ast.walk(tree) for name in _read_by(node, foreign)}


def places_by_variable(text: str) -> dict[str, list[str]]:
    r"""Return the settings of a config file that are made from each variable that it reads.

    A setting that is made from another variable of the file belongs to both: of ``a = 1``,
    ``b = dict(c=a)`` and ``d = [b]``, ``a`` has the places ``b.c`` and ``d.0.c``.

    >>> places_by_variable('epochs = 3\ntrain_cfg = dict(max_epochs=epochs)')
    {'epochs': ['train_cfg.max_epochs']}
    """
    direct: dict[str, list[str]] = {}
    tree = _parsed(text)
    foreign = _not_variables(tree)
    for statement in tree.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                for name, place in _places(statement.value, target.id, foreign):
                    direct.setdefault(name, []).append(place)
    return {name: list(_followed(name, direct, (name,))) for name in direct}


def _followed(name: str, direct: dict[str, list[str]], seen: tuple[str, ...]) -> Iterator[str]:
    """Yield the places of a variable, and those of the variables that are made from it."""
    for place in direct.get(name, ()):
        yield place
        head, dot, rest = place.partition('.')
        if head not in seen:
            for outer in _followed(head, direct, (*seen, head)):
                yield f'{outer}{dot}{rest}'


def _places(node: ast.expr, place: str, foreign: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each variable that an expression reads, with its place in dicts and lists."""
    items = list(_items(node))
    for key, inner in items:
        yield from _places(inner, place if key is None else f'{place}.{key}', foreign)
    for each in () if items else ast.walk(node):
        for name in _read_by(each, foreign):
            yield name, place


def _items(node: ast.expr) -> Iterator[tuple[str | None, ast.expr]]:
    """Yield the items of a dict or list that is written out; those unpacked by None."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == 'dict'
    ):
        yield from ((None, each) for each in node.args)
        yield from ((each.arg, each.value) for each in node.keywords)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield str(key.value) if isinstance(key, ast.Constant) else None, value
    elif isinstance(node, ast.List | ast.Tuple):
        yield from ((str(index), each) for index, each in enumerate(node.elts))


def _not_variables(tree: ast.Module) -> set[str]:
    """Return names that are no variables of a file: Python's own, unless it assigns them."""
    assigned = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return {BASE, *vars(builtins)} - assigned


def _read_by(node: ast.AST, foreign: set[str]) -> Iterator[str]:
    """Yield the variable that a node itself reads, of its file or of a base."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        if node.id not in foreign:
            yield node.id
    elif isinstance(node, ast.Attribute) and _is_base(node.value) and node.attr not in METHODS:
        yield node.attr
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        match node.args:
            case [ast.Constant(value), *_] if _is_base(node.func.value):
                yield str(value)  # _base_.pop('name')


def _is_base(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == BASE


def _parsed(text: str) -> ast.Module:
    return ast.parse(PLACEHOLDER.sub('0', BASE_PLACEHOLDER.sub(r'\1', text)))

"""List the measures for `--help`, without importing torch."""

import ast
from importlib.util import find_spec
from pathlib import Path


def measure_meanings() -> dict[str, str]:
    """Return the meanings of mmvitkd's measures by name, read from their source files."""
    spec = find_spec('mmvitkd')  # finds the package without importing it
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / 'analysis' / 'measures'
    imports = ast.parse((folder / '__init__.py').read_text(encoding='utf-8')).body
    meanings = {}
    for line in imports:
        if isinstance(line, ast.ImportFrom) and line.level == 1:
            tree = ast.parse((folder / f'{line.module}.py').read_text(encoding='utf-8'))
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    texts = _text_attributes(node)
                    if texts.keys() >= {'name', 'meaning'}:
                        meanings[texts['name']] = texts['meaning']
    return meanings


def _text_attributes(node: ast.ClassDef) -> dict[str, str]:
    """Return the class attributes that are string literals, annotated or not."""
    return {
        target.id: line.value.value
        for line in node.body
        if isinstance(line, ast.Assign | ast.AnnAssign)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
        for target in (line.targets if isinstance(line, ast.Assign) else [line.target])
        if isinstance(target, ast.Name)
    }

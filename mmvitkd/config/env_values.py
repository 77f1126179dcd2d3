"""Keep the values of environment variables out of logs, dumped configs and checkpoints.

MMEngine replaces ``{{$NAME:default}}`` in the text of a config before it parses it, logs the
value, and writes it wherever it writes the config. Here the value is used and ``{{$NAME:}}`` is
written: a dumped config runs as before where the variable is set, and names it where it is not.
"""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from itertools import count
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.visualization import Visualizer

from ..utils.errors import KeyedValueError

# MMEngine's; the quotes belong to {{'$NAME:default'}}.
EXPRESSION = re.compile(r'\{\{[\'"]?\s*\$(\w+)\s*:\s*(\S*?)\s*[\'"]?\}\}')
# Variables that are masked wherever their values occur, as configs may also read os.environ.
SECRET = re.compile('KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL', re.IGNORECASE)
# A value is masked within a longer string from this length on; if it is shorter, as a whole
# word from the second length on; otherwise, or if it is a number, as a whole string only.
ANYWHERE, AS_A_WORD = 8, 4
NUMBER = re.compile(r'[-+]?\d*\.?\d*(e[-+]?\d+)?', re.IGNORECASE)
ESCAPES = str.maketrans({'\\': r'\\', "'": r'\'', '"': r'\"', '\n': r'\n', '\r': r'\r'})


def patch_config() -> None:
    """Make MMEngine's configs and visualizers write masked values."""
    pretty_text, dump, add_config = Config.pretty_text.fget, Config.dump, Visualizer.add_config

    def masked_dump(self: Config, file: Any = None) -> str | None:
        text: str | None = dump(masked(self), file)
        return text

    Config._substitute_env_variables = staticmethod(_substitute)
    Config.pretty_text = property(lambda self: pretty_text(masked(self)))
    Config.dump = masked_dump
    Visualizer.add_config = lambda self, config, **kwargs: add_config(
        self, masked(config), **kwargs
    )


def masked(cfg: Config) -> Config:
    """Return a config with ``{{$NAME:}}`` in place of the values of environment variables.

    Masked are the values of variables that its files name, and of those whose names look like
    those of secrets, in strings. Numbers stay: they are no secrets.
    """
    named = {value: name for name, value in cfg.env_variables.items()}
    texts = {v: f'{{{{${name}:}}}}' for v, name in {**secrets(), **named}.items()}
    if not texts:
        return cfg
    result = copy(cfg)
    object.__setattr__(result, '_cfg_dict', ConfigDict(replace_values(cfg.to_dict(), texts)))
    return result


def secrets() -> dict[str, str]:
    """Return the names, by value, of environment variables that look like secrets."""
    return {
        value: name
        for name, value in os.environ.items()
        if SECRET.search(name) and len(value) >= ANYWHERE
    }


def replace_values(tree: Any, texts: Mapping[str, str]) -> Any:
    """Replace values within the strings of nested dicts, lists and tuples.

    Args:
        tree: The dicts, lists and tuples; it is not changed.
        texts: What replaces each value.
    """
    # What is masked already stays; the longest value first.
    parts = [r'\{\{\$\w+:\}\}', *map(_pattern, sorted(texts, key=len, reverse=True))]
    pattern = re.compile('|'.join(parts), re.DOTALL)

    def replace(node: Any) -> Any:
        if isinstance(node, str):
            return pattern.sub(lambda match: texts.get(match[0], match[0]), node)
        if isinstance(node, dict):
            return {key: replace(value) for key, value in node.items()}
        return type(node)(map(replace, node)) if type(node) in (list, tuple) else node

    return replace(tree)


def _pattern(value: str) -> str:
    """Return the pattern of the places where a value is masked."""
    pattern = re.escape(value)
    if len(value) < AS_A_WORD or NUMBER.fullmatch(value):
        return rf'\A{pattern}\Z'
    return pattern if len(value) >= ANYWHERE else rf'(?<![^\W_]){pattern}(?![^\W_])'


def _substitute(filename: str, temp_config_name: str) -> dict[str, str]:
    """Replace ``{{$NAME:default}}``, as MMEngine does, and return the values by name.

    Unlike MMEngine's, a value may hold quotes and backslashes within a string, and a default
    may hold characters that are special in regular expressions; values are not logged.

    Raises:
        KeyedValueError: If a variable is not set and has no default.
    """
    with open(filename, encoding='utf-8') as file:
        text = file.read()
    used: dict[str, str] = {}
    quoted = set(_quoted(text)) if filename.endswith('.py') else set()
    numbers = count()

    def value_of(match: re.Match[str]) -> str:
        number, (name, default) = next(numbers), match.groups()
        value = os.environ.get(name, default)
        if not value:
            raise KeyedValueError(
                f'{{{name}}}: this environment variable is not set, and the config needs it in '
                f'place of {match[0]}. A config that a run dumped holds no values of such '
                'variables: set it as for that run.',
                name,
            )
        if name not in os.environ:
            return value
        if name not in used:
            print_log(f'Read {name} from the environment for the config.', logger='current')
        used[name] = value
        return value.translate(ESCAPES) if number in quoted else value

    text = EXPRESSION.sub(value_of, text)
    with open(temp_config_name, 'w', encoding='utf-8') as file:
        file.write(text)
    return used


def _quoted(text: str) -> Iterator[int]:
    """Yield the numbers of those expressions in a config that are within strings."""
    numbers = count()
    marked = EXPRESSION.sub(lambda _: f'__env_{next(numbers)}__', text)
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(marked)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from map(int, re.findall(r'__env_(\d+)__', node.value))

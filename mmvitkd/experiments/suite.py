"""Read a suite: named configs to compare over seeds, and what to train before them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import YAMLError

from ..package_data import PREFIX, packaged_config
from ..suggestions import did_you_mean
from ..utils.bounded_yaml import load_yaml

KEYS = ('metric', 'reference', 'evaluate_features', 'once', 'runs')
ENTRY_KEYS = ('config', 'needs', 'options')


@dataclass(frozen=True)
class Entry:
    """A config of a suite.

    Attributes:
        name: Its name, also of its folder.
        config: The config file.
        needs: The names of the entries whose last checkpoints it starts from, by config key.
        once: Whether to train it once, with its config's seed, and not to compare it.
        options: Settings that override the config's, ``key=value``.
    """

    name: str
    config: Path
    needs: Mapping[str, str]
    once: bool
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """The contents of a suite file.

    Attributes:
        file: The file.
        metric: The metric to compare, as in the validation log; ``..._ema`` is the average's.
        reference: The name of the entry to compare the others with.
        entries: All configs, each after those that it needs.
        evaluates_features: Whether the features of every run's last checkpoint are evaluated.
    """

    file: Path
    metric: str
    reference: str
    entries: list[Entry]
    evaluates_features: bool = False

    @property
    def compared(self) -> list[str]:
        """The names of the entries that are trained over seeds."""
        return [entry.name for entry in self.entries if not entry.once]


def read_suite(file: Path, reference: str | None = None) -> Suite:
    """Read and check a suite, which is data: nothing in it is executed.

    Args:
        file: A YAML file with the keys ``metric``, ``reference``, ``runs`` and, for entries
            that are trained once for all seeds, ``once``; with ``evaluate_features: true`` see
            :func:`~mmvitkd.experiments.feature_scores.feature_scores`. An entry is
            ``name: CONFIG`` or
            ``name: {config: CONFIG, needs: {KEY: NAME}, options: {KEY: VALUE}}``; CONFIG is
            relative to the suite, or a packaged config such as ``mmvitkd::mnist5k/vit_32.py``.
        reference: Overrides the suite's.

    Raises:
        FileNotFoundError: If the file, or a config that it names, does not exist.
        ValueError: If a key is missing, unknown or of the wrong type, or names no entry.
    """
    if not file.is_file():
        names = [path.name for path in file.parent.glob('*.yml')]
        close = did_you_mean(file.name, names)
        raise FileNotFoundError(f'{file}: there is no such suite{close}')
    content = _read(file)
    for key in content:
        if key not in KEYS:
            raise ValueError(
                f'{file}: unknown key {key!r}{did_you_mean(key, list(KEYS))}; wanted '
                f'{", ".join(KEYS)}.'
            )
    entries: list[Entry] = []
    for key in ('once', 'runs'):
        for name, value in _mapping(content.get(key, {}), f'{file}: {key}').items():
            entries.append(_entry(name, value, key, file, entries))
    compared = [entry.name for entry in entries if not entry.once]
    if not compared:
        raise ValueError(f'{file}: runs: found none, wanted one or more.')
    given = '--reference' if reference else f'{file}: reference'
    reference = reference or _text(content.get('reference'), given)
    if reference not in compared:
        raise ValueError(
            f'{given}: {reference!r} is not a run of {file}'
            f'{did_you_mean(reference, compared)}; wanted one of {", ".join(compared)}.'
        )
    metric = _text(content.get('metric'), f'{file}: metric')
    evaluates = content.get('evaluate_features', False)
    if not isinstance(evaluates, bool):
        raise ValueError(
            f'{file}: evaluate_features: found {evaluates!r}, wanted true or false.'
        )
    return Suite(file, metric, reference, entries, evaluates)


def _read(file: Path) -> dict[str, Any]:
    if file.suffix not in ('.yml', '.yaml'):
        raise ValueError(f'{file}: wanted a suite in YAML, with the suffix .yml or .yaml.')
    try:
        content = load_yaml(file.read_text(encoding='utf-8'))
    except (YAMLError, ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{file}: invalid suite: {reason}') from None
    return _mapping(content, f'{file}: invalid suite')


def _entry(name: str, value: Any, group: str, file: Path, known: list[Entry]) -> Entry:
    key = f'{file}: {group}.{name}'
    if not isinstance(name, str) or not re.fullmatch(r'\w[\w.-]*', name):
        raise ValueError(f'{key}: wanted a name of letters, digits, "_", "-" and ".".')
    names = [entry.name for entry in known]
    if name in names:
        raise ValueError(f'{key}: there is another entry of this name.')
    content = {'config': value} if isinstance(value, str) else _mapping(value, key)
    for found in content:
        if found not in ENTRY_KEYS:
            raise ValueError(f'{key}: unknown key {found!r}; wanted {", ".join(ENTRY_KEYS)}.')
    config = _config(_text(content.get('config'), f'{key}.config'), f'{key}.config', file)
    needs = _mapping(content.get('needs', {}), f'{key}.needs')
    usable = [entry.name for entry in known if entry.once or group == 'runs']
    for option, needed in needs.items():
        if needed not in usable:
            raise ValueError(
                f'{key}.needs: {option}: {needed!r} is not an entry above this one'
                f'{did_you_mean(str(needed), usable)}; found {", ".join(usable) or "none"}.'
            )
    return Entry(name, config, needs, group == 'once', _options(content, key))


def _options(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the settings of an entry as arguments of ``--cfg-options``."""
    options = _mapping(content.get('options', {}), f'{key}.options')
    for option, value in options.items():
        if not isinstance(value, str | int | float):  # bool is an int
            raise ValueError(
                f'{key}.options: {option}: found {value!r}, wanted a text, a number, true or '
                'false.'
            )
    return tuple(f'{option}={value}' for option, value in options.items())


def _config(name: str, key: str, file: Path) -> Path:
    try:
        path = packaged_config(name) if name.startswith(PREFIX) else file.parent / name
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{key}: {error}') from None
    if not path.is_file():
        names = [found.name for found in path.parent.glob('*.py')]
        raise FileNotFoundError(
            f'{key}: there is no config {str(path)!r}{did_you_mean(path.name, names)}'
        )
    return path.resolve()


def _mapping(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f'{key}: found {value!r}, wanted names with values.')
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f'{key}: found {value!r}, wanted a text.')
    return value

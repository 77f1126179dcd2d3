"""Find measures by their names."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from ...registry import MEASURES
from ...suggestions import did_you_mean
from ...utils.errors import KeyedValueError
from .base import BLOCKS, Measure

DEFAULT, ALL = 'default', 'all'


def all_measures() -> dict[str, type[Measure]]:
    """Return all registered measures by their names, in the order of ``measures/__init__.py``.

    Raises:
        TypeError: If a registered class is not a measure, if two have the same name, or if
            different columns, tables, figures or scalars have the same name.
    """
    MEASURES.import_from_location()
    found: dict[str, type[Measure]] = {}
    taken: dict[tuple[str, str], Any] = {('columns', 'channels'): None}
    for key, measure in MEASURES.module_dict.items():
        if not (isinstance(measure, type) and issubclass(measure, Measure)):
            raise TypeError(
                f'MEASURES: {key}: found {measure!r}, wanted a subclass of Measure.'
            )
        if measure.name in found or measure.name in (DEFAULT, ALL):
            raise TypeError(f'measure {key}.name: there is already a {measure.name!r}.')
        found[measure.name] = measure
        for kind, name, announced in _announced(measure):
            if taken.setdefault((kind, name), announced) != announced:
                raise TypeError(f'measure {key}.{kind}: there is already another {name!r}.')
    return found


def import_measures(modules: Sequence[str]) -> None:
    """Import modules that register measures, after those of the package.

    Raises:
        KeyedValueError: If one cannot be imported; its key is 'custom_imports'.
    """
    MEASURES.import_from_location()
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise KeyedValueError(
                f'{{custom_imports}}: cannot import {module!r}: {error}. Wanted a module on '
                'PYTHONPATH.',
                'custom_imports',
            ) from error


def select_measures(names: Sequence[str], num_blocks: int) -> tuple[str, ...]:
    """Resolve names of measures, without duplicates, in the order of ``all_measures``.

    Args:
        names: Names of measures; 'all'; or 'default', which leaves out slow measures. For one
            block, both leave out measures that compare blocks.
        num_blocks: Number of blocks to measure.

    Raises:
        KeyedValueError: If a name is unknown, no names are given, or a measure that compares
            blocks is named for a single block; its key is 'measures'.
    """
    known, chosen = all_measures(), set[str]()
    for name in names:
        if name in (DEFAULT, ALL):
            chosen.update(
                known_name
                for known_name, measure in known.items()
                if (measure.needs != BLOCKS or num_blocks > 1)
                and (name == ALL or _is_default(measure, num_blocks))
            )
        else:
            if measure_named(name).needs == BLOCKS and num_blocks < 2:
                raise KeyedValueError(
                    f'{{measures}}: {name!r} compares blocks; found only one.', 'measures'
                )
            chosen.add(name)
    if not chosen:
        raise KeyedValueError(
            f'{{measures}}: found none; wanted some of {", ".join(known)}.', 'measures'
        )
    return tuple(name for name in known if name in chosen)


def measure_named(name: str) -> type[Measure]:
    """Return the measure with a name.

    Raises:
        KeyedValueError: If the name is unknown; its key is 'measures'.
    """
    known = all_measures()
    if name not in known:
        names = [*known, DEFAULT, ALL]
        raise KeyedValueError(
            f'{{measures}}: there is no {name!r}{did_you_mean(name, names) or "."} Wanted some '
            f'of {", ".join(names)}.',
            'measures',
        )
    return known[name]


def _announced(measure: type[Measure]) -> Iterator[tuple[str, str, Any]]:
    """Yield what must have a name of its own: the attribute, the name, and what it is."""
    for kind in ('tables', 'figures'):
        for each in getattr(measure, kind):
            yield kind, each.name, each
    for kind in ('columns', 'scalars', 'constants'):
        for name, function in getattr(measure, kind).items():
            yield kind, name, function


def _is_default(measure: type[Measure], num_blocks: int) -> bool:
    most = measure.max_default_blocks
    return most is None or num_blocks <= most

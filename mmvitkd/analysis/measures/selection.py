"""Find measures by their names."""

from collections.abc import Sequence

from ...registry import MEASURES
from ...suggestions import did_you_mean
from ...utils.errors import KeyedValueError
from .base import BLOCKS, Measure

DEFAULT, ALL = 'default', 'all'


def all_measures() -> dict[str, type[Measure]]:
    """Return all registered measures by their names, in the order of ``measures/__init__.py``.

    Raises:
        TypeError: If a registered class is not a measure, or two have the same name.
    """
    MEASURES.import_from_location()
    found: dict[str, type[Measure]] = {}
    for key, measure in MEASURES.module_dict.items():
        if not (isinstance(measure, type) and issubclass(measure, Measure)):
            raise TypeError(
                f'MEASURES: {key}: found {measure!r}, wanted a subclass of Measure.'
            )
        if measure.name in found or measure.name in (DEFAULT, ALL):
            raise TypeError(f'measure {key}.name: there is already a {measure.name!r}.')
        found[measure.name] = measure
    return found


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


def _is_default(measure: type[Measure], num_blocks: int) -> bool:
    most = measure.max_default_blocks
    return most is None or num_blocks <= most

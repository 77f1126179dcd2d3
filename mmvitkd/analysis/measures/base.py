"""Define the contract of a measure: one class in one file, with everything about it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from ..plotting.figure import ReportFigure
from .block import DOUBLE, Batch, Block
from .settings import Settings

# What a measure needs. FEATURES: the features of each image, once. ALL_FEATURES: all of them
# (``prepare``) before any is measured. PAIRS: the same, and the positions of the images.
# GRADIENTS: gradients of the model's score instead of features. BLOCKS: several blocks of the
# same images; its constructor, ``update`` and ``result`` cover all blocks, by key.
FEATURES, ALL_FEATURES, PAIRS = 'features', 'all features', 'pairs of images'
GRADIENTS, BLOCKS = 'gradients', 'several blocks'
NEEDS = (FEATURES, ALL_FEATURES, PAIRS, GRADIENTS, BLOCKS)

# A block's part of report.json: the results of all its measures.
Entry = Mapping[str, Any]
Number = Callable[[Entry], float]
Text = Callable[[Mapping[str, Any]], list[str]]


class Table(NamedTuple):
    """A CSV file that one or more measures add rows to.

    Attributes:
        name: The name of the file, ``tables/<name>.csv``.
        columns: The columns after the first one, which names the block.
    """

    name: str
    columns: tuple[str, ...]


class Measure(ABC):
    """Measures one block (or several, see ``BLOCKS``) from batches of features.

    A new measure is a subclass in a file of its own under ``measures/``, registered by
    ``@MEASURES.register_module()`` and imported in ``measures/__init__.py``. It must define
    ``name``, ``meaning``, ``entries``, ``columns``, ``update`` and ``result``; all else has a
    default. A wrong class attribute raises TypeError when the class is defined, a wrong
    result when it is first used; both errors name the measure.

    Attributes:
        name: The name that users write in ``--measures``.
        meaning: What it measures, in one line.
        needs: One of ``NEEDS``.
        entries: The keys that it writes into a block's entry of ``report.json``. Measures may
            share a key whose value is a dict, if their keys in it differ.
        columns: Functions from a block's entry to numbers in the table of blocks, by heading.
        column_note: How to read these columns.
        tables: Functions from a block's entry to rows of CSV tables.
        figures: Figures of a report, of a comparison of models, and of a training.
        warnings: Functions from the report to paragraphs at the top of ``report.md``.
        numbers: Functions from the report to paragraphs below the table of blocks.
        details: Functions from the report to paragraphs below the figures.
        required: The keys that the above need in a report, by the path of their dict, if that
            exists: ``{'svd': ('curve', 'std')}`` or ``{'sep.full': ('curve',)}``.
        depends_on: Settings that change its numbers, which a comparison checks.
        scalars: Functions from a block's entry to numbers to follow in a training, by name.
        constants: The same for numbers that a training does not change, such as a null.
        max_default_blocks: The largest number of blocks for which 'default' includes the
            measure; None for any number.

    Args:
        block: The block to measure; a list of blocks if ``needs`` is ``BLOCKS``.
    """

    name: ClassVar[str]
    meaning: ClassVar[str]
    needs: ClassVar[str] = FEATURES
    entries: ClassVar[tuple[str, ...]]
    columns: ClassVar[Mapping[str, Number]]
    column_note: ClassVar[str] = ''
    tables: ClassVar[Mapping[Table, Callable[[Entry], Iterable[tuple[Any, ...]]]]] = {}
    figures: ClassVar[tuple[ReportFigure, ...]] = ()
    warnings: ClassVar[tuple[Text, ...]] = ()
    numbers: ClassVar[tuple[Text, ...]] = ()
    details: ClassVar[tuple[Text, ...]] = ()
    required: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    depends_on: ClassVar[tuple[str, ...]] = ()
    scalars: ClassVar[Mapping[str, Number]] = {}
    constants: ClassVar[Mapping[str, Number]] = {}
    max_default_blocks: ClassVar[int | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_class(cls)

    def __init__(self, block: Any) -> None:
        self.block = block

    @classmethod
    def min_images(cls, settings: Settings) -> int:
        """Return the minimum number of images."""
        return 2

    @classmethod
    def state_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes that it holds for a block between batches."""
        return 8 * DOUBLE * block.num_images  # a few numbers per image

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes that ``start`` or ``result`` takes for a block."""
        return 0

    @classmethod
    def workspace_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes that an update takes per image."""
        return 8 * block.double_bytes  # copies of the tokens

    def prepare(self, batch: Batch) -> None:  # noqa: B027
        """Add a batch of the first pass; called for ``ALL_FEATURES`` and ``PAIRS`` only."""

    def start(self, num_images: int) -> None:  # noqa: B027
        """Begin the second pass over ``num_images`` images; called for the same measures."""

    @abstractmethod
    def update(self, batch: Any) -> None:
        """Measure a :class:`Batch`; if ``needs`` is ``BLOCKS``, a dict of them by key."""

    @abstractmethod
    def result(self) -> dict[Any, Any]:
        """Return the result by ``entries``; for ``BLOCKS``, by the keys of the blocks first.

        Raises:
            ValueError: If the measure has no value.
        """


def _check_class(cls: type[Measure]) -> None:
    """Raise TypeError if a class breaks the contract; the message names the class."""
    where = f'measure {cls.__name__}'
    for key, kind in (
        ('name', str),
        ('meaning', str),
        ('entries', tuple),
        ('columns', Mapping),
    ):
        found = getattr(cls, key, None)
        if not isinstance(found, kind) or (key != 'columns' and not found):
            raise TypeError(f'{where}.{key}: found {found!r}, wanted a {kind.__name__}.')
    if cls.needs not in NEEDS:
        raise TypeError(f'{where}.needs: found {cls.needs!r}, wanted one of {NEEDS}.')
    for key in ('columns', 'tables', 'scalars', 'constants'):
        for name, function in getattr(cls, key).items():
            if not callable(function):
                raise TypeError(
                    f'{where}.{key}: {name!r}: found {function!r}, wanted a function.'
                )
    for figure in cls.figures:
        if not isinstance(figure, ReportFigure):
            raise TypeError(f'{where}.figures: found {figure!r}, wanted ReportFigure objects.')


def check_entries(measure: type[Measure], found: Any, where: str) -> dict[str, Any]:
    """Return a measure's result for a block if it has exactly the declared entries.

    Raises:
        TypeError: If an entry is missing, undeclared, or cannot be written as JSON; names the
            measure and the block.
    """
    if not isinstance(found, dict) or set(found) != set(measure.entries):
        keys = list(found) if isinstance(found, dict) else found
        raise TypeError(
            f'measure {measure.name!r}, {where}: result() has {keys!r}, wanted its entries '
            f'{measure.entries}.'
        )
    for key, value in found.items():
        _check_plain(value, f'measure {measure.name!r}, {where}: result()[{key!r}]')
    return found


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise TypeError(f'{where}: found the key {key!r}, wanted strings.')
            _check_plain(part, f'{where}[{key!r}]')
    elif isinstance(value, list | tuple):
        for part in value:
            _check_plain(part, where)
    elif not isinstance(value, str | int | float | None):
        kind = type(value).__name__
        raise TypeError(f'{where}: found a {kind}, wanted numbers, text, lists and dicts.')

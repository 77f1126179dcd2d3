"""Define the contract of a measure: one class in one file, with everything about it."""

import re
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
            share a key whose value is a dict, each with a dict of its own in it, which
            ``required`` names.
        columns: Functions from a block's entry to numbers in the table of blocks, by heading.
        column_note: How to read these columns. A line that several measures share is shown
            once.
        comparison_note: Why its numbers do not compare between models; likewise.
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
    comparison_note: ClassVar[str] = ''
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


def _tuple_of(is_item: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a check for a tuple of items; a NamedTuple is an item."""
    return lambda found: type(found) is tuple and all(map(is_item, found))


def _dict_of(is_value: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda found: (
        isinstance(found, Mapping)
        and all(_is_line(key) and is_value(value) for key, value in found.items())
    )


def _is_word(found: Any) -> bool:
    """Return whether it can be an argument, and a name of a file."""
    return isinstance(found, str) and re.fullmatch(r'[\w-]+', found) is not None


def _is_line(found: Any) -> bool:
    return isinstance(found, str) and found.strip() != ''


def _is_text(found: Any) -> bool:
    return isinstance(found, str)


def _is_table(found: Any) -> bool:
    return isinstance(found, Table) and _is_word(found.name) and _LINES(found.columns)


def _is_figure(found: Any) -> bool:
    return (
        isinstance(found, ReportFigure)
        and _is_word(found.name)
        and (found.draw is None or callable(found.draw))
    )


_LINES, _FUNCTIONS, _NUMBERS = _tuple_of(_is_line), _tuple_of(callable), _dict_of(callable)
# What the attributes of a class must be: a check, and its words.
_WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    'name': (_is_word, 'a word of letters, digits, _ and -'),
    'meaning': (_is_line, 'a line of text'),
    'needs': (NEEDS.__contains__, f'one of {NEEDS}'),
    'entries': (lambda found: _LINES(found) and len(found) > 0, 'a tuple of keys'),
    'columns': (_NUMBERS, 'functions by headings'),
    'column_note': (_is_text, 'text'),
    'comparison_note': (_is_text, 'text'),
    'tables': (
        lambda found: (
            isinstance(found, Mapping)
            and all(_is_table(key) and callable(value) for key, value in found.items())
        ),
        'functions by Table objects, whose columns are a tuple',
    ),
    'figures': (_tuple_of(_is_figure), 'a tuple of ReportFigure objects'),
    'warnings': (_FUNCTIONS, 'a tuple of functions'),
    'numbers': (_FUNCTIONS, 'a tuple of functions'),
    'details': (_FUNCTIONS, 'a tuple of functions'),
    'required': (_dict_of(_LINES), 'tuples of keys by paths'),
    'depends_on': (_LINES, 'a tuple of settings'),
    'scalars': (_NUMBERS, 'functions by names'),
    'constants': (_NUMBERS, 'functions by names'),
    'max_default_blocks': (lambda found: found is None or type(found) is int, 'None or int'),
}


def _check_class(cls: type[Measure]) -> None:
    """Raise TypeError if a class breaks the contract; the message names the class."""
    where = f'measure {cls.__name__}'
    for key, (is_right, wanted) in _WANTED.items():
        found = getattr(cls, key, None)
        if not is_right(found):
            raise TypeError(f'{where}.{key}: found {found!r}, wanted {wanted}.')
    for path in cls.required:
        if path.split('.')[0] not in cls.entries:
            raise TypeError(
                f'{where}.required: found {path!r}, wanted one of its entries, {cls.entries}.'
            )
    for key in ('update', 'result'):
        found = getattr(cls, key)
        if found is getattr(Measure, key) or not callable(found):
            raise TypeError(f'{where}.{key}: found none, wanted a method.')

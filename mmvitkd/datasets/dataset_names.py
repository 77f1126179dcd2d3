"""Find the data sets in a config, their types and the names of their classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.fileio import list_from_file
from mmpretrain.registry import DATASETS

from ..utils.errors import KeyedValueError, listed


def innermost(dataset: dict[str, Any], key: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the configs of the data sets in those that wrap others, such as RepeatDataset.

    Args:
        dataset: The config of a data set.
        key: Its place in the config of the run; the places of the others are yielded too.
    """
    if isinstance(dataset.get('dataset'), Mapping):
        yield from innermost(dataset['dataset'], f'{key}.dataset')
    elif 'datasets' in dataset:
        for index, inner in enumerate(dataset['datasets']):
            yield from innermost(inner, f'{key}.datasets.{index}')
    else:
        yield dataset, key


def pipeline_of(dataset: dict[str, Any], key: str) -> Any:
    """Return the pipeline of a data set, which those that one wraps must share.

    Args:
        dataset: The config of a data set.
        key: Its place in the config of the run.

    Returns:
        The list of its transforms; None if it has none.

    Raises:
        KeyedValueError: If the data sets that it wraps differ in it.
    """
    (first, place), *others = innermost(dataset, key)
    for other, its_place in others:
        if other.get('pipeline') != first.get('pipeline'):
            name = f'{its_place}.pipeline'
            raise KeyedValueError(
                f'{{{name}}}: differs from {place}.pipeline; wanted one way to prepare images. '
                'Give both the same pipeline.',
                name,
            )
    return first.get('pipeline')


def class_of(dataset: Mapping[str, Any]) -> Any:
    """Return the class of a data set's config, or None if its type is not registered."""
    kind = dataset.get('type')
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def names_of(dataset: Mapping[str, Any]) -> Sequence[str] | None:
    """Return the class names that a config gives, as MMPretrain does; None without any.

    These are, the first that there are: those of ``metainfo``, of ``classes``, each a list or
    the file of one, and those of the data set's type.

    Raises:
        OSError: If there is no such file.
    """
    names = (dataset.get('metainfo') or {}).get('classes')
    if names is None:
        names = dataset.get('classes')
    if names is None:
        names = (getattr(class_of(dataset), 'METAINFO', None) or {}).get('classes')
    return list_from_file(names) if isinstance(names, str) else names


def check_num_names(names: Sequence[str] | None, source: str, num_classes: int | None) -> None:
    """Check that there are as many class names as classes, where both are known.

    Args:
        names: The names.
        source: The setting that gives them.
        num_classes: The number of classes of the head.

    Raises:
        KeyedValueError: If the number is another, or a name is blank.
    """
    if names is None or num_classes is None:
        return
    for number, name in enumerate(names, 1):
        if not str(name).strip():
            raise KeyedValueError(f'{{{source}}}: the class name {number} is blank.', source)
    if len(names) != num_classes:
        raise KeyedValueError(
            f'{{{source}}}: found {len(names)} class names ({listed([*map(str, names)], 3)}), '
            f'wanted {num_classes}: the num_classes of the head. Name them in '
            'metainfo=dict(classes=[...]) of the data set.',
            source,
        )

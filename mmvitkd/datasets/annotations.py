"""Read the annotations of images, and name the line that is wrong."""

from collections.abc import Callable, Sequence
from itertools import chain
from logging import WARNING
from typing import Any, NamedTuple

from mmengine.fileio import list_from_file, load
from mmengine.logging import print_log
from mmpretrain.datasets import custom

from ..utils.errors import KeyedValueError

LINE = "wanted a path, one space and a label, a whole number from 0: 'cats/1.jpg 0'"
ITEM = 'wanted an object with img_path, and gt_label: a whole number from 0 or a list of them'


class Annotations(NamedTuple):
    """The images that an annotation file lists, and their labels.

    Attributes:
        path: The file.
        key: The setting that names it.
        images: The paths of the images, as they are written.
        labels: Those of each image; None without labels.
        place: Says where an image is listed, by its index: "'val.txt', line 12".
        classes: The names of the classes, if the file has them.
    """

    path: str
    key: str
    images: Sequence[str]
    labels: Sequence[Sequence[int]] | None
    place: Callable[[int], str]
    classes: Sequence[str] | None = None

    def error(self, index: int, problem: str) -> KeyedValueError:
        """Return an error about the image of this index."""
        return KeyedValueError(f'{{{self.key}}}: {self.place(index)}: {problem}.', self.key)

    def check_labels(self, num_classes: int) -> None:
        """Check that all labels are among ``0..num_classes - 1``; warn if they leave out 0.

        Raises:
            KeyedValueError: If one is not; the message names the first.
        """
        seen = set(chain.from_iterable(self.labels or ()))
        counted_from_1 = bool(seen) and min(seen) == 1
        if seen <= set(range(num_classes)):
            if counted_from_1:
                message = f'{self.path}: no image has the label 0; labels are counted from 0'
                print_log(message, 'current', WARNING)
            return
        index, label = next(
            (index, label)
            for index, labels in enumerate(self.labels or ())
            for label in labels
            if not 0 <= label < num_classes
        )
        advice = '. No label is 0: they seem to be counted from 1' if counted_from_1 else ''
        raise self.error(
            index,
            f'found the label {label}, wanted 0 to {num_classes - 1}, as the head has '
            f'num_classes={num_classes}{advice}',
        )


def read_lines(path: str, key: str, has_labels: bool = True) -> Annotations:
    """Read MMPretrain's text format: a path, a space and a label on each line.

    Args:
        path: The file.
        key: The setting that names it, for the message.
        has_labels: Whether there are labels, or paths alone.

    Raises:
        KeyedValueError: If the file is empty or not UTF-8, or a line is not in this format;
            the message names the first.
    """
    lines = _checked(path, key, lambda: list_without_blank_end(path))
    images: list[str] = []
    labels: list[tuple[int]] = []
    found = Annotations(path, key, images, labels, lambda i: f'{path!r}, line {i + 1}')
    if lines and lines[0].startswith('\ufeff'):
        raise found.error(0, 'it begins with a byte order mark; save it as UTF-8 without one')
    if not lines:
        raise KeyedValueError(f'{{{key}}}: {path!r} lists no image.', key)
    if not has_labels:
        return found._replace(images=lines, labels=None)
    for index, line in enumerate(lines):
        image, _, label = line.strip().rpartition(' ')  # as MMPretrain takes it apart
        is_number = label.isascii() and label.isdecimal()
        if not image or not is_number or image[-1].isspace():
            raise found.error(index, f'found {_shown(line)}, {LINE}')
        images.append(image)
        labels.append((int(label),))
    return found


def read_json(path: str, key: str) -> Annotations:
    """Read OpenMMLab's JSON format: ``{"metainfo": {...}, "data_list": [...]}``.

    Args:
        path: The file.
        key: The setting that names it, for the message.

    Raises:
        KeyedValueError: If the file is not in this format; the message names the first item
            that is wrong.
    """
    content = _checked(path, key, lambda: load(path))
    items = content.get('data_list') if isinstance(content, dict) else None
    if not items or not isinstance(items, list) or 'metainfo' not in content:
        raise KeyedValueError(
            f'{{{key}}}: {path!r}: wanted a JSON object with metainfo and a data_list of one '
            'image or more.',
            key,
        )
    images: list[str] = []
    labels: list[Sequence[int]] = []
    found = Annotations(
        path,
        key,
        images,
        labels,
        lambda index: f'{path!r}, data_list[{index}]',
        content['metainfo'].get('classes'),
    )
    has_labels = 'gt_label' in items[0]
    for index, item in enumerate(items):
        label = item.get('gt_label') if has_labels else []
        several = label if isinstance(label, list) else [label]
        if not isinstance(item.get('img_path'), str) or any(
            type(x) is not int for x in several
        ):
            raise found.error(index, f'found {_shown(item)}, {ITEM}')
        images.append(item['img_path'])
        labels.append(several)
    return found if has_labels else found._replace(labels=None)


def _checked(path: str, key: str, read: Callable[[], Any]) -> Any:
    """Read a file; name it in errors about its content.

    Raises:
        KeyedValueError: If it is not text in UTF-8, or not JSON.
    """
    try:
        return read()
    except ValueError as error:
        raise KeyedValueError(f'{{{key}}}: {path!r} cannot be read: {error}.', key) from None


def _shown(value: Any) -> str:
    """Return the beginning of a value, in quotes, so that a tab is seen."""
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:80]}...'


def list_without_blank_end(*args: Any, **kwargs: Any) -> list[str]:
    """List the lines of a text file as MMEngine does, without the blank ones at its end."""
    lines: list[str] = list_from_file(*args, **kwargs)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


custom.list_from_file = list_without_blank_end  # a blank line ends MMPretrain's run

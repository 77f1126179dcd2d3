"""Check a data set's annotation file before the run: its format, its labels, its images."""

import os.path as osp
from collections.abc import Mapping
from typing import Any

from mmengine.dataset import BaseDataset
from mmpretrain.datasets import CustomDataset, ImageNet, ImageNet21k

from ..utils.errors import KeyedFileNotFoundError, KeyedValueError
from .annotations import Annotations, read_json, read_lines
from .dataset_names import check_num_names, class_of, names_of

# mmengine.load unpickles these, and lets YAML make any object.
EXECUTED = ('.pkl', '.pickle', '.yml', '.yaml')
FORMATS = (CustomDataset.load_data_list, BaseDataset.load_data_list)
NUM_IMAGES = 100  # how many of the images that a file lists are looked for


def check_annotation_file(
    dataset: Mapping[str, Any], key: str, num_classes: int | None = None
) -> None:
    """Check that a data set's annotation file is read as data, and fits the head.

    The files of MMPretrain's ``CustomDataset`` (a path and a label a line) and ``BaseDataset``
    (OpenMMLab's JSON) are read, also those of data sets that inherit how these read. Remote
    files are not.

    Args:
        dataset: The config of the data set.
        key: Its place in the config, for the message.
        num_classes: The number of classes of the head, if it has one.

    Raises:
        FileNotFoundError: If the file does not exist, or an image that it lists: 100 of them,
            spread over the file, are looked for.
        ValueError: If the file is a pickle or YAML, or, with the first such line, not in the
            format of the data set or with a label that is not one of the head's.
    """
    key = f'{key}.ann_file'
    name = str(dataset.get('ann_file') or '')
    if name.lower().endswith(EXECUTED):
        raise KeyedValueError(
            f'{{{key}}}={name!r}: MMEngine would execute a pickle or YAML; wanted text or '
            'JSON. Where you trust the file: mmengine.dump(mmengine.load(FILE), '
            '"ANNOTATIONS.json").',
            key,
        )
    kind = class_of(dataset)
    path = _path(dataset, kind)
    reads = getattr(kind, 'load_data_list', None)
    if not path or '://' in path or reads not in FORMATS:
        return
    if not osp.exists(path):
        raise KeyedFileNotFoundError(f'{{{key}}}: there is no such file: {path!r}.', key)
    annotations = _read(dataset, kind, path, key)
    if num_classes is not None:
        if names_of(dataset) is None:
            check_num_names(annotations.classes, key, num_classes)
        annotations.check_labels(num_classes)
    _check_images(dataset, annotations)


def _read(dataset: Mapping[str, Any], kind: Any, path: str, key: str) -> Annotations:
    if kind.load_data_list is BaseDataset.load_data_list:
        return read_json(path, key)
    has_labels = dataset.get('with_label', True)
    if issubclass(kind, ImageNet) and dataset.get('split') == 'test':
        has_labels = False  # as MMPretrain has it
    return read_lines(path, key, has_labels)


def _path(dataset: Mapping[str, Any], kind: Any) -> str:
    """Return the path of the file that a data set will read; '' without one."""
    root, name = dataset.get('data_root') or '', dataset.get('ann_file') or ''
    split = dataset.get('split')
    if not name and split and issubclass(kind or object, (ImageNet, ImageNet21k)):
        listed = osp.join('meta', f'{split}.txt')  # which MMPretrain reads if it exists
        name = listed if osp.isfile(_below(root, listed)) else ''
    return _below(root, name) if name else ''


def _below(root: str, name: str) -> str:
    """Join a path to the root where it is relative, as MMEngine does."""
    name = osp.expanduser(name)
    return name if '://' in name else osp.expanduser(osp.join(root, name))


def _check_images(dataset: Mapping[str, Any], annotations: Annotations) -> None:
    """Look for some of the images, which a wrong ``data_prefix`` makes all missing."""
    prefix = dataset.get('data_prefix') or ''
    if isinstance(prefix, Mapping):
        prefix = prefix.get('img_path', '')
    if issubclass(class_of(dataset), (ImageNet, ImageNet21k)):
        prefix = prefix or dataset.get('split') or ''
    folder = _below(dataset.get('data_root') or '', prefix)
    # Another backend may find the images where this one does not.
    if '://' in folder or 'backend_args' in str(dataset.get('pipeline')):
        return
    number = len(annotations.images)
    for index in sorted({i * number // NUM_IMAGES for i in range(NUM_IMAGES)}):
        image = osp.join(folder, annotations.images[index])
        if not osp.isfile(image):
            raise KeyedFileNotFoundError(
                f'{{{annotations.key}}}: {annotations.place(index)}: there is no such image: '
                f'{image!r}. Check the data_root and data_prefix of the data set.',
                annotations.key,
            )

"""Find the names of a student's classes."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmpretrain.registry import DATASETS

from ..datasets.dataset_names import innermost


def class_names(
    cfg: Config, checkpoint: Mapping[str, Any], num_classes: int
) -> tuple[str, ...] | None:
    """Return the class names in the order of the logits, or None if they are not known.

    MMEngine saves those of the training set in the checkpoint. For weights without them, they
    are read from the config's test or validation set: its ``classes`` or ``metainfo``, or those
    of its type, such as ``ImageNet``. Its images need not exist.

    Args:
        cfg: The config of the training.
        checkpoint: The content of the checkpoint file.
        num_classes: How many classes the student has.

    Raises:
        ValueError: If the number of names is another.
    """
    meta = checkpoint.get('meta') or {}
    names, source = _names_in(meta.get('dataset_meta')), 'the checkpoint'
    if names is None:
        names, source = _names_of_dataset(cfg), 'the data set of the config'
    if names is not None and len(names) != num_classes:
        raise ValueError(
            f'{source} names {len(names)} classes ({", ".join(names[:3])}, ...), but the '
            f'student has {num_classes}: they do not belong together.'
        )
    return names


def _names_of_dataset(cfg: Config) -> tuple[str, ...] | None:
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    if 'dataset' not in loader:
        return None
    inner, _ = next(innermost(loader['dataset'], 'dataset'))  # all have the same classes
    lazy = {**inner, 'pipeline': [], 'lazy_init': True}
    return _names_in(DATASETS.build(lazy).metainfo)


def _names_in(metainfo: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    names = (metainfo or {}).get('classes')
    return None if names is None else tuple(str(name) for name in names)

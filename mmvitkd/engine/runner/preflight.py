"""Check a run's folders, schedule and checkpoint before anything is built."""

import os.path as osp
from collections.abc import Mapping, Sequence
from logging import WARNING
from pickle import UnpicklingError
from typing import Any

import torch
from mmengine.config import Config
from mmengine.fileio import list_dir_or_file
from mmengine.logging import print_log
from mmpretrain.datasets import ImageNet

from ...checkpoint.read import read_checkpoint, weights_of
from ...config.student_config import student_config
from ...config.with_label import LABEL_METRICS
from ...datasets.annotation_file import check_annotation_file
from ...datasets.dataset_names import check_num_names, innermost, names_of
from ...datasets.folder_layout import find_files
from ...datasets.unlabelled_files import find_unlabelled_files
from ...utils.deprecation import rename_keys
from ...utils.errors import KeyedValueError
from .resume import check_resumable

IMAGENET_CLASSES = 1000  # MMPretrain's ImageNet asserts this number


def check_data(cfg: Config, splits: Sequence[str]) -> None:
    """Check the data of a config: class folders, annotation files, and names of classes.

    Args:
        cfg: The config of a run. MMPretrain checks data sets of other types.
        splits: The splits to check: 'train', 'val', 'test'.

    Raises:
        FileNotFoundError: If a folder, an annotation file or an image in it does not exist.
        ValueError: If a folder has no images, if there are not as many classes as the head
            has, if labels are asked of images without, or if an annotation file is not in its
            format, has a label beyond the head's, or would be executed.
    """
    num_classes = _head_classes(cfg)
    for split in splits:
        whole = (cfg.get(f'{split}_dataloader') or {}).get('dataset', {})
        for dataset, key in innermost(whole, f'{split}_dataloader.dataset'):
            kind = str(dataset.get('type')).split('.')[-1]
            if kind == 'ImageFolder':
                _check_labels(cfg, dataset, split, key)
                _check_image_folder(dataset, key, num_classes)
            elif kind in ('ImageNet', 'CustomDataset'):
                _check_folder(dataset, kind, key, num_classes)
            check_annotation_file(dataset, key, num_classes)
            check_num_names(names_of(dataset), f'{key}.metainfo.classes', num_classes)


def _head_classes(cfg: Config) -> int | None:
    """Return the number of classes of the student's head, or of a timm student."""
    student = student_config(cfg.model)
    return (student.get('head') or student).get('num_classes')


def check_trainable(cfg: Config) -> None:
    """Check that a distillation has a teacher, and a classifier a head.

    Raises:
        KeyedValueError: If it has none.
    """
    student = student_config(cfg.model)
    is_distilled = str(cfg.model.get('type')).split('.')[-1] == 'FeatureDistill'
    if is_distilled and not cfg.model.get('teacher') and not cfg.model.get('teacher_cache'):
        raise KeyedValueError(
            f'{{model.teacher}}={cfg.model.get("teacher")!r}: nothing to learn from; wanted '
            "'timm:NAME', a config file (.py) or dict(type=...).",
            'model.teacher',
        )
    if str(student.get('type')).split('.')[-1] == 'ImageClassifier' and not student.get('head'):
        key = 'model.head' if student is cfg.model else 'model.architecture.head'
        raise KeyedValueError(
            f'{{{key}}}={student.get("head")!r}: an ImageClassifier needs a head, as '
            "dict(type='LinearClsHead', num_classes=, in_channels=); with a teacher and no "
            'labels, set with_label=False at the top of the config.',
            key,
        )


def _check_labels(cfg: Config, dataset: Mapping[str, Any], split: str, key: str) -> None:
    """Check that nothing asks for labels if a data set has none."""
    if dataset.get('with_label', True):
        return
    metrics = cfg.get(f'{split}_evaluator') or []
    kinds = [str(m.get('type')) for m in (metrics if isinstance(metrics, list) else [metrics])]
    asking = [
        f'{split}_evaluator: {kind}'
        for kind in kinds
        if kind.rpartition('.')[2] in LABEL_METRICS
    ]
    if split == 'train' and student_config(cfg.model).get('head') is not None:
        asking.append("the student's head, which has a loss of the labels")
    if asking:
        raise KeyedValueError(
            f'{{{key}.with_label}}=False: these images have no labels for {asking[0]}; set '
            'with_label=False at the top of the config, which trains a student without a head.',
            f'{key}.with_label',
        )


def _check_image_folder(dataset: Mapping[str, Any], key: str, num_classes: int | None) -> None:
    renamed = rename_keys(dict(dataset), {'val_share': 'val_ratio'}, key)
    names = ('split', 'val_ratio', 'split_seed', 'extensions')
    arguments = {'split': 'train'} | {k: renamed[k] for k in names if k in renamed}
    root = renamed.get('data_root') or ''
    with_label = renamed.get('with_label', True)
    try:
        if not with_label:
            find_unlabelled_files(root, **arguments)
            return
        found = find_files(root, **arguments)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f'{key}: {error}') from None
    what = f'{key}: data_root={root!r}, split={arguments["split"]!r}'
    _check_num_classes(len(found.files), num_classes, root, what)


def _check_num_classes(found: int, wanted: int | None, folder: str, what: str) -> None:
    if wanted is not None and found != wanted:
        raise ValueError(
            f'{what}: found {found} class folders in {folder!r}, wanted {wanted}: the '
            f'num_classes of the head. Set num_classes={found} at the top of the config if the '
            'folders are right.'
        )


def _check_folder(
    dataset: Mapping[str, Any], kind: str, key: str, num_classes: int | None
) -> None:
    root, split = dataset.get('data_root') or '', dataset.get('split') or ''
    prefix = dataset.get('data_prefix') or split
    prefix = prefix.get('img_path', '') if isinstance(prefix, dict) else prefix
    if '://' in root or dataset.get('ann_file') or dataset.get('with_label') is False:
        return
    if split == 'test' or (split and osp.isfile(osp.join(root, 'meta', f'{split}.txt'))):
        return
    folder = osp.join(osp.expanduser(root), prefix)
    what = f'{key}: data_root={root!r}' + (f', split={split!r}' if split else '')
    wanted = f'wanted {folder!r} with one folder of images per class'
    if not osp.isdir(folder):
        raise FileNotFoundError(f'{what}: there is no such folder; set data_root, {wanted}.')
    classes = list(list_dir_or_file(folder, list_file=False))
    if kind == 'ImageNet' and 'metainfo' not in dataset and len(classes) != IMAGENET_CLASSES:
        raise ValueError(
            f'{what}: found {len(classes)} class folders in {folder!r}, and '
            f"MMPretrain's ImageNet needs {IMAGENET_CLASSES}. For other classes, inherit from "
            'a config in configs/image_folder, or use its data set, '
            "type='mmvitkd.ImageFolder', as in _base_/datasets/image_folder.py."
        )
    _check_num_classes(len(classes), num_classes, folder, what)
    files = list_dir_or_file(folder, list_dir=False, recursive=True)
    extensions = tuple(dataset.get('extensions', ImageNet.IMG_EXTENSIONS))
    if not any(file.lower().endswith(extensions) for file in files):
        raise ValueError(f'{what}: there is no image in {folder!r}; {wanted}.')


def check_schedule(cfg: Config) -> None:
    """Check that every scheduler begins before training ends; warn if one ends later.

    Raises:
        ValueError: If one does not, as in a short trial of a long recipe.
    """
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    schedulers = cfg.get('param_scheduler') or []
    for i, part in enumerate(schedulers if isinstance(schedulers, list) else []):
        begin = part.get('begin', 0)
        if epochs is not None and part.get('by_epoch', True) and begin >= epochs:
            raise ValueError(
                f'param_scheduler[{i}].begin={begin}: wanted less than train_cfg.max_epochs='
                f'{epochs}. For a trial of two epochs: --cfg-options train_cfg.max_epochs=2 '
                'param_scheduler.0.end=1 param_scheduler.1.begin=1'
            )
        end = part.get('end')
        if epochs is not None and part.get('by_epoch', True) and end and end > epochs:
            print_log(
                f'param_scheduler.{i}.end={end}: training ends after train_cfg.max_epochs='
                f'{epochs}, before this scheduler does.',
                logger='current',
                level=WARNING,
            )


def check_checkpoint(cfg: Config) -> None:
    """Check the checkpoint that a run is told to start from, if any.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is truncated or no checkpoint; if it is to be resumed and lacks the
            optimizer or the schedulers, or holds pickled objects, as MMEngine's own do: torch
            would refuse it late, with a long message; or if ``load_from_new`` is not a list of
            names, or has no ``load_from``.
    """
    path, resumes = cfg.get('load_from'), cfg.get('resume') is True
    key = '--resume' if resumes else 'load_from'
    if path and '://' not in path:
        checkpoint = read_checkpoint(path, key)
        if resumes:
            _check_plain(path, key)
            check_resumable(checkpoint, path, bool(cfg.get('param_scheduler')))
        else:
            weights_of(checkpoint, path)
    new = cfg.get('load_from_new') or []
    if not isinstance(new, list | tuple) or not all(isinstance(x, str) and x for x in new):
        raise KeyedValueError(
            f"{{load_from_new}}={new!r}: wanted a list of parts, such as ['head'].",
            'load_from_new',
        )
    if new and not path and not cfg.get('resume'):
        raise KeyedValueError(
            f'{{load_from_new}}={new!r}: there is no load_from to load.', 'load_from_new'
        )


def _check_plain(path: str, key: str) -> None:
    try:
        torch.load(osp.expanduser(path), map_location='cpu', weights_only=True)
    except UnpicklingError:
        raise ValueError(
            f'{key}={path!r} was not written by mmvitkd, and a run cannot continue from it: it '
            'holds pickled objects next to its weights, as other training checkpoints do, or '
            'it holds weights alone. Use it as student_ckpt or teacher_ckpt.'
        ) from None

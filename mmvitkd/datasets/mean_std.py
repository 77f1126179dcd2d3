"""Measure the mean and standard deviation of the pixels of images."""

import os
import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS

from ..utils.errors import listed
from .annotation_file import check_annotation_file
from .dataset_names import innermost
from .transforms.load_image import MAX_PIXELS, UnreadableImageError, read_image

MEASURED = 'measured'


class MeanStd(NamedTuple):
    """Mean and standard deviation as a data preprocessor takes them, in [0, 255].

    Attributes:
        mean: Of R, G and B, over all pixels, to three decimals.
        std: Likewise.
        num_images: How many images were measured.
        unreadable: The reason for each of the others, by its path.
    """

    mean: list[float]
    std: list[float]
    num_images: int
    unreadable: dict[str, str]


def measure_mean_std(
    paths: Iterable[str], num_images: int = 2000, seed: int = 0, max_pixels: int = MAX_PIXELS
) -> MeanStd:
    """Measure all pixels of the images, or of a random sample of them.

    The result does not depend on the order of the paths.

    Args:
        paths: Image files, read as by ``mmvitkd.LoadImage``.
        num_images: Size of the sample.
        seed: Decides which images are in the sample.
        max_pixels: The largest number of pixels of an image; one with more is unreadable.

    Raises:
        ValueError: If no image can be read, or a channel is constant.
    """
    paths = sorted(paths)
    if len(paths) > num_images:
        paths = random.Random(seed).sample(paths, num_images)
    counts = np.zeros((3, 256), np.int64)
    readable, unreadable = 0, dict[str, str]()
    for path in paths:
        try:
            pixels = read_image(path, max_pixels=max_pixels)
        except UnreadableImageError as error:
            unreadable[path] = error.reason
            continue
        readable += 1
        for channel, values in enumerate(pixels.reshape(-1, 3).T[::-1]):  # BGR -> RGB
            counts[channel] += np.bincount(values, minlength=256)
    if not readable:
        raise ValueError(
            f'none of {len(paths)} images can be read: there is no mean and std. '
            f'{_listed(unreadable)}'.rstrip()
        )
    shares = counts / counts.sum(1, keepdims=True)
    levels = np.arange(256)
    mean = shares @ levels
    std = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(1))
    if not std.all():
        raise ValueError(
            f'mean={mean.tolist()}, std={std.tolist()}: cannot divide by a std of 0.'
        )
    mean, std = mean.round(3).tolist(), std.round(3).tolist()
    return MeanStd(mean, std, readable, unreadable)


def fill_measured(cfg: Config) -> None:
    """Replace ``mean='measured'`` and ``std='measured'`` in a config, in place.

    They are measured on the training images, which are read only if the config asks for it.

    Args:
        cfg: The config of a run.

    Raises:
        FileNotFoundError: If the training images do not exist.
        ValueError: If the config has no training data, or they cannot be measured.
    """
    places = [
        (node, key)
        for node in _dicts(cfg._cfg_dict)
        for key in ('mean', 'std')
        if node.get(key) == MEASURED
    ]
    if not places:
        return
    if not cfg.get('train_dataloader'):
        raise ValueError(
            f'{places[0][1]}={MEASURED!r}: the config has no train_dataloader to measure; '
            'state the numbers.'
        )
    for inner, key in innermost(cfg.train_dataloader.dataset, 'train_dataloader.dataset'):
        check_annotation_file(inner, key)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    paths = [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]
    limits = (
        node['max_pixels'] for node in _dicts(cfg.train_dataloader) if 'max_pixels' in node
    )
    measured = measure_mean_std(paths, max_pixels=next(limits, MAX_PIXELS))
    for node, key in places:
        node[key] = list(getattr(measured, key))
    if os.environ.get('RANK', '0') == '0':
        print_log(describe(measured), 'current')


def describe(measured: MeanStd) -> str:
    """Return the lines for a config, with a comment about the images."""
    unreadable = ''
    if measured.unreadable:
        count = len(measured.unreadable)
        unreadable = f'# Left out {count}, unreadable: {_listed(measured.unreadable)}\n'
    return (
        f'# Measured on {measured.num_images} images of the training split.\n{unreadable}'
        f'data_preprocessor = dict(mean={measured.mean}, std={measured.std}, to_rgb=True)'
    )


def _listed(unreadable: dict[str, str]) -> str:
    """Return the first few paths with their reasons, in a line."""
    reasons = {path: ' '.join(reason.split()) for path, reason in sorted(unreadable.items())}
    return listed([f'{path!r}: {reason}' for path, reason in reasons.items()], 3)


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    """Yield all dicts in nested dicts and lists."""
    if isinstance(node, dict):
        yield node
    if isinstance(node, dict | list | tuple):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _dicts(child)

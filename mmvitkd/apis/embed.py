"""Embed images with a model: a vector for each image of a list or a folder."""

import os
import os.path as osp
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn

from ..analysis.features.embedding_reader import EmbeddingReader
from ..analysis.features.loaded_model import LoadedModel, Preprocess
from ..analysis.runner.image_bars import image_bars
from ..analysis.runner.measure_runner import Watch
from ..datasets.folder_layout import EXTENSIONS
from ..datasets.image_batches import ImageBatches
from ..datasets.image_list import ImageList
from ..datasets.unlabelled_files import images_below
from ..utils.errors import listed
from .eval_transform import PipelineTransform
from .image_like import ImageLike, image_list, pixels_of
from .load_model import load_model

Model: TypeAlias = str | os.PathLike[str] | LoadedModel | nn.Module


class Embeddings(NamedTuple):
    """Images and their embeddings.

    Attributes:
        paths: The file of each row; ``'images[3]'`` for the fourth of a list if that is no
            file.
        embeddings: (N, C), float32, not normalised.
        unreadable: Why an image was left out, by its file.
    """

    paths: list[str]
    embeddings: np.ndarray
    unreadable: dict[str, str]


def embed(
    model: Model,
    images: ImageLike | Sequence[ImageLike],
    *,
    batch_size: int = 32,
    num_workers: int = 0,
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> Embeddings:
    """Compute the embeddings of images, prepared as in the model's own test.

    An embedding is what a classifier reads, or would: the class token after the final norm, or
    what the model pools.

    Args:
        model: The folder of an exported student or ``'timm:NAME'``; a model of
            :func:`load_student` or of ``mmpretrain.get_model``; or what :func:`load_model`
            made of a config and a checkpoint.
        images: A folder, of which all images at any depth are taken, sorted by path; or one
            image or a list of them, each a file, a PIL image, or an array (H, W, 3) of uint8 in
            RGB.
        batch_size: How many images go through the model together.
        num_workers: Processes that read images; 0 reads in this one.
        device: Where to move the model; by default it stays where it is.
        progress: Whether to draw a progress bar; by default for a folder.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        TypeError: If something is not an image, or ``model`` is not a model.
        ValueError: If there is no image, or none can be read; an embedding is not finite; or it
            is not known how to prepare images for the model, or what its embedding is.

    Example:
        >>> import mmvitkd, numpy
        >>> from mmpretrain import get_model
        >>> from mmvitkd.apis import embed
        >>> model = get_model('deit-tiny_4xb256_in1k')  # random weights
        >>> found = embed(model, [numpy.zeros((64, 64, 3), numpy.uint8)] * 2)
        >>> found.embeddings.shape, found.paths
        ((2, 192), ['images[0]', 'images[1]'])
    """
    if batch_size < 1:
        raise ValueError(f'batch_size={batch_size}: wanted 1 or more.')
    folder = _folder(images)
    names, in_memory = _named(images) if folder is None else (_files_below(folder), {})
    net, preprocess = _loaded(model)
    read = EmbeddingReader(net)
    device = device or next(net.parameters()).device
    net.to(device).eval()
    batches = ImageBatches(
        ImageList('', tuple(names), None, None),
        _Read(preprocess, in_memory),
        batch_size,
        num_workers,
    )
    rows, paths = [], []
    with _bar(folder is not None if progress is None else progress, len(names)) as watch:
        for batch in watch(batches, 'images'):
            rows.append(read(batch.images.to(device)).float().cpu())
            paths += [names[index] for index in batch.indices.tolist()]
    if not rows:
        path, reason = next(iter(batches.unreadable.items()))
        raise ValueError(
            f'images: none of {len(names)} can be read, as the first: {path!r}: {reason}.'
        )
    embeddings = torch.cat(rows)
    _check_finite(embeddings, paths)
    return Embeddings(paths, embeddings.numpy(), batches.unreadable)


def _folder(images: Any) -> str | None:
    """Return the path of a folder; None for anything else."""
    if not isinstance(images, str | os.PathLike):
        return None
    path = osp.expanduser(str(images))
    return path if osp.isdir(path) else None


def _files_below(folder: str) -> list[str]:
    """Return the paths of all images in a folder."""
    found, _ = images_below(folder)
    if not found:
        raise ValueError(
            f'images={folder!r}: there is no image ({", ".join(EXTENSIONS)}) in this folder.'
        )
    return [osp.join(folder, path) for path in found]


def _named(
    images: ImageLike | Sequence[ImageLike],
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the names of images, and the pixels of those that are no files."""
    names, in_memory = [], {}
    for index, image in enumerate(image_list(images)):
        if isinstance(image, str | os.PathLike):
            names.append(str(image))
        else:
            names.append(f'images[{index}]')
            in_memory[names[-1]] = pixels_of(image)
    return names, in_memory


class _Read:
    """Reads an image by its name."""

    def __init__(self, preprocess: Preprocess, in_memory: dict[str, np.ndarray]) -> None:
        self.preprocess, self.in_memory = preprocess, in_memory

    def __call__(self, name: str) -> Tensor:
        return self.preprocess(self.in_memory.get(name, name))


def _loaded(model: Model) -> tuple[nn.Module, Preprocess]:
    """Return a model and how images are prepared for it."""
    if isinstance(model, str | os.PathLike):
        model = load_model(str(model))
    if isinstance(model, LoadedModel):
        return model.model, model.preprocess
    if not isinstance(model, nn.Module):
        raise TypeError(
            f'model: wanted a model, its folder or what load_model returns, found '
            f'{type(model).__name__}.'
        )
    config = getattr(model, '_config', None)
    if config is None:
        raise ValueError(
            f'model: this {type(model).__name__} has no config that says how to prepare '
            'images; wanted what load_student or load_model returns.'
        )
    return model, PipelineTransform(config, model)


@contextmanager
def _bar(is_shown: bool, number: int) -> Iterator[Watch]:
    """Yield what wraps the batches: a progress bar, or nothing."""
    if not is_shown:
        yield lambda batches, name: batches
        return
    with image_bars(number, Console(stderr=True)) as watch:
        yield watch


def _check_finite(embeddings: Tensor, paths: Sequence[str]) -> None:
    """Raise ValueError if an embedding is NaN or infinite."""
    is_finite = embeddings.isfinite().all(1).tolist()
    if bad := [path for path, fine in zip(paths, is_finite, strict=True) if not fine]:
        raise ValueError(f'embeddings: NaN or infinite for {listed(bad)}.')

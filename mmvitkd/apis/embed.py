"""Embed images with a model: a vector for each image of a list or a folder."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..analysis.features.embedding_reader import EmbeddingReader
from ..utils.errors import listed
from .image_like import ImageLike
from .model_like import Model, loaded
from .named_images import NamedImages, check_batch_size


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
    check_batch_size(batch_size)
    given = NamedImages.of(images)
    net, preprocess = loaded(model)
    batches = given.batches(preprocess, batch_size, num_workers)
    read, names = EmbeddingReader(net), given.names
    device = device or next(net.parameters()).device
    net.to(device).eval()
    rows, paths = [], []
    with given.bar(progress) as watch:
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


def _check_finite(embeddings: Tensor, paths: Sequence[str]) -> None:
    """Raise ValueError if an embedding is NaN or infinite."""
    is_finite = embeddings.isfinite().all(1).tolist()
    if bad := [path for path, fine in zip(paths, is_finite, strict=True) if not fine]:
        raise ValueError(f'embeddings: NaN or infinite for {listed(bad)}.')

"""Find the images of a folder that are nearest to others, by the cosine of embeddings."""

import os.path as osp
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from .embed import embed
from .image_like import ImageLike
from .model_like import Model


class Neighbours(NamedTuple):
    """The nearest images of a query.

    Attributes:
        query: The file of the query, as ``Embeddings.paths`` names it.
        paths: The files of its neighbours, the nearest first.
        cosines: The cosine of their embeddings and the query's.
    """

    query: str
    paths: list[str]
    cosines: list[float]


class NearestNeighbours(NamedTuple):
    """What is nearest to each query.

    Attributes:
        neighbours: Those of each query, in the order of the queries.
        num_images: How many images of the folder were read.
        unreadable: Why an image of the folder was left out, by its file.
    """

    neighbours: list[Neighbours]
    num_images: int
    unreadable: dict[str, str]


def nearest_neighbours(
    model: Model,
    queries: ImageLike | Sequence[ImageLike],
    folder: str,
    k: int = 8,
    **options: Any,
) -> NearestNeighbours:
    """Find the images of a folder that are nearest to each query.

    A query that lies in the folder is not its own neighbour.

    Args:
        model: See :func:`~mmvitkd.apis.embed`.
        queries: One image or a list of them; the same.
        folder: All its images, at any depth, are compared.
        k: How many to return; all if there are fewer.
        options: Further arguments of ``embed``.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a query cannot be read, or the folder holds no other image; see also
            ``embed``.
    """
    if k < 1:
        raise ValueError(f'k={k}: wanted 1 or more.')
    if not osp.isdir(osp.expanduser(folder)):
        raise FileNotFoundError(f'{folder!r}: there is no such folder; wanted one of images.')
    asked = embed(model, queries, **options)
    for path, reason in asked.unreadable.items():
        raise ValueError(f'query {path!r} cannot be read: {reason}.')
    bank = embed(model, folder, **options)
    files = [osp.realpath(path) for path in bank.paths]
    directions = F.normalize(torch.from_numpy(bank.embeddings))
    found = []
    for query, embedding in zip(asked.paths, asked.embeddings, strict=True):
        cosines = directions @ F.normalize(torch.from_numpy(embedding), dim=0)
        others = [i for i, file in enumerate(files) if file != osp.realpath(query)]
        if not others:
            raise ValueError(f'{folder!r}: found no other image than the query {query!r}.')
        nearest = cosines[others].topk(min(k, len(others)))
        paths = [bank.paths[others[index]] for index in nearest.indices]
        found.append(Neighbours(query, paths, nearest.values.tolist()))
    return NearestNeighbours(found, len(files), bank.unreadable)

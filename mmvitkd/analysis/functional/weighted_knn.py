"""Classify embeddings by their nearest neighbours, weighted by similarity."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Similarities that are computed at once: 64 MiB in float32.
CHUNK_VALUES = 2**24


def weighted_knn(
    bank: Tensor,
    labels: Tensor,
    queries: Tensor | None = None,
    num_classes: int | None = None,
    k: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    """Return the share of the votes that each class gets.

    DINO's protocol (arXiv 2104.14294): embeddings are L2-normalised, and each of the k nearest
    of the bank votes for its class with ``exp(similarity / temperature)``, the similarity
    being the cosine.

    Args:
        bank: Embeddings whose classes are known, (M, C).
        labels: Their classes, (M,) int64, 0 to ``num_classes`` - 1.
        queries: Embeddings to classify, (Q, C). None classifies those of the bank, each by
            the others.
        num_classes: K; by default one more than the largest label.
        k: Neighbours; all if there are fewer.
        temperature: The smaller, the more the nearest count.

    Returns:
        (Q, K) float64; each row sums to 1.

    Raises:
        ValueError: If the shapes do not fit, a number is out of range, or nobody could vote.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import weighted_knn
        >>> bank = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> weighted_knn(bank, torch.tensor([0, 0, 1]), torch.tensor([[0.1, 2.0]])).argmax(1)
        tensor([1])
    """
    _check(bank, labels, queries, k, temperature)
    bank = F.normalize(bank, dim=1)
    asked = bank if queries is None else F.normalize(queries, dim=1)
    k = min(k, len(bank) - (queries is None))
    count = int(labels.max()) + 1 if num_classes is None else num_classes
    votes = bank.new_zeros(len(asked), count, dtype=torch.float64)
    size = max(1, CHUNK_VALUES // len(bank))
    for start in range(0, len(asked), size):
        part = slice(start, start + size)
        similarities = asked[part] @ bank.mT
        if queries is None:
            similarities.diagonal(start).fill_(-torch.inf)
        nearest = similarities.topk(k, dim=1)
        weights = (nearest.values.double() / temperature).softmax(1)
        votes[part].scatter_add_(1, labels[nearest.indices], weights)
    return votes


def _check(
    bank: Tensor, labels: Tensor, queries: Tensor | None, k: int, temperature: float
) -> None:
    others = bank if queries is None else queries
    if bank.dim() != 2 or others.shape[1:] != bank.shape[1:] or labels.shape != bank.shape[:1]:
        raise ValueError(
            f'bank, labels and queries: found {tuple(bank.shape)}, {tuple(labels.shape)} and '
            f'{tuple(others.shape)}, wanted (M, C), (M,) and (Q, C).'
        )
    if k < 1 or temperature <= 0:
        raise ValueError(f'k={k}, temperature={temperature}: wanted 1 or more, and above 0.')
    least = 1 + (queries is None)
    if len(bank) < least:
        raise ValueError(f'bank: found {len(bank)} embeddings, wanted {least} or more.')

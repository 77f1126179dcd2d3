"""Linear probe: classify frozen embeddings by multinomial logistic regression."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Of the training images, every fifth chooses the penalty.
CHOOSE_EVERY = 5
PENALTIES = tuple(10.0**power for power in range(0, -6, -1))
MAX_STEPS = 300


class LinearProbe(NamedTuple):
    """A fitted probe; calling it returns the logits.

    Attributes:
        weight: (C, K) float64, of standardised channels.
        bias: (K,).
        mean: (C,) of the training embeddings.
        std: Their standard deviations; 1 for a constant channel.
        penalty: The penalty it was fitted with.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor
    penalty: float

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Return logits (B, K) of embeddings (B, C)."""
        return (embeddings.double() - self.mean) / self.std @ self.weight + self.bias


def fit_linear_probe(
    embeddings: Tensor,
    labels: Tensor,
    num_classes: int | None = None,
    penalties: Sequence[float] = PENALTIES,
) -> LinearProbe:
    """Fit a multinomial logistic regression to frozen embeddings.

    The protocols of DINOv2 and DINOv3 (arXiv 2304.07193, 2508.10104) train linear layers for
    12,500 iterations of SGD on augmented images, over a grid of learning rates, and report the
    best on the test set. This one is fitted to data sets of some 10^2 to 10^5 images: each is
    embedded once, without augmentation; channels are standardised; the problem
    ``mean cross-entropy + penalty / 2 * |W|^2``, which is convex, is solved by L-BFGS in
    float64, so that no learning rate is chosen; and the penalty with the most hits on every
    fifth training image (of equals the largest) is used to fit all of them. Held-out images
    choose nothing.

    Args:
        embeddings: (M, C).
        labels: (M,) int64, 0 to K - 1.
        num_classes: K; by default one more than the largest label.
        penalties: The candidates, each above 0; with one, no image is set apart.

    Raises:
        ValueError: If the shapes do not fit, or there are fewer than two classes.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import fit_linear_probe
        >>> labels = torch.arange(40) % 2
        >>> embeddings = torch.randn(40, 3) + 20 * labels[:, None]
        >>> (fit_linear_probe(embeddings, labels)(embeddings).argmax(1) == labels).all()
        tensor(True)
    """
    if embeddings.dim() != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f'embeddings and labels: found {tuple(embeddings.shape)} and '
            f'{tuple(labels.shape)}, wanted (M, C) and (M,).'
        )
    if not penalties or min(penalties) <= 0:
        raise ValueError(f'penalties={penalties!r}: wanted one or more numbers above 0.')
    classes = labels.unique()
    if len(classes) < 2:
        raise ValueError(f'labels: found {len(classes)} class, wanted two or more.')
    count = int(labels.max()) + 1 if num_classes is None else num_classes
    ordered = sorted(penalties, reverse=True)
    penalty = ordered[0]
    if len(ordered) > 1 and len(labels) >= CHOOSE_EVERY:
        penalty = _choose(embeddings, labels, count, ordered)
    return _fit(embeddings, labels, count, [penalty])[0]


def _choose(
    embeddings: Tensor, labels: Tensor, num_classes: int, penalties: Sequence[float]
) -> float:
    """Return the penalty that is best on every fifth image of each class."""
    apart = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        (places,) = (labels == label).nonzero(as_tuple=True)
        apart[places[CHOOSE_EVERY - 1 :: CHOOSE_EVERY]] = True
    if not apart.any():  # no class has five images
        apart[CHOOSE_EVERY - 1 :: CHOOSE_EVERY] = True
    probes = _fit(embeddings[~apart], labels[~apart], num_classes, penalties)
    hits = [int((p(embeddings[apart]).argmax(1) == labels[apart]).sum()) for p in probes]
    return penalties[hits.index(max(hits))]


def _fit(
    embeddings: Tensor, labels: Tensor, num_classes: int, penalties: Sequence[float]
) -> list[LinearProbe]:
    """Fit a probe for each penalty, beginning with the solution of the one before."""
    x = embeddings.detach().double()
    mean, std = x.mean(0), x.std(0, correction=0)
    # What rounding leaves of a constant channel is not a signal.
    std = torch.where(std > 1e-9 * (mean.abs() + std), std, torch.ones_like(std))
    x = (x - mean) / std
    parameters = x.new_zeros(x.shape[1] + 1, num_classes).requires_grad_()
    return [
        LinearProbe(*_minimise(x, labels, parameters, penalty), mean, std, penalty)
        for penalty in penalties
    ]


def _minimise(
    x: Tensor, labels: Tensor, parameters: Tensor, penalty: float
) -> tuple[Tensor, Tensor]:
    """Minimise the penalised cross-entropy in place; return weight and bias."""
    optimizer = torch.optim.LBFGS(
        [parameters],
        max_iter=MAX_STEPS,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn='strong_wolfe',
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        weight, bias = parameters[:-1], parameters[-1]
        loss = F.cross_entropy(x @ weight + bias, labels)
        loss = loss + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    solved = parameters.detach().clone()
    return solved[:-1], solved[-1]

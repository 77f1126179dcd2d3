"""Run the baseline: a hand-written training step in bare PyTorch.

Only the two networks are MMPretrain's, timm's or ours, as plain modules.
"""

from math import isqrt
from typing import Any

from mmvitkd.cache.codecs import Codec, Int8Tokens, TopKLogits

import numpy as np
import torch
import torch.nn.functional as F
from recipe import Recipe
from torch import Tensor, nn
from training_pair import TrainingPair

# Small, so that all candidates time the same weights.
LEARNING_RATE = 1e-6
TOP_K = 20  # logits that a cache keeps; all where there are no more


class WithFeatures(nn.Module):
    """A network that also returns the outputs of some of its modules."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network = network
        self.features: dict[str, Tensor] = {}
        for name in names:
            network.get_submodule(name).register_forward_hook(self._keep(name))

    def _keep(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self.features[name] = output

        return hook

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits (B, K), and tokens (B, N, C) by the name of the module."""
        self.features = {}
        logits = self.network(images)
        features, self.features = self.features, {}
        return logits, features


class BareLoop:
    """Teacher forward, student forward, losses, backward, AdamW.

    Args:
        pair: The pair to train.
        compiled: Whether to compile both networks, and to fuse AdamW.
        distil: Whether there is a teacher; otherwise the student learns from labels only.

    Attributes:
        stored: Whether it learns from what a teacher cache keeps of the teacher's outputs.
    """

    def __init__(self, pair: TrainingPair, compiled: bool = False, distil: bool = True) -> None:
        self.pair, self.recipe, self.stored = pair, pair.recipe, False
        self.mean, self.std = pair.normalization()
        layers = pair.recipe.layers if distil else ()
        student = pair.student().to(pair.device)
        self.student: Any = WithFeatures(student, [name for name, _ in layers])
        self.layers, self.teacher = layers, None
        if distil:
            teacher = pair.teacher().to(pair.device)
            self.teacher = WithFeatures(teacher, [name for _, name in layers])
        self.optimizer = adamw(student, pair.recipe, fused=compiled)
        if compiled:
            plain_rates(student)
            self.student = torch.compile(self.student)
            self.teacher = self.teacher and torch.compile(self.teacher)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return a batch as a loader does."""
        return self.pair.plain_batch()

    def step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Train on a batch."""
        loss = sum(self.losses(batch).values())
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def loss(self) -> float:
        """Return the loss of the batch, without a step."""
        return sum(self.losses(self.batch()).values()).item()

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the terms of the loss: 'labels', with a teacher also 'logits', 'features'."""
        images, labels = (x.to(self.pair.device, non_blocking=True) for x in batch)
        images = (images.float() - self.mean) / self.std
        recipe = self.recipe
        with self.pair.autocast():
            if self.teacher is None:
                logits, _ = self.student(images)
                smoothing = recipe.label_smoothing
                found = F.cross_entropy(logits, labels, label_smoothing=smoothing)
                return dict(labels=recipe.label_weight * found)
            with torch.no_grad():
                targets, taught = self.teacher(images)
            logits, learned = self.student(images)
            return terms(recipe, logits, labels, targets, learned, taught, self.stored)


def terms(
    recipe: Recipe,
    logits: Tensor,
    labels: Tensor,
    targets: Tensor,
    learned: dict[str, Tensor],
    taught: dict[str, Tensor],
    stored: bool = False,
) -> dict[str, Tensor]:
    """Return the weighted terms of a distillation's loss.

    Args:
        recipe: Weights, temperature and layers.
        logits: The student's, (B, K).
        labels: (B,).
        targets: The teacher's logits, (B, K).
        learned: The student's tokens (B, N, C), by module.
        taught: The teacher's.
        stored: Whether the teacher's are as a cache keeps them.
    """
    smoothing = recipe.label_smoothing
    labelled = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    found = dict(labels=recipe.label_weight * labelled)
    if recipe.kd_weight:
        if stored and targets.shape[1] > TOP_K:
            targets = as_stored(targets, TopKLogits(targets.shape[1], TOP_K))
        t = recipe.temperature
        sides = F.log_softmax(logits / t, dim=1), F.softmax(targets / t, dim=1)
        divergence = t**2 * F.kl_div(*sides, reduction='batchmean')
        found['logits'] = recipe.kd_weight * divergence
    errors = [feature_error(learned[s], taught[t], stored) for s, t in recipe.layers]
    if errors:
        found['features'] = recipe.feature_weight * torch.stack(errors).sum()
    return found


def feature_error(student: Tensor, teacher: Tensor, stored: bool = False) -> Tensor:
    """Return the mean squared error of two blocks' patch tokens, pooled to the smaller width.

    Args:
        student: (B, N, C); N is a square grid, after a few other tokens.
        teacher: (B, N', C'), with the same grid.
        stored: Whether the teacher's are as a cache keeps them, after pooling.
    """
    student, teacher = (x[:, x.shape[1] - isqrt(x.shape[1]) ** 2 :] for x in (student, teacher))
    width = min(student.shape[2], teacher.shape[2])
    student, teacher = (
        x if x.shape[2] == width else F.adaptive_avg_pool1d(x, width)
        for x in (student.float(), teacher.float())
    )
    if stored:
        teacher = as_stored(teacher, Int8Tokens(tuple(teacher.shape[1:])))
    return F.mse_loss(student, teacher)


def as_stored(x: Tensor, codec: Codec) -> Tensor:
    """Return a batch as it comes back from a cache."""
    return codec.decode(codec.encode(x))


def adamw(network: nn.Module, recipe: Recipe, fused: bool) -> torch.optim.Optimizer:
    """Build AdamW with two groups: matrices, which decay, and vectors, which do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        dict(params=[p for p in parameters if p.dim() > 1], weight_decay=recipe.weight_decay),
        dict(params=[p for p in parameters if p.dim() <= 1], weight_decay=0.0),
    ]
    fusing = dict(fused=True) if fused else {}
    return torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=recipe.betas, **fusing)


def plain_rates(network: nn.Module) -> None:
    """Replace numpy floats, at which a compiled MMPretrain ViT would break its graph."""
    for module in network.modules():
        if isinstance(getattr(module, 'drop_prob', None), np.floating):
            module.drop_prob = float(module.drop_prob)

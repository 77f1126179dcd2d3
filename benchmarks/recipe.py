"""Read the numbers of a distillation's losses and optimizer for the bare loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

# The losses that the bare loop supports.
LOGITS, FEATURES = 'KLDivergence', 'FeatureMSELoss'


@dataclass(frozen=True)
class Recipe:
    """The numbers of a distillation.

    Attributes:
        label_smoothing: Label smoothing of the cross-entropy.
        label_weight: The factor of the cross-entropy.
        kd_weight: The factor of the logits' divergence; 0 if it is not part of the loss.
        temperature: The temperature of both sides' logits.
        layers: The (student module, teacher module) of each pair.
        feature_weight: The factor of each pair's mean squared error.
        weight_decay: Weight decay of weights, not of biases and norms.
        betas: The betas of AdamW.
    """

    label_smoothing: float
    label_weight: float
    kd_weight: float
    temperature: float
    layers: tuple[tuple[str, str], ...]
    feature_weight: float
    weight_decay: float
    betas: tuple[float, float]


def recipe_of(cfg: Config, distiller: Mapping[str, Any]) -> Recipe:
    """Read the numbers from a config.

    Args:
        cfg: The config of a distillation.
        distiller: The full config of its distiller, with the pairs expanded.

    Raises:
        ValueError: If the bare loop lacks a loss, or feature losses have different factors.
    """
    losses = distiller['distill_losses']
    logits, layers, weights = dict(loss_weight=0.0), [], set()
    for name, mapping in distiller['loss_forward_mappings'].items():
        loss = losses[name]
        kind = str(loss['type']).split('.')[-1]
        if kind == LOGITS:
            logits = loss
        elif kind == FEATURES:
            weights.add(loss.get('loss_weight', 1.0))
            layers.append((_source(distiller, mapping, 'S'), _source(distiller, mapping, 'T')))
        else:
            raise ValueError(
                f'--pair: {name} is a {kind}; the bare loop has {LOGITS} and {FEATURES}.'
            )
    if len(weights) > 1:
        raise ValueError(f'--pair: wanted one factor for all {FEATURES}, found {weights}.')
    labels = cfg.model.architecture.head.get('loss') or {}
    optimizer = cfg.optim_wrapper.optimizer
    return Recipe(
        label_smoothing=labels.get('label_smooth_val', 0.0),
        label_weight=labels.get('loss_weight', 1.0),
        kd_weight=logits.get('loss_weight', 1.0),
        temperature=logits.get('tau', 1.0),
        layers=tuple(layers),
        feature_weight=weights.pop() if weights else 0.0,
        weight_decay=optimizer.get('weight_decay', 0.01),
        betas=tuple(optimizer.get('betas', (0.9, 0.999))),
    )


def _source(distiller: Mapping[str, Any], mapping: Mapping[str, Any], side: str) -> str:
    """Return the module that a side of a loss is recorded from."""
    role = {'S': 'student', 'T': 'teacher'}[side]
    return distiller[f'{role}_recorders'][mapping[f'preds_{side}']['recorder']]['source']

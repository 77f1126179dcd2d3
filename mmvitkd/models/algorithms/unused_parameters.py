"""Find what a distillation would not train: parameters that no loss depends on."""

from typing import Any

import torch
from mmpretrain.structures import DataSample

from ...checkpoint.read import STUDENT_PREFIX
from ...utils.errors import KeyedValueError, listed
from .dry_run import ANY_SIZE, trial_size


def unused_parameters(algorithm: Any) -> list[str]:
    """Return the trained parameters that get no gradient, by their names.

    One blank image goes through both models, in eval mode: no random number is drawn and no
    statistic changes.

    Args:
        algorithm: A ``FeatureDistill`` with its teacher.
    """
    named = {n: p for n, p in algorithm.named_parameters() if p.requires_grad}
    if not named:
        return []
    device = next(iter(named.values())).device
    blank = torch.zeros(1, 3, *(trial_size(algorithm) or ANY_SIZE), device=device)
    samples = [DataSample().set_gt_label(torch.zeros(1, dtype=torch.long, device=device))]
    training = algorithm.training
    algorithm.eval()
    try:
        with (
            torch.compiler.set_stance('force_eager'),
            torch.enable_grad(),
            algorithm.records(blank, samples, dry_run=True) as losses,
        ):
            losses = {**losses, **algorithm.distiller.compute_distill_losses()}
            total, _ = algorithm.parse_losses(losses)
        gradients = torch.autograd.grad(total, [*named.values()], allow_unused=True)
    finally:
        algorithm.train(training)
    return [n for n, gradient in zip(named, gradients, strict=True) if gradient is None]


def unused_message(names: list[str]) -> KeyedValueError:
    """Return the error for parameters that get no gradient, with what to do about them."""
    parts = dict.fromkeys(_part(name.removeprefix(STUDENT_PREFIX)) for name in names)
    return KeyedValueError(
        f'{{architecture}}: no loss depends on {listed(list(parts))}, so nothing would train '
        "it, and DDP would fail. Distil it (('embedding', 'embedding') in pairs reads the "
        'final norm), leave it out (backbone.final_norm=False), freeze it, or set '
        '{find_unused_parameters}=True.',
        'architecture',
        'find_unused_parameters',
    )


def _part(name: str) -> str:
    """Return the module of a weight or bias; of another parameter, its name."""
    module, _, last = name.rpartition('.')
    return module if last in ('weight', 'bias') else name

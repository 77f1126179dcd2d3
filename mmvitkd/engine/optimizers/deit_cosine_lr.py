"""Schedule the learning rate as DeiT's training code does: by epoch, and one epoch late."""

import math
from typing import Any

from mmengine.optim.scheduler import CosineAnnealingLR

from ...registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class DeiTCosineLR(CosineAnnealingLR):  # type: ignore[misc]  # MMEngine is untyped
    """timm's ``CosineLRScheduler``, stepped as in DeiT's code and that of arXiv 2511.15572.

    That code calls ``step(epoch)`` after an epoch, with the number of the epoch that has ended.
    So epochs 0 and 1 have the first rate of the warm-up, and every later one the rate that timm
    means for the epoch before it. The cosine runs over all epochs, the warm-up included: where
    the warm-up ends, it has already fallen a little.

    ``eta_min`` and ``warmup_lr`` are absolute. Only the highest rate, the optimizer's ``lr``,
    scales with the batch size.

    Args:
        optimizer: The optimizer, or its wrapper.
        eta_min: Where the cosine ends.
        warmup_epochs: Epochs of the warm-up.
        warmup_lr: Where the warm-up starts.
        kwargs: Further arguments of ``CosineAnnealingLR``. ``T_max``, the length of the cosine,
            is that of the training if it is not given; the rate stays at ``eta_min`` after it.

    Raises:
        ValueError: If the schedule is to be by iteration.
    """

    def __init__(
        self,
        optimizer: Any,
        eta_min: float = 1e-5,
        warmup_epochs: int = 5,
        warmup_lr: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        if not kwargs.get('by_epoch', True):  # which convert_to_iter_based sets, too
            raise ValueError(
                'by_epoch=False: DeiTCosineLR changes once per epoch. Remove by_epoch and '
                'convert_to_iter_based; or use LinearLR and CosineAnnealingLR.'
            )
        self.warmup_epochs, self.warmup_lr = warmup_epochs, warmup_lr
        super().__init__(optimizer, eta_min=eta_min, **kwargs)

    def _get_value(self) -> list[float]:
        return [self._rate(base, max(self.last_step - 1, 0)) for base in self.base_values]

    def _rate(self, base: float, epoch: int) -> float:
        """Return timm's rate of an epoch for a highest rate of `base`."""
        if epoch < self.warmup_epochs:
            return self.warmup_lr + epoch * (base - self.warmup_lr) / self.warmup_epochs
        if epoch >= self.T_max:
            return float(self.eta_min)
        cosine = math.cos(math.pi * epoch / self.T_max)
        return float(self.eta_min + 0.5 * (base - self.eta_min) * (1 + cosine))

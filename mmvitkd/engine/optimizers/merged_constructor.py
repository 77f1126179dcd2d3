"""Merge optimizer parameter groups: one per set of options instead of one per parameter."""

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from torch import nn

from ...registry import OPTIM_WRAPPER_CONSTRUCTORS

# Keys that say which parameters are in a group, and do not affect their update.
NAMES = ('params', 'param_name')


def merge_groups(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge the groups whose options are equal.

    Args:
        groups: The parameter groups of an optimizer.

    Returns:
        One group for each set of options. Groups and parameters keep the order of their first
        appearance, so that MMEngine logs the same learning rate, the first group's.
    """
    merged: list[tuple[dict[str, Any], list[nn.Parameter]]] = []
    for group in groups:
        options = {key: value for key, value in group.items() if key not in NAMES}
        for same, params in merged:
            if same == options:
                params += group['params']
                break
        else:
            merged.append((options, list(group['params'])))
    return [{'params': params, **options} for options, params in merged]


class MergeGroupsMixin:
    """Merge the groups of a constructor that has MMEngine's ``add_params``."""

    def add_params(
        self, params: list[dict[str, Any]], module: nn.Module, prefix: str = '', **kwargs: Any
    ) -> None:
        """Add all parameters of a module; MMEngine calls this again for its children."""
        super().add_params(params, module, prefix=prefix, **kwargs)  # type: ignore[misc]
        if not prefix:
            params[:] = merge_groups(params)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedOptimWrapperConstructor(
    MergeGroupsMixin,
    DefaultOptimWrapperConstructor,  # type: ignore[misc]  # MMEngine is untyped
):
    """MMEngine's ``DefaultOptimWrapperConstructor`` with few, large parameter groups.

    With a ``paramwise_cfg`` MMEngine makes one group per parameter, so that PyTorch's
    optimizers update one parameter at a time, even with ``foreach`` or ``fused``. The trained
    weights are equal to the bit, except with ``clip_grad``, which then sums the norm of all
    gradients in another order.

    The optimizer state in a checkpoint fits only the constructor that it was trained with: to
    resume a run that used MMEngine's, set
    ``optim_wrapper.constructor=DefaultOptimWrapperConstructor``.
    """


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedLearningRateDecayOptimWrapperConstructor(
    MergeGroupsMixin,
    LearningRateDecayOptimWrapperConstructor,  # type: ignore[misc]  # MMPretrain is untyped
):
    """MMPretrain's ``LearningRateDecayOptimWrapperConstructor``, merged in the same way."""

"""Optimizer parameter groups: one for each set of options instead of one a parameter."""

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from torch import nn

from ...registry import OPTIM_WRAPPER_CONSTRUCTORS

# What says which parameter a group is for, and changes nothing for it.
NAMES = ('params', 'param_name')


def merge_groups(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge the groups whose options are equal.

    Args:
        groups: Parameter groups, as an optimizer takes them.

    Returns:
        One group for each set of options. They and the parameters in them are in the order
        of their first appearance: the rate that MMEngine logs, the first group's, stays.
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


class MergesGroups:
    """What a constructor with an ``add_params`` like MMEngine's needs to merge its groups."""

    def add_params(
        self, params: list[dict[str, Any]], module: nn.Module, prefix: str = '', **kwargs: Any
    ) -> None:
        """Add all parameters of a module; MMEngine calls it again for its children."""
        super().add_params(params, module, prefix=prefix, **kwargs)  # type: ignore[misc]
        if not prefix:
            params[:] = merge_groups(params)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedOptimWrapperConstructor(MergesGroups, DefaultOptimWrapperConstructor):
    """MMEngine's ``DefaultOptimWrapperConstructor`` with few, large parameter groups.

    With a ``paramwise_cfg`` MMEngine makes one group of each parameter, so that PyTorch's
    optimizers update parameter after parameter, whatever ``foreach`` or ``fused`` say. The
    trained weights are the same to the bit, except under ``clip_grad``: the norm of all
    gradients is then summed in another order.

    A checkpoint's optimizer fits the constructor it was made with: to resume one of
    MMEngine's, set ``optim_wrapper.constructor=DefaultOptimWrapperConstructor``.
    """


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedLearningRateDecayOptimWrapperConstructor(
    MergesGroups, LearningRateDecayOptimWrapperConstructor
):
    """MMPretrain's ``LearningRateDecayOptimWrapperConstructor``, merged likewise."""

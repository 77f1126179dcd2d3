"""Start the LayerNorm of a student's feature at the statistics of its target."""

from typing import Any, NamedTuple

import torch
from torch import nn

from ...utils.errors import KeyedValueError
from ..connectors import ProjectorConnector, TargetTokens
from ..necks import LiftProjector
from ..utils.distiller_checks import PAIR

KEY = 'norm_from_target'


class TargetNorm(NamedTuple):
    """A LayerNorm whose output is compared with a target.

    Attributes:
        norm: The LayerNorm, with scale and shift.
        target: The target.
    """

    norm: nn.LayerNorm
    target: TargetTokens

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
    def start(self) -> None:
        """Give each channel the target's standard deviation as scale, and its mean as shift."""
        mean, std = self.target.target_moments()
        self.norm.weight.copy_(std)
        self.norm.bias.copy_(mean)


def target_norms(distiller: Any, student: nn.Module) -> list[TargetNorm]:
    """Return the LayerNorms that ``pairs`` compare with a target, one for each pair.

    Args:
        distiller: The distiller, whose pairs have targets with statistics.
        student: The student.

    Raises:
        ValueError: If what is compared is not the output of a LayerNorm of the target's width.
    """
    found = []
    modules = dict(student.named_modules())
    for name, mapping in distiller.loss_forward_mappings.items():
        pair = name.removeprefix(f'loss_{PAIR}')
        if not pair.isdigit():  # a further loss of a pair, or one of something else
            continue
        target = distiller.connectors[mapping['preds_T']['connector']]
        if not isinstance(target, TargetTokens):
            continue
        connector = distiller.connectors[mapping['preds_S']['connector']]
        source = distiller.student_recorders.recorders[f'{PAIR}{pair}'].source
        norm = modules[source]
        if isinstance(norm, LiftProjector):  # which returns its norm's output
            norm = norm.norm
        if isinstance(connector, ProjectorConnector):
            norm = nn.Identity() if connector.norm_first else connector.norm
        width = len(target.mean)
        if not isinstance(norm, nn.LayerNorm) or tuple(norm.normalized_shape) != (width,):
            raise KeyedValueError(
                f'{{{KEY}}}=True: pairs[{pair}] compares the output of {source!r}'
                f'{", projected" if isinstance(connector, ProjectorConnector) else ""}, which '
                f'is no LayerNorm of {width} channels. Wanted Lift (neck.norm), or '
                "pair_projector with norm='LN' and without norm_first.",
                KEY,
            )
        found.append(TargetNorm(norm, target))
    return found

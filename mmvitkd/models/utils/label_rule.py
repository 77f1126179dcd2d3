"""Find which classes a classifier says that an image has, where it may have several."""

from typing import NamedTuple

from mmpretrain.models.heads import MultiLabelClsHead
from torch import nn


class LabelRule(NamedTuple):
    """Which classes an image has, by their scores: the sigmoid of each logit.

    Attributes:
        threshold: The least score of a class that the image has; None if ``top`` decides.
        top: How many classes an image has, those with the highest scores.
    """

    threshold: float | None
    top: int | None

    def __str__(self) -> str:
        if self.threshold is None:
            return f'the {self.top} classes with the highest scores'
        return f'every class with a score of {self.threshold:g} or more'


def label_rule(model: nn.Module) -> LabelRule | None:
    """Return the rule of a multi-label head; None if an image has one class."""
    head = getattr(model, 'head', None)
    if not isinstance(head, MultiLabelClsHead):
        return None
    # The threshold counts if the head has both.
    return LabelRule(head.thr, head.topk if head.thr is None else None)

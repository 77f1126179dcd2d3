"""Compute the features that a distillation compares, as its losses get them."""

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from ..teachers import CachedTeacher
from .loss_inputs import loss_inputs


def compared_features(
    model: Any, images: Tensor, data_samples: Sequence[DataSample] | None = None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Run both models; return what each loss compares, after connectors and ``align``.

    Losses that compare no features, such as those of logits, are left out.

    Args:
        model: A ``FeatureDistill`` with a teacher, in eval mode. A teacher that is read from a
            cache is built, as it has not stored images other than those of the training.
        images: (B, 3, H, W), normalised for the student.
        data_samples: Those of the images, if the teacher needs them. No label is needed: the
            student's own loss, computed on the way, does not count.

    Returns:
        The student's and the teacher's tokens (B, N, C), by the names of the losses without
        'loss_'. An embedding is one token.
    """
    if isinstance(model.teacher, CachedTeacher):
        model.teacher.build_live()
    samples = [_labelled(sample) for sample in data_samples or [DataSample() for _ in images]]
    found = {}
    with torch.no_grad(), model.records(images, samples):
        for each in loss_inputs(model.distiller):
            try:
                found[each.name] = each.compared(each.recorded(model.distiller))
            except ValueError:  # no features
                continue
    return found


def _labelled(sample: DataSample) -> DataSample:
    """Return a sample with a label, any if it has none."""
    return sample if 'gt_label' in sample else sample.clone().set_gt_label(0)

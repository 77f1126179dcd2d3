"""Compute the features that a distillation compares, as its losses get them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from ..losses.align_features import align
from ..teachers import CachedTeacher
from ..utils.distiller_checks import PAIR
from ..utils.features import Features


def compared_features(
    model: Any, images: Tensor, data_samples: Sequence[DataSample] | None = None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Run both models; return what each loss compares, after connectors and ``align``.

    A loss counts if it compares one tensor of the student with one of the teacher, and they are
    features: vectors (B, C) count in ``pairs`` alone, as elsewhere they are logits.

    Args:
        model: A ``FeatureDistill`` with a teacher, in eval mode. A teacher that is read from a
            cache is built, as it has not stored images other than those of the training.
        images: (B, 3, H, W), normalised for the student.
        data_samples: Those of the images, if the teacher needs them. No label is needed: the
            student's own loss, computed on the way, does not count.

    Returns:
        The student's and the teacher's rows (B, N, C), or (B, C), by the names of the losses
        without 'loss_'.
    """
    if isinstance(model.teacher, CachedTeacher):
        model.teacher.build_live()
    samples = [_labelled(sample) for sample in data_samples or [DataSample() for _ in images]]
    found = {}
    with torch.no_grad(), model.records(images, samples):
        for loss, mapping in model.distiller.loss_forward_mappings.items():
            rows = _rows(model.distiller, mapping, loss.startswith(f'loss_{PAIR}'))
            if rows is not None:
                found[loss.removeprefix('loss_')] = rows
    return found


def _labelled(sample: DataSample) -> DataSample:
    """Return a sample with a label, any if it has none."""
    return sample if 'gt_label' in sample else sample.clone().set_gt_label(0)


def _rows(
    distiller: Any, mapping: Mapping[str, Mapping[str, Any]], is_pair: bool
) -> tuple[Tensor, Tensor] | None:
    """Return the rows that a loss compares, or None if they are no features."""
    sides = [[], []]  # type: list[list[Any]]
    for record in mapping.values():
        sides[record['from_student']].append(distiller.get_record(**record))
    if [len(side) for side in sides] != [1, 1]:
        return None
    (teacher,), (student,) = sides
    if all(isinstance(x, Features) or _dims(x) == 4 for x in (student, teacher)):
        features = align(student, teacher)
        return features[0].tokens, features[1].tokens
    dims = {_dims(student), _dims(teacher)}
    if dims not in ({3}, {2} if is_pair else {3}) or student.shape != teacher.shape:
        return None
    return student, teacher


def _dims(value: Any) -> int:
    return value.dim() if isinstance(value, Tensor) else 0

"""Measure the accuracy of each class, and which classes are taken for which."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from ..registry import METRICS
from ..utils.errors import KeyedValueError
from .confusion_report import class_rows, write_confusion


@METRICS.register_module()
class PerClass(BaseMetric):  # type: ignore[misc]  # MMEngine is untyped
    """Write the accuracy of each class and the confusion matrix into a folder.

    The files are those of
    :func:`~mmvitkd.metrics.confusion_report.write_confusion`. The metric
    ``per_class/mean_accuracy`` is the mean of the classes' accuracies in percent. As in
    ``mmvitkd.Accuracy``, an image that cannot be read counts as wrong.

    Args:
        out_dir: The folder.
        kwargs: Further arguments of MMEngine's ``BaseMetric``.

    Attributes:
        rows: What the table has for each class, after the evaluation, on the first rank.
    """

    default_prefix = 'per_class'

    def __init__(self, out_dir: str | Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out_dir = Path(out_dir)
        self.rows: list[list[str]] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the labels and predictions of a batch.

        Raises:
            KeyedValueError: If an image has several labels, or none.
        """
        for sample in data_samples:
            label, scores = sample.get('gt_label'), sample.get('pred_score')
            if label is None or label.numel() != 1 or scores is None:
                raise KeyedValueError(
                    '{per_class}: wanted a single-label classifier, and one label for each '
                    'image.',
                    'per_class',
                )
            # The column after those of the classes is of images that cannot be read.
            number = len(scores)
            found = number if sample.get('unreadable') else int(scores.argmax())
            self.results.append((int(label), found, number))

    def compute_metrics(self, results: list[tuple[int, int, int]]) -> dict[str, float]:
        """Write the files; return the mean accuracy of the classes that have images."""
        labels, found, numbers = np.array(results).T
        counts = np.zeros((numbers[0], numbers[0] + 1), int)
        np.add.at(counts, (labels, found), 1)
        names = (self.dataset_meta or {}).get('classes') or range(len(counts))
        names = [str(name) for name in names]
        self.rows = class_rows(counts, names)
        write_confusion(self.out_dir, counts, names)
        MMLogger.get_current_instance().info(f'per_class: wrote the tables to {self.out_dir}')
        totals = counts.sum(1)
        accuracies = 100 * counts.diagonal()[totals > 0] / totals[totals > 0]
        return {'mean_accuracy': float(accuracies.mean())}

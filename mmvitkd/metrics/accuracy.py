"""Measure top-k accuracy, counting unreadable images as wrong."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.logging import MMLogger
from mmpretrain.evaluation import Accuracy as _Accuracy

from ..registry import METRICS

NO_CLASS = -1  # a label that no prediction equals


@METRICS.register_module()
class Accuracy(_Accuracy):  # type: ignore[misc]  # MMPretrain is untyped
    """MMPretrain's ``Accuracy``, which counts unreadable images as wrong.

    An image that ``mmvitkd.ImageFolder`` could not read is wrong for every k and threshold,
    whatever the model predicts for the black image in its place. Each is logged once by name;
    if there are any, ``accuracy/unreadable`` is their number. The arguments are MMPretrain's.
    """

    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(type='Accuracy')

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._logged: set[str] = set()

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the predictions and labels of a batch."""
        start = len(self.results)
        super().process(data_batch, data_samples)
        for result, sample in zip(self.results[start:], data_samples, strict=True):
            if unreadable := sample.get('unreadable'):
                result['gt_label'] = torch.full_like(result['gt_label'], NO_CLASS)
                # The first is the sample's own image; the others were tried in its place.
                result['unreadable'] = next(iter(unreadable.items()))

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Compute the accuracies in percent, and the number of unreadable images if not 0.

        Args:
            results: One for each image of the data set, gathered from all processes by
                MMEngine, without the padding of the last batch.
        """
        metrics: dict[str, float] = super().compute_metrics(results)
        unreadable = [result['unreadable'] for result in results if 'unreadable' in result]
        for path, reason in unreadable:
            if path not in self._logged:
                self._logged.add(path)
                MMLogger.get_current_instance().warning(
                    f'Unreadable image, counted as wrong: {path}: {reason}'
                )
        if unreadable:
            metrics['unreadable'] = len(unreadable)
        return metrics

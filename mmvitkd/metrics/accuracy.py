"""Top-k accuracy in which an image that cannot be read counts as wrong."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.logging import MMLogger
from mmpretrain.evaluation import Accuracy as _Accuracy

from ..registry import METRICS

NO_CLASS = -1


@METRICS.register_module()
class Accuracy(_Accuracy):
    """MMPretrain's ``Accuracy`` with its arguments, and one difference.

    An image that ``mmvitkd.ImageFolder`` could not read counts as wrong for every k and
    threshold, whatever the model says of the black image in its place. Each is logged by
    name once; where there are any, ``accuracy/unreadable`` is their number.
    """

    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(type='Accuracy')

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._logged: set[str] = set()

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what is needed of a batch's predictions."""
        start = len(self.results)
        super().process(data_batch, data_samples)
        for result, sample in zip(self.results[start:], data_samples, strict=True):
            if unreadable := sample.get('unreadable'):
                result['gt_label'] = torch.full_like(result['gt_label'], NO_CLASS)
                # Its own; after it come those that were tried in its place.
                result['unreadable'] = next(iter(unreadable.items()))

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """The accuracies in percent, and the number of unreadable images if not 0.

        Args:
            results: One for each image of the data set: MMEngine has gathered them from all
                processes, and dropped what the last batch was filled up with.
        """
        metrics = super().compute_metrics(results)
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

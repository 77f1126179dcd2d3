"""Measure the accuracy of a weighted k-NN on embeddings, which needs no head."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.evaluator import BaseMetric

from ..analysis.functional.weighted_knn import weighted_knn
from ..registry import METRICS


@METRICS.register_module()
class KNNAccuracy(BaseMetric):  # type: ignore[misc]  # MMEngine is untyped
    """Classify each validation image by the others: ``knn/top1``, in percent.

    DINO's weighted k-NN (arXiv 2104.14294) on the cosine of embeddings, leave-one-out within
    the validation set: it needs no training images, whose embeddings change in every epoch, and
    follows a student that has no head and no label loss. It is lower than the k-NN against the
    training images of tools/evaluate_features.py, as its bank is smaller.

    Each validation image takes 4 C bytes on the CPU of its process, and of the first process
    when they are gathered: 77 MB for 50,000 images of 384 channels. Similarities are computed
    in chunks of 64 MiB.

    Images that ``mmvitkd.ImageFolder`` could not read count as wrong, and vote for nobody; if
    there are any, ``knn/unreadable`` is their number.

    Args:
        k: Neighbours; all others if there are fewer.
        temperature: The smaller, the more the nearest count.
        collect_device: See MMEngine's ``BaseMetric``.
        prefix: The same; by default 'knn'.

    Raises:
        ValueError: If a number is out of range. While validating: if the predictions have no
            ``embedding``, or an image has no label.
    """

    default_prefix = 'knn'

    def __init__(
        self,
        k: int = 20,
        temperature: float = 0.07,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if k < 1 or temperature <= 0:
            raise ValueError(
                f'KNNAccuracy: k={k}, temperature={temperature}: wanted 1 or more, and above 0.'
            )
        self.k = k
        self.temperature = temperature

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the embeddings (C,) and labels of a batch."""
        for sample in data_samples:
            if 'embedding' not in sample:
                raise ValueError(
                    f"KNNAccuracy: the predictions have {sorted(sample)}, wanted 'embedding' "
                    'too, as mmvitkd.ImageEncoder gives it.'
                )
            label = sample.get('gt_label')
            if label is None or label.numel() != 1:
                raise ValueError(
                    f'KNNAccuracy: {sample.get("img_path", "an image")} has the label {label}, '
                    'wanted one class. Without class folders leave it out.'
                )
            self.results.append(
                dict(
                    embedding=sample['embedding'].detach().float().cpu(),
                    label=int(label),
                    unreadable=bool(sample.get('unreadable')),
                )
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Compute the accuracy.

        Args:
            results: One for each image of the data set, gathered from all processes by
                MMEngine, without the padding of the last batch.

        Raises:
            ValueError: If fewer than two images can be read, or an embedding is not finite.
        """
        readable = [result for result in results if not result['unreadable']]
        if len(readable) < 2:
            raise ValueError(
                f'KNNAccuracy: found {len(readable)} readable validation images, wanted two '
                'or more.'
            )
        embeddings = torch.stack([result['embedding'] for result in readable]).to(get_device())
        if not embeddings.isfinite().all():
            raise ValueError('KNNAccuracy: some embeddings are NaN or infinite.')
        labels = torch.tensor(
            [result['label'] for result in readable], device=embeddings.device
        )
        votes = weighted_knn(embeddings, labels, k=self.k, temperature=self.temperature)
        hits = int((votes.argmax(1) == labels).sum())
        metrics: dict[str, float] = {'top1': 100 * hits / len(results)}
        if len(readable) < len(results):
            metrics['unreadable'] = len(results) - len(readable)
        return metrics

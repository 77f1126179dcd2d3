"""Copy images and labels to the device without waiting for it."""

from typing import Any, ClassVar

import torch
from mmpretrain.models import ClsDataPreprocessor as _ClsDataPreprocessor

from ...registry import MODELS


@MODELS.register_module()
class ClsDataPreprocessor(_ClsDataPreprocessor):  # type: ignore[misc]  # MMPretrain is untyped
    """MMPretrain's ``ClsDataPreprocessor``, equal to the bit, with copies that do not block.

    MMPretrain's does not pass ``non_blocking`` on to MMEngine's, and waits for its copy of the
    labels: the device has finished its step, and idles, before Python begins the next one.
    Copies of images are asynchronous only from pinned memory.

    Args:
        non_blocking: Whether to continue while the copies are in progress.
        kwargs: The arguments of MMPretrain's.
    """

    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(type='ClsDataPreprocessor')

    def __init__(self, non_blocking: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._non_blocking = non_blocking

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Copy, normalise and augment a batch."""
        samples = data.get('data_samples') or []
        labels = [sample.get('gt_label') for sample in samples]
        if self._non_blocking and labels and all(label is not None for label in labels):
            together = torch.cat(labels).to(self.device, non_blocking=True)
            sizes = [len(label) for label in labels]
            for sample, label in zip(samples, together.split(sizes), strict=True):
                sample.set_gt_label(label)
        processed: dict[str, Any] = super().forward(data, training)
        return processed

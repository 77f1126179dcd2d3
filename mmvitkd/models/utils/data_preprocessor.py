"""Images and labels on their way to the device, which nothing waits for."""

from typing import Any, ClassVar

import torch
from mmpretrain.models import ClsDataPreprocessor as _ClsDataPreprocessor

from ...registry import MODELS


@MODELS.register_module()
class ClsDataPreprocessor(_ClsDataPreprocessor):
    """MMPretrain's ``ClsDataPreprocessor``, to the bit, with copies that do not block.

    MMPretrain's hands no ``non_blocking`` on to MMEngine's, and copies the labels with a
    wait of their own: the device has finished its step, and runs dry, before Python begins
    the next one. Images only travel by themselves from pinned memory.

    Args:
        non_blocking: Whether to go on while the copies are under way.
        kwargs: What MMPretrain's takes.
    """

    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(type='ClsDataPreprocessor')

    def __init__(self, non_blocking: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._non_blocking = non_blocking

    def forward(self, data: dict, training: bool = False) -> dict:
        """Copy, normalise and augment a batch."""
        samples = data.get('data_samples') or []
        labels = [sample.get('gt_label') for sample in samples]
        if self._non_blocking and labels and all(label is not None for label in labels):
            together = torch.cat(labels).to(self.device, non_blocking=True)
            sizes = [len(label) for label in labels]
            for sample, label in zip(samples, together.split(sizes), strict=True):
                sample.set_gt_label(label)
        return super().forward(data, training)

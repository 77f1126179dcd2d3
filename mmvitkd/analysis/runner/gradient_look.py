"""The gradient magnitude of all blocks, in backward passes that keep to their memory."""

from typing import Any

import torch
from torch import Tensor

from ...datasets.image_batches import ImageBatch
from ...utils.bytesize import size_text
from ..features.extractor import FeatureExtractor, Key
from ..functional.gradients import feature_gradients, scores_of
from ..functional.magnitude import Magnitude
from .forward import Forward, split_batches
from .memory_plan import GRADIENT_SHARE

# What a backward pass takes, in what the forward pass saves for it.
PEAK = 1.5


class GradientLook:
    """Mean ``|d score / d A_l|`` of each block (arXiv 2511.06848).

    The score is the logit of the label where the images have as many classes as the model;
    labels of another numbering would say nothing, and the score is then the largest logit.

    Args:
        forward: The model and its blocks.
        num_classes: Of the images' labels; None where they have none.
        budget: Bytes that a backward pass may take.
    """

    def __init__(self, forward: Forward, num_classes: int | None, budget: int) -> None:
        self._forward, self._source = forward, forward.source
        self._num_classes, self._budget = num_classes, budget
        self._magnitudes: dict[Key, Magnitude] = {k: Magnitude() for k in self._source.names}
        self._images = 0  # at a time
        self._with_labels = False

    def update(self, batch: ImageBatch) -> None:
        """Add images.

        Raises:
            ValueError: If the model gives no logits, an image takes more than the budget, or
                a gradient is not finite.
        """
        with self._forward.autocast():
            if not self._images:
                self._begin(self._forward.on_device(batch.images[:1]))
            for part in split_batches([batch], self._images):
                images = self._forward.on_device(part.images)
                labels = part.labels if self._with_labels else None
                self._add(feature_gradients(self._source, images, labels), part.indices)

    def _add(self, gradients: dict[Key, Tensor], indices: Tensor) -> None:
        self._forward.check(gradients, indices, 'gradients')
        for key, gradient in gradients.items():
            self._magnitudes[key].update(gradient)

    def result(self) -> dict[Key, dict[str, Any]]:
        """The summary over images of each block, and 'score', 'labels' or 'predictions'."""
        score = 'labels' if self._with_labels else 'predictions'
        return {key: {**m.result(), 'score': score} for key, m in self._magnitudes.items()}

    def _begin(self, image: Tensor) -> None:
        """See what the model gives, and what an image takes."""
        with torch.no_grad(), self._source.recorded(image) as (logits, _):
            scores_of(logits)  # refuses what are no logits
            self._with_labels = logits.shape[1] == self._num_classes
        taken = PEAK * saved_bytes(self._source, image)
        if taken > self._budget:
            wanted = 1.01 * taken / GRADIENT_SHARE  # the text is rounded
            raise ValueError(
                f'memory_limit: gradients take {size_text(taken)} an image, and only '
                f'{size_text(self._budget)} are left for them, {100 * GRADIENT_SHARE:g} % of '
                f'the limit. Wanted {size_text(wanted)} or more, or measures without gradient.'
            )
        self._images = int(self._budget // max(taken, 1))


def saved_bytes(source: FeatureExtractor, images: Tensor) -> int:
    """Bytes that a forward pass saves for the backward pass, beside model and images."""
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        feature_gradients(source, images)
    own = [images, *source.model.parameters(), *source.model.buffers()]
    pointers = {tensor.untyped_storage().data_ptr() for tensor in own}
    return sum(size for pointer, size in saved.items() if pointer not in pointers)

"""Compute gradients of all blocks, in backward passes within a memory limit."""

import torch
from torch import Tensor

from ...datasets.image_batches import ImageBatch
from ...utils.bytesize import size_text
from ...utils.errors import KeyedValueError
from ..features.extractor import FeatureExtractor
from ..features.gradients import feature_gradients, scores_of
from .evaluation import Evaluation
from .forward import ForwardPass, split_images
from .memory import GRADIENT_SHARE

# Memory of a backward pass, relative to what the forward pass saves for it.
PEAK = 1.5


class GradientPass:
    """Computes gradients of each image's score with respect to its features.

    The score is the logit of the label if the images have as many classes as the model.
    Otherwise labels and logits may not correspond, and the score is the largest logit.

    Args:
        forward: The model and its blocks.
        num_classes: Number of classes of the images' labels; None if they have none, or if
            their names are not the model's.
        max_bytes: Bytes that a backward pass may take.
    """

    def __init__(self, forward: ForwardPass, num_classes: int | None, max_bytes: int) -> None:
        self._forward, self._source = forward, forward.source
        self._num_classes, self._max_bytes = num_classes, max_bytes
        self._size = 0  # images per backward pass; 0 before the first
        self._with_labels = False

    def update(self, batch: ImageBatch, evaluation: Evaluation) -> None:
        """Feed the gradients of a batch to an evaluation.

        Raises:
            ValueError: If the model returns no logits, an image takes more than ``max_bytes``,
                or a gradient is not finite.
        """
        with self._forward.autocast():
            if not self._size:
                self._measure_image(self._forward.on_device(batch.images[:1]))
            for part in split_images([batch], self._size):
                images = self._forward.on_device(part.images)
                labels = part.labels if self._with_labels else None
                gradients = feature_gradients(self._source, images, labels)
                self._forward.check(gradients, part.indices, 'gradients')
                score = 'labels' if self._with_labels else 'predictions'
                evaluation.gradients(gradients, part.indices.tolist(), score)

    def _measure_image(self, image: Tensor) -> None:
        """Choose the score, and the batch size by the memory that an image takes."""
        with torch.no_grad(), self._source.recorded(image) as (logits, _):
            scores_of(logits)  # raises if these are not logits
            self._with_labels = logits.shape[1] == self._num_classes
        taken = PEAK * saved_bytes(self._source, image)
        if taken > self._max_bytes:
            wanted = 1.01 * taken / GRADIENT_SHARE  # the text is rounded
            raise KeyedValueError(
                f'{{memory_limit}}: gradients take {size_text(taken)} per image, and only '
                f'{size_text(self._max_bytes)} are left for them, {100 * GRADIENT_SHARE:g} % '
                f'of the limit. Wanted {size_text(wanted)} or more, or measures without '
                'gradient.',
                'memory_limit',
            )
        self._size = int(self._max_bytes // max(taken, 1))


def saved_bytes(source: FeatureExtractor, images: Tensor) -> int:
    """Return the bytes that a forward pass saves for the backward pass, without the weights."""
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

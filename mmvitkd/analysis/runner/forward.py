"""Run a model on images, and check that its features are finite."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ...datasets.image_batches import ImageBatch
from ..features.extractor import FeatureExtractor, Key
from ..measures.settings import Settings
from .feature_cache import FeatureBatch


class ForwardPass:
    """Runs a model on its device, under autocast if the settings say so.

    Args:
        source: The model and its blocks.
        paths: The paths of the images, for error messages.
        settings: The settings of the analysis.
    """

    def __init__(
        self, source: FeatureExtractor, paths: Sequence[str], settings: Settings
    ) -> None:
        self.source = source
        self._paths = paths
        self._device = torch.device(settings.device)
        self._amp = settings.amp

    def features(self, batch: ImageBatch) -> FeatureBatch:
        """Return the features of a batch.

        Raises:
            ValueError: If one is not finite; names the block and the image.
        """
        with self.autocast():
            features = self.source(self.on_device(batch.images))
        self.check(features, batch.indices, 'features')
        return FeatureBatch(features, batch.indices)

    def check(self, values: Mapping[Key, Tensor], indices: Tensor, what: str) -> None:
        """Check that values are finite.

        Args:
            values: (B, N, D) of each block.
            indices: The positions of the images in their list, (B,).
            what: What the values are, for the error message.

        Raises:
            ValueError: If a value is not finite; names the block and the image.
        """
        for key, tokens in values.items():
            finite = tokens.isfinite().flatten(1).all(1).cpu()
            if not finite.all():
                path = self._paths[int(indices[~finite][0])]
                raise ValueError(
                    f'block {key} ({self.source.names[key]}): NaN or infinite {what} of {path}.'
                )

    def on_device(self, tensor: Tensor) -> Tensor:
        """Return images or features on the device of the model."""
        return tensor.to(self._device)

    def autocast(self) -> torch.autocast:
        """Return the context that the model runs in."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._amp)


def split_images(batches: Iterable[ImageBatch], size: int) -> Iterator[ImageBatch]:
    """Yield batches of at most ``size`` images."""
    for batch in batches:
        for start in range(0, len(batch.indices), size):
            part = slice(start, start + size)
            labels = None if batch.labels is None else batch.labels[part]
            yield ImageBatch(batch.images[part], labels, batch.indices[part])


def split_features(batch: FeatureBatch, size: int) -> Iterator[FeatureBatch]:
    """Yield features of at most ``size`` images."""
    for start in range(0, len(batch.indices), size):
        part = slice(start, start + size)
        features = {key: tokens[part] for key, tokens in batch.features.items()}
        yield FeatureBatch(features, batch.indices[part])

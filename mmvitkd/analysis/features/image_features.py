"""Read the embedding and the patch tokens of chosen layers in one forward pass."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...models.utils.features import Features
from .embedding_reader import EmbeddingReader
from .extractor import FeatureExtractor, Key


class ImageFeatures(NamedTuple):
    """The features of a batch of images.

    Attributes:
        embedding: One vector for each image, (B, C): what a classifier reads, or would.
        layers: The patch tokens of each layer, by the name given to it.
    """

    embedding: Tensor
    layers: dict[str, Features]


class ImageFeatureReader:
    """Runs a model; returns the embedding and the patch tokens of its layers.

    Args:
        model: See ``FeatureExtractor``.
        layers: The layers by the names that they get: 'last', an index of a block, or the name
            of a module.

    Attributes:
        modules: The names of the layers' modules, by the names of the layers.

    Raises:
        ValueError: If a layer does not exist, or it is not known what the embedding is.
    """

    def __init__(self, model: nn.Module, layers: Mapping[str, Key]) -> None:
        self.modules: dict[str, str] = {}
        for name, layer in layers.items():
            # Of a Lift, 'last' is the last block and its projector; the latter is distilled.
            source = FeatureExtractor(model, 'last' if layer == 'last' else [layer])
            self.modules[name] = list(source.names.values())[-1]
        self._source = FeatureExtractor(model, [*self.modules.values()] or 'last')
        self._embedding = EmbeddingReader(model)

    def __call__(self, images: Tensor) -> ImageFeatures:
        """Run the model on images (B, 3, H, W), normalised for it.

        Raises:
            ValueError: If a layer returns neither tokens nor a map, or there is no embedding.
        """
        with (
            torch.no_grad(),
            self._embedding.recorded() as embedding,
            self._source.recorded(images) as (_, outputs),
        ):
            read = self._source.features_of(outputs, images) if self.modules else {}
        by_module = {self._source.names[key]: features for key, features in read.items()}
        layers = {name: by_module[module] for name, module in self.modules.items()}
        return ImageFeatures(embedding(), layers)

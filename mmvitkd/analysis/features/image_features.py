"""Read the embedding and the patch tokens of chosen layers in one forward pass."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...models.utils.adapters import adapter_for
from ...models.utils.features import Features, to_embedding
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
        found = adapter_for(model).features.get('embedding')
        if found is None:
            raise ValueError(f'{type(model).__name__}: it is not known what its embedding is.')
        self._embedding = found
        self._pooled = dict(model.named_modules())[found.source]

    def __call__(self, images: Tensor) -> ImageFeatures:
        """Run the model on images (B, 3, H, W), normalised for it.

        Raises:
            ValueError: If a layer returns neither tokens nor a map, or there is no embedding.
        """
        recorded: list[Any] = []

        def record(module: nn.Module, inputs: Any, output: Any) -> None:
            recorded.append(inputs[0] if self._embedding.is_input else output)

        hook = self._pooled.register_forward_hook(record)
        try:
            with torch.no_grad(), self._source.recorded(images) as (_, outputs):
                read = self._source.features_of(outputs, images) if self.modules else {}
        finally:
            hook.remove()
        by_module = {self._source.names[key]: features for key, features in read.items()}
        layers = {name: by_module[module] for name, module in self.modules.items()}
        _, extra, pool, _ = self._embedding
        return ImageFeatures(to_embedding(recorded[0], pool or 'mean', extra), layers)

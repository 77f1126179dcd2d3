"""Read a model's embedding of an image: what its classifier reads, or would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...models.utils.adapters import adapter_for
from ...models.utils.features import to_embedding


class EmbeddingReader:
    """Runs a model; returns its embeddings.

    Args:
        model: See ``FeatureExtractor``, or an ``ImageEncoder``.

    Raises:
        ValueError: If it is not known what its embedding is.
    """

    def __init__(self, model: nn.Module) -> None:
        found = adapter_for(model).features.get('embedding')
        if found is None:
            raise ValueError(f'{type(model).__name__}: it is not known what its embedding is.')
        self.model = model
        self._feature = found
        self._module = dict(model.named_modules())[found.source]

    @contextmanager
    def recorded(self) -> Iterator[Callable[[], Tensor]]:
        """Record what the model computes within the context.

        Yields:
            A function that returns the embeddings (B, C) of the first forward pass.
        """
        outputs: list[Any] = []

        def record(module: nn.Module, inputs: Any, output: Any) -> None:
            outputs.append(inputs[0] if self._feature.is_input else output)

        _, extra, pool, _ = self._feature
        hook = self._module.register_forward_hook(record)
        try:
            yield lambda: to_embedding(outputs[0], pool or 'mean', extra)
        finally:
            hook.remove()

    def __call__(self, images: Tensor) -> Tensor:
        """Run the model in its present mode.

        Args:
            images: (B, 3, H, W), normalised for the model.

        Returns:
            (B, C).
        """
        # Code that was compiled before would skip the hook.
        stance = torch.compiler.set_stance('force_eager')
        with torch.no_grad(), stance, self.recorded() as embedding:
            self.model(images)
            return embedding()

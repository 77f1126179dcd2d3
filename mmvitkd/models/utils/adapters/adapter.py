"""Adapter: describe a classifier in the same terms, whichever library it is from."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ....checkpoint.load_strict import load_strict
from ..features import Grid, NamedFeature
from ..normalization import Normalization, normalization_by


class Adapter:
    """The description of one model; a subclass describes one family of models.

    This class itself is for a model of no known family: what is unknown is None or empty.

    Args:
        model: The model.

    Attributes:
        name: The model's name in messages.
    """

    # Whether ``pretrained=True`` in its config makes the model load its own weights.
    loads_pretrained = False

    def __init__(self, model: Any) -> None:
        self.model = model
        self.name = type(model).__name__

    @staticmethod
    def accepts(model: Any) -> bool:
        """Return whether a model is of this family."""
        return True

    @property
    def trunk(self) -> nn.Module | None:
        """The part that computes features, which is worth compiling."""
        return None

    @property
    def blocks(self) -> list[str]:
        """The module names of its blocks in order; of a staged model, its stages."""
        return []

    @property
    def widths(self) -> list[int]:
        """The number of channels C that each block returns."""
        return []

    @property
    def grids(self) -> list[Grid | None]:
        """(H, W) of the tokens or map that each block returns, at ``input_size``."""
        return [self.token_grid] * len(self.blocks)

    @property
    def token_grid(self) -> Grid | None:
        """(H, W) of the tokens of every block, or None if they differ or are unknown."""
        return None

    def grid_at(self, image_size: Sequence[int]) -> Grid | None:
        """Return ``token_grid`` for images of (H, W) pixels."""
        return self.token_grid if self.input_size == tuple(image_size) else None

    @property
    def num_extra_tokens(self) -> int | None:
        """How many tokens of every block's output precede the patches."""
        return None

    @property
    def input_size(self) -> Grid | None:
        """(H, W) in pixels that it is made for, or None if it takes any size."""
        return None

    @property
    def patch_size(self) -> Grid | None:
        """(H, W) in pixels of a patch that images are divided into, or None if unknown."""
        return None

    @property
    def normalization(self) -> Normalization | None:
        """How its input is normalised."""
        return normalization_by(getattr(self.model, 'data_preprocessor', None))

    @property
    def num_classes(self) -> int | None:
        """Its number of classes."""
        return None

    @property
    def final_norms(self) -> list[str]:
        """The module names that the norm after the last block may have."""
        return []

    @property
    def features(self) -> dict[str, NamedFeature]:
        """Where it has its ``embedding`` and its ``tokens``, those of them that it has.

        The embedding is what a classifier reads, or would. The tokens are the patch tokens
        after the final norm, or of a remedy that widens them.
        """
        found = dict(embedding=self._embedding, tokens=self._tokens)
        return {name: feature for name, feature in found.items() if feature is not None}

    @property
    def _embedding(self) -> NamedFeature | None:
        return None

    @property
    def _tokens(self) -> NamedFeature | None:
        """The output of the final norm; without one, that of the last block."""
        modules = dict(self.model.named_modules()) if isinstance(self.model, nn.Module) else {}
        norms = [name for name in self.final_norms if _is_layer(modules.get(name))]
        names = norms or self.blocks[-1:]
        return NamedFeature(names[0], self.num_extra_tokens) if names else None

    def logits(self, output: Any) -> Tensor | None:
        """Return the logits (B, K) in what the model returns, or None if there are none."""
        return output if isinstance(output, Tensor) and output.dim() == 2 else None

    def load_weights(self, weights: Mapping[str, Tensor], key: str, path: str) -> None:
        """Load weights strictly.

        Args:
            weights: A state dict.
            key: The setting that names the weights, such as 'teacher_ckpt', for the message.
            path: Its value.

        Raises:
            ValueError: If a key is missing, unknown or of another shape.
        """
        load_strict(self.model, weights, key, path)


def _is_layer(module: nn.Module | None) -> bool:
    """Return whether a module changes its input."""
    return module is not None and not isinstance(module, nn.Identity)


def as_size(size: int | Sequence[int] | None) -> Grid | None:
    """Return (H, W) of a side, of (H, W), or of (C, H, W)."""
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (int(size[-2]), int(size[-1]))

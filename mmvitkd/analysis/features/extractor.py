"""Read the patch tokens at the output of a model's blocks in a forward pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...models.utils.adapters import adapter_for, blocks_of
from ...models.utils.features import Features
from ...models.utils.remedy import distilled_features
from ...suggestions import close_names
from ...utils.errors import KeyedValueError
from .patch_tokens import patch_features

Key = int | str


class FeatureExtractor:
    """Run a model on images; return the patch tokens of chosen blocks.

    A feature is the raw residual stream at the output of a block, without class,
    distillation and register tokens, and before the final norm (arXiv 2511.15572). For a
    staged model it is the output of a stage, before the downsampling to the next one. For
    CaiT the blocks are those of self-attention.

    The model runs in eval mode, and its own mode is restored afterwards; no output is kept.
    Under ``torch.autocast`` the features keep the dtype that autocast gives them.

    Args:
        model: A classifier of MMPretrain, also with WideLast or Lift, or MMPretrain's
            ``TimmClassifier``.
        blocks: 'last', 'all', or a list of these words, indices of blocks or stages (from 0,
            or negative from the end) and names of modules. 'neck' is the projector of Lift,
            after its norm; for Lift, 'last' and 'all' include it, after the blocks.
        final_norm: Whether the model's final norm is applied to the last block's tokens.

    Attributes:
        names: The names of the modules by the keys of the features: the index of a block
            from 0, or the name of another module.
        embed_dims: The width D of each feature; empty before the first call.
        image_size: (H, W) in pixels that the model is made for, or None if it takes any.

    Raises:
        ValueError: If a block or module does not exist, or there is no final norm.
    """

    def __init__(
        self,
        model: nn.Module,
        blocks: str | Sequence[Key] = 'last',
        final_norm: bool = False,
    ) -> None:
        self.model = model
        self.names = find_blocks(model, blocks)
        self.embed_dims: dict[Key, int] = {}
        self._adapter = adapter_for(model)
        self.image_size = self._adapter.input_size
        self._last = len(self._adapter.blocks) - 1
        self._norm = self._final_norm() if final_norm else None

    def __call__(self, images: Tensor) -> dict[Key, Tensor]:
        """Run the model.

        Args:
            images: (B, 3, H, W), normalised for the model.

        Returns:
            The patch tokens (B, N, D) of each block, in the order of ``names``.

        Raises:
            ValueError: If a block returns neither tokens nor a map.
        """
        with torch.no_grad():
            with self.recorded(images) as (_, outputs):
                features = self.tokens_of(outputs, images)
            if self._norm is not None:
                features[self._last] = self._norm(features[self._last])
        self.embed_dims = {key: feature.shape[2] for key, feature in features.items()}
        return features

    @contextmanager
    def recorded(self, images: Tensor) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Run the model in eval mode; the context restores its mode at the end.

        Yields:
            The model's output, and what the modules of the features returned, by name.
        """
        modules = dict(self.model.named_modules())
        modes = {module: module.training for module in modules.values()}
        outputs: dict[str, Any] = {}
        hooks = [
            modules[name].register_forward_hook(_record_output(outputs, name))
            for name in set(self.names.values())
        ]
        try:
            for module in modes:
                module.training = False
            # Code that was compiled before would skip these hooks.
            with torch.compiler.set_stance('force_eager'):
                output = self.model(images)
            yield output, outputs
        finally:
            for hook in hooks:
                hook.remove()
            for module, mode in modes.items():
                module.training = mode

    def tokens_of(self, outputs: dict[str, Any], images: Tensor) -> dict[Key, Tensor]:
        """Return the patch tokens (B, N, D) in the outputs that :meth:`recorded` yields.

        Raises:
            ValueError: If an output is not patch tokens; names the block.
        """
        return {key: x.tokens for key, x in self.features_of(outputs, images).items()}

    def features_of(self, outputs: dict[str, Any], images: Tensor) -> dict[Key, Features]:
        """Return the patch tokens with their grids.

        Args:
            outputs: The modules' outputs for the images, by name.
            images: (B, 3, H, W).

        Raises:
            ValueError: If an output is not patch tokens; names the block.
        """
        grid, extra = self._adapter.grid_at(images.shape[2:]), self._adapter.num_extra_tokens
        features = {}
        for key, name in self.names.items():
            if name not in outputs:
                raise KeyedValueError(
                    f'{{blocks}}: {name!r} is not called in the forward pass.', 'blocks'
                )
            # Modules other than blocks may get the patches alone.
            known = extra if isinstance(key, int) else None
            try:
                features[key] = patch_features(outputs[name], images.shape, grid, known)
            except ValueError as error:
                raise KeyedValueError(
                    f'{{blocks}}: found no patch tokens in the output of {name!r}: {error}',
                    'blocks',
                ) from None
        return features

    def _final_norm(self) -> nn.Module:
        """Return the norm after the last block."""
        if self._last not in self.names:
            raise ValueError('final_norm=True: wanted the last block among blocks.')
        modules = dict(self.model.named_modules())
        for name in self._adapter.final_norms:
            norm = modules.get(name)
            # A norm of maps (LayerNorm2d) follows a pooling, or normalises another layout.
            of_tokens = hasattr(norm, 'normalized_shape') and '2d' not in type(norm).__name__
            if norm is not None and of_tokens:
                return norm
        kind = type(self.model).__name__
        raise ValueError(
            f'final_norm=True: this {kind} has no norm of tokens after its last block.'
        )


def find_blocks(model: nn.Module, blocks: str | Sequence[Key]) -> dict[Key, str]:
    """Return the names of the modules that :class:`FeatureExtractor` reads, by feature key.

    Raises:
        ValueError: If a block or module does not exist; names close ones.
    """
    known, chosen = blocks_of(model), []
    for block in [blocks] if isinstance(blocks, str) else blocks:
        chosen += _expand_word(model, block, known) if block in ('last', 'all') else [block]
    if not chosen:
        raise KeyedValueError(
            "{blocks}: found none; wanted 'last', 'all', or a list.", 'blocks'
        )
    return dict(_find_block(model, block, known) for block in chosen)


def _expand_word(model: nn.Module, word: Key, known: list[str]) -> list[Key]:
    """Return the keys that 'last' or 'all' stands for."""
    if not known:
        raise KeyedValueError(
            f'{{blocks}}={word!r}: the blocks of {type(model).__name__} are not known; '
            'give the names of modules.',
            'blocks',
        )
    indices = range(len(known))
    return [*(indices if word == 'all' else indices[-1:]), *distilled_features(model)]


def _find_block(model: nn.Module, block: Key, known: list[str]) -> tuple[Key, str]:
    """Return the key of a block or module, and the name of its module."""
    kind = type(model).__name__
    available = f'has blocks or stages 0 to {len(known) - 1}' if known else 'lists no blocks'
    if isinstance(block, int):
        if not -len(known) <= block < len(known):
            raise KeyedValueError(
                f'{{blocks}}: there is no {block}: this {kind} {available}.', 'blocks'
            )
        return block % len(known), known[block]
    names = [name for name, _ in model.named_modules() if name]
    if block not in names:
        close = close_names(block, ['last', 'all', *names])
        raise KeyedValueError(
            f'{{blocks}}: {block!r} is not a module of this {kind}, which {available}. Similar '
            f'names: {", ".join(close) or "none"}.',
            'blocks',
        )
    return (known.index(block) if block in known else block), block


def _record_output(outputs: dict[str, Any], name: str) -> Any:
    """Return a forward hook that stores the output under a name."""

    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        outputs[name] = output

    return hook

"""Adapter of classifiers with a backbone of MMPretrain: plain ViTs, Swin and others."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ....utils.errors import KeyedValueError
from ..features import Grid, NamedFeature
from ..mmpretrain_names import mmpretrain_names
from ..remedy import distilled_features
from .adapter import Adapter, as_size


class MMPretrainAdapter(Adapter):
    """Describe a classifier with a ``backbone``, including WideLast and Lift.

    Its backbone has ``layers`` (a ViT's blocks) or ``stages``. A Swin stage returns its tokens
    with their (H, W), so its grid need not be known.
    """

    @staticmethod
    def accepts(model: Any) -> bool:
        """Return whether it has a ``backbone``, as an ``ImageClassifier``."""
        return isinstance(getattr(model, 'backbone', None), nn.Module)

    @property
    def trunk(self) -> nn.Module | None:
        """The backbone."""
        backbone: nn.Module = self.model.backbone
        return backbone

    @property
    def blocks(self) -> list[str]:
        """``backbone.layers.N`` or ``backbone.stages.N``."""
        for name in ('layers', 'stages'):
            blocks = getattr(self.model.backbone, name, None)
            if isinstance(blocks, nn.ModuleList) and not isinstance(blocks[0], nn.ModuleList):
                return [f'backbone.{name}.{i}' for i in range(len(blocks))]
        return []

    @property
    def widths(self) -> list[int]:
        """The ``embed_dims`` of the blocks."""
        modules = [self.model.get_submodule(name) for name in self.blocks]
        widths = [getattr(module, 'embed_dims', None) for module in modules]
        return [] if None in widths else [int(width) for width in widths if width is not None]

    @property
    def token_grid(self) -> Grid | None:
        """A ViT's ``patch_resolution``."""
        backbone = self.model.backbone
        if not hasattr(backbone, 'layers'):
            return None
        return as_size(getattr(backbone, 'patch_resolution', None))

    def grid_at(self, image_size: Sequence[int]) -> Grid | None:
        """Return the grid that the patch embedding, a convolution, makes of any size."""
        if self.token_grid is None:
            return None
        embed = getattr(self.model.backbone, 'patch_embed', None)
        convolution = self._projection
        if convolution is None or isinstance(convolution.padding, str):
            return super().grid_at(image_size)
        padding = getattr(embed, 'adaptive_padding', None)
        padded = padding.get_pad_shape(image_size) if padding else (0, 0)
        height, width = (
            (size + pad + 2 * p - d * (k - 1) - 1) // s + 1
            for size, pad, p, d, k, s in zip(
                image_size,
                padded,
                convolution.padding,
                convolution.dilation,
                convolution.kernel_size,
                convolution.stride,
                strict=True,
            )
        )
        return height, width

    @property
    def num_extra_tokens(self) -> int | None:
        """A ViT's ``num_extra_tokens``."""
        if self.token_grid is None:
            return None
        return getattr(self.model.backbone, 'num_extra_tokens', None)

    @property
    def input_size(self) -> Grid | None:
        """The backbone's ``img_size``, or its patch embedding's."""
        embed = getattr(self.model.backbone, 'patch_embed', None)
        stated = getattr(embed, 'init_input_size', None)
        return as_size(getattr(self.model.backbone, 'img_size', stated))

    @property
    def patch_size(self) -> Grid | None:
        """The stride of its patch embedding."""
        return None if self._projection is None else as_size(self._projection.stride)

    @property
    def num_classes(self) -> int | None:
        """The head's ``num_classes``."""
        return getattr(getattr(self.model, 'head', None), 'num_classes', None)

    @property
    def final_norms(self) -> list[str]:
        """A ViT's ``ln1``, and Swin's norm of its last stage."""
        return ['backbone.ln1', f'backbone.norm{len(self.blocks) - 1}']

    def load_weights(self, weights: Mapping[str, Tensor], key: str, path: str) -> None:
        """Load weights strictly, also a ViT's with the names of timm or transformers."""
        try:
            renamed = mmpretrain_names(dict(weights), self.model)
        except ValueError as error:
            raise KeyedValueError(f'{{{key}}}={path!r}: {error}.', key) from None
        fits = renamed.keys() & self.model.state_dict().keys()
        super().load_weights(renamed if fits else weights, key, path)

    @property
    def _projection(self) -> nn.Conv2d | None:
        """The convolution of its patch embedding."""
        embed = getattr(self.model.backbone, 'patch_embed', None)
        convolution = getattr(embed, 'projection', None)
        return convolution if isinstance(convolution, nn.Conv2d) else None

    @property
    def _embedding(self) -> NamedFeature | None:
        """What the neck returns, or else the backbone."""
        if getattr(self.model, 'neck', None) is not None:
            return NamedFeature('neck', pool='mean')
        extra = self.num_extra_tokens
        has_class_token = getattr(self.model.backbone, 'cls_token', None) is not None
        return NamedFeature('backbone', extra, 'cls' if has_class_token else 'mean')

    @property
    def _tokens(self) -> NamedFeature | None:
        """Those that a remedy says are distilled, or else those after the final norm."""
        widened = distilled_features(self.model)
        return NamedFeature(widened[0], 0) if widened else super()._tokens

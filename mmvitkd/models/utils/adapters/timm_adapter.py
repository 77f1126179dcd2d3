"""Adapter of timm's models, which MMPretrain wraps in a ``TimmClassifier``."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpretrain.models import TimmClassifier
from torch import Tensor, nn

from ....checkpoint.converters.find_trunk import find_trunk
from ....checkpoint.load_strict import load_strict
from ....utils.errors import KeyedValueError
from ..features import Grid, NamedFeature
from ..mmpretrain_names import log_left_out
from ..normalization import Normalization
from .adapter import Adapter, as_size

# Blocks of class attention, which the class token joins after all other blocks: CaiT, XCiT.
CLASS_ATTENTION = ('blocks_token_only', 'cls_attn_blocks')


class TimmAdapter(Adapter):
    """Describe a ``TimmClassifier`` by timm's ``feature_info`` and patch embedding.

    All blocks of a plain ViT have one grid; a Swin's stages return maps, each with its own.
    CaiT and XCiT have no class token in their blocks, whatever ``num_prefix_tokens`` says.
    """

    loads_pretrained = True

    @staticmethod
    def accepts(model: Any) -> bool:
        """Return whether it is a ``TimmClassifier``."""
        return isinstance(model, TimmClassifier)

    @property
    def trunk(self) -> nn.Module | None:
        """The model that timm built."""
        network: nn.Module = self.model.model
        return network

    @property
    def blocks(self) -> list[str]:
        """The modules that ``feature_info`` lists."""
        names = [f'model.{info["module"]}' for info in self._feature_info]
        modules = dict(self.model.named_modules())
        # Some entries name no module, or a list of modules that is never called.
        known = all(not isinstance(modules.get(name), nn.ModuleList | None) for name in names)
        return names if known else []

    @property
    def widths(self) -> list[int]:
        """The channels in ``feature_info``."""
        widths = [info.get('num_chs') for info in self._feature_info if self.blocks]
        return [] if None in widths else [int(width) for width in widths if width is not None]

    @property
    def grids(self) -> list[Grid | None]:
        """Those of a staged model, from the reductions in ``feature_info``."""
        if self._has_one_scale or self.input_size is None:
            return super().grids
        height, width = self.input_size
        reductions = [info.get('reduction') for info in self._feature_info if self.blocks]
        return [
            (height // r, width // r) if r and height % r == width % r == 0 else None
            for r in reductions
        ]

    @property
    def token_grid(self) -> Grid | None:
        """The patch embedding's, if its images have a fixed size."""
        if not (getattr(self._embed, 'strict_img_size', True) and self._has_one_scale):
            return None
        return as_size(getattr(self._embed, 'grid_size', None))

    def grid_at(self, image_size: Sequence[int]) -> Grid | None:
        """Return the grid that the patch embedding makes of any size."""
        if not self._has_one_scale or not hasattr(self._embed, 'dynamic_feat_size'):
            return super().grid_at(image_size)
        return as_size(self._embed.dynamic_feat_size(tuple(image_size)))

    @property
    def num_extra_tokens(self) -> int | None:
        """A plain ViT's ``num_prefix_tokens``; none in CaiT and XCiT."""
        if any(hasattr(self.trunk, name) for name in CLASS_ATTENTION):
            return 0
        # timm itself drops these from what ``forward_intermediates`` returns.
        if not self._has_one_scale or not hasattr(self.trunk, 'forward_intermediates'):
            return None
        return getattr(self.trunk, 'num_prefix_tokens', None)

    @property
    def input_size(self) -> Grid | None:
        """The patch embedding's, or ``pretrained_cfg``'s if that is fixed.

        A model with ``dynamic_img_size`` takes any size.
        """
        if hasattr(self._embed, 'img_size'):
            fixed = getattr(self._embed, 'strict_img_size', True)
            return as_size(self._embed.img_size) if fixed else None
        stated = self._pretrained_cfg
        return as_size(stated.get('input_size')) if stated.get('fixed_input_size') else None

    @property
    def patch_size(self) -> Grid | None:
        """The patch embedding's."""
        return as_size(getattr(self._embed, 'patch_size', None))

    @property
    def normalization(self) -> Normalization | None:
        """Its preprocessor's, or else the one in ``pretrained_cfg`` (for [0, 1], RGB)."""
        found, stated = super().normalization, self._pretrained_cfg
        if found is not None or not ('mean' in stated and 'std' in stated):
            return found
        mean, std = (torch.tensor(stated[key]) * 255 for key in ('mean', 'std'))
        return Normalization(mean, std, to_rgb=True)

    @property
    def num_classes(self) -> int | None:
        """The model's ``num_classes``, unless it has no classifier."""
        return getattr(self.trunk, 'num_classes', None) or None

    @property
    def classifiers(self) -> list[str]:
        """The names, in timm's model, of its classifiers: two in a distilled DeiT."""
        stated = self._pretrained_cfg.get('classifier') or []
        return [stated] if isinstance(stated, str) else list(stated)

    @property
    def final_norms(self) -> list[str]:
        """The norm of a ViT, CaiT or Swin."""
        return ['model.norm']

    @property
    def _embedding(self) -> NamedFeature | None:
        """What the classifier is given, pooled as timm pools it.

        Without classes (``num_classes=0``) the classifier is an identity.
        """
        if not hasattr(self.model.model, 'get_classifier'):
            return None
        classifier = self.model.model.get_classifier()
        names = [name for name, part in self.model.named_modules() if part is classifier]
        return NamedFeature(names[0], pool='mean', is_input=True) if names else None

    @property
    def _tokens(self) -> NamedFeature | None:
        """As of other models; CaiT's and XCiT's final norm sees the class token too."""
        found = super()._tokens
        joined = any(hasattr(self.trunk, name) for name in CLASS_ATTENTION)
        return found._replace(num_extra_tokens=None) if found and joined else found

    def logits(self, output: Any) -> Tensor | None:
        """Return what the classifier returns; a model without one returns its embedding."""
        return super().logits(output) if self.num_classes else None

    def load_weights(self, weights: Mapping[str, Tensor], key: str, path: str) -> None:
        """Load weights strictly, also those that timm converts to its own names.

        The original files of DINOv2 and CLIP are examples. A ViT's may have the names of
        transformers, or be under a prefix.
        """
        load_strict(self.model.model, self.timm_names(weights, key, path), key, path)

    def timm_names(
        self, weights: Mapping[str, Tensor], key: str, path: str
    ) -> dict[str, Tensor]:
        """Return weights with timm's names, and positions of the model's grid.

        Raises:
            ValueError: If timm's own function for its model cannot convert them.
        """
        try:
            converted = self._converted(weights)
            if converted.keys() - self.model.model.state_dict().keys():
                trunk = find_trunk(weights)
                log_left_out(trunk.left_out)
                converted = self._converted(trunk.weights)
        except Exception as error:  # of any kind, on another model's weights
            raise KeyedValueError(
                f'{{{key}}}={path!r} does not fit the model, a {type(self.trunk).__name__}: '
                f'timm cannot convert it ({type(error).__name__}: {error}).',
                key,
            ) from None
        return converted

    def _converted(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename weights by timm's own function for the model, if it has one."""
        convert = getattr(inspect.getmodule(type(self.trunk)), 'checkpoint_filter_fn', None)
        given = dict(weights)
        renamed: dict[str, Tensor] = convert(given, self.trunk) if convert else given
        return renamed

    @property
    def _embed(self) -> Any:
        return getattr(self.trunk, 'patch_embed', None)

    @property
    def _pretrained_cfg(self) -> dict[str, Any]:
        return getattr(self.trunk, 'pretrained_cfg', None) or {}

    @property
    def _feature_info(self) -> list[dict[str, Any]]:
        """One entry per block; timm keeps a plain list, or a wrapper around one."""
        info = getattr(self.trunk, 'feature_info', [])
        return list(getattr(info, 'info', info))

    @property
    def _has_one_scale(self) -> bool:
        """Whether all blocks have the grid that the patch embedding makes."""
        return len({info.get('reduction') for info in self._feature_info}) == 1

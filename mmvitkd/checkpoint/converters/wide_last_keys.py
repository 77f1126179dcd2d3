"""Rules for the keys of WideLast and of its released code (arXiv 2511.15572)."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from .key_rules import KeyRules, register_key_rules
from .renaming import Names
from .vit import VIT

WIDE: Names = [
    ('blocks.{n}.proj_in.{p}', 'backbone.layers.{n}.proj_in.{p}'),
    ('blocks.{n}.proj_norm.{p}', 'backbone.layers.{n}.proj_norm.{p}'),
]
# Tensors as wide as the input of a block.
INPUT_WIDTHS = re.compile(r'backbone\.(patch_embed\.projection|layers\.\d+\.ln1)\.weight')


@register_key_rules
class WideLastKeys(KeyRules):
    """A ViT in timm's names, with a ``proj_in`` and a ``proj_norm`` in each wide block."""

    name = 'WideLast'
    key = r'backbone\.layers\.\d+\.proj_(in|norm)\.'
    released_key = r'blocks\.\d+\.proj_(in|norm)\.'
    block_parts = frozenset({'proj_in.weight', 'proj_norm.weight', 'proj_norm.bias'})

    def detects(self, weights: Mapping[str, Tensor]) -> bool:
        """Return whether blocks are wider than others, by their keys or their widths."""
        widths = {v.shape[0] for k, v in weights.items() if INPUT_WIDTHS.fullmatch(k)}
        return super().detects(weights) or len(widths) > 1

    def names(self, keys: Iterable[str]) -> Names:
        """Return timm's names and MMPretrain's, and those of the wide blocks."""
        return [*VIT, *WIDE]

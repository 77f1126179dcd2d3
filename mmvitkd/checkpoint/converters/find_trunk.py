"""Find the Vision Transformer in a state dict: under a prefix, next to heads and decoders."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from ...utils.errors import listed
from ..wrappers import without_front
from .key_rules import Weights, find_layout, layout_patterns
from .renaming import SHOWN
from .transformers_keys import transformers_to_timm

# Names of modules, none of them a number: the blocks of a Swin's stages are no trunk.
PREFIX = r'(?P<prefix>(?:[A-Za-z_]\w*\.)*?)'
# What a pretraining adds to a ViT with timm's names: MAE, DINOv2.
PRETRAINING = re.compile(r'mask_token$|decoder_')
# Of a self-distillation, the one to use.
PREFERRED = 'teacher'


class Trunk(NamedTuple):
    """A Vision Transformer among other weights.

    Attributes:
        layout: Its layout, as :func:`.key_rules.layout_of` calls it, or None if it is unknown.
        weights: Its weights, without the prefix; of transformers' models, with timm's names.
        left_out: The other keys of the file.
    """

    layout: str | None
    weights: Weights
    left_out: list[str]

    @property
    def names(self) -> str | None:
        """The layout of the names that the weights have."""
        return 'timm' if self.layout == 'transformers' else self.layout


def find_trunk(weights: Mapping[str, Tensor]) -> Trunk:
    """Find the weights of a ViT with names of a known layout.

    Args:
        weights: A state dict. One of another kind of model is returned as it is.

    Raises:
        ValueError: If there are several, or the names of transformers' model are incomplete.
    """
    weights = without_front(weights)
    layout = find_layout(weights)
    if layout == 'transformers':
        return Trunk(layout, *transformers_to_timm(weights))
    if layout is None:
        prefix = _prefix_of(weights)
        if not prefix:
            return Trunk(None, dict(weights), [])
        inside = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        outside = [key for key in weights if not key.startswith(prefix)]
        trunk = find_trunk(inside)
        return trunk._replace(left_out=[*outside, *(prefix + key for key in trunk.left_out)])
    left_out = [key for key in weights if layout == 'timm' and PRETRAINING.match(key)]
    return Trunk(layout, {k: v for k, v in weights.items() if k not in left_out}, left_out)


def _prefix_of(weights: Mapping[str, Tensor]) -> str:
    """Return what precedes the names of a known layout, or ''."""
    patterns = [re.compile(PREFIX + f'(?:{p})') for p in layout_patterns().values()]
    matches = (pattern.match(key) for key in weights for pattern in patterns)
    found = list(dict.fromkeys(match['prefix'] for match in matches if match))
    preferred = [prefix for prefix in found if PREFERRED in prefix] or found
    if len(preferred) > 1:
        raise ValueError(
            f'there are {len(preferred)} Vision Transformers, under '
            f'{listed(preferred, SHOWN)}: save the weights of one alone.'
        )
    return preferred[0] if preferred else ''

"""Rules for the keys of Lift and of its released code (arXiv 2511.15572).

The released Lift is a complete timm model under ``base_model.``, whose last norm and head are
never used, and a projection next to it. mmvitkd's Lift does not have the unused weights: they
are kept separately, so that converting back restores the file bit for bit.
"""

import re
from collections.abc import Iterable

import torch

from ...utils.errors import listed
from .key_rules import KeyRules, Weights, register_key_rules
from .renaming import SHOWN, Names, rename, reverse
from .vit import TRUNK

# Accepted, never written: the head of a Lift with MMPretrain's VisionTransformerClsHead.
ALSO_MMPRETRAIN: Names = [('head.layers.head.{p}', 'head.{p}')]


@register_key_rules
class LiftKeys(KeyRules):
    """A ViT without a last norm, a ``LiftProjector`` neck and a linear head."""

    name = 'Lift'
    key = r'neck\.(proj|norm)\.'
    released_key = r'base_model\.|projections\.\d+\.'
    last_widths = (*KeyRules.last_widths, ('neck.proj.weight', 1))
    unused_keys = tuple(
        f'base_model.{name}.{p}' for name in ('norm', 'head') for p in ('weight', 'bias')
    )

    def names(self, keys: Iterable[str]) -> Names:
        """Return the names, with the projection numbered as the last block."""
        keys = list(keys)
        last = (_count(r'backbone\.layers', keys) or self.num_blocks(keys)) - 1
        return [
            *((f'base_model.{timm}', ours) for timm, ours in TRUNK),
            (f'projections.{last}.weight', 'neck.proj.weight'),
            (f'layer_norms.{last}.{{p}}', 'neck.norm.{p}'),
            ('head.{p}', 'head.fc.{p}'),
        ]

    def num_blocks(self, keys: Iterable[str]) -> int:
        """Return the number of blocks of a released Lift, from its projection of the last.

        Raises:
            ValueError: If there is no projection, or blocks follow the projected one.
        """
        keys = list(keys)
        depth, blocks = _count('projections', keys), _count(r'base_model\.blocks', keys)
        if depth == 0 or depth < blocks:
            found = [key for key in keys if 'base_model' not in key]
            raise ValueError(
                f'wanted projections.{max(blocks, 1) - 1}.weight, of the last block of Lift; '
                f'found the keys {listed(found, SHOWN)}.'
            )
        return depth

    def top(self, keys: set[str]) -> list[str]:
        """Return the keys of the neck and of the head, which may be of either type."""
        layers = any(key.startswith('head.layers.') for key in keys)
        head = 'head.layers.head' if layers else 'head.fc'
        return ['neck.proj.weight', 'neck.norm.weight', f'{head}.weight']

    def to_mmpretrain(self, weights: Weights) -> tuple[Weights, Weights]:
        """Rename, and separate the unused tensors."""
        unused = {key: value for key, value in weights.items() if key in self.unused_keys}
        used = {key: value for key, value in weights.items() if key not in self.unused_keys}
        return rename(used, self.names(used), "the released Lift's keys"), unused

    def to_released(self, weights: Weights, unused: Weights | None = None) -> Weights:
        """Rename, and put the unused tensors back in place."""
        names = [*reverse(self.names(weights)), *ALSO_MMPRETRAIN]
        lift = rename(weights, names, 'the keys of a ViT, a LiftProjector and a linear head')
        base = {key: value for key, value in lift.items() if key.startswith('base_model.')}
        return base | (_initial_unused(lift) if unused is None else unused) | lift


def _initial_unused(lift: Weights) -> Weights:
    """Initialise the tensors that Lift never uses: a norm of 1 and 0, a head of zeros."""
    position = lift['base_model.pos_embed'][0, 0]
    bias = torch.zeros_like(lift['head.bias'])
    head = bias.new_zeros(len(bias), len(position))
    values = (torch.ones_like(position), torch.zeros_like(position), head, bias)
    return dict(zip(LiftKeys.unused_keys, values, strict=True))


def _count(prefix: str, keys: Iterable[str]) -> int:
    """Return the number of parts ``prefix.N``, from the highest N."""
    matches = (re.match(rf'{prefix}\.(\d+)\.', key) for key in keys)
    return max((int(match[1]) + 1 for match in matches if match), default=0)

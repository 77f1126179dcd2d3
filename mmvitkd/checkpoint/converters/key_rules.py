"""How the state-dict keys of each kind of student look and convert."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from ...utils.errors import listed
from .renaming import SHOWN, Names
from .vit import VIT, mmpretrain_to_timm, timm_to_mmpretrain

Weights = dict[str, Tensor]


class KeyRules:
    """The keys of a plain ViT. A remedy's rules inherit these and change what differs.

    A remedy whose code was released has two layouts: MMPretrain's names, which are ours too,
    and the released code's.

    Attributes:
        name: What the student is called.
        key: A regular expression for the start of a key in MMPretrain's names that no other
            student has.
        released_key: The same in the released code's names; empty where nothing is released.
        block_parts: Tensors that a block has all of or none of, whatever other blocks have.
        last_widths: Keys, and their dimension, that must be as wide as the last block.
        unused_keys: What the released code saves and never uses, in its names. We have no
            place for it; it is kept apart for the way back.
    """

    name = 'ViT'
    key = ''
    released_key = ''
    block_parts: frozenset[str] = frozenset()
    last_widths: tuple[tuple[str, int], ...] = (
        ('backbone.ln1.weight', 0),
        ('backbone.ln2.weight', 0),
    )
    unused_keys: tuple[str, ...] = ()

    @property
    def released_layout(self) -> str:
        """The released code's layout, as :func:`layout_of` calls it."""
        return f'released_{self.name.lower()}'

    def detects(self, weights: Mapping[str, Tensor]) -> bool:
        """Tell whether a state dict with MMPretrain's names is of this kind of student."""
        return bool(self.key) and _has_key(weights, self.key)

    def names(self, keys: Iterable[str]) -> Names:
        """Return the released code's names and MMPretrain's, of a student with these keys."""
        return VIT

    def num_blocks(self, keys: Iterable[str]) -> int:
        """Return the least number of blocks that a student with these released keys has."""
        return 0

    def top(self, keys: set[str]) -> list[str]:
        """Return the keys that must follow the blocks, given MMPretrain's names."""
        parts = {key.split('.', 2)[1] for key in keys if key.startswith('head.')}
        if not parts:
            return []
        wanted = ['head.fc.weight' if 'fc' in parts else 'head.layers.head.weight']
        if not any(key.startswith(('backbone.ln1.', 'backbone.ln2.')) for key in keys):
            wanted.append('backbone.ln1.weight')
        if any(
            key.startswith(('backbone.dist_token', 'head.layers.head_dist.')) for key in keys
        ):
            wanted += ['backbone.dist_token', 'head.layers.head_dist.weight']
        return wanted

    def to_mmpretrain(self, weights: Weights) -> tuple[Weights, Weights]:
        """Rename a released state dict, or timm's.

        Args:
            weights: Its tensors are shared with the results.

        Returns:
            The state dict with MMPretrain's names, and the ``unused_keys`` it had.

        Raises:
            ValueError: If there are unknown keys.
        """
        return timm_to_mmpretrain(weights, self.names(weights)), {}

    def to_released(self, weights: Weights, unused: Weights | None = None) -> Weights:
        """Rename a state dict from MMPretrain's names: undo :meth:`to_mmpretrain`.

        Args:
            weights: Its tensors are shared with the result.
            unused: What :meth:`to_mmpretrain` kept apart, or None to make it up.

        Raises:
            ValueError: If there are unknown keys.
        """
        return mmpretrain_to_timm(weights, self.names(weights))


PLAIN = KeyRules()
RULES: list[KeyRules] = []


def register_key_rules(rules: type[KeyRules]) -> type[KeyRules]:
    """Register the rules of a remedy: a class decorator. The newest are asked first."""
    RULES.insert(0, rules())
    return rules


def rules_of(weights: Mapping[str, Tensor]) -> KeyRules:
    """Return the rules of a state dict with MMPretrain's names."""
    return next((rules for rules in RULES if rules.detects(weights)), PLAIN)


def rules_of_layout(layout: str) -> KeyRules:
    """Return the rules of a layout that :func:`layout_of` found."""
    return next((rules for rules in RULES if rules.released_layout == layout), PLAIN)


def layout_of(keys: Iterable[str]) -> str:
    """Return whose names a Vision Transformer's weights have.

    Args:
        keys: A state dict, or its keys.

    Returns:
        'mmpretrain' (ours too), 'timm' (DeiT's too), or the layout of a remedy's released
        code: 'released_lift', 'released_widelast' (arXiv 2511.15572).

    Raises:
        ValueError: If they are none of these.
    """
    keys = list(keys)
    marks = {r.released_layout: r.released_key for r in RULES if r.released_key}
    marks |= dict(timm=r'blocks\.\d+\.norm1\.', mmpretrain=r'(backbone\.)?layers\.\d+\.ln1\.')
    for layout, mark in marks.items():
        if _has_key(keys, mark):
            return layout
    raise ValueError(
        f"These are not a Vision Transformer's weights in any of the layouts "
        f'{", ".join(sorted(marks))}; found the keys {listed(keys, SHOWN)}.'
    )


def _has_key(keys: Iterable[str], mark: str) -> bool:
    return any(re.match(mark, key) for key in keys)

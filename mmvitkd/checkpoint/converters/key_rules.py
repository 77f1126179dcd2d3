"""Rules to recognise, check and rename the state-dict keys of each kind of student."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from ...utils.errors import listed
from .foreign import foreign_hint
from .renaming import SHOWN, Names
from .transformers_keys import TRANSFORMERS
from .vit import VIT, mmpretrain_to_timm, timm_to_mmpretrain

Weights = dict[str, Tensor]


class KeyRules:
    """Rules of a plain ViT. A remedy's rules inherit these and override what differs.

    A remedy whose code was released has two layouts: MMPretrain's names, which mmvitkd uses
    too, and the released code's.

    Attributes:
        name: The student's name in messages.
        key: A regular expression for the start of a key in MMPretrain's names that no other
            student has.
        released_key: The same in the released code's names; empty if nothing was released.
        block_parts: Tensors that come together in a block, whether or not others have them.
        last_widths: Keys, and the dimension that must equal the width of the last block.
        unused_keys: Keys that the released code saves and never uses, in its names. Students
            of mmvitkd have none; their tensors are kept separately, to convert back.
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
        """Return whether a state dict with MMPretrain's names is of this kind of student."""
        return bool(self.key) and _has_key(weights, self.key)

    def names(self, keys: Iterable[str]) -> Names:
        """Return the released code's and MMPretrain's names of a student with these keys."""
        return VIT

    def num_blocks(self, keys: Iterable[str]) -> int:
        """Return the minimum number of blocks of a student with these released keys."""
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
            weights: The state dict; its tensors are shared with the results.

        Returns:
            The state dict with MMPretrain's names, and the tensors under ``unused_keys``.

        Raises:
            ValueError: If there are unknown keys.
        """
        return timm_to_mmpretrain(weights, self.names(weights)), {}

    def to_released(self, weights: Weights, unused: Weights | None = None) -> Weights:
        """Rename a state dict from MMPretrain's names: undo :meth:`to_mmpretrain`.

        Args:
            weights: The state dict; its tensors are shared with the result.
            unused: The unused tensors from :meth:`to_mmpretrain`, or None to initialise them.

        Raises:
            ValueError: If there are unknown keys.
        """
        return mmpretrain_to_timm(weights, self.names(weights))


PLAIN = KeyRules()
RULES: list[KeyRules] = []


def register_key_rules(rules: type[KeyRules]) -> type[KeyRules]:
    """Register the rules of a remedy (a class decorator); the latest are tried first."""
    RULES.insert(0, rules())
    return rules


def rules_of(weights: Mapping[str, Tensor]) -> KeyRules:
    """Return the rules of a state dict with MMPretrain's names."""
    return next((rules for rules in RULES if rules.detects(weights)), PLAIN)


def rules_of_layout(layout: str) -> KeyRules:
    """Return the rules of a layout that :func:`layout_of` found."""
    return next((rules for rules in RULES if rules.released_layout == layout), PLAIN)


def layout_of(keys: Iterable[str]) -> str:
    """Return the layout of a Vision Transformer's weights.

    Args:
        keys: A state dict, or its keys.

    Returns:
        'mmpretrain' (also mmvitkd's), 'timm' (also DeiT's), 'transformers' (a ViT, DeiT or
        DINOv2), or the layout of a remedy's released code: 'released_lift',
        'released_widelast' (arXiv 2511.15572).

    Raises:
        ValueError: If it is none of these.
    """
    keys = list(keys)
    layout = find_layout(keys)
    if layout is None:
        raise ValueError(
            f"These are not a Vision Transformer's weights in any of the layouts "
            f'{", ".join(sorted(layout_patterns()))}; found the keys {listed(keys, SHOWN)}. '
            f'{foreign_hint(keys)}'.rstrip()
        )
    return layout


def find_layout(keys: Iterable[str]) -> str | None:
    """Return the layout as :func:`layout_of` does, or None if it is unknown."""
    keys = list(keys)
    patterns = layout_patterns().items()
    return next((layout for layout, pattern in patterns if _has_key(keys, pattern)), None)


def layout_patterns() -> dict[str, str]:
    """Return, for each layout, a regular expression for the start of one of its keys."""
    patterns = {r.released_layout: r.released_key for r in RULES if r.released_key}
    return patterns | dict(
        timm=r'blocks\.\d+\.norm1\.',
        mmpretrain=r'(backbone\.)?layers\.\d+\.ln1\.',
        transformers=TRANSFORMERS,
    )


def _has_key(keys: Iterable[str], pattern: str) -> bool:
    return any(re.match(pattern, key) for key in keys)

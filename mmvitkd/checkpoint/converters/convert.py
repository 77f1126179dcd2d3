"""Convert a checkpoint's weights to another layout; their own is recognised."""

from typing import NamedTuple

from torch import Tensor

from ...utils.errors import listed
from .find_trunk import Trunk, find_trunk
from .key_rules import RULES, KeyRules, Weights, layout_of, rules_of, rules_of_layout
from .missing_keys import missing_between_widths, missing_keys
from .renaming import SHOWN, rename, reverse
from .vit import mmpretrain_to_timm, with_prefix

TARGETS = ('mmpretrain', 'timm', 'released')


class Converted(NamedTuple):
    """Weights in another layout.

    Attributes:
        layout: Their layout before, as :func:`.key_rules.layout_of` calls it.
        kind: 'Lift', 'WideLast', another remedy's name, or 'ViT'.
        weights: The state dict in the new layout.
        unused: Tensors of a released checkpoint that its model never uses, to convert back.
        filled: Keys of unused tensors that were initialised, as the source has none.
        left_out: Keys of the source that are of no ViT: other heads, and a pretraining's parts.
    """

    layout: str
    kind: str
    weights: Weights
    unused: Weights
    filled: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def convert(
    weights: Weights, to: str, unused: Weights | None = None, allow_same: bool = False
) -> Converted:
    """Convert the weights of a Vision Transformer, Lift or WideLast.

    Args:
        weights: The state dict. Its tensors are shared with the result.
        to: One of ``TARGETS``.
        unused: For Lift to the released layout, the unused tensors of an earlier conversion.
        allow_same: Whether weights that are in the layout ``to`` already are accepted.

    Raises:
        ValueError: If the layout is unknown or already ``to``, if keys are unknown or
            missing, or if the target has no such model.

    Example:
        >>> import mmvitkd, timm
        >>> from mmvitkd.checkpoint.converters.convert import convert
        >>> deit = timm.create_model('deit_tiny_patch16_224', depth=1)
        >>> converted = convert(deit.state_dict(), to='mmpretrain')
        >>> converted.layout, converted.kind
        ('timm', 'ViT')
        >>> list(converted.weights)[:2]
        ['backbone.cls_token', 'backbone.pos_embed']
    """
    trunk = find_trunk(weights)
    layout, names = trunk.layout or layout_of(weights), trunk.names or ''
    is_same = trunk.weights.keys() == weights.keys()
    if names.startswith(to) and is_same and not allow_same:
        raise ValueError(f'the weights are in the layout {layout} already.')
    return _to(trunk, layout, to, unused)._replace(left_out=tuple(trunk.left_out))


def _to(trunk: Trunk, layout: str, to: str, unused: Weights | None) -> Converted:
    weights, kept = trunk.weights, Weights()
    source = rules_of_layout(layout)
    if to == 'timm' and trunk.names == 'timm':
        # MMPretrain has no register tokens, which are always there or not at all.
        known = {key: value for key, value in weights.items() if key != 'reg_token'}
        _check_complete(source.to_mmpretrain(known)[0], weights, layout, source)
        return Converted(layout, source.name, weights, {})
    if layout == 'mmpretrain':
        ours = with_prefix(weights)
    else:
        ours, kept = source.to_mmpretrain(weights)
    rules = source if source.released_key else rules_of(ours)
    _check_complete(ours, weights, layout, rules)
    if to == 'mmpretrain':
        return Converted(layout, rules.name, ours, kept)
    if to == 'released':
        return _to_released(ours, layout, rules, unused)
    if rules.key:
        advice = '; convert it to released' if rules.released_key else ''
        raise ValueError(f'this is {rules.name}, which timm does not have{advice}.')
    return Converted(layout, rules.name, mmpretrain_to_timm(ours), {})


def _to_released(
    ours: Weights, layout: str, rules: KeyRules, unused: Weights | None
) -> Converted:
    if not rules.released_key:
        released = ' or '.join(sorted(rules.name for rules in RULES if rules.released_key))
        raise ValueError(
            f'this is a {rules.name}, which was not released: wanted {released}; '
            f'found the keys {listed(list(ours), SHOWN)}.'
        )
    filled = rules.unused_keys if unused is None else ()
    return Converted(layout, rules.name, rules.to_released(ours, unused), {}, filled)


def _check_complete(ours: Weights, weights: Weights, layout: str, rules: KeyRules) -> None:
    """Raise a ValueError that lists what is missing, under the names of the source."""
    depth = rules.num_blocks(weights) if layout == rules.released_layout else 0
    missing = missing_keys(ours, rules, depth) or missing_between_widths(ours, rules)
    if missing and layout != 'mmpretrain':
        names = reverse(rules.names(weights))
        missing = list(rename(dict.fromkeys(missing, Tensor()), names, layout))
    if missing:
        raise ValueError(f'{len(missing)} keys are missing: {listed(missing, SHOWN)}.')

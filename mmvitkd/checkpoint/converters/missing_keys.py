"""Find the keys that a Vision Transformer's weights lack, from their keys and widths."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from .key_rules import PLAIN, KeyRules

BLOCK = {
    *('ln1.weight', 'attn.qkv.weight', 'attn.proj.weight'),
    *('ln2.weight', 'ffn.layers.0.0.weight', 'ffn.layers.1.weight'),
}
# In these, weight and bias come together; elsewhere a bias is optional.
WITH_BIAS = re.compile(r'(.*(ln\d|norm|head|head_dist|pre_logits|fc))\.weight')


def missing_keys(keys: Iterable[str], rules: KeyRules = PLAIN, depth: int = 0) -> list[str]:
    """Return the keys that a state dict should have in addition to those it has.

    It should have the patch embedding and the tokens; all blocks up to the highest number,
    each with the parts that any of them has (except ``rules.block_parts``); a last norm if
    there is a head; and both weight and bias of a layer that has either.

    Args:
        keys: A state dict with MMPretrain's names, or its keys.
        rules: The rules of this kind of student.
        depth: The minimum number of blocks, if it is known.
    """
    found = set(keys)
    wanted = {*_stem(found), *_blocks(found, depth, rules.block_parts), *rules.top(found)}
    wanted |= {key.removesuffix('bias') + 'weight' for key in found if key.endswith('.bias')}
    matches = map(WITH_BIAS.fullmatch, wanted | found)
    wanted |= {f'{match[1]}.bias' for match in matches if match}
    return sorted(wanted - found, key=_by_number)


def missing_between_widths(weights: Mapping[str, Tensor], rules: KeyRules = PLAIN) -> list[str]:
    """Return the keys that are missing where neighbouring parts have different widths.

    A block that is wider than its input needs the projection of its remedy. If a last norm, or
    Lift's projection, has another width than the last block, blocks are missing.

    Args:
        weights: A state dict with MMPretrain's names that :func:`missing_keys` finds complete.
        rules: The rules of this kind of student.
    """
    width = weights['backbone.patch_embed.projection.weight'].shape[0]
    wanted, number = [], 0
    while f'backbone.layers.{number}.ln1.weight' in weights:
        block = f'backbone.layers.{number}'
        if weights[f'{block}.ln1.weight'].shape[0] != width:
            wanted += [f'{block}.{part}' for part in sorted(rules.block_parts)]
        width = weights[f'{block}.ln1.weight'].shape[0]
        number += 1
    tops = [(key, dim) for key, dim in rules.last_widths if key in weights]
    if any(weights[key].shape[dim] != width for key, dim in tops):
        wanted += [f'backbone.layers.{number}.{part}' for part in sorted(BLOCK)]
    return [key for key in wanted if key not in weights]


def _by_number(key: str) -> list[tuple[int, str]]:
    """Return a sort key that puts layers.2 before layers.10."""
    return [(int(part), '') if part.isdigit() else (0, part) for part in key.split('.')]


def _stem(found: set[str]) -> list[str]:
    stem = ['backbone.patch_embed.projection.weight', 'backbone.pos_embed']
    if not any(key.startswith('backbone.pre_norm.') for key in found):
        stem.append('backbone.patch_embed.projection.bias')
    # Where the mean over the patches is normalised, a class token is optional.
    uses_mean = any(key.startswith('backbone.ln2.') for key in found)
    return stem if uses_mean else ['backbone.cls_token', *stem]


def _blocks(found: set[str], depth: int, own_parts: frozenset[str]) -> list[str]:
    blocks: dict[int, set[str]] = {}
    for key in found:
        match = re.fullmatch(r'backbone\.layers\.(\d+)\.(.+)', key)
        if match:
            blocks.setdefault(int(match[1]), set()).add(match[2])
    shared = BLOCK.union(*blocks.values()) - own_parts
    wanted = []
    for number in range(max(depth - 1, *blocks, -1) + 1):
        parts = shared | own_parts if blocks.get(number, set()) & own_parts else shared
        wanted += [f'backbone.layers.{number}.{part}' for part in parts]
    return wanted

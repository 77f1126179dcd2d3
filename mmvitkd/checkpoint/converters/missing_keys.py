"""What a Vision Transformer's weights lack, as far as their keys and widths can tell."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

BLOCK = {
    *('ln1.weight', 'attn.qkv.weight', 'attn.proj.weight'),
    *('ln2.weight', 'ffn.layers.0.0.weight', 'ffn.layers.1.weight'),
}
WIDE = {'proj_in.weight', 'proj_norm.weight', 'proj_norm.bias'}
# Of these, weight and bias come together; elsewhere a bias is a choice.
WITH_BIAS = re.compile(r'(.*(ln\d|norm|head|head_dist|pre_logits|fc))\.weight')


def missing_keys(keys: Iterable[str], depth: int = 0) -> list[str]:
    """The keys that a state dict should have beside those it has.

    The patch embedding and the tokens; all blocks up to the highest number, each with what
    any of them has (WideLast's projection is a wide block's own); a last norm where there
    is a head, which a backbone alone may lack; the partner of each weight or bias.

    Args:
        keys: MMPretrain's names, of a plain ViT, a distilled one, WideLast or Lift.
        depth: The least number of blocks, where that is known.
    """
    found = set(keys)
    wanted = {*_stem(found), *_blocks(found, depth), *_top(found)}
    wanted |= {key.removesuffix('bias') + 'weight' for key in found if key.endswith('.bias')}
    matches = map(WITH_BIAS.fullmatch, wanted | found)
    wanted |= {f'{match[1]}.bias' for match in matches if match}
    return sorted(wanted - found, key=_by_number)


def missing_between_widths(weights: Mapping[str, Tensor]) -> list[str]:
    """The keys without which neighbouring parts have different widths.

    A block that is wider than what is before it needs WideLast's projection; a last norm, or
    Lift's projection, that differs from the last block tells of blocks that are not there.

    Args:
        weights: With MMPretrain's names, and nothing that :func:`missing_keys` misses.
    """
    width = weights['backbone.patch_embed.projection.weight'].shape[0]
    wanted, number = [], 0
    while f'backbone.layers.{number}.ln1.weight' in weights:
        block = f'backbone.layers.{number}'
        if weights[f'{block}.ln1.weight'].shape[0] != width:
            wanted += [f'{block}.{part}' for part in sorted(WIDE)]
        width = weights[f'{block}.ln1.weight'].shape[0]
        number += 1
    tops = [('backbone.ln1.weight', 0), ('backbone.ln2.weight', 0), ('neck.proj.weight', 1)]
    if any(weights[top].shape[dim] != width for top, dim in tops if top in weights):
        wanted += [f'backbone.layers.{number}.{part}' for part in sorted(BLOCK)]
    return [key for key in wanted if key not in weights]


def _by_number(key: str) -> list[tuple[int, str]]:
    """Sorts layers.2 before layers.10."""
    return [(int(part), '') if part.isdigit() else (0, part) for part in key.split('.')]


def _has(found: set[str], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in found)


def _stem(found: set[str]) -> list[str]:
    stem = ['backbone.patch_embed.projection.weight', 'backbone.pos_embed']
    if not _has(found, 'backbone.pre_norm.'):
        stem.append('backbone.patch_embed.projection.bias')
    # Where the mean over the patches is normalised, a class token is a choice.
    return stem if _has(found, 'backbone.ln2.') else ['backbone.cls_token', *stem]


def _blocks(found: set[str], depth: int) -> list[str]:
    blocks: dict[int, set[str]] = {}
    for key in found:
        match = re.fullmatch(r'backbone\.layers\.(\d+)\.(.+)', key)
        if match:
            blocks.setdefault(int(match[1]), set()).add(match[2])
    shared = BLOCK.union(*blocks.values()) - WIDE
    wanted = []
    for number in range(max(depth - 1, *blocks, -1) + 1):
        parts = shared | WIDE if blocks.get(number, set()) & WIDE else shared
        wanted += [f'backbone.layers.{number}.{part}' for part in parts]
    return wanted


def _top(found: set[str]) -> list[str]:
    parts = {key.split('.', 2)[1] for key in found if key.startswith('head.')}
    if _has(found, 'neck.'):
        head = 'head.layers.head' if 'layers' in parts else 'head.fc'
        return ['neck.proj.weight', 'neck.norm.weight', f'{head}.weight']
    if not parts:
        return []
    wanted = ['head.fc.weight' if 'fc' in parts else 'head.layers.head.weight']
    if not _has(found, 'backbone.ln1.') and not _has(found, 'backbone.ln2.'):
        wanted.append('backbone.ln1.weight')
    if 'backbone.dist_token' in found or _has(found, 'head.layers.head_dist.'):
        wanted += ['backbone.dist_token', 'head.layers.head_dist.weight']
    return wanted

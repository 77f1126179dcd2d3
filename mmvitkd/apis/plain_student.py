"""Describe the plain student that a recommendation is for."""

from dataclasses import dataclass
from typing import Any

from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from ..config.load_config import load_config
from ..models.utils.adapters import adapter_for
from ..models.utils.adapters.mmpretrain_adapter import MMPretrainAdapter
from ..utils.errors import KeyedValueError


@dataclass(frozen=True)
class PlainStudent:
    """A ViT without a remedy.

    Attributes:
        name: What it is called.
        width: Its channels.
        depth: Its blocks.
        head_size: Channels of an attention head.
        num_extra_tokens: Tokens before the patches.
        config: Its config; None for a packaged student.
        is_ours: Whether its backbone is ``mmvitkd.VisionTransformer``.
    """

    name: str
    width: int
    depth: int
    head_size: int = 64
    num_extra_tokens: int = 1
    config: str | None = None
    is_ours: bool = True


# The students of configs/foundation.
PACKAGED = {
    'deit_tiny': PlainStudent('deit_tiny', 192, 12),
    'deit_small': PlainStudent('deit_small', 384, 12),
}


def plain_student(word: str) -> PlainStudent:
    """Return a student by a packaged name, or from the config of a classifier.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it is no plain ViT of MMPretrain.
    """
    if word in PACKAGED:
        return PACKAGED[word]
    if not word.endswith('.py'):
        raise KeyedValueError(
            f'{{student}}={word!r}: wanted {", ".join(PACKAGED)} or the config of a classifier '
            '(.py).',
            'student',
        )
    config: dict[str, Any] = load_config(word, measure=False).to_dict().get('model') or {}
    if config.get('teacher') is not None:
        raise KeyedValueError(
            f'{{student}}={word!r} is a distillation; wanted the config of its plain student '
            'alone. {trained} measures a trained distillation.',
            'student',
            'trained',
        )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(config)
    adapter = adapter_for(model)
    widths = set(adapter.widths)
    extra = adapter.num_extra_tokens
    if not isinstance(adapter, MMPretrainAdapter) or extra is None or len(widths) != 1:
        raise KeyedValueError(
            f'{{student}}={word!r}: found a {type(getattr(model, "backbone", model)).__name__} '
            f'with blocks of the widths {sorted(widths) or "unknown"}, wanted a plain ViT of '
            'MMPretrain.',
            'student',
        )
    [width] = widths
    return PlainStudent(
        name=word,
        width=width,
        depth=len(adapter.blocks),
        head_size=width // model.get_submodule(adapter.blocks[0]).attn.num_heads,
        num_extra_tokens=extra,
        config=word,
        is_ours=str(config['backbone']['type']).startswith('mmvitkd.'),
    )

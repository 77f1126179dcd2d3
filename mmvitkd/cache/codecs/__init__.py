"""Encode tensors as fields of fixed size: one codec a file."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from ...utils.errors import listed
from .codec import Codec, Field
from .floats import Floats
from .int8_tokens import Int8Tokens
from .low_rank_tokens import LowRankTokens
from .top_k_logits import TopKLogits

__all__ = [
    'Codec',
    'Field',
    'Floats',
    'Int8Tokens',
    'LowRankTokens',
    'TopKLogits',
    'codec_from_dict',
]

CODECS: dict[str, type[Floats | Int8Tokens | LowRankTokens | TopKLogits]] = {
    kind.__name__: kind for kind in (Floats, Int8Tokens, LowRankTokens, TopKLogits)
}


def codec_from_dict(values: Mapping[str, Any]) -> Codec:
    """Return the codec that :meth:`Codec.to_dict` described.

    Raises:
        ValueError: If the type or a key is unknown, a key is missing, or a value is wrong.
    """
    arguments = dict(values)
    name = arguments.pop('type', None)
    if name not in CODECS:
        raise ValueError(f'type: found {name!r}, wanted one of {", ".join(CODECS)}.')
    known = {field.name: field.default is MISSING for field in fields(CODECS[name])}
    if unknown := arguments.keys() - known:
        raise ValueError(
            f'{name}: unknown {listed(sorted(unknown))}; known: {", ".join(known)}.'
        )
    if missing := [key for key, needed in known.items() if needed and key not in arguments]:
        raise ValueError(f'{name}: {listed(missing)} missing.')
    if isinstance(arguments.get('shape'), list):
        arguments['shape'] = tuple(arguments['shape'])
    try:
        return CODECS[name](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{name}: {error}') from error

"""Format the text of a config once.

MMEngine runs yapf over it for every log, dump and checkpoint: half a second for a small config,
at every save. The text is the same in nearly all of them.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mmengine.config import config as config_module

KEPT = 8  # texts


def patch_formatting() -> None:
    """Let MMEngine's configs keep the last few formatted texts."""
    format_code = config_module.FormatCode

    @lru_cache(KEPT)
    def formatted(text: str, style: tuple[tuple[str, Any], ...], options: Any) -> Any:
        return format_code(text, style_config=dict(style), **dict(options))

    def format_once(text: str, style_config: Mapping[str, Any], **options: Any) -> Any:
        return formatted(text, tuple(style_config.items()), tuple(options.items()))

    config_module.FormatCode = format_once

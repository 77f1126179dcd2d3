"""Compare a config's model with that of the run which wrote a checkpoint."""

import ast
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from ..config.env_values import masked


def is_of_another_run(cfg: Config, checkpoint: Mapping[str, Any]) -> bool:
    """Return whether a checkpoint records another ``model`` than this config's.

    MMEngine saves the text of a run's config in its checkpoints. It is parsed and never
    executed; its layout does not matter. Values of environment variables are not compared.

    Args:
        cfg: The config, as a run of it would have it.
        checkpoint: The content of the checkpoint file.

    Returns:
        False if the checkpoint records no config, or none that can be parsed.
    """
    recorded = (checkpoint.get('meta') or {}).get('cfg')
    found = _model_in(recorded) if isinstance(recorded, str) else None
    return found is not None and found != _model_in(
        Config({'model': masked(cfg).model}).pretty_text
    )


def _model_in(text: str) -> str | None:
    """Return the syntax tree of the value of ``model`` in a config's text, as a string."""
    try:
        statements = ast.parse(text).body
        for statement in statements:
            if isinstance(statement, ast.Assign) and 'model' in map(
                ast.unparse, statement.targets
            ):
                return ast.dump(statement.value)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None

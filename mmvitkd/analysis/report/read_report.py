"""Read and check the report of a model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..measures.checks import required_problem
from ..measures.selection import all_measures
from .report_dir import REPORT

REQUIRED = ('model', 'num_images', 'num_tokens', 'embed_dims', 'blocks')


def read_report(path: Path) -> dict[str, Any]:
    """Read a report.

    Args:
        path: ``report.json``, or the folder it is in.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not the report of a model; names the file and the key.
    """
    path = path.expanduser()
    file = path / REPORT if path.is_dir() else path
    try:
        report: dict[str, Any] = json.loads(file.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{file}: there is no such report.') from None
    except OSError as error:
        raise ValueError(f'{file}: cannot be read: {error}') from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{file}: invalid JSON: {error}') from None
    for key in REQUIRED:
        if not isinstance(report, dict) or key not in report:
            raise ValueError(f'{file}: found no {key!r}, wanted the report of a model.')
    blocks = report['blocks']
    if not isinstance(blocks, dict) or not blocks:
        raise ValueError(f'{file}: blocks: found {blocks!r:.40}, wanted blocks by their keys.')
    for key, block in blocks.items():
        _check_block(block, f'{file}: blocks.{key}')
    return report


def _check_block(block: Any, where: str) -> None:
    """Raise ValueError if a block lacks what its measures require."""
    if not isinstance(block, dict):
        raise ValueError(f'{where}: found {block!r:.40}, wanted measures by their names.')
    for measure in all_measures().values():
        problem = required_problem(measure, block)
        if problem:
            raise ValueError(f'{where}.{problem}')


def block_of(report: Mapping[str, Any], block: str, where: str) -> str:
    """Return the key of a block.

    Args:
        report: The report.
        block: 'last', or a key.
        where: The file, for the error message.

    Raises:
        ValueError: If the report has no such block.
    """
    keys: list[str] = list(report['blocks'])
    if block == 'last':
        return keys[-1]
    if block not in keys:
        raise ValueError(f'{where}: blocks: there is no {block!r}, only {", ".join(keys)}.')
    return block

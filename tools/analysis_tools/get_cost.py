"""Print the cost of students and teachers: `get_cost.py CONFIG... [--json FILE]`.

Models are built with random weights: nothing is loaded or downloaded.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

ARITHMETIC = (
    'For one image. MACs: of matrix products, attention included, and convolutions; GFLOPs = '
    '2 x MACs. A training step of the student alone is counted as 3 x its MACs (forward 1, '
    'backward 2). Distillation adds teacher / (3 x student), as the teacher runs forward only, '
    'and losses / student, as connectors and losses run backward too; element-wise operations '
    'and Fourier transforms are not counted.'
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'configs', nargs='+', metavar='CONFIG', help='config file, or mmpretrain::PATH'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here')
    return parser.parse_args()


def table_of(results: list[dict[str, Any]]) -> Table:
    """Return a table of the students, teachers and losses of all configs."""
    header = ('', 'image', 'parameters', 'MACs (M)', 'GFLOPs', 'added')
    table = Table(*header, box=None, header_style='bold', pad_edge=False)
    table.columns[0].overflow = 'fold'
    for column in table.columns[1:]:
        column.justify = 'right'
        column.no_wrap = True
    for result in results:
        table.add_row(Text(Path(result['config']).stem), style='bold')
        for role in ('student', 'teacher', 'losses'):
            part = result[role]
            if part is None:
                continue
            size, macs, parameters = (
                part.get(key) for key in ('image_size', 'macs', 'parameters')
            )
            table.add_row(
                Text(f'  {role} {part.get("name", "")}'),
                f'{size[0]} x {size[1]}' if size else '',
                '?' if parameters is None else f'{parameters:,}',
                '?' if macs is None else f'{macs / 1e6:,.2f}',
                '?' if macs is None else f'{2 * macs / 1e9:.3f}',
            )
        if result['added_share'] is not None:
            table.add_row('  to a training step', *[''] * 4, f'+{result["added_share"]:.1%}')
    return table


def write_json(results: list[dict[str, Any]], path: Path) -> None:
    """Write the numbers, with an explanation and the versions."""
    import mmvitkd
    from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend
    from mmvitkd.compat import SUPPORTED, installed_version

    versions = {package.module: installed_version(package) for package in SUPPORTED}
    content = dict(
        arithmetic=ARITHMETIC,
        versions=dict(mmvitkd=mmvitkd.__version__, **versions),
        models=results,
    )
    AtomicLocalBackend().put((json.dumps(content, indent=1) + '\n').encode(), path)


def main() -> None:
    """Count, print and write, or exit with one line that states the reason."""
    args = parse_args()

    from mmvitkd.apis import count_cost

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    results = []
    for path in args.configs:
        try:
            results.append(count_cost(path))
        except Exception as error:
            sys.exit(f'get_cost: {path}: {error}')
    if args.json is not None:
        write_json(results, args.json)
    Console().print(table_of(results), '', ARITHMETIC, sep='\n', highlight=False)


if __name__ == '__main__':
    main()

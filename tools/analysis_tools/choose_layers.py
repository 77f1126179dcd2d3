"""Choose the layers to distil, as SpectralKD: `choose_layers.py TEACHER --student STUDENT`.

TEACHER is a report of analyze_representation.py with `--blocks all` and the measure
`spectrum`; STUDENT is another one, or a number of blocks. Paste the output into a config.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmvitkd.analysis.layer_selection import LayerChoice

# Lift's projected tokens: their key in a report, and the layer in `pairs`.
NECK, LIFTED = 'neck', 'neck.norm'
MEASURED = '--blocks all --measures spectrum'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('teacher', metavar='TEACHER', help='report.json, or its folder')
    parser.add_argument(
        '--student',
        required=True,
        metavar='STUDENT',
        help='report.json, its folder, or the number of blocks or stages',
    )
    parser.add_argument(
        '--num-pairs',
        type=int,
        default=8,
        metavar='N',
        help='default: 8, as published',
    )
    parser.add_argument(
        '--first',
        type=int,
        metavar='N',
        help='pairs at the front (default: decided by the intensities; published: 2)',
    )
    return parser.parse_args()


def depth_of(report: dict[str, Any], path: str) -> int:
    """Return the number of blocks in a report.

    Raises:
        ValueError: If some blocks of the model are missing.
    """
    indices = [key for key in report['blocks'] if key.isdigit()]
    depth = report.get('num_blocks') or len(indices)
    if not indices or indices != [str(i) for i in range(depth)]:
        found = ', '.join(report['blocks'])
        raise ValueError(
            f'{path}: blocks: found {found}, wanted all from 0; measure with {MEASURED}.'
        )
    return len(indices)


def intensities_of(report: dict[str, Any], path: str) -> list[float]:
    """Return the frequency intensity, block by block.

    Raises:
        ValueError: If a block has none.
    """
    intensities = []
    for key in map(str, range(depth_of(report, path))):
        value = report['blocks'][key].get('frequency_intensity')
        if not isinstance(value, int | float):
            raise ValueError(
                f'{path}: blocks.{key}.frequency_intensity: found {value!r}, wanted a number; '
                f'measure with {MEASURED}.'
            )
        intensities.append(float(value))
    return intensities


def student_of(word: str) -> tuple[int, bool]:
    """Return a student's number of blocks, and whether it is a Lift."""
    from mmvitkd.analysis.report.read_report import read_report

    if word.isdigit():
        return int(word), False
    report = read_report(Path(word))
    return depth_of(report, word), NECK in report['blocks']


def snippet(choice: 'LayerChoice', teacher: str, depth: int, lift: bool) -> str:
    """Return the pairs as lines of a config."""
    pairs: list[tuple[int | str, int]] = list(choice.pairs)
    lines = [
        f'# {teacher}: the first {choice.first} and the last {choice.last} of {depth} blocks, '
        f'which hold {100 * choice.captured_share:.0f} % of',
        f'# the frequency intensity of the {len(pairs)} most intense blocks.',
    ]
    if lift and choice.last:
        pairs[-1] = (LIFTED, pairs[-1][1])
        lines.append(
            f'# The student is a Lift: its lifted tokens ({LIFTED}) are the last layer.'
        )
    return '\n'.join([*lines, f'pairs={pairs},  # (student layer, teacher layer)'])


def main() -> None:
    """Print the pairs, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.analysis.layer_selection import choose_layers
    from mmvitkd.analysis.report.read_report import read_report

    try:
        teacher = read_report(Path(args.teacher))
        intensities = intensities_of(teacher, args.teacher)
        depth, lift = student_of(args.student)
        choice = choose_layers(intensities, depth, args.num_pairs, args.first)
        print(snippet(choice, teacher['model'], len(intensities), lift))
    except (OSError, ValueError) as error:
        sys.exit(f'choose_layers: {error}')


if __name__ == '__main__':
    main()

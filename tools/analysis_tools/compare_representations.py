"""Compare models side by side: `compare_representations.py REPORT REPORT... --out DIR`.

REPORT is a report of analyze_representation.py. With `--models MODEL[@CHECKPOINT]...` and
`--data-root DIR`, the models run on the same images, for linear CKA between them.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_options import add_folder_options, add_loading_options

if TYPE_CHECKING:
    from mmvitkd.analysis.features.loaded_model import LoadedModel
    from mmvitkd.analysis.report.comparison import Compared

# The options of the settings that errors name.
OPTIONS = {
    'model': 'MODEL',
    'checkpoint': 'MODEL@CHECKPOINT',
    'img_size': '--img-size',
    'allow_random': '--allow-random',
    'custom_imports': '--custom-imports',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'reports', nargs='*', metavar='REPORT', help='report.json, or the folder it is in'
    )
    parser.add_argument(
        '--models',
        nargs='+',
        default=[],
        metavar='MODEL[@CHECKPOINT]',
        help='config file, exported student or timm:NAME, and the weights',
    )
    parser.add_argument('--data-root', metavar='DIR', help='folder of images, for --models')
    parser.add_argument(
        '--first-per-class', action='store_true', help='only the first image of each class'
    )
    parser.add_argument(
        '--num-images', type=int, metavar='N', help='at most this many, spread over the folder'
    )
    parser.add_argument(
        '--img-size', type=int, metavar='SIDE', help='build timm models for this size'
    )
    parser.add_argument(
        '--allow-random', action='store_true', help='models may have random weights (seed 0)'
    )
    add_loading_options(parser, 'for --models; ')
    parser.add_argument(
        '--block',
        default='last',
        metavar='BLOCK',
        help="block to compare: 'last' (default), an index from 0, or a name such as neck",
    )
    parser.add_argument(
        '--labels',
        nargs='+',
        metavar='LABEL',
        help='labels of the reports, then of the models (default: their folders and names)',
    )
    parser.add_argument(
        '--custom-imports',
        nargs='+',
        default=[],
        metavar='MODULE',
        help='modules that register measures of your own',
    )
    add_folder_options(parser, 'a comparison')
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Check arguments that would fail only after a long run, or not at all.

    Raises:
        FileExistsError: If --out exists and must not be replaced.
        ValueError: If there is nothing to compare, or arguments contradict each other.
    """
    from mmvitkd.analysis.report.report_dir import REPORT, check_out

    if len(args.reports) < 2 and len(args.models) < 2:
        raise ValueError(
            f'found {len(args.reports)} reports and {len(args.models)} --models, wanted two or '
            'more of either.'
        )
    for name, found in (('REPORT', args.reports), ('--models', args.models)):
        if len(found) == 1:
            raise ValueError(f'{name}: found one, {found[0]!r}; wanted none, or two or more.')
    if bool(args.models) != bool(args.data_root):
        raise ValueError('--models and --data-root: wanted both or neither.')
    for name, least in (('batch_size', 1), ('workers', 0)):
        if getattr(args, name) < least:
            key = name.replace('_', '-')
            raise ValueError(f'--{key}: found {getattr(args, name)}, wanted {least} or more.')
    check_out(args.out, args.overwrite)
    if (args.out / REPORT).exists() and _is_model_report(args.out):
        raise FileExistsError(
            f'--out: {str(args.out)!r} has the report of a model: it is not replaced.'
        )


def _is_model_report(folder: Path) -> bool:
    """Return whether a folder has the report of a model, not a comparison."""
    from mmvitkd.analysis.report.read_report import read_report

    try:
        read_report(folder)
    except (OSError, ValueError):
        return False
    return True


def by_label(labels: list[str], items: list[str], option: str) -> dict[str, str]:
    """Return reports or models by their labels.

    Raises:
        ValueError: If two have the same label.
    """
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f'{option}: two are called {label!r}; --labels names them.')
    return dict(zip(labels, items, strict=True))


def report_label(path: str) -> str:
    """Return the name of a report's folder."""
    found = Path(path).expanduser().absolute()
    return found.name if found.is_dir() else found.parent.name


def model_label(word: str) -> str:
    """Return a timm name, or the name of a config or folder."""
    model, _ = model_and_checkpoint(word)
    return model if model.startswith('timm:') else Path(model).name.removesuffix('.py')


def model_and_checkpoint(word: str) -> tuple[str, str | None]:
    """Split ``MODEL@CHECKPOINT``; the name of an existing file or folder may contain an @."""
    if Path(word).expanduser().exists() or '@' not in word:
        return word, None
    model, _, checkpoint = word.rpartition('@')
    return model, checkpoint


def load(word: str, args: argparse.Namespace) -> 'LoadedModel':
    """Load a model, with its checkpoint if one is given."""
    from mmvitkd.apis.load_model import load_model

    import torch

    model, checkpoint = model_and_checkpoint(word)
    torch.manual_seed(0)
    return load_model(
        model,
        checkpoint,
        img_size=args.img_size if model.startswith('timm:') else None,
        allow_random=args.allow_random,
    )


def read(reports: dict[str, str], block: str) -> dict[str, 'Compared']:
    """Read the reports, and find the block of each to compare."""
    from mmvitkd.analysis.report.comparison import Compared
    from mmvitkd.analysis.report.read_report import block_of, read_report

    found = {}
    for label, path in reports.items():
        report = read_report(Path(path))
        found[label] = Compared(report, block_of(report, block, path), path)
    return found


def measure(args: argparse.Namespace, words: dict[str, str]) -> dict[str, Any]:
    """Compute CKA between the models."""
    from mmvitkd.analysis.runner.image_bars import image_bars
    from mmvitkd.analysis.runner.model_cka import cka_matrix
    from mmvitkd.datasets.image_list import find_images
    from mmvitkd.utils.devices import device_of

    from rich.console import Console

    images = find_images(args.data_root, args.first_per_class, args.num_images)
    models = {label: load(word, args) for label, word in words.items()}
    device = device_of(args.device)
    block = int(args.block) if args.block.lstrip('-').isdigit() else args.block
    with image_bars(len(images), Console(stderr=True)) as watch:
        cka = cka_matrix(models, images, block, device, args.batch_size, args.workers, watch)
    return {
        **cka,
        'models': {label: model.provenance for label, model in models.items()},
        'random_weights': [label for label, model in models.items() if model.is_random],
    }


def compare(args: argparse.Namespace) -> None:
    """Read, measure and write."""
    from mmvitkd.analysis.measures.selection import import_measures
    from mmvitkd.analysis.report.comparison import write_comparison
    from mmvitkd.analysis.report.report_dir import files_text, new_folder, write_report_file
    from mmvitkd.utils.cli import print_left_out

    args.out = args.out.expanduser().absolute()
    import_measures(args.custom_imports)
    check(args)
    labels = args.labels or [*map(report_label, args.reports), *map(model_label, args.models)]
    count = len(args.reports)
    if len(labels) != count + len(args.models):
        raise ValueError(
            f'--labels: found {len(labels)}, wanted {count + len(args.models)}, one for each.'
        )
    reports = by_label(labels[:count], args.reports, 'REPORT')
    words = by_label(labels[count:], args.models, '--models')
    compared = read(reports, args.block)
    cka = measure(args, words) if words else None
    with new_folder(args.out, args.overwrite) as folder:
        write_report_file(write_comparison(compared, cka, folder), folder)
    print_left_out(cka['unreadable'] if cka else {})
    print(f'{args.out}: wrote {files_text(args.out)}')


def main() -> None:
    """Compare, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('compare_representations', OPTIONS):
        compare(args)


if __name__ == '__main__':
    main()

"""Follow a student over its training: `CONFIG WORK_DIR --data-root DIR --out DIR`.

Measures all blocks of every kept checkpoint (`default_hooks.checkpoint.keep_every=30`):
entropy, frequency intensity and magnitude, as in arXiv 2511.06848, or other measures. Writes
report.md (read it first), report.json, a table (CSV) and a figure with a line per checkpoint.
"""

import argparse
import re
from pathlib import Path
from typing import Any

from measure_help import measure_meanings
from shared_options import add_folder_options, add_loading_options

# The options of the settings that errors name.
OPTIONS = {
    'model': 'CONFIG',
    'checkpoint': 'WORK_DIR',
    'ema': '--ema',
    'measures': '--measures',
    'num_images': '--num-images',
    'images': '--images',
}
MEASURES = ('entropy', 'spectrum', 'magnitude')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('config', metavar='CONFIG', help='the config of the training')
    parser.add_argument(
        'work_dir', type=Path, metavar='WORK_DIR', help='folder of checkpoints epoch_N.pth'
    )
    parser.add_argument('--ema', action='store_true', help='use the averaged weights')
    parser.add_argument('--data-root', required=True, metavar='DIR', help='folder of images')
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        '--images',
        choices=['dd'],
        help='dd: 32 images of the first class, resized and cropped as by arXiv 2511.06848',
    )
    chosen.add_argument(
        '--num-images', type=int, metavar='N', help='at most this many, spread over the folder'
    )
    parser.add_argument(
        '--measures',
        nargs='+',
        default=list(MEASURES),
        choices=[*measure_meanings()],
        metavar='NAME',
        help=f'default: {" ".join(MEASURES)}; analyze_representation.py --help lists them',
    )
    parser.add_argument('--seed', type=int, default=2026, help='default: 2026')
    add_loading_options(parser)
    add_folder_options(parser, 'a report')
    return parser.parse_args()


def checkpoints_of(work_dir: Path) -> dict[int, Path]:
    """Return the checkpoints of a training by epoch, in order.

    Raises:
        FileNotFoundError: If there is none.
    """
    found = {}
    for path in work_dir.glob('*.pth'):
        match = re.fullmatch(r'epoch_(\d+)\.pth', path.name)
        if match:
            found[int(match[1])] = path
    if not found:
        raise FileNotFoundError(
            f'WORK_DIR: {str(work_dir)!r} has no epoch_N.pth. A training keeps one every 30 '
            'epochs with --cfg-options default_hooks.checkpoint.keep_every=30.'
        )
    return dict(sorted(found.items()))


def follow(args: argparse.Namespace) -> None:
    """Measure each checkpoint, and write the report."""
    from mmvitkd.analysis.measures.selection import select_measures
    from mmvitkd.analysis.measures.settings import Settings
    from mmvitkd.analysis.report.dynamics_report import write_dynamics
    from mmvitkd.analysis.report.report_dir import (
        check_out,
        files_text,
        new_folder,
        write_report_file,
    )
    from mmvitkd.apis.dd_images import dd_images
    from mmvitkd.datasets.image_list import find_images
    from mmvitkd.utils.cli import print_left_out
    from mmvitkd.utils.devices import device_of

    args.out = args.out.expanduser().absolute()
    check_out(args.out, args.overwrite)
    files = checkpoints_of(args.work_dir)
    if args.images == 'dd':
        images = dd_images(args.data_root)
    else:
        images = find_images(args.data_root, num_images=args.num_images)
    measures, device = select_measures(args.measures, 1), device_of(args.device)
    settings = Settings(measures=measures, seed=args.seed, device=device)
    checkpoints: dict[int, Any] = {}
    unreadable: dict[str, str] = {}
    for epoch, path in files.items():
        checkpoints[epoch], reasons = measure(args, path, images, settings)
        unreadable |= reasons
    about = dict(
        model=Path(args.config).stem,
        images=images.folder,
        num_images=len(images) - len(unreadable),
        unreadable=unreadable,
        ema=args.ema,
        seed=args.seed,
        measures=[*measures],
        checkpoints={epoch: path.name for epoch, path in files.items()},
    )
    with new_folder(args.out, args.overwrite) as folder:
        write_report_file(write_dynamics(about, checkpoints, folder), folder)
    print_left_out(unreadable)
    print(f'{args.out}: wrote {files_text(args.out)}')


def measure(
    args: argparse.Namespace, checkpoint: Path, images: Any, settings: Any
) -> tuple[Any, dict[str, str]]:
    """Return the entries of a checkpoint's blocks, and why images were left out, by path."""
    from mmvitkd.analysis.features.extractor import FeatureExtractor
    from mmvitkd.analysis.features.shared_classes import shared_classes
    from mmvitkd.analysis.runner.image_bars import image_bars
    from mmvitkd.analysis.runner.measure_runner import MeasureRunner
    from mmvitkd.apis.dd_images import DDTransform
    from mmvitkd.apis.load_model import load_model
    from mmvitkd.datasets.image_batches import ImageBatches

    from rich.console import Console

    loaded = load_model(args.config, str(checkpoint), ema=args.ema)
    loaded.model.to(settings.device)
    preprocess = DDTransform(loaded.model) if args.images == 'dd' else loaded.preprocess
    batches = ImageBatches(images, preprocess, args.batch_size, args.workers)
    console = Console(stderr=True)
    console.print(checkpoint.name)
    classes = shared_classes(loaded.model, images)
    with image_bars(len(images), console) as watch:
        source = FeatureExtractor(loaded.model, ['all'])
        runner = MeasureRunner(
            source, batches, images.paths, settings, args.batch_size, classes, watch
        )
        return runner.run().blocks, batches.unreadable


def main() -> None:
    """Write a report, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('training_dynamics', OPTIONS):
        follow(args)


if __name__ == '__main__':
    main()

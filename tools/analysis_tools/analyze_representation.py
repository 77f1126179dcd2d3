"""Measure a model's features of images: `MODEL --data-root DIR --out DIR`.

Writes report.md (read it first), report.json, tables (CSV) and figures: how many directions
hold the energy of an image and of all images, how energy is spread over channels and their
frequencies, entropy, magnitudes. Features are kept only with `--save-features`.
"""

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure_help import measure_meanings
from shared_options import add_folder_options, add_loading_options

if TYPE_CHECKING:
    from mmvitkd.analysis.measures.settings import Settings

# The options of the settings that errors name.
OPTIONS = {'model': 'MODEL'} | {
    key: f'--{key.replace("_", "-")}'
    for key in (
        *('checkpoint', 'ema', 'teacher', 'img_size', 'allow_random', 'blocks', 'measures'),
        *('held_out', 'memory_limit', 'custom_imports', 'images'),
    )
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    measures = [f'  {name:15} {meaning}' for name, meaning in measure_meanings().items()]
    parser = argparse.ArgumentParser(
        description=(__doc__ or '').splitlines()[0],
        epilog='\n'.join(['measures:', *measures]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'model', metavar='MODEL', help='config file, exported student, or timm:NAME'
    )
    parser.add_argument('--checkpoint', metavar='FILE', help="the model's weights")
    parser.add_argument('--ema', action='store_true', help='use the averaged weights')
    parser.add_argument('--teacher', action='store_true', help="use the config's teacher")
    parser.add_argument(
        '--allow-random', action='store_true', help='measure random weights, drawn with --seed'
    )
    parser.add_argument('--data-root', required=True, metavar='DIR', help='folder of images')
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        '--first-per-class',
        action='store_true',
        help='only the first image of each class, as arXiv 2511.15572',
    )
    chosen.add_argument(
        '--images',
        choices=['dd'],
        help='dd: 32 images of the first class, resized and cropped as by arXiv 2511.06848',
    )
    parser.add_argument(
        '--num-images', type=int, metavar='N', help='at most this many, spread over the folder'
    )
    parser.add_argument(
        '--img-size', type=int, metavar='SIDE', help='build a timm model for this size'
    )
    parser.add_argument(
        '--blocks',
        nargs='+',
        default=['last'],
        metavar='BLOCK',
        help="'last' (default), 'all', or indices from 0 and names of modules",
    )
    parser.add_argument(
        '--final-norm', action='store_true', help="after the model's final norm"
    )
    parser.add_argument(
        '--measures',
        nargs='+',
        default=['default'],
        metavar='NAME',
        help="see below; 'all', or 'default': without gradient, and for more than two blocks "
        'without permutation',
    )
    parser.add_argument(
        '--custom-imports',
        nargs='+',
        default=[],
        metavar='MODULE',
        help='modules that register measures of your own',
    )
    parser.add_argument(
        '--centered', action='store_true', help='subtract the mean token before PCA'
    )
    parser.add_argument(
        '--held-out', action='store_true', help='fit PCA to every other image, test on the rest'
    )
    parser.add_argument('--amp', action='store_true', help='run the model in bfloat16')
    parser.add_argument('--seed', type=int, default=2026, help='default: 2026')
    add_loading_options(parser)
    parser.add_argument(
        '--memory-limit',
        default='2GiB',
        metavar='SIZE',
        help='in addition to a bare forward pass; default: 2GiB',
    )
    parser.add_argument(
        '--spill',
        metavar='DIR',
        help='keep features that do not fit in a temporary file in this folder, instead of '
        'running a second forward pass',
    )
    parser.add_argument(
        '--save-features', action='store_true', help='keep the features in features/ in --out'
    )
    add_folder_options(parser, 'a report')
    return parser.parse_args()


def parse_blocks(words: list[str]) -> list[int | str]:
    """Return blocks as ``FeatureExtractor`` takes them; words may hold several, with commas."""
    parts = [part for word in words for part in word.split(',') if part]
    return [int(part) if part.lstrip('-').isdigit() else part for part in parts]


def check(args: argparse.Namespace) -> None:
    """Check arguments that would fail only after a long run, or not at all.

    Raises:
        FileExistsError: If --out exists and must not be replaced.
        FileNotFoundError: If the folder of --spill does not exist.
        ValueError: If a number is out of range, or a measure or device does not exist.
    """
    from mmvitkd.analysis.report.report_dir import check_out

    check_out(args.out, args.overwrite)
    if args.spill is not None and not Path(args.spill).is_dir():
        raise FileNotFoundError(f'--spill: {args.spill!r}: there is no such folder.')
    if args.images == 'dd' and args.num_images is not None:
        raise ValueError('--num-images: --images dd has its own 32; leave it out.')
    if args.images == 'dd' and args.img_size not in (None, 224):
        raise ValueError(f'--img-size: found {args.img_size}, and --images dd has 224 px.')
    for name, least in (('batch_size', 1), ('workers', 0)):
        if getattr(args, name) < least:
            key = name.replace('_', '-')
            raise ValueError(f'--{key}: found {getattr(args, name)}, wanted {least} or more.')
    build_settings(args, num_blocks=2)


def build_settings(args: argparse.Namespace, num_blocks: int) -> 'Settings':
    """Return the settings of the measures.

    Raises:
        ValueError: If a measure or device does not exist, or the limit is not a size.
    """
    from mmvitkd.analysis.measures.selection import select_measures
    from mmvitkd.analysis.measures.settings import Settings
    from mmvitkd.utils.bytesize import parse_size
    from mmvitkd.utils.devices import device_of

    try:
        memory_limit = parse_size(args.memory_limit)
    except ValueError as error:
        raise ValueError(f'--memory-limit: {error}') from error
    return Settings(
        measures=select_measures(args.measures, num_blocks),
        seed=args.seed,
        centered=args.centered,
        held_out=args.held_out,
        device=device_of(args.device),
        amp=args.amp,
        memory_limit=memory_limit,
        spill=args.spill,
    )


def analyze(args: argparse.Namespace) -> None:
    """Load the model, measure, and write the report."""
    from mmvitkd.analysis.measures.selection import import_measures
    from mmvitkd.analysis.report.report_dir import files_text, new_folder, write_report_file
    from mmvitkd.analysis.report.write_report import write_report
    from mmvitkd.apis.dd_images import DDTransform, dd_images
    from mmvitkd.apis.load_model import load_model
    from mmvitkd.datasets.image_batches import ImageBatches
    from mmvitkd.datasets.image_list import find_images
    from mmvitkd.utils.cli import print_left_out

    import torch

    args.out = args.out.expanduser().absolute()
    import_measures(args.custom_imports)
    check(args)
    start = time.perf_counter()
    if args.images == 'dd':
        images = dd_images(args.data_root)
    else:
        images = find_images(args.data_root, args.first_per_class, args.num_images)
    torch.manual_seed(args.seed)
    loaded = load_model(
        args.model,
        args.checkpoint,
        teacher=args.teacher,
        ema=args.ema,
        img_size=args.img_size,
        allow_random=args.allow_random,
    )
    if args.images == 'dd':
        loaded = loaded._replace(preprocess=DDTransform(loaded.model))
    batches = ImageBatches(images, loaded.preprocess, args.batch_size, args.workers)
    with new_folder(args.out, args.overwrite) as folder:
        report = measure(args, loaded, batches, images, folder)
        report['seconds'] = time.perf_counter() - start
        write_report(report, folder)
        write_report_file(report, folder)
    print_left_out(batches.unreadable)
    print(f'{args.out}: wrote {files_text(args.out)}')


def measure(
    args: argparse.Namespace, loaded: Any, batches: Any, images: Any, folder: Path
) -> dict[str, Any]:
    """Measure the model's features of the images; return the report."""
    from mmvitkd.analysis.features.extractor import FeatureExtractor
    from mmvitkd.analysis.features.shared_classes import shared_classes
    from mmvitkd.analysis.report.build_report import build_report
    from mmvitkd.analysis.runner.feature_writer import FOLDER, FeatureWriter
    from mmvitkd.analysis.runner.image_bars import image_bars
    from mmvitkd.analysis.runner.measure_runner import MeasureRunner
    from mmvitkd.models.utils.adapters import blocks_of

    from rich.console import Console

    source = FeatureExtractor(loaded.model, parse_blocks(args.blocks), args.final_norm)
    settings = build_settings(args, len(source.names))
    loaded.model.to(settings.device)
    writer = FeatureWriter(folder / FOLDER, images.paths) if args.save_features else None
    classes = shared_classes(loaded.model, images)
    with image_bars(len(images), Console(stderr=True)) as watch, writer or nullcontext():
        measured = MeasureRunner(
            source, batches, images.paths, settings, args.batch_size, classes, watch, writer
        ).run()
    about = dict(
        model=args.model,
        checkpoint=args.checkpoint,
        provenance=loaded.provenance,
        random_weights=loaded.is_random,
        num_blocks=len(blocks_of(loaded.model)),
    )
    options = dict(
        blocks=[*map(str, source.names)],
        final_norm=args.final_norm,
        image_size=[*loaded.preprocess.size],
        images=args.images,
        teacher=args.teacher,
        ema=args.ema,
        img_size=args.img_size,
        batch_size=args.batch_size,
    )
    unreadable = sorted(batches.unreadable)
    return build_report(
        measured, images, unreadable, args.first_per_class, settings, about, options
    )


def main() -> None:
    """Write a report, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('analyze_representation', OPTIONS):
        analyze(args)


if __name__ == '__main__':
    main()

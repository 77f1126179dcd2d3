"""Recommend how to distil a teacher: `recommend.py TEACHER --data-root DIR --out DIR`.

Measures how much of the teacher's features no student of a width can reach, and ends in a
target, layers, a remedy and its width, with the reasons, their cost and a config to train.
Writes recommend.md (read it first), report.json and a figure.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_options import add_folder_options, add_loading_options

if TYPE_CHECKING:
    from mmvitkd.datasets.image_list import ImageList

# The options of the settings that errors name.
OPTIONS = {'model': 'TEACHER'} | {
    key: f'--{key.replace("_", "-")}'
    for key in (
        *('checkpoint', 'img_size', 'allow_random', 'student', 'with_label', 'num_classes'),
        *('trained', 'num_images'),
    )
}
OPTIONS |= dict(teacher_ckpt='--checkpoint', allow_random_teacher='--allow-random')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'teacher', metavar='TEACHER', help='timm:NAME, or the config of a classifier'
    )
    parser.add_argument('--checkpoint', metavar='FILE', help="the teacher's weights")
    parser.add_argument(
        '--img-size', type=int, metavar='SIDE', help='build a timm teacher for this size'
    )
    parser.add_argument(
        '--allow-random', action='store_true', help='accept a teacher with random weights'
    )
    parser.add_argument(
        '--student',
        default='deit_tiny',
        metavar='STUDENT',
        help='deit_tiny (default), deit_small, or the config of a plain ViT',
    )
    parser.add_argument(
        '--data-root', required=True, metavar='DIR', help='folder of images to train on'
    )
    parser.add_argument(
        '--with-label',
        action=argparse.BooleanOptionalAction,
        help='whether folders are classes; default: if there are two or more',
    )
    parser.add_argument(
        '--num-classes', type=int, metavar='N', help='default: the number of class folders'
    )
    parser.add_argument(
        '--wide-output',
        action='store_true',
        help="the student's result must be as wide as the teacher's",
    )
    parser.add_argument(
        '--trained',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a trained distillation of this teacher, to compare with its floor',
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=256,
        metavar='N',
        help='at most this many, spread over the folder; default: 256',
    )
    parser.add_argument('--seed', type=int, default=2026, help='default: 2026')
    add_loading_options(parser)
    add_folder_options(parser, 'a recommendation')
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Check arguments that would fail only after a long run, or not at all.

    Raises:
        FileExistsError: If --out exists and must not be replaced.
        ValueError: If a number is out of range, or arguments contradict each other.
    """
    from mmvitkd.analysis.report.report_dir import check_out

    check_out(args.out, args.overwrite)
    for name, least in (('batch_size', 1), ('workers', 0), ('num_images', 2)):
        if getattr(args, name) < least:
            key = name.replace('_', '-')
            raise ValueError(f'--{key}: found {getattr(args, name)}, wanted {least} or more.')
    if Path(args.teacher).expanduser().is_dir():
        raise ValueError(
            f'TEACHER: {args.teacher!r} is a folder; wanted timm:NAME or a config.'
        )
    if args.with_label is False and args.num_classes is not None:
        raise ValueError('--num-classes: found --no-with-label, wanted images with labels.')


def find(args: argparse.Namespace) -> tuple['ImageList', 'ImageList', int | None]:
    """Return training images, held-out ones, and the number of classes, if they have any."""
    from mmvitkd.datasets.train_val_lists import find_train_val, spread

    train, held_out = find_train_val(args.data_root, classes=args.with_label is not False)
    found = len(train.classes or ())
    if found < 2 and (args.with_label or args.num_classes is not None):
        option = '--with-label' if args.with_label else '--num-classes'
        raise ValueError(
            f'{option}: found {found} class folders in {args.data_root!r}, wanted 2 or more.'
        )
    if args.num_classes is not None and args.num_classes < found:
        raise ValueError(f'--num-classes: found {args.num_classes}, wanted {found} or more.')
    count = (args.num_classes or found) if found > 1 else None
    return spread(train, args.num_images), spread(held_out, args.num_images), count


def recommend(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the teacher, decide, and return the report."""
    from mmvitkd.analysis.runner.image_bars import image_bars
    from mmvitkd.apis.layer_floors import measure_teacher, teacher_width
    from mmvitkd.apis.load_model import load_model
    from mmvitkd.apis.plain_student import plain_student
    from mmvitkd.apis.recommend import check_student, pool_widths, recommendation_of
    from mmvitkd.apis.recommended_config import GivenData, GivenTeacher
    from mmvitkd.utils.devices import device_of

    import torch
    from rich.console import Console

    images, held_out, num_classes = find(args)
    student = plain_student(args.student)
    torch.manual_seed(args.seed)
    loaded = load_model(
        args.teacher, args.checkpoint, img_size=args.img_size, allow_random=args.allow_random
    )
    width = teacher_width(loaded.model)
    check_student(student, width)
    how: dict[str, Any] = dict(
        device=device_of(args.device), batch_size=args.batch_size, num_workers=args.workers
    )
    with image_bars(len(images), Console(stderr=True)) as watch:
        measured = measure_teacher(
            loaded, images, pool_widths(student, width), **how, watch=watch
        )
    given = GivenTeacher(args.teacher, args.checkpoint, args.img_size, args.allow_random)
    data = GivenData(args.data_root, num_classes)
    return {
        **recommendation_of(measured, given, student, data, args.wide_output),
        'teacher': dict(
            model=args.teacher,
            checkpoint=args.checkpoint,
            provenance=loaded.provenance,
            random_weights=loaded.is_random,
            width=measured.width,
            depth=measured.depth,
            num_tokens=measured.num_tokens,
        ),
        'student': asdict(student),
        'images': dict(
            folder=args.data_root,
            num_images=measured.num_images,
            num_classes=num_classes,
            unreadable=sorted(measured.unreadable),
        ),
        'layers': measured.layers,
        'intensities': measured.intensities,
        'trained': trained(args, held_out, how) if args.trained else None,
    }


def trained(
    args: argparse.Namespace, images: 'ImageList', how: dict[str, Any]
) -> dict[str, Any]:
    """Compare a trained student with its floor."""
    from mmvitkd.analysis.runner.image_bars import image_bars
    from mmvitkd.apis.layer_floors import measure_trained
    from mmvitkd.apis.load_distillation import load_distillation
    from mmvitkd.config.load_config import load_config

    from rich.console import Console

    config, checkpoint = args.trained
    cfg = load_config(config)
    if not (cfg.get('model') or {}).get('teacher'):
        raise ValueError(f'--trained: {config!r} is no distillation: it has no teacher.')
    loaded = load_distillation(
        cfg, checkpoint, allow_random=args.allow_random, teacher_checkpoint=args.checkpoint
    )
    with image_bars(len(images), Console(stderr=True)) as watch:
        measured = measure_trained(loaded, images, **how, watch=watch)
    return dict(
        config=config,
        checkpoint=checkpoint,
        num_images=measured.num_images,
        unreadable=sorted(measured.unreadable),
        layers=measured.layers,
    )


def write(args: argparse.Namespace, report: dict[str, Any]) -> None:
    """Write the folder completely or not at all."""
    from mmvitkd.analysis.functional.width_floor import COMMON_WIDTHS
    from mmvitkd.analysis.plotting.floors import draw_floors
    from mmvitkd.analysis.report.report_dir import new_folder, write_report_file
    from mmvitkd.analysis.report.write_report import save_both
    from mmvitkd.apis.recommendation_text import last_layers, recommendation_text

    blocks = {name: {'floor': report['layers'][name]} for name in last_layers(report['layers'])}
    figure = draw_floors(blocks, {*COMMON_WIDTHS, report['student']['width']})
    with new_folder(args.out, args.overwrite) as folder:
        save_both(figure, folder / 'figures', 'floors')
        text = recommendation_text(report)
        (folder / 'recommend.md').write_text(text, encoding='utf-8')
        (folder / 'recommended.py').write_text(report['config'], encoding='utf-8')
        write_report_file(report, folder)


def show(args: argparse.Namespace, report: dict[str, Any]) -> None:
    """Print the decisions and the config."""
    from mmvitkd.analysis.recommendation import UNSUPPORTED
    from mmvitkd.apis.recommendation_text import trained_lines
    from mmvitkd.utils.markdown import printable

    for decision in report['decisions']:
        print(f'{decision["part"]}: {decision["value"]}. {decision["reason"]}')
        support = decision['supported_by']
        print(f'  {support if support == UNSUPPORTED else f"supported by {support}"}')
    print(f'\n{report["config"]}')
    for line in trained_lines(report['trained']) if report['trained'] else ():
        print(line)
    for images in filter(None, (report['images'], report['trained'])):
        for path in images['unreadable']:
            print(printable(f'left out, as it cannot be read: {path}'))
    print(
        f'{args.out}: wrote recommend.md (read it first), recommended.py, report.json, 1 figure'
    )


def main() -> None:
    """Recommend, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('recommend', OPTIONS):
        args.out = args.out.expanduser().absolute()
        check(args)
        report = recommend(args)
        write(args, report)
        show(args, report)


if __name__ == '__main__':
    main()

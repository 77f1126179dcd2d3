"""Evaluate features without a head: `MODEL --data-root DIR [--checkpoint F] [--teacher T]`.

Compares a student with its teacher on held-out images, in patch tokens and embedding: relative
error next to that of the mean token, R2, cosine, linear CKA, and the R2 of a ridge readout that
is fitted on training images. With class folders also weighted k-NN and a linear probe.
"""

import argparse
import json
from pathlib import Path
from typing import Any

# The options of the settings that errors name.
OPTIONS = {'model': 'MODEL'} | {
    key: f'--{key.replace("_", "-")}'
    for key in (
        *('checkpoint', 'ema', 'img_size', 'allow_random', 'teacher', 'teacher_checkpoint'),
        *('teacher_img_size', 'layer', 'teacher_layer', 'val_ratio'),
    )
}
OPTIONS |= dict(teacher_ckpt='--teacher-checkpoint', allow_random_teacher='--allow-random')
# How images are held out, unless a config says otherwise.
SPLIT = dict(val_ratio=0.1, split_seed=0)
# The rows of the tables by the keys of the result.
ROWS = {
    'rel_error': 'relative error',
    'mean_token': '  of the mean token',
    'r2': 'R2 over the mean token',
    'cosine': 'cosine',
    'cka': 'linear CKA',
    'cka_null': '  of shuffled rows',
    'readout_r2': 'R2 of a ridge readout',
}
CLASSIFIED = {
    'knn': 'weighted k-NN, top-1 %',
    'probe': 'linear probe, top-1 %',
    'majority': '  of the most frequent class',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'model',
        metavar='MODEL',
        help="config file (a distillation's comes with its teacher), exported student, or "
        'timm:NAME',
    )
    parser.add_argument('--checkpoint', metavar='FILE', help="the model's weights")
    parser.add_argument('--ema', action='store_true', help='use the averaged weights')
    parser.add_argument(
        '--teacher',
        metavar='T',
        help="another teacher, given as MODEL; 'none' leaves out that of a distillation",
    )
    parser.add_argument('--teacher-checkpoint', metavar='FILE', help="the teacher's weights")
    parser.add_argument(
        '--allow-random', action='store_true', help='accept random weights, drawn with --seed'
    )
    parser.add_argument(
        '--layer',
        default='last',
        metavar='BLOCK',
        help="'last' (default), an index from 0 or the name of a module; a distillation is "
        'compared at the layers that it distils',
    )
    parser.add_argument(
        '--teacher-layer', default='last', metavar='BLOCK', help='the same of --teacher'
    )
    parser.add_argument(
        '--data-root',
        required=True,
        metavar='DIR',
        help='folder of images with train/ and val/, or with classes or images, a part of '
        'which is held out',
    )
    parser.add_argument(
        '--train-root', metavar='DIR', help='training images; all of --data-root is held out'
    )
    parser.add_argument(
        '--val-ratio', type=float, metavar='R', help="held out; default: the config's, or 0.1"
    )
    parser.add_argument(
        '--split-seed',
        type=int,
        metavar='N',
        help="of what is held out; default: the config's, or 0",
    )
    parser.add_argument(
        '--no-classes', action='store_true', help='folders are not classes, but just folders'
    )
    parser.add_argument(
        '--num-train', type=int, metavar='N', help='at most this many, spread over the folder'
    )
    parser.add_argument(
        '--num-images', type=int, metavar='N', help='the same of the held-out images'
    )
    parser.add_argument(
        '--img-size', type=int, metavar='SIDE', help='build a timm model for this size'
    )
    parser.add_argument(
        '--teacher-img-size', type=int, metavar='SIDE', help='the same of --teacher'
    )
    parser.add_argument('--k', type=int, default=20, help='neighbours; default: 20')
    parser.add_argument(
        '--temperature', type=float, default=0.07, help='of the k-NN; default: 0.07'
    )
    parser.add_argument('--device', help='default: cuda if there is a GPU, else cpu')
    parser.add_argument('--seed', type=int, default=2026, help='default: 2026')
    parser.add_argument('--batch-size', type=int, default=32, metavar='N', help='default: 32')
    parser.add_argument(
        '--workers',
        type=int,
        default=2,
        metavar='N',
        help='processes that read images; default: 2',
    )
    parser.add_argument('--out', type=Path, metavar='FILE', help='write the result as JSON')
    parser.add_argument('--overwrite', action='store_true', help='replace the file of --out')
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Check arguments that would fail only after a long run.

    Raises:
        FileExistsError: If --out exists and must not be replaced.
        ValueError: If a number is out of range, or an option has nothing to refer to.
    """
    least = dict(batch_size=1, workers=0, k=1, num_train=2, num_images=1)
    for name, lowest in least.items():
        found = getattr(args, name)
        if found is not None and found < lowest:
            key = name.replace('_', '-')
            raise ValueError(f'--{key}: found {found}, wanted {lowest} or more.')
    if args.temperature <= 0:
        raise ValueError(f'--temperature: found {args.temperature:g}, wanted more than 0.')
    if args.teacher_checkpoint and args.teacher == 'none':
        raise ValueError('--teacher-checkpoint: found --teacher none, wanted a teacher.')
    if args.out is not None and args.out.is_dir():
        raise ValueError(f'--out: {str(args.out)!r} is a folder, wanted a file.')
    if args.out is not None and args.out.expanduser().exists() and not args.overwrite:
        raise FileExistsError(f'--out: {str(args.out)!r} exists; --overwrite replaces it.')


def find(args: argparse.Namespace) -> tuple[Any, Any]:
    """Return the lists of training and held-out images."""
    from mmvitkd.datasets.image_list import find_images, without_classes
    from mmvitkd.datasets.train_val_lists import find_train_val, spread, with_classes_of

    if args.train_root is None:
        given = {key: getattr(args, key) for key in SPLIT if getattr(args, key) is not None}
        split = SPLIT | split_of_training(args.model) | given
        args.val_ratio, args.split_seed = (split[key] for key in SPLIT)
        found = find_train_val(args.data_root, classes=not args.no_classes, **split)
    else:
        train, held_out = find_images(args.train_root), find_images(args.data_root)
        if args.no_classes:
            train = without_classes(train)
        found = train, with_classes_of(held_out, train)
    return spread(found[0], args.num_train), spread(found[1], args.num_images)


def split_of_training(model: str) -> dict[str, Any]:
    """Return how the training of a config held images out; nothing for other models."""
    from mmvitkd.config.data_config import split_of
    from mmvitkd.config.load_config import load_config

    return split_of(load_config(model, measure=False)) if model.endswith('.py') else {}


def block_of(word: str) -> int | str:
    """Return a layer as ``FeatureExtractor`` takes it."""
    return int(word) if word.lstrip('-').isdigit() else word


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """Load the models, read the images, and return the result."""
    from mmvitkd.analysis.runner.feature_evaluation import HELD_OUT, TRAIN
    from mmvitkd.analysis.runner.image_bars import image_bars
    from mmvitkd.apis.evaluate_features import FeatureModels, evaluate_features
    from mmvitkd.utils.devices import device_of

    import torch
    from rich.console import Console

    check(args)
    device = device_of(args.device)
    train, held_out = find(args)
    torch.manual_seed(args.seed)
    models = FeatureModels(
        args.model,
        args.checkpoint,
        ema=args.ema,
        img_size=args.img_size,
        allow_random=args.allow_random,
        teacher=args.teacher,
        teacher_checkpoint=args.teacher_checkpoint,
        teacher_img_size=args.teacher_img_size,
        layer=block_of(args.layer),
        teacher_layer=block_of(args.teacher_layer),
    )
    numbers = {TRAIN: len(train), HELD_OUT: len(held_out)}
    with image_bars(numbers, Console(stderr=True)) as watch:
        found = evaluate_features(
            models,
            train,
            held_out,
            k=args.k,
            temperature=args.temperature,
            device=device,
            batch_size=args.batch_size,
            num_workers=args.workers,
            watch=watch,
        )
    options = ('data_root', 'train_root', 'val_ratio', 'split_seed', 'k', 'temperature', 'seed')
    return found | {'options': {name: getattr(args, name) for name in options}}


def show(found: dict[str, Any]) -> None:
    """Print the tables, and what was left out."""
    from mmvitkd.utils.cli import print_left_out
    from mmvitkd.utils.tables import screen_table

    from rich.console import Console

    console = Console(soft_wrap=True)
    for model, key in (('student', 'random_weights'), ('teacher', 'random_teacher')):
        print(f'{model}: {found[model] or "none"}{" (RANDOM WEIGHTS)" if found[key] else ""}')
    print(f'{found["num_train"]} training images, {found["num_images"]} held out')
    for entries, names in ((found['compared'], ROWS), (found['classified'], CLASSIFIED)):
        rows = [
            [name, *(number(entry.get(key), names is CLASSIFIED) for entry in entries.values())]
            for key, name in names.items()
            if any(key in entry for entry in entries.values())
        ]
        if rows:
            console.print()
            console.print(screen_table(['', *entries], rows))
    for name, reason in found['left_out'].items():
        print(f'left out: {name}: {reason}')
    print_left_out(found['unreadable'])


def number(value: float | None, percent: bool) -> str:
    """Format a number of the table."""
    if value is None:
        return '-'
    return f'{value:.2f}' if percent else f'{value:.4f}'


def main() -> None:
    """Evaluate, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.atomic_file import atomic_file
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('evaluate_features', OPTIONS):
        found = evaluate(args)
        if args.out is not None:
            with atomic_file(args.out.expanduser()) as temporary:
                temporary.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')
        show(found)
        if args.out is not None:
            print(f'{args.out}: written')


if __name__ == '__main__':
    main()

"""Classify images: `predict.py MODEL FOLDER --out DIR` writes a table and a picture.

The table has the class and the score of each image; the picture shows the most and the least
certain ones.
"""

import argparse
import csv
import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmvitkd.analysis.plotting.image_rows import Captioned
    from mmvitkd.apis.predict import Predictions
    from mmvitkd.models.utils.label_rule import LabelRule

# The options of the settings that errors name.
OPTIONS = {
    'model': 'MODEL',
    'checkpoint': '--checkpoint',
    'ema': '--ema',
    'img_size': '--img-size',
    'allow_random': '--allow-random',
}
TABLE, PICTURE = 'predictions.csv', 'certainty.png'
HEADER = ('image', 'label', 'class', 'score', 'unreadable')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'model', metavar='MODEL', help='exported student, config file, or timm:NAME'
    )
    parser.add_argument(
        'images', nargs='+', metavar='IMAGES', help='a folder, flat or nested, or image files'
    )
    parser.add_argument('--checkpoint', metavar='FILE', help='weights, of a config')
    parser.add_argument('--ema', action='store_true', help='use the averaged weights')
    parser.add_argument(
        '--img-size', type=int, metavar='SIDE', help='build a timm model for this size'
    )
    parser.add_argument(
        '--allow-random', action='store_true', help='accept random weights (seed 0)'
    )
    parser.add_argument(
        '--num',
        type=int,
        default=10,
        metavar='K',
        help='most and least certain images to show, each; default: 10',
    )
    parser.add_argument('--device', help='default: cuda if there is a GPU, else cpu')
    parser.add_argument('--batch-size', type=int, default=32, metavar='N', help='default: 32')
    parser.add_argument(
        '--workers',
        type=int,
        default=2,
        metavar='N',
        help='processes that read images; default: 2',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('predictions'),
        metavar='DIR',
        help=f'folder for {TABLE} and {PICTURE}; default: predictions',
    )
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Check arguments that would fail only after a long run.

    Raises:
        ValueError: If a number is out of range, or the folder cannot be written.
    """
    for name, least in (('num', 1), ('batch_size', 1), ('workers', 0)):
        if getattr(args, name) < least:
            key = name.replace('_', '-')
            raise ValueError(f'--{key}: found {getattr(args, name)}, wanted {least} or more.')
    if args.out.expanduser().is_file():
        raise ValueError(f'--out: {str(args.out)!r} is a file; wanted a folder.')


def classes_of(result: dict[str, Any]) -> list[tuple[int, str, float]]:
    """Return the index, the name and the score of each class that an image has."""
    labels = result.get('labels', [result['label']])
    names = result.get('class_names', [result['class_name']]) or [None] * len(labels)
    return [
        (label, '' if name is None else str(name), float(result['scores'][label]))
        for label, name in zip(labels, names, strict=True)
    ]


def rows_of(found: 'Predictions') -> list[list[str]]:
    """Return a row of ``HEADER`` for each image; several classes are separated by ``;``."""
    rows = []
    for result in found.results:
        classes = [(str(label), name, f'{x:.6f}') for label, name, x in classes_of(result)]
        columns = [';'.join(each[column] for each in classes) for column in range(3)]
        rows.append([result['path'], *columns, ''])
    return rows + [[path, '', '', '', why] for path, why in found.unreadable.items()]


def certainty(result: dict[str, Any], rule: 'LabelRule | None') -> float:
    """Return the score of the class; where there may be several, the margin of the closest one.

    A margin is the distance of a score to the rule's threshold, or of the last score of the top
    to the next one.
    """
    if rule is None:
        return float(result['score'])
    scores = sorted(map(float, result['scores']), reverse=True)
    if rule.threshold is not None:
        return min(abs(score - rule.threshold) for score in scores)
    return scores[rule.top - 1] - scores[rule.top] if rule.top < len(scores) else 1.0


def captioned(results: Sequence[dict[str, Any]], folder: str) -> list['Captioned']:
    """Return images with their classes, scores and files as captions."""
    from mmvitkd.datasets.transforms.load_image import read_image

    row = []
    for result in results:
        classes = classes_of(result)
        said = ', '.join(f'{name or label} {score:.3f}' for label, name, score in classes)
        caption = f'{said or "none"}\n{osp.relpath(result["path"], folder)}'
        row.append((read_image(result['path'])[..., ::-1], caption))
    return row


def write(args: argparse.Namespace) -> None:
    """Classify, write the table and the picture, and report."""
    from mmvitkd.analysis.plotting.image_rows import image_rows
    from mmvitkd.apis import load_model
    from mmvitkd.apis.predict import classify
    from mmvitkd.models.utils.label_rule import label_rule
    from mmvitkd.utils.atomic_file import atomic_file
    from mmvitkd.utils.cli import print_left_out
    from mmvitkd.utils.devices import device_of
    from mmvitkd.utils.plotting import save

    import torch

    torch.manual_seed(0)
    check(args)
    device = device_of(args.device)
    model = load_model(
        args.model,
        args.checkpoint,
        ema=args.ema,
        img_size=args.img_size,
        allow_random=args.allow_random,
    )
    is_one = len(args.images) == 1
    found = classify(
        model,
        args.images[0] if is_one else args.images,
        batch_size=args.batch_size,
        num_workers=args.workers,
        device=device,
        progress=True,
    )
    out = args.out.expanduser()
    # A file name need not be valid text.
    with (
        atomic_file(out / TABLE) as temporary,
        temporary.open('w', encoding='utf-8', errors='surrogateescape', newline='') as file,
    ):
        csv.writer(file, lineterminator='\n').writerows([HEADER, *rows_of(found)])
    images = osp.expanduser(args.images[0])
    folder = images if is_one and osp.isdir(images) else '.'
    rule = label_rule(model.model)
    ordered = sorted(found.results, key=lambda each: certainty(each, rule), reverse=True)
    most, least = ordered[: args.num], ordered[-args.num :][::-1]
    rows = [captioned(results, folder) for results in (most, least)]
    heading = f'The most certain of {len(ordered)} images, then the least: {model.provenance}'
    save(image_rows(rows, heading, frame_first=False), out / PICTURE)
    print_left_out(found.unreadable)
    print(f'{args.out}: written, {TABLE} of {len(ordered)} images and {PICTURE}')


def main() -> None:
    """Classify, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('predict', OPTIONS):
        write(args)


if __name__ == '__main__':
    main()

"""Draw the nearest images of a folder: `nearest_neighbours.py MODEL QUERY... --data-root DIR`.

Each query is the first of a row, followed by the images of the folder whose embeddings have the
largest cosine with its own. Needs no labels and no head.
"""

import argparse
import os.path as osp
from pathlib import Path
from typing import TYPE_CHECKING

from shared_options import add_loading_options

if TYPE_CHECKING:
    from mmvitkd.analysis.plotting.image_rows import Captioned
    from mmvitkd.apis.nearest_neighbours import Neighbours

# The options of the settings that errors name.
OPTIONS = {
    'model': 'MODEL',
    'checkpoint': '--checkpoint',
    'ema': '--ema',
    'img_size': '--img-size',
    'allow_random': '--allow-random',
}
SUFFIXES = ('.png', '.pdf')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'model', metavar='MODEL', help='exported student, config file, or timm:NAME'
    )
    parser.add_argument('queries', nargs='+', metavar='QUERY', help='image file')
    parser.add_argument('--checkpoint', metavar='FILE', help='weights, of a config')
    parser.add_argument('--ema', action='store_true', help='use the averaged weights')
    parser.add_argument(
        '--img-size', type=int, metavar='SIDE', help='build a timm model for this size'
    )
    parser.add_argument(
        '--allow-random', action='store_true', help='accept random weights (seed 0)'
    )
    parser.add_argument(
        '--data-root',
        required=True,
        metavar='DIR',
        help='folder of images to search, flat or nested',
    )
    parser.add_argument(
        '--num', type=int, default=8, metavar='K', help='neighbours of each; default: 8'
    )
    add_loading_options(parser)
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('neighbours.png'),
        metavar='FILE',
        help='picture to write, .png or .pdf; default: neighbours.png',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace the picture')
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Check arguments that would fail only after a long run.

    Raises:
        FileExistsError: If the picture exists and must not be replaced.
        ValueError: If a number is out of range, or the picture cannot be written.
    """
    for name, least in (('num', 1), ('batch_size', 1), ('workers', 0)):
        if getattr(args, name) < least:
            key = name.replace('_', '-')
            raise ValueError(f'--{key}: found {getattr(args, name)}, wanted {least} or more.')
    if args.out.suffix not in SUFFIXES or args.out.is_dir():
        raise ValueError(f'--out: {str(args.out)!r}: wanted a file that ends in .png or .pdf.')
    if args.out.expanduser().exists() and not args.overwrite:
        raise FileExistsError(f'--out: {str(args.out)!r} exists; --overwrite replaces it.')


def row_of(found: 'Neighbours', folder: str) -> list['Captioned']:
    """Return a query and its neighbours as images with captions."""
    from mmvitkd.datasets.transforms.load_image import read_image

    captions = [
        f'{cosine:.3f}\n{osp.relpath(path, folder)}'
        for path, cosine in zip(found.paths, found.cosines, strict=True)
    ]
    return [
        (read_image(path)[..., ::-1], caption)
        for path, caption in zip(
            [found.query, *found.paths], [f'query\n{found.query}', *captions], strict=True
        )
    ]


def draw(args: argparse.Namespace) -> None:
    """Search, draw and report."""
    from mmvitkd.analysis.plotting.image_rows import image_rows
    from mmvitkd.apis import load_model, nearest_neighbours
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
    found = nearest_neighbours(
        model,
        args.queries,
        args.data_root,
        args.num,
        device=device,
        batch_size=args.batch_size,
        num_workers=args.workers,
    )
    folder = osp.expanduser(args.data_root)
    rows = [row_of(each, folder) for each in found.neighbours]
    heading = f'Nearest of {found.num_images} images, by cosine: {model.provenance}'
    save(image_rows(rows, heading), args.out.expanduser())
    print_left_out(found.unreadable)
    queries = '1 query' if len(rows) == 1 else f'{len(rows)} queries'
    count = max(map(len, rows)) - 1
    print(f'{args.out}: written, {queries} and {count} neighbours of each')


def main() -> None:
    """Draw, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('nearest_neighbours', OPTIONS):
        draw(args)


if __name__ == '__main__':
    main()

"""Convert the weights of a ViT, DeiT, Lift or WideLast between layouts.

    python tools/model_converters/convert_checkpoint.py SOURCE TARGET --to LAYOUT

LAYOUT is mmpretrain (also ours), timm (also DeiT's), or released, the layout of the Lift and
WideLast checkpoints of arXiv 2511.15572. The layout of SOURCE is detected. Nothing in it is
executed; from a training checkpoint, the weights are read.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmvitkd.checkpoint.converters.convert import Converted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert the weights of a ViT, DeiT, Lift or WideLast between layouts'
    )
    parser.add_argument('source', help='checkpoint: .safetensors, or written by torch.save')
    parser.add_argument('target', type=Path, help='file to write: .safetensors or .pth')
    parser.add_argument(
        '--to',
        choices=('mmpretrain', 'timm', 'released'),
        required=True,
        help='layout to write',
    )
    parser.add_argument('--ema', action='store_true', help='use the EMA weights of SOURCE')
    parser.add_argument('--overwrite', action='store_true', help='replace TARGET')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Convert, and print what was found and written."""
    from mmvitkd.checkpoint.converters.convert import convert
    from mmvitkd.checkpoint.read import read_checkpoint, student_of
    from mmvitkd.checkpoint.write import UNUSED_KEY, write

    if args.target.exists() and not args.overwrite:
        raise FileExistsError(f'{args.target} exists; --overwrite replaces it.')
    checkpoint = read_checkpoint(args.source, 'SOURCE')
    weights = student_of(checkpoint, args.source, args.ema)
    try:
        converted = convert(weights, args.to, checkpoint.get(UNUSED_KEY))
    except ValueError as error:
        raise ValueError(f'{args.source!r}: {error}') from error
    which = 'EMA weights' if args.ema else 'weights'
    found = f'{which} of a {converted.kind} in the layout {converted.layout}'
    print(f'{args.source}: {found}, {size_of(weights)}')
    for note in notes(converted, args):
        print(note)
    write(converted, args.to, args.target)
    print(f'{args.target}: the layout {args.to}, {size_of(converted.weights)}')


def notes(converted: 'Converted', args: argparse.Namespace) -> list[str]:
    """Return notes on the weights that the released code has but never uses."""
    from mmvitkd.checkpoint.write import UNUSED_KEY

    if converted.unused:
        kept = f'kept next to the state dict, under {UNUSED_KEY}, for the way back'
        if args.target.suffix == '.safetensors':
            kept = 'left out: safetensors has no place for them, .pth has'
        return [f'{", ".join(converted.unused)}: nothing uses these; they are {kept}.']
    if converted.filled:
        names = ', '.join(converted.filled)
        return [f'{names}: nothing uses these, and the source lacks them; filled with 1 and 0.']
    return []


def size_of(weights: dict) -> str:
    """Return the number of tensors and of parameters in them."""
    return f'{len(weights)} tensors, {sum(v.numel() for v in weights.values()):,} parameters'


def main() -> None:
    """Convert, or exit with an error in one line."""
    args = parse_args()

    from mmvitkd.utils.cli import exit_on_error

    with exit_on_error('convert_checkpoint', {'ema': '--ema'}):
        run(args)


if __name__ == '__main__':
    main()

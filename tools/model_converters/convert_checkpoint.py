"""Convert the weights of a ViT, DeiT, Lift or WideLast between layouts.

    python tools/model_converters/convert_checkpoint.py SOURCE TARGET --to LAYOUT

LAYOUT is mmpretrain (also ours), timm (also DeiT's), or released, the layout of the Lift and
WideLast checkpoints of arXiv 2511.15572. The layout of SOURCE is detected: one of these, or
that of a ViT, DeiT or DINOv2 of Hugging Face transformers, also under a prefix. Nothing in it
is executed; from a training checkpoint, the weights are read. SOURCE may also be an ONNX file
that PyTorch exported: then timm's tokens are compared with onnxruntime's before anything is
written.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmvitkd.checkpoint.converters.convert import Converted

    from torch import Tensor

SHOWN = 30  # names of tensors in a note


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert the weights of a ViT, DeiT, Lift or WideLast between layouts'
    )
    parser.add_argument(
        'source', help='checkpoint: .safetensors, .onnx, or written by torch.save'
    )
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
    from mmvitkd.checkpoint.onnx_weights import is_onnx, load_graph, onnx_weights
    from mmvitkd.checkpoint.read import read_checkpoint, student_of
    from mmvitkd.checkpoint.write import UNUSED_KEY, write

    if args.target.exists() and not args.overwrite:
        raise FileExistsError(f'{args.target} exists; --overwrite replaces it.')
    if args.ema and is_onnx(args.source):
        raise ValueError(
            f'--ema: {args.source!r} is an ONNX file, which holds one set of weights.'
        )
    graph = load_graph(args.source) if is_onnx(args.source) else None
    checkpoint = {} if graph else read_checkpoint(args.source, 'SOURCE')
    weights = onnx_weights(graph) if graph else student_of(checkpoint, args.source, args.ema)
    try:
        converted = convert(weights, args.to, checkpoint.get(UNUSED_KEY), graph is not None)
    except ValueError as error:
        raise ValueError(f'{args.source!r}: {error}') from error
    which = 'EMA weights' if args.ema else 'weights'
    found = f'{which} of a {converted.kind} in the layout {converted.layout}'
    print(f'{args.source}: {found}, {size_of(weights)}')
    for note in notes(converted, args):
        print(note)
    if graph:
        print(check(graph, weights, converted, args))
    write(converted, args.to, args.target)
    print(f'{args.target}: the layout {args.to}, {size_of(converted.weights)}')


def check(
    graph: Any, weights: 'dict[str, Tensor]', converted: 'Converted', args: argparse.Namespace
) -> str:
    """Compare timm's tokens with those of an ONNX graph; return the result in words."""
    from mmvitkd.checkpoint.converters.convert import convert
    from mmvitkd.checkpoint.onnx_parity import check_tokens

    theirs = convert(converted.weights, 'timm', allow_same=True).weights
    bias = theirs.get('norm.bias')
    norms = [name for name, value in weights.items() if value is bias]
    if not norms:
        raise ValueError(f'{args.source!r}: it has no final norm, whose tokens to compare.')
    parity = check_tokens(graph, theirs, norms[-1], args.source)
    return (
        f'timm: tokens within {parity.error:.1g} of those of onnxruntime, on an image of '
        f'{parity.img_size} pixels, with {parity.num_heads} heads'
    )


def notes(converted: 'Converted', args: argparse.Namespace) -> list[str]:
    """Return notes on weights that are left out, or that the released code never uses."""
    from mmvitkd.checkpoint.write import UNUSED_KEY
    from mmvitkd.utils.errors import listed

    if converted.left_out:
        return [f'left out, as no part of the ViT: {listed(converted.left_out, SHOWN)}']
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

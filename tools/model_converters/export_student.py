"""Export a student: `export_student.py CONFIG CHECKPOINT --out DIR`.

Writes MMPretrain's config and checkpoint, timm's layout if timm has the architecture, ONNX,
and a model card; with --images also ONNX in float16 and in 8-bit integers, and a program of
torch.export. Each is read back and must give the logits of the trained model, or without a
head its embedding and features; otherwise nothing is written.
"""

import argparse
import os
from pathlib import Path


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Export a student')
    parser.add_argument('config', help='config file of the training')
    parser.add_argument('checkpoint', help='checkpoint file of the training')
    parser.add_argument('--out', type=Path, required=True, help='folder to create')
    parser.add_argument('--ema', action='store_true', help='export the EMA weights')
    parser.add_argument(
        '--formats',
        nargs='+',
        choices=('mmpretrain', 'timm', 'onnx', 'onnx-fp16', 'onnx-int8', 'pt2', 'hub'),
        help='what to write (default: the first three, as far as possible, and with --images '
        'the next three)',
    )
    parser.add_argument(
        '--images',
        metavar='DIR',
        help='real images, with class folders or without, to calibrate and compare onnx-fp16, '
        'onnx-int8 and pt2 on',
    )
    parser.add_argument(
        '--force', action='store_true', help='keep a file that loses more than it should'
    )
    parser.add_argument(
        '--score',
        type=Path,
        help='metrics for the model card, written by tools/test.py --out-item metrics '
        '(default: the last validation in the checkpoint)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an export')
    parser.add_argument(
        '--traceback', action='store_true', help='show the traceback of every error'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        help='override settings: key=value, nested keys with dots; "[a,b]", "[dict(type=A)]"',
    )
    return parser.parse_args()


def main() -> None:
    """Export, or exit with an error in one line."""
    args = parse_args()
    if args.traceback:
        os.environ['MMVITKD_TRACEBACK'] = '1'

    from mmvitkd.export.export_student import export_student
    from mmvitkd.utils.cli import exit_on_error
    from mmvitkd.utils.config_options import read_options

    with exit_on_error(
        'export_student', {'ema': '--ema', 'images': '--images', 'force': '--force'}
    ):
        written = export_student(
            args.config,
            args.checkpoint,
            args.out,
            ema=args.ema,
            formats=args.formats,
            images=args.images,
            force=args.force,
            score=args.score,
            overwrite=args.overwrite,
            options=read_options(args.cfg_options),
        )
        *files, card = written
        print(f'{args.out}: wrote {", ".join(files)} and {card}')


if __name__ == '__main__':
    main()

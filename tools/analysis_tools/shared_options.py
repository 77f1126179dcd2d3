"""Add the options that several analysis tools share."""

import argparse
from pathlib import Path


def add_loading_options(parser: argparse.ArgumentParser, prefix: str = '') -> None:
    """Add --device, --batch-size and --workers, with a text before the help of each."""
    parser.add_argument('--device', help=f'{prefix}default: cuda if there is a GPU, else cpu')
    parser.add_argument(
        '--batch-size', type=int, default=32, metavar='N', help=f'{prefix}default: 32'
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=2,
        metavar='N',
        help=f'{prefix}processes that read images; default: 2',
    )


def add_folder_options(parser: argparse.ArgumentParser, content: str) -> None:
    """Add --out and --overwrite, for a folder with a content such as 'a report'."""
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='new folder')
    parser.add_argument('--overwrite', action='store_true', help=f'replace {content}')

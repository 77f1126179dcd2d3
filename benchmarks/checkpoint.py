"""Time writing, verifying and loading a checkpoint of the headline student, and its samples.

The candidates take turns in one process. The checkpoint holds what a training's does: weights,
their average, and AdamW's two moments, all of them random.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend
from mmvitkd.checkpoint.integrity import verify
from mmvitkd.utils import random_state

import numpy as np
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from timing import ROOT, interleaved, seconds_of, write_run

CONFIG = ROOT / 'configs/cait_s24_deit_tiny_widelast.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--rounds', type=int, default=7, help='turns of each candidate (7)')
    parser.add_argument('--folder', type=Path, help='where to write (a temporary folder)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the times here')
    return parser.parse_args()


def content_of(cfg: Config) -> dict[str, Any]:
    """Return the content of a checkpoint: four times the student's parameters."""
    weights = MODELS.build(cfg.model.architecture).state_dict()
    copies = [{k: torch.randn_like(v) for k, v in weights.items()} for _ in range(4)]
    names = ('state_dict', 'ema_state_dict', 'exp_avg', 'exp_avg_sq')
    return dict(zip(names, copies, strict=True))


def candidates(content: dict[str, Any], folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what is timed, by its name."""
    file, plain = folder / 'ours.pth', folder / 'plain.pth'

    def bytes_of() -> bytes:
        buffer = BytesIO()
        torch.save(content, buffer)
        return buffer.getvalue()

    def load() -> None:
        torch.load(file, map_location='cpu', weights_only=True)

    data = bytes_of()
    return {
        'serialise (torch.save)': bytes_of,
        'write in place (MMEngine)': lambda: LocalBackend().put(data, plain),
        'write, seal, sync, rename (ours)': lambda: AtomicLocalBackend().put(data, file),
        'verify (SHA-256)': lambda: verify(file),
        'verify (CRC-32)': lambda: verify(plain),
        'load (torch.load)': load,
        '1,000 samples seeded in a worker': seed,
        '1,000 samples seeded without workers': seed_and_restore,
    }


def seed() -> None:
    """Seed samples as a loader's worker does."""
    for index in range(1000):
        random_state.seed_cpu(0, 3, index, 1)


def seed_and_restore() -> None:
    """Seed samples as without workers: the states outside do not change."""
    for index in range(1000):
        with random_state.seeded(0, 3, index, 1):
            pass


def main() -> None:
    """Time, print, write."""
    args = parse_args()
    torch.manual_seed(0)
    np.random.seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        content = content_of(Config.fromfile(CONFIG))
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        timed = candidates(content, Path(folder))
        turns = {name: partial(seconds_of, run) for name, run in timed.items()}
        times = interleaved(turns, args.rounds)
        size = (Path(folder) / 'ours.pth').stat().st_size
    print(f'a checkpoint of {size / 1e6:.1f} MB, medians of {args.rounds} rounds')
    for name, seconds in times.items():
        print(f'{name:36}{1000 * median(seconds):10.3f} ms')
    if args.json is not None:
        write_run(args.json, args, bytes=size, seconds=times)


if __name__ == '__main__':
    main()

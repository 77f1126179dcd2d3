"""Time our ImageNet training pipeline against timm's on the same files: `data_pipeline.py`.

All candidates take turns. One core: this process on one thread, in processor time, to which
other load on the machine adds little. All cores: a DataLoader with one worker per core, in
wall-clock time without its start-up.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmvitkd.engine.runner.launch import set_dataloaders
from mmvitkd.utils.tables import markdown_table

import cv2
import numpy as np
import torch
from mmengine.config import Config
from natural_images import write_images
from pipelines import STAGES, Pipeline, pipelines_of, stage_seconds
from timing import ROOT, interleaved, summary_of, write_run
from torch.utils.data import DataLoader, Subset

CONFIG = ROOT / 'configs' / '_base_' / 'datasets' / 'imagenet_bs256.py'
BASE = 'timm'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        '--data-root', type=Path, help='class folders of images, instead of generated ones'
    )
    parser.add_argument(
        '--sizes',
        nargs='+',
        type=size,
        default=[(500, 375), (1500, 1125)],
        metavar='WIDTHxHEIGHT',
        help='sizes of the generated files (500x375 1500x1125)',
    )
    parser.add_argument('--files', type=int, default=12, help='files per size (12)')
    parser.add_argument('--images', type=int, default=32, help='images per turn (32)')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='worker processes (default: the number of cores); 0 leaves them out',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the times here')
    args = parser.parse_args()
    for key in ('files', 'images', 'rounds'):
        if getattr(args, key) < 1:
            parser.error(f'--{key}: wanted 1 or more')
    return args


def size(text: str) -> tuple[int, int]:
    """Parse width and height."""
    width, height = map(int, text.split('x'))  # argparse names the option if that fails
    return width, height


def seed_all(seed: int) -> None:
    """Seed every generator, so that all candidates of a round start from the same seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def turn_on_one_core(pipeline: Pipeline, images: int) -> Callable[[], float]:
    """Return a function that measures processor seconds per image, with a seed of its turn."""
    turns = iter(range(10**9))

    def turn() -> float:
        seed_all(next(turns))
        start = time.process_time()
        for index in range(images):
            pipeline.dataset[index % len(pipeline.dataset)]
        return (time.process_time() - start) / images

    return turn


def turn_on_all_cores(pipeline: Pipeline, images: int, workers: int) -> Callable[[], float]:
    """Return the same for a DataLoader: wall-clock seconds after each worker's first batch."""
    batch_size = max(images // 4, 1)
    indices = [i % len(pipeline.dataset) for i in range(5 * batch_size * workers)]
    turns = iter(range(10**9))

    def turn() -> float:
        seed_all(next(turns))
        batches = iter(
            DataLoader(
                Subset(pipeline.dataset, indices),
                batch_size,
                num_workers=workers,
                collate_fn=pipeline.collate,
                worker_init_fn=_one_thread,
            )
        )
        for _ in range(workers):
            next(batches)
        start = time.perf_counter()
        counted = sum(1 for _ in batches)
        return (time.perf_counter() - start) / (counted * batch_size)

    return turn


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def speed_table(
    seconds: dict[str, list[float]], pipelines: dict[str, Pipeline], cores: int
) -> str:
    """Return a table of ms per image and core, images/s per core, and ratios to the base."""
    base = summary_of(seconds[BASE]).first_quartile
    rows = []
    for name, times in seconds.items():
        found = summary_of([cores * t for t in times])
        cells = [f'{1e3 * t:.2f}' for t in found]
        ratio = cores * base / found.first_quartile
        rate = f'{1 / found.first_quartile:.0f}'
        rows.append([name, *cells, rate, f'{ratio:.2f} x', pipelines[name].differs])
    header = ['', 'minimum, ms', 'first quartile', 'median', 'images/s', f'to {BASE}']
    return markdown_table([*header, 'differs from ours'], rows)


def stage_table(stages: dict[str, dict[str, float]]) -> str:
    """Return a table of milliseconds and share of each stage."""
    rows = []
    for name, seconds in stages.items():
        whole = sum(seconds.values())
        cells = [f'{1e3 * seconds[s]:.2f} ({100 * seconds[s] / whole:.0f} %)' for s in STAGES]
        rows.append([name, *cells])
    return markdown_table(['one core, ms', *STAGES], rows)


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Time all candidates on the images of a folder, and print the tables."""
    cfg = Config.fromfile(CONFIG)
    set_dataloaders(cfg)
    collate = cfg.train_dataloader.collate_fn
    pipelines = pipelines_of([dict(s) for s in cfg.train_pipeline], folder, collate['type'])
    paths = [Path(path) for path, _ in pipelines[BASE].dataset.samples]
    mean_bytes = sum(path.stat().st_size for path in paths) / len(paths)
    print(f'{len(paths)} files of {mean_bytes / 1e3:.0f} kB; ', end='')
    print(f'{args.rounds} rounds of {args.images} images')
    ways: dict[str, tuple[int, Callable[..., Callable[[], float]]]] = {}
    ways['one core'] = (1, turn_on_one_core)
    if args.workers:
        parallel = partial(turn_on_all_cores, workers=args.workers)
        ways[f'{args.workers} workers'] = (args.workers, parallel)
    found = {}
    for name, (cores, way) in ways.items():
        turns = {key: way(pipeline, args.images) for key, pipeline in pipelines.items()}
        for turn in turns.values():
            turn()  # not timed
        found[name] = interleaved(turns, args.rounds)
        table = speed_table(found[name], pipelines, cores)
        print(f'\n{name}, per image and core:\n{table}', flush=True)
    seed_all(0)
    stages = {name: stage_seconds(p.dataset, args.images) for name, p in pipelines.items()}
    print(f'\n{stage_table(stages)}\n', flush=True)
    return dict(seconds=found, stages=stages)


def main() -> None:
    """Generate files, time, write."""
    args = parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    found = {}
    if args.data_root is not None:
        found[str(args.data_root)] = measure(args.data_root, args)
    else:
        for width, height in args.sizes:
            with tempfile.TemporaryDirectory() as folder:
                write_images(Path(folder), (width, height), args.files)
                print(f'{width} x {height}: ', end='')
                found[f'{width}x{height}'] = measure(Path(folder), args)
    if args.json is not None:
        write_run(args.json, args, found=found)


if __name__ == '__main__':
    main()

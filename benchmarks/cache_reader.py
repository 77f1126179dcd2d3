"""Time how fast a teacher cache is read, without a model: `cache_reader.py`.

A view has the tokens of CaiT-S24's last block in int8 and the top 20 of 1000 logits. Batches
are drawn from all of the cache. `bytes` asks the kernel for them, copies and verifies them;
`outputs` is `CachedTeacher.start` and the wait for its result, decoded on the device.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import mmvitkd  # noqa: F401
from mmvitkd.cache.row_store import RowStore
from mmvitkd.models.teachers import BaseTeacher, CachedTeacher
from mmvitkd.models.teachers.stored_tensor import TeacherRead

import numpy as np
import torch
from cache_files import drop_pages, numbered_views, repeat_rows
from mmpretrain.structures import DataSample
from timing import interleaved, seconds_of, summary_of, summary_table, write_run

GRID, WIDTH, CLASSES = (14, 14), 384, 1000
READS = dict(
    tokens=TeacherRead('blocks', is_tokens=True, grid=GRID), logits=TeacherRead('head')
)


class RandomTeacher(BaseTeacher):
    """Return random numbers of the shapes of CaiT-S24's."""

    num_classes = CLASSES

    def forward(self, images: Any, data_samples: Any) -> dict[str, torch.Tensor]:
        """Return tokens and logits."""
        size = len(images)
        return dict(
            tokens=torch.randn(size, GRID[0] * GRID[1], WIDTH),
            logits=4 * torch.randn(size, CLASSES),
        )


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--batch-size', type=int, default=256, help='images (256)')
    parser.add_argument('--batches', type=int, default=16, help='in the cache (16)')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--device', default='cpu', help='where the result is wanted (cpu)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the times here')
    args = parser.parse_args()
    for key in ('batch_size', 'batches', 'rounds'):
        if getattr(args, key) < 1:
            parser.error(f'--{key.replace("_", "-")}: wanted 1 or more')
    return args


class Reader:
    """Reads batches of a full cache.

    Args:
        folder: A new folder for it.
        batch_size: Images in a batch.
        batches: Batches in the cache.
        device: Where the result is wanted.
    """

    def __init__(self, folder: Path, batch_size: int, batches: int, device: str) -> None:
        self.images = torch.empty(batch_size, 3, 1, 1, device=device)
        self.num_rows = batch_size * batches
        self.random = np.random.default_rng(0)
        live = RandomTeacher()
        self.teacher = CachedTeacher(live, dir=str(folder))
        self.teacher.plan(READS, live.forward(self.images[:1], None))
        self.teacher.open(numbered_views(self.num_rows))
        self.teacher.store_new_rows()
        self.teacher(self.images, samples(np.arange(batch_size)))
        self.teacher.close()
        repeat_rows(folder, self.num_rows, self.teacher.row_bytes, batch_size)

    def turn(self, decode: bool, from_disk: bool) -> float:
        """Return the seconds of a batch.

        Args:
            decode: Whether it is decoded, too.
            from_disk: Whether it is on the disk only, not in the kernel's memory.
        """
        rows = self.random.choice(self.num_rows, len(self.images), replace=False)
        self._read(rows, decode)  # into memory
        if from_disk:
            drop_pages(self.teacher.folder)
        return self._read(rows, decode)

    def _read(self, rows: np.ndarray, decode: bool) -> float:
        """Open the cache, time a batch, close it."""
        teacher = self.teacher
        if decode:
            teacher.open(numbered_views(self.num_rows), check=False)
            seconds = seconds_of(teacher, self.images, samples(rows))
            teacher.close()
            return seconds
        with RowStore.open(teacher.folder, self.num_rows, teacher.row_bytes, False) as store:
            return seconds_of(store.prefetch, rows) + seconds_of(store.read, rows)


def samples(rows: np.ndarray) -> list[DataSample]:
    """Return the data samples of views."""
    return [DataSample(metainfo=dict(sample_view=(row, 0, 0))) for row in rows.tolist()]


def run(args: argparse.Namespace, folder: Path) -> None:
    """Fill, time, print, write."""
    reader = Reader(folder, args.batch_size, args.batches, args.device)
    turns = {
        f'{what}, from {where}': partial(reader.turn, what == 'outputs', where == 'disk')
        for what in ('bytes', 'outputs')
        for where in ('memory', 'disk')
    }
    seconds = interleaved(turns, args.rounds)
    row_bytes = reader.teacher.row_bytes
    rates = {k: args.batch_size / summary_of(s).first_quartile for k, s in seconds.items()}
    columns = {
        'images/s': {name: f'{rate:.0f}' for name, rate in rates.items()},
        'MB/s': {name: f'{rate * row_bytes / 1e6:.0f}' for name, rate in rates.items()},
    }
    print(
        f'batches of {args.batch_size}, {row_bytes:,} bytes a view, {args.device}, '
        f'{torch.get_num_threads()} threads'
    )
    print(f'\n{summary_table(seconds, next(iter(turns)), columns)}')
    if args.json is not None:
        write_run(
            args.json, args, seconds=seconds, row_bytes=row_bytes, images_per_second=rates
        )


def main() -> None:
    """Run the benchmark in a temporary folder."""
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(args, Path(folder) / 'cache')


if __name__ == '__main__':
    main()

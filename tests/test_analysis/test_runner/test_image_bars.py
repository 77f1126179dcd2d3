"""Progress bars of passes over images."""

import io
from typing import NamedTuple

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner.image_bars import image_bars

import torch
from rich.console import Console


class Batch(NamedTuple):
    indices: torch.Tensor


def test_batches_pass_through_and_the_bars_fill():
    batches = [Batch(torch.tensor(i)) for i in ([0, 1, 2], [3, 5])]  # 4 and 6 are unreadable
    console = Console(file=io.StringIO(), width=120)
    with image_bars(7, console) as watch:
        assert list(watch(batches, 'first pass')) == batches
        assert list(watch(iter(batches), 'second pass')) == batches
    first, second = console.file.getvalue().strip().splitlines()
    for line, name in ((first, 'first pass'), (second, 'second pass')):
        assert line.startswith(name) and '7/7' in line and '100%' in line

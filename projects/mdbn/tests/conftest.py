"""What all tests of the project share."""

import runpy
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture
def write(tmp_path):
    """Write a random RGB image of a size (H, W) below the test's folder; return its path."""

    def write(name, *size, seed=0):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return str(path)

    return write


@pytest.fixture
def run(monkeypatch):
    """Run a script of the clone in this process."""

    def run(script, *arguments):
        monkeypatch.setattr(sys, 'argv', [script, *map(str, arguments)])
        runpy.run_path(str(ROOT / script), run_name='__main__')

    return run

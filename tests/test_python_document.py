"""The blocks of docs/python.md, run one after the other where the tutorial has been."""

import re
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.load_config import load_config

import torch
from folders import write_noise
from mmpretrain.registry import MODELS
from PIL import Image

DOCUMENT = (Path(__file__).parents[1] / 'docs' / 'python.md').read_text()
BLOCKS = re.findall(r'```python\n(.*?)```', DOCUMENT, re.DOTALL)


def write_tutorial(folder):
    """Write digits of noise and a teacher of random weights, where the tutorial has its own."""
    names = [f'{label}/{i}.png' for label in range(10) for i in range(8)]
    for split in ('train', 'val'):
        write_noise(folder / 'data' / 'digits' / split, *names, size=(28, 28))
    model = MODELS.build(load_config('mmvitkd::mnist5k/vit_64.py').model)
    model.init_weights()
    (folder / 'work_dirs' / 'teacher').mkdir(parents=True)
    state = dict(state_dict=model.state_dict(), meta={})
    torch.save(state, folder / 'work_dirs' / 'teacher' / 'epoch_20.pth')


def test_every_block_in_order(tmp_path):
    write_tutorial(tmp_path)
    assert len(BLOCKS) == 5
    done = subprocess.run(
        [sys.executable, '-c', '\n'.join(BLOCKS)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for name in ('b90', 'overlap', 'mean_token'):
        assert name in done.stdout
    for name in ('sep.png', 'spectrum.png'):
        assert Image.open(tmp_path / name).size > (300, 200)

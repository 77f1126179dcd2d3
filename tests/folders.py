"""Write folders of files for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def touch(root, *names):
    """Write empty files and their parent folders."""
    for name in names:
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')
    return root


def write_noise(root, *names, size=(8, 6, 3)):
    """Write images of different noise."""
    for index, name in enumerate(names):
        path = touch(root, name) / name
        pixels = np.random.default_rng(index).integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root

"""Write features to NumPy files, one per block, batch by batch."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from ...utils.disk_full import report_disk_full
from ..features.extractor import Key
from .feature_cache import FeatureBatch

FOLDER, IMAGES = 'features', 'images.json'


class FeatureWriter:
    """Writes ``<block>.npy``, (images, N, D) in float32 or float64, and the images' names.

    A context manager; the files are complete when it exits.

    Args:
        folder: A new folder, which is created.
        paths: The names of the images that batches have indices into.
    """

    def __init__(self, folder: Path, paths: Sequence[str]) -> None:
        self._folder, self._paths = folder, paths
        self._opened = ExitStack()
        self._files: dict[Key, BinaryIO] = {}
        self._headers: dict[Key, dict[str, Any]] = {}
        self._indices: list[int] = []

    def __enter__(self) -> 'FeatureWriter':
        self._folder.mkdir()
        return self

    def put(self, batch: FeatureBatch) -> None:
        """Add a batch's features.

        Raises:
            OSError: If the disk is full; names the folder.
        """
        with report_disk_full(self._folder):
            self._put(batch)

    def _put(self, batch: FeatureBatch) -> None:
        self._indices += batch.indices.tolist()
        for key, tokens in batch.features.items():
            if tokens.itemsize < 4:
                tokens = tokens.float()  # NumPy has no bfloat16
            array = np.ascontiguousarray(tokens.cpu().numpy())
            if key not in self._files:
                path = self._folder / f'{key}.npy'
                self._files[key] = self._opened.enter_context(path.open('w+b'))
                self._headers[key] = npy.header_data_from_array_1_0(array)
                self._write_header(key)
            self._files[key].write(array.data)

    def __exit__(self, kind: type[BaseException] | None, *unused: Any) -> None:
        """Write the number of images, if there was no error, and close the files."""
        with self._opened:
            if kind is not None:
                return
            for key in self._files:
                self._write_header(key)
        names = [self._paths[index] for index in self._indices]
        (self._folder / IMAGES).write_text(json.dumps(names, indent=1) + '\n')

    def _write_header(self, key: Key) -> None:
        """Write a header; NumPy leaves room in it for the number of images to grow."""
        header, file = self._headers[key], self._files[key]
        header['shape'] = (len(self._indices), *header['shape'][1:])
        file.seek(0)
        npy.write_array_header_1_0(file, header)

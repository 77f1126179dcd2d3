"""Load pairs of a large image (HR) and its small version (LR), whole or as random patches."""

import os.path as osp
from typing import Any

from mmvitkd.utils.errors import KeyedValueError, listed

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch import Tensor
from torch.utils.data import Dataset

from .image_names import image_names
from .network import check_scale
from .patches import augment, shrink_to_8_bit, small_patch
from .read_rgb import read_rgb


@DATASETS.register_module()
class PairedImages(Dataset[dict[str, Any]]):  # type: ignore[misc]  # torch is not followed
    """The images of a folder, each with its small version.

    A sample is a dict: 'inputs', the small image, uint8 (3, H, W); 'hr', the large one, uint8
    (3, scale * H, scale * W); 'name', its path below the folder. Rows and columns of a large
    image that make no whole pixel of the small one are left out.

    Args:
        hr_folder: The large images.
        scale: How many times smaller the others are: 2, 3 or 4.
        lr_folder: The small images, by the same names or, as in DIV2K, with 'x2' and so on at
            the end of these. By default they are made by :func:`~.bicubic.shrink`, and rounded
            to 8 bits.
        patch_size: For training: the side of the squares that are cut from large images, then
            flipped and rotated at random. None for whole images.

    Attributes:
        metainfo: The scale.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If an argument is wrong, a folder has no image, or only one to train on, or
            a small image is missing or belongs to two large ones. Loading a sample raises it
            if its two images do not belong together in size, or are smaller than the scale or
            the patch.
    """

    def __init__(
        self,
        hr_folder: str,
        scale: int,
        lr_folder: str | None = None,
        patch_size: int | None = None,
    ) -> None:
        check_scale(scale)
        if patch_size is not None and (patch_size < scale or patch_size % scale):
            raise KeyedValueError(
                f'{{patch_size}}={patch_size!r}: wanted a multiple of scale={scale}.',
                'patch_size',
            )
        self.hr_folder, self.scale, self.lr_folder = hr_folder, scale, lr_folder
        self.patch_size = patch_size
        self.metainfo = dict(scale=scale)
        self.names = image_names(hr_folder, 'hr_folder')
        if patch_size is not None and len(self.names) == 1:
            raise KeyedValueError(
                f'{{hr_folder}}={hr_folder!r}: found one image, {self.names[0]!r}; wanted two '
                'or more to train on.',
                'hr_folder',
            )
        self._lr_paths = {} if lr_folder is None else self._find_small(lr_folder)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a sample; its random numbers are those of numpy's global generator."""
        name = self.names[index]
        hr = read_rgb(osp.join(self.hr_folder, name))
        lr = read_rgb(self._lr_paths[name]) if self._lr_paths else None
        height, width = (side // self.scale for side in hr.shape[:2])
        if not (height and width):
            raise KeyedValueError(
                f'{{hr_folder}}={self.hr_folder!r}: {name!r} has {_size(hr)}; wanted at least '
                f'scale={self.scale} on each side.',
                'hr_folder',
            )
        if lr is not None and lr.shape[:2] != (height, width):
            raise KeyedValueError(
                f'{{lr_folder}}: {self._lr_paths[name]!r} has {_size(lr)}; wanted {height} x '
                f'{width}: {name!r} in {self.hr_folder!r} has {_size(hr)}, and '
                f'scale={self.scale}.',
                'lr_folder',
            )
        hr = hr[: self.scale * height, : self.scale * width]
        if self.patch_size is not None:
            hr, lr = self._random_patch(hr, lr, name)
        elif lr is None:
            lr = shrink_to_8_bit(hr, self.scale)
        return dict(inputs=_tensor(lr), hr=_tensor(hr), name=name)

    def _random_patch(
        self, hr: np.ndarray, lr: np.ndarray | None, name: str
    ) -> tuple[np.ndarray, ...]:
        assert self.patch_size is not None
        if min(hr.shape[:2]) < self.patch_size:
            raise KeyedValueError(
                f'{{patch_size}}={self.patch_size}: {name!r} in {self.hr_folder!r} has '
                f'{_size(hr)}; wanted no image smaller than the patch.',
                'patch_size',
            )
        scale, size = self.scale, self.patch_size // self.scale
        top, left = (np.random.randint(side // scale - size + 1) for side in hr.shape[:2])
        if lr is None:
            lr = small_patch(hr, scale, top, left, size)
        else:
            lr = lr[top : top + size, left : left + size]
        rows = slice(scale * top, scale * (top + size))
        columns = slice(scale * left, scale * (left + size))
        return augment(hr[rows, columns], lr)

    def _find_small(self, folder: str) -> dict[str, str]:
        """Return the path of the small image of each large one; prefer the same name."""
        found = set(image_names(folder, 'lr_folder'))
        paths = {}
        for name in self.names:
            stem, suffix = osp.splitext(name)
            for small in (name, f'{stem}x{self.scale}{suffix}'):
                if small in found:
                    paths[name] = osp.join(folder, small)
                    break
        if missing := [name for name in self.names if name not in paths]:
            raise KeyedValueError(
                f'{{lr_folder}}={folder!r}: found no image for {len(missing)} of '
                f'{len(self.names)} in {self.hr_folder!r}: {listed(missing)}; wanted the same '
                f"names, or with 'x{self.scale}' before the suffix.",
                'lr_folder',
            )
        large = {path: name for name, path in paths.items()}
        for name, path in paths.items():
            if large[path] != name:
                raise KeyedValueError(
                    f'{{lr_folder}}: {path!r} would be the small image of both {name!r} and '
                    f'{large[path]!r}; wanted one of each.',
                    'lr_folder',
                )
        return paths


def _size(image: np.ndarray) -> str:
    return f'{image.shape[0]} x {image.shape[1]} pixels'


def _tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))

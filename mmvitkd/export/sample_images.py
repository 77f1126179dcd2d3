"""Read the images on which compact files of a student are calibrated and compared."""

from logging import WARNING
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor

from ..datasets.image_batches import ImageBatches
from ..datasets.image_list import ImageList, find_images
from ..utils.errors import KeyedValueError, listed
from .eval_transform import PipelineTransform
from .student import Student

NUM_CALIBRATION = 32
MIN_IMAGES = 10
NUM_IMAGES = 288  # those for the calibration included


class SampleImages(NamedTuple):
    """Normalised images of a folder.

    Attributes:
        calibration: (B, 3, H, W).
        compared: (B, 3, H, W), others.
        labels: The classes of ``compared``, (B,), as the student numbers them; None if the
            folder has no classes, or the student's are not known.
    """

    calibration: Tensor
    compared: Tensor
    labels: Tensor | None


def read_samples(student: Student, cfg: Config, folder: str) -> SampleImages:
    """Read images as the student's own evaluation does, spread over the folder.

    Args:
        student: The student.
        cfg: The config of its training.
        folder: The folder, with one sub-folder for each class or without.

    Returns:
        32 images for the calibration, but at most half of them, and up to 256 others.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If its classes are others, or fewer than ten images can be read.
    """
    images = find_images(folder, num_images=NUM_IMAGES)
    _check_classes(images, student)
    batches = ImageBatches(images, PipelineTransform(cfg, student.model))
    found = list(batches)
    pixels = torch.cat([batch.images for batch in found]) if found else torch.empty(0)
    reasons = [f'{path}: {reason}' for path, reason in batches.unreadable.items()]
    if len(pixels) < MIN_IMAGES:
        raise KeyedValueError(
            f'{{images}}={folder!r}: {len(pixels)} of {len(images)} images can be read, wanted '
            f'{MIN_IMAGES} or more. {listed(reasons)}'.rstrip(' .'),
            'images',
        )
    if reasons:
        text = f'{folder}: {len(reasons)} images cannot be read and are left out: '
        print_log(text + listed(reasons), 'current', WARNING)
    step = max(2, len(pixels) // NUM_CALIBRATION)
    calibrates = torch.arange(len(pixels)) % step == step - 1
    calibrates &= calibrates.cumsum(0) <= NUM_CALIBRATION
    labels = None
    if student.classes is not None and images.labels is not None:
        labels = torch.cat([batch.labels for batch in found if batch.labels is not None])
        labels = labels[~calibrates]
    return SampleImages(pixels[calibrates], pixels[~calibrates], labels)


def _check_classes(images: ImageList, student: Student) -> None:
    if student.classes is None or images.classes is None:
        return
    if images.classes != student.classes:
        raise KeyedValueError(
            f'{{images}}={images.folder!r}: found the classes {listed(images.classes)}, wanted '
            f'those of the student, {listed(student.classes)}; or images without class '
            'folders.',
            'images',
        )

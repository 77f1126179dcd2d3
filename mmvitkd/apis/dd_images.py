"""Take and prepare images as the analyses of arXiv 2511.06848 (Distillation Dynamics) do."""

import numpy as np
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from ..datasets.image_list import ImageList, find_images
from ..datasets.transforms.load_image import (
    MAX_PIXELS,
    named_unreadable,
    open_image,
    read_content,
)
from ..models.utils.adapters import input_size_of
from ..utils.errors import KeyedValueError

BATCH = 32
SIDE, EDGE = 224, 256  # pixels
# Of ImageNet, in RGB.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def dd_images(folder: str) -> ImageList:
    """List the one batch that its spectra and entropies are of: 32 images of the first class.

    Args:
        folder: A folder of class folders, such as ImageNet's ``val``.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no class folders, or the first one a single image.
    """
    found = find_images(folder)
    if found.labels is None:
        raise KeyedValueError(
            f'{{images}}=dd: {folder!r} has no class folders; wanted those of ImageNet.',
            'images',
        )
    first = [label == found.labels[0] for label in found.labels][:BATCH].count(True)
    if first < 2:
        raise KeyedValueError(
            f'{{images}}=dd: the first class of {folder!r} has {first} image; wanted 32.',
            'images',
        )
    return ImageList(found.folder, found.paths[:first], found.labels[:first], found.classes)


class DDTransform:
    """Its evaluation: shorter side 256, bilinear; the central 224 px; ImageNet's mean and std.

    As in torchvision's ``ImageFolder``, an EXIF orientation is ignored.

    Args:
        model: The model, which must take 224 x 224 px.

    Attributes:
        size: (224, 224).

    Raises:
        ValueError: If the model takes another size.
    """

    size = (SIDE, SIDE)

    def __init__(self, model: nn.Module) -> None:
        stated = input_size_of(model)
        if stated not in (None, self.size):
            raise KeyedValueError(
                f'{{images}}=dd: found a model for {stated[0]} x {stated[1]} px, wanted '
                f'{SIDE} x {SIDE}; for one of timm, {{img_size}}={SIDE}.',
                'images',
                'img_size',
            )
        self._transform = transforms.Compose(
            [
                transforms.Resize(EDGE),
                transforms.CenterCrop(SIDE),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __call__(self, image: str | np.ndarray) -> Tensor:
        """Read an image; (3, 224, 224), float32, RGB, normalised.

        Args:
            image: A file, or pixels (H, W, 3), uint8, BGR.

        Raises:
            UnreadableImageError: If it cannot be read, or is above the limit of pixels.
        """
        found: Tensor = self._transform(_read(image))
        return found


def _read(image: str | np.ndarray) -> Image.Image:
    if not isinstance(image, str):
        return Image.fromarray(image[..., ::-1])
    content = read_content(image)
    with named_unreadable(image), open_image(content, MAX_PIXELS) as opened:
        return opened.convert('RGB')

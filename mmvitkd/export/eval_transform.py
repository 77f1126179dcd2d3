"""Turn images into a model's input, as in its own evaluation."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch import Tensor, nn

from ..datasets.dataset_names import pipeline_of
from ..datasets.transforms.load_image import read_image
from ..models.utils.adapters import input_size_of
from .image_input import image_input_of
from .image_reader import ImageReader


class PipelineTransform:
    """Read an image by the test pipeline of a config and normalise it.

    Args:
        cfg: The config. The first transform of its test data reads the file, see
            :class:`~mmvitkd.export.image_reader.ImageReader`; the last one packs.
        model: The model, for its size if the pipeline does not give it.
        resize: Whether images are resized, as a ``Teacher`` does, if the pipeline produces
            another size than the model states.
        data_preprocessor: What normalises; by default the model's. A copy of it is kept on
            the CPU.

    Attributes:
        size: (H, W) of its output, in pixels.

    Raises:
        ValueError: If the config has no such pipeline, or the size is not known.
    """

    def __init__(
        self,
        cfg: Config,
        model: nn.Module,
        resize: bool = False,
        data_preprocessor: nn.Module | None = None,
    ) -> None:
        split = 'test' if cfg.get('test_dataloader') else 'val'
        dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        pipeline = pipeline_of(dataset, f'{split}_dataloader.dataset')
        if not pipeline:
            raise ValueError(
                f'{cfg.filename}: neither test_dataloader nor val_dataloader has a '
                'dataset.pipeline, which turns an image into an input.'
            )
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self._rest = [TRANSFORMS.build(dict(transform)) for transform in pipeline[1:]]
        self._read = ImageReader(pipeline[0])
        self._preprocessor = deepcopy(data_preprocessor or model.data_preprocessor).cpu()
        stated = input_size_of(model) if resize else None
        self._resize = resize
        self.size = stated or image_input_of(model, pipeline).size

    def __call__(self, image: str | np.ndarray) -> Tensor:
        """Read an image.

        Args:
            image: A file, or pixels (H, W, 3), uint8, BGR.

        Returns:
            (3, H, W), float32, normalised.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        if isinstance(image, str):
            results = self._read(image)
        else:
            size = image.shape[:2]
            results = dict(img=image, img_shape=size, ori_shape=size)
        for transform in self._rest:
            results = transform(results)
        images = self._preprocessor({'inputs': [results['inputs']]})['inputs']
        if self._resize and tuple(images.shape[2:]) != self.size:
            images = F.interpolate(images, self.size, mode='bicubic', antialias=True)
        return images[0]


class TimmTransform:
    """timm's own evaluation transform for a model.

    Args:
        model: A ``TimmClassifier``.
        img_size: Image side in pixels for a model that takes any; None takes timm's.

    Attributes:
        size: (H, W) of its output, in pixels.
    """

    def __init__(self, model: Any, img_size: int | None = None) -> None:
        size = input_size_of(model) or (img_size and (img_size, img_size))
        settings = resolve_model_data_config(
            model.model, args=dict(input_size=(3, *size)) if size else None
        )
        self.size: tuple[int, int] = tuple(settings['input_size'][1:])
        self._transform: Callable[[Image.Image], Tensor] = create_transform(**settings)

    def __call__(self, image: str | np.ndarray) -> Tensor:
        """Read an image as ``mmvitkd.LoadImage`` does; (3, H, W), float32, normalised.

        Args:
            image: A file, or pixels (H, W, 3), uint8, BGR.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        pixels = read_image(image) if isinstance(image, str) else image
        return self._transform(Image.fromarray(pixels[..., ::-1]))

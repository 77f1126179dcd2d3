"""Classify images with a student."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope
from mmpretrain import ImageClassificationInferencer
from torch import nn

from .image_like import ImageLike, image_list, pixels_of
from .image_reader import ImageReader


def predict(
    model: nn.Module, images: ImageLike | Sequence[ImageLike], batch_size: int = 32
) -> list[dict[str, Any]]:
    """Classify images, prepared as in the student's test.

    Args:
        model: A student from :func:`load_student`, or a model of ``mmpretrain.get_model``.
        images: One image or a list of them, each a file, a PIL image, or an array
            (H, W, 3) of uint8 in RGB. Files are read one batch at a time.
        batch_size: How many images go through the model together.

    Returns:
        A dict for each image: ``label``, the index of its class; ``class_name``, None if the
        names are not known; ``score``, the probability of that class; ``scores``, those of
        all classes (K,), as an array.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If something is not an image.
        ValueError: If the model has no head, the list is empty, ``batch_size`` is below 1, an
            array has another shape or type, or a file cannot be read.

    Example:
        >>> import mmvitkd, numpy
        >>> from mmpretrain import get_model
        >>> from mmvitkd.apis import predict
        >>> model = get_model('deit-tiny_4xb256_in1k')  # random weights
        >>> (result,) = predict(model, numpy.zeros((64, 64, 3), numpy.uint8))
        >>> result['scores'].shape
        (1000,)
    """
    if getattr(model, 'head', model) is None:
        raise ValueError(
            f'model: this {type(model).__name__} has no head, so no classes; wanted a '
            'classifier. mmvitkd.apis.embed gives its embeddings.'
        )
    given = image_list(images)
    if batch_size < 1:
        raise ValueError(f'batch_size={batch_size}: wanted 1 or more.')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        inferencer = ImageClassificationInferencer(model)
    # MMPretrain's inferencers would read files with OpenCV.
    read = ImageReader(inferencer.config.test_dataloader.dataset.pipeline[0])
    arrays = (_read(image, read) for image in given)
    samples = []
    for batch in inferencer.preprocess(arrays, batch_size):
        samples += inferencer.forward(batch)
    return [
        dict(
            label=result['pred_label'],
            class_name=result.get('pred_class'),
            score=result['pred_score'],
            scores=result['pred_scores'],
        )
        for result in inferencer.postprocess(samples, [])
    ]


def _read(image: ImageLike, read: ImageReader) -> np.ndarray:
    """Return an image as MMPretrain's pipelines take it: (H, W, 3), uint8, BGR."""
    if not isinstance(image, str | os.PathLike):
        return pixels_of(image)
    try:
        pixels: np.ndarray = read(str(image))['img']
        return pixels
    except Exception as error:
        raise ValueError(f'{str(image)!r} cannot be read as an image: {error}') from error

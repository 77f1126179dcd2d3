"""Compute linear CKA between several models on the same images."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ...datasets.image_batches import ImageBatch, ImageBatches
from ...datasets.image_list import ImageList
from ..features.extractor import FeatureExtractor, Key
from ..features.loaded_model import LoadedModel
from ..functional.linear_cka import LinearCKA
from .measure_runner import Watch


class JointPreprocess:
    """Reads an image file as the inputs of all models, concatenated in a single row.

    An image that one of them cannot read is left out for all.

    Args:
        models: The loaded models.
    """

    def __init__(self, models: Iterable[LoadedModel]) -> None:
        self._preprocess = [model.preprocess for model in models]
        self.shapes = [(3, *preprocess.size) for preprocess in self._preprocess]

    def __call__(self, path: str) -> Tensor:
        """Return an image as (P,), where P is the number of values of all inputs.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        return torch.cat([preprocess(path).flatten() for preprocess in self._preprocess])

    def split(self, rows: Tensor) -> list[Tensor]:
        """Return the inputs of each model, (B, 3, H, W), from rows (B, P)."""
        parts = rows.split([torch.Size(shape).numel() for shape in self.shapes], dim=1)
        return [
            part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)
        ]


def cka_matrix(
    models: Mapping[str, LoadedModel],
    images: ImageList,
    block: Key = 'last',
    device: str = 'cpu',
    batch_size: int = 32,
    num_workers: int = 0,
    watch: Watch = lambda batches, name: batches,
) -> dict[str, Any]:
    """Compute linear CKA between the same block of several models.

    Tokens are compared if all models have the same number of them, otherwise the images' mean
    tokens. Each model sees an image as in its own evaluation: if the crops differ, tokens with
    the same index do not show quite the same place.

    Args:
        models: Two or more loaded models, by label. They are moved to the device.
        images: The images.
        block: The block of all models: 'last', which for Lift is its projector, or an index or
            name, see ``FeatureExtractor``.
        device: The device of the models.
        batch_size: Images per batch.
        num_workers: Number of processes that read images.
        watch: Wraps the batches, with a name for them.

    Returns:
        The result of ``LinearCKA``, except 'cka'; 'labels'; 'blocks', the key of each model's
        block; 'num_images'; 'unreadable', the reasons why images were left out, by path.

    Raises:
        ValueError: If there is one model, no image can be read, a feature is not finite, a
            model has no such block, or CKA has no value; names the model.
    """
    if len(models) < 2:
        raise ValueError(f'models: found {len(models)}, wanted two or more to compare.')
    inputs = JointPreprocess(models.values())
    batches = ImageBatches(images, inputs, batch_size, num_workers)
    sources = {label: _source(label, model, block) for label, model in models.items()}
    for model in models.values():
        model.model.to(device)
    cka: LinearCKA | None = None
    num_images = 0
    for batch in watch(batches, 'images'):
        split = [part.to(device) for part in inputs.split(batch.images)]
        features = [
            _features(label, source, part, batch, images)
            for (label, source), part in zip(sources.items(), split, strict=True)
        ]
        if cka is None:
            same = len({feature.shape[1] for feature in features}) == 1
            cka = LinearCKA('tokens' if same else 'images')
        cka.update(*features)
        num_images += len(batch.indices)
    if cka is None:
        raise ValueError(f'{images.folder!r}: none of the {len(images)} images can be read.')
    try:
        result = cka.result()
    except ValueError as error:
        names = ', '.join(models)
        raise ValueError(f'cka of {names} (sources from 0): {error}') from None
    del result['cka']
    return {
        **result,
        'labels': list(models),
        'blocks': [str(_last(source)) for source in sources.values()],
        'num_images': num_images,
        'unreadable': batches.unreadable,
    }


def _source(label: str, model: LoadedModel, block: Key) -> FeatureExtractor:
    try:
        return FeatureExtractor(model.model, 'last' if block == 'last' else [block])
    except ValueError as error:
        raise ValueError(f'{label}: {error}') from None


def _last(source: FeatureExtractor) -> Key:
    """Return the key of the feature to compare: for Lift, its projector."""
    return list(source.names)[-1]


def _features(
    label: str, source: FeatureExtractor, inputs: Tensor, batch: ImageBatch, images: ImageList
) -> Tensor:
    """Return the patch tokens of a model.

    Raises:
        ValueError: If one is not finite; names the model and the image.
    """
    features = source(inputs)[_last(source)]
    finite = features.isfinite().flatten(1).all(1).cpu()
    if not finite.all():
        path = images.paths[int(batch.indices[finite.logical_not()][0])]
        raise ValueError(f'{label}: NaN or infinite features of {path}.')
    return features

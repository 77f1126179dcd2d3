"""Classify images with a student: those of a list, or all of a folder."""

from collections.abc import Sequence
from logging import WARNING
from typing import Any, NamedTuple

import torch
from mmengine.logging import print_log
from mmpretrain.structures import DataSample
from torch import nn

from ..analysis.features.shared_classes import class_names
from ..models.utils.label_rule import label_rule
from ..utils.errors import listed
from .image_like import ImageLike
from .model_like import Model, loaded
from .named_images import NamedImages, check_batch_size


class Predictions(NamedTuple):
    """What a model says of images.

    Attributes:
        results: A dict for each readable image, as :func:`predict` returns it.
        unreadable: Why an image of a folder was left out, by its file.
    """

    results: list[dict[str, Any]]
    unreadable: dict[str, str]


def predict(
    model: Model, images: ImageLike | Sequence[ImageLike], batch_size: int = 32, **options: Any
) -> list[dict[str, Any]]:
    """Classify images, prepared as in the student's test.

    Args:
        model: A student from :func:`load_student` or its folder, a model of
            ``mmpretrain.get_model``, or what :func:`load_model` returns.
        images: A folder, of which all images at any depth are taken, sorted by path, and those
            that cannot be read are left out with a warning; or one image or a list of them,
            each a file, a PIL image, or an array (H, W, 3) of uint8 in RGB. Files are read one
            batch at a time.
        batch_size: How many images go through the model together.
        options: Those of :func:`classify`.

    Returns:
        A dict for each image: ``path``, its file, or ``'images[3]'`` for the fourth of a list
        if that is no file; ``label``, the index of its class; ``class_name``, None if the names
        are not known; ``score``, the probability of that class; ``scores``, those of all
        classes (K,), as an array. An image may have several classes if the head says so: then
        these are about the most probable one, the scores of classes are independent, and
        ``labels`` and ``class_names`` list all that it has, the most probable first.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If something is not an image.
        ValueError: If the model has no head, there is no image, ``batch_size`` is below 1, an
            array has another shape or type, a file of a list cannot be read, or a score is not
            finite.

    Example:
        >>> import mmvitkd, numpy
        >>> from mmpretrain import get_model
        >>> from mmvitkd.apis import predict
        >>> model = get_model('deit-tiny_4xb256_in1k')  # random weights
        >>> (result,) = predict(model, numpy.zeros((64, 64, 3), numpy.uint8))
        >>> result['scores'].shape
        (1000,)
    """
    results, unreadable = classify(model, images, batch_size=batch_size, **options)
    if unreadable:
        reasons = [f'{path!r}: {reason}' for path, reason in sorted(unreadable.items())]
        print_log(
            f'Left out {len(unreadable)} of {len(unreadable) + len(results)} images, which '
            f'cannot be read: {listed(reasons, 3)}',
            'current',
            WARNING,
        )
    return results


def classify(
    model: Model,
    images: ImageLike | Sequence[ImageLike],
    *,
    batch_size: int = 32,
    num_workers: int = 0,
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> Predictions:
    """Classify images; return also which of a folder cannot be read.

    Args:
        model: See :func:`predict`.
        images: The same.
        batch_size: The same.
        num_workers: Processes that read images; 0 reads in this one.
        device: Where to move the model; by default it stays where it is.
        progress: Whether to draw a progress bar; by default for a folder.

    Raises:
        ValueError: If no image can be read, or a score is not finite; see also
            :func:`predict`.
    """
    check_batch_size(batch_size)
    given = NamedImages.of(images)
    net, preprocess = loaded(model)
    if getattr(net, 'head', net) is None:
        raise ValueError(
            f'model: this {type(net).__name__} has no head, so no classes; wanted a '
            'classifier. mmvitkd.apis.embed gives its embeddings.'
        )
    batches = given.batches(preprocess, batch_size, num_workers)
    device = device or next(net.parameters()).device
    net.to(device).eval()
    results = []
    with torch.no_grad(), given.bar(progress) as watch:
        for batch in watch(batches, 'images'):
            if not given.is_folder:
                _check_readable(batches.unreadable)
            samples = net(batch.images.to(device), mode='predict')
            for index, sample in zip(batch.indices.tolist(), samples, strict=True):
                results.append(_result(net, sample, given.names[index]))
    if not (given.is_folder and results):
        _check_readable(batches.unreadable)
    return Predictions(results, batches.unreadable)


def _check_readable(unreadable: dict[str, str]) -> None:
    """Raise ValueError if an image cannot be read."""
    for path, reason in unreadable.items():
        raise ValueError(f'{path!r} cannot be read as an image: {reason}')


def _result(model: nn.Module, sample: DataSample, path: str) -> dict[str, Any]:
    """Return what is predicted for an image as plain values."""
    if 'pred_score' not in sample:
        head = type(getattr(model, 'head', model)).__name__
        raise ValueError(
            f'model: a {head} gives no scores of classes; wanted a head of one task.'
        )
    scores = sample.pred_score.float().cpu()
    if num_bad := int((~scores.isfinite()).sum()):
        raise ValueError(
            f'{path!r}: {num_bad} of its {len(scores)} scores are NaN or infinite; wanted '
            'finite ones. Check the weights of the model.'
        )
    names = class_names(model)
    label = int(scores.argmax())
    result = dict(
        path=path,
        label=label,
        class_name=names and names[label],
        score=float(scores[label]),
        scores=scores.numpy(),
    )
    if label_rule(model) is not None:
        labels = sorted(sample.pred_label.tolist(), key=lambda i: -scores[i])
        result |= dict(labels=labels, class_names=names and [names[i] for i in labels])
    return result

"""Compute the gradients of a class's logit with respect to features."""

import torch
from torch import Tensor

from .extractor import FeatureExtractor, Key
from .patch_tokens import first_tensor


def feature_gradients(
    source: FeatureExtractor, images: Tensor, labels: Tensor | None = None
) -> dict[Key, Tensor]:
    """Return the gradient of each image's score with respect to its tokens at each block.

    Its mean magnitude is the gradient magnitude of arXiv 2511.06848. Tokens that the score
    does not depend on have gradient 0: all patches at the last block of a model that
    classifies its class token.

    Args:
        source: The model and its blocks.
        images: (B, 3, H, W), normalised for the model.
        labels: (B,), the class of each image; None takes the predicted class.

    Returns:
        (B, N, D) by the keys of the blocks.

    Raises:
        ValueError: If the model returns no logits, a label is out of range, or a block
            returns no patch tokens.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad(), source.recorded(images) as (logits, outputs):
        source.tokens_of(outputs, images)  # raises if a block returns no patch tokens
        names = list(source.names.values())
        tensors = [first_tensor(outputs[name]) for name in names]
        total = scores_of(logits, labels).sum()
        gradients = torch.autograd.grad(total, tensors, materialize_grads=True)
    for name, gradient in zip(names, gradients, strict=True):
        output = outputs[name]
        outputs[name] = (gradient, *output[1:]) if isinstance(output, tuple) else gradient
    return source.tokens_of(outputs, images)


def scores_of(logits: Tensor, labels: Tensor | None = None) -> Tensor:
    """Return the logit (B,) of each image's label, or the largest one without labels.

    Raises:
        ValueError: If these are not logits (B, K), or a label is outside 0 to K - 1.
    """
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        found = tuple(getattr(logits, 'shape', ())) or type(logits).__name__
        raise ValueError(f'model output: found {found}, wanted logits (B, classes).')
    if labels is None:
        labels = logits.argmax(1)
    classes = logits.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f'labels from {labels.min()} to {labels.max()}: the model has {classes} classes, '
            f'0 to {classes - 1}.'
        )
    return logits.gather(1, labels[:, None].to(logits.device)).squeeze(1)

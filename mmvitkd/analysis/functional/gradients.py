"""Gradients of the score, the logit of a class, with respect to features and pixels."""

import torch
from torch import Tensor, nn

from ..features.extractor import FeatureExtractor, Key
from ..features.patch_tokens import first_tensor


def feature_gradients(
    source: FeatureExtractor, images: Tensor, labels: Tensor | None = None
) -> dict[Key, Tensor]:
    """The gradient of each image's score with respect to its patch tokens at each block.

    Its mean magnitude is the gradient magnitude of arXiv 2511.06848. What the score does not
    depend on has a gradient of 0: at the last block of a model that classifies a class token
    these are all the patches.

    Args:
        source: The model and its blocks.
        images: (B, 3, H, W), normalised for the model.
        labels: (B,), the class of each image; None takes what the model predicts.

    Returns:
        (B, N, D) of each block.

    Raises:
        ValueError: If the model gives no logits, or not so many classes; or what a
            ``FeatureExtractor`` raises.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad(), source.recorded(images) as (logits, outputs):
        source.tokens_of(outputs, images)  # refuses what has none
        names = list(source.names.values())
        tensors = [first_tensor(outputs[name]) for name in names]
        total = scores_of(logits, labels).sum()
        gradients = torch.autograd.grad(total, tensors, materialize_grads=True)
    for name, gradient in zip(names, gradients, strict=True):
        output = outputs[name]
        outputs[name] = (gradient, *output[1:]) if isinstance(output, tuple) else gradient
    return source.tokens_of(outputs, images)


def saliency(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """The gradient of each image's score with respect to its pixels (arXiv 1312.6034).

    Args:
        model: Gives logits (B, K); it should be in eval mode.
        images: (B, C, H, W), normalised for the model.
        labels: (B,), the class of each image; None takes what the model predicts.

    Returns:
        (B, C, H, W); see :func:`saliency_map`.

    Raises:
        ValueError: If the model gives no logits, or not so many classes.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        total = scores_of(model(images), labels).sum()
        return torch.autograd.grad(total, images)[0]


def smooth_grad(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    num_samples: int = 50,
    sigma: float = 0.15,
    seed: int = 0,
) -> Tensor:
    """SmoothGrad (arXiv 1706.03825): the mean of :func:`saliency` over noisy copies.

    Args:
        model: As in :func:`saliency`.
        images: The same.
        labels: The same; None takes what the model predicts without noise.
        num_samples: How many copies.
        sigma: Standard deviation of the noise, as a share of the range of an image's values.
        seed: Of the noise, which is the same for all images but for its scale: how they are
            split into batches does not matter.

    Returns:
        (B, C, H, W).
    """
    labels = _labels_of(model, images, labels)
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.aminmax(images.flatten(1), dim=1)
    scale = sigma * (high - low).view(-1, 1, 1, 1)
    total = torch.zeros_like(images)
    for _ in range(num_samples):
        noise = torch.randn(images.shape[1:], generator=generator).to(images)
        total += saliency(model, images + scale * noise, labels)
    return total / num_samples


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    num_steps: int = 50,
    baseline: Tensor | float = 0.0,
) -> Tensor:
    """Integrated Gradients (arXiv 1703.01365), by the midpoint rule.

    Args:
        model: As in :func:`saliency`.
        images: The same.
        labels: The same; None takes what the model predicts for the images.
        num_steps: Points on the straight line from the baseline to each image.
        baseline: What counts as an absent image; 0 is the mean colour.

    Returns:
        (B, C, H, W). Their sum over an image approaches, with more steps, its score less
        that of the baseline.
    """
    labels = _labels_of(model, images, labels)
    difference = images - baseline
    total = torch.zeros_like(images)
    for step in range(num_steps):
        place = (step + 0.5) / num_steps
        total += saliency(model, baseline + place * difference, labels)
    return difference * total / num_steps


def saliency_map(attribution: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H, W): the largest magnitude of the channels (arXiv 1312.6034)."""
    return attribution.abs().amax(1)


def scores_of(logits: Tensor, labels: Tensor | None = None) -> Tensor:
    """The logit (B,) of each image's label, or the largest where there are no labels.

    Raises:
        ValueError: If these are no logits (B, K), or a label is none of 0 to K - 1.
    """
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        found = tuple(getattr(logits, 'shape', ())) or type(logits).__name__
        raise ValueError(f'The model gives {found}, wanted logits (B, classes) for a score.')
    if labels is None:
        labels = logits.argmax(1)
    classes = logits.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f'labels from {labels.min()} to {labels.max()}: the model has {classes} classes, '
            f'0 to {classes - 1}.'
        )
    return logits.gather(1, labels[:, None].to(logits.device)).squeeze(1)


def _labels_of(model: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor:
    """The labels, or what the model predicts."""
    if labels is None:
        with torch.no_grad():
            logits = model(images)
        scores_of(logits)  # refuses what are no logits
        labels = logits.argmax(1)
    return labels

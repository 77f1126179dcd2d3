"""Compute which pixels a model's score depends on, with captum."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..analysis.features.gradients import scores_of
from ..analysis.features.loaded_model import Preprocess
from ..utils import random_state

# Samples and steps of arXiv 2511.06848's code, and the noise relative to an input's range.
SAMPLES, NOISE, STEPS = 50, 0.15, 50
PER_PASS = 10  # samples or steps in a forward pass

Method = Callable[[Any, Tensor], Tensor]


def saliency(
    model: nn.Module,
    image: Tensor,
    label: int | None = None,
    method: str = 'vanilla',
    seed: int = 0,
) -> Tensor:
    """Return how much the logit of a class depends on each pixel, as arXiv 2511.06848 does.

    Args:
        model: A classifier in eval mode.
        image: (3, H, W), normalised for the model, on its device.
        label: The class; None takes the predicted one.
        method: 'vanilla', the absolute gradient; 'smoothgrad', its mean over 50 noisy inputs,
            whose noise is 0.15 times the range of the input (the mean of absolute gradients, as
            released, not of signed ones); or 'integrated', the absolute Integrated Gradients
            from an input of zeros in 50 steps.
        seed: Seed of the noise.

    Returns:
        (H, W), the largest of the three channels.

    Raises:
        ModuleNotFoundError: If captum is not installed.
        ValueError: If the method is unknown, or the model returns no logits.
    """
    if method not in METHODS:
        raise ValueError(f'method={method!r}: wanted one of {", ".join(METHODS)}.')
    inputs = image[None].detach()
    if label is None:
        with torch.no_grad():
            logits = model(inputs)
        scores_of(logits)  # raises if these are not logits
        label = int(logits.argmax(1))

    def score(images: Tensor) -> Tensor:
        return scores_of(model(images), torch.full((len(images),), label, device=images.device))

    with random_state.seeded(seed), torch.enable_grad():
        found = METHODS[method](score, inputs)
    return found.detach().abs()[0].amax(0)


def pixels_of(image: Tensor, preprocess: Preprocess) -> np.ndarray:
    """Return a model's input as an image to show: RGB in [0, 1], (H, W, 3).

    The normalisation is found by preprocessing black, white and red images.

    Args:
        image: (3, H, W), the result of `preprocess`.
        preprocess: Reads an image for the model.
    """
    black, white, red = (
        preprocess(np.full((*preprocess.size, 3), color, np.uint8)).mean((1, 2))
        for color in (0, 255, (0, 0, 255))  # BGR
    )
    shown = (image.cpu() - black[:, None, None]) / (white - black)[:, None, None]
    if ((red - black) / (white - black)).argmax() == 2:
        shown = shown.flip(0)
    pixels: np.ndarray = shown.clamp(0, 1).permute(1, 2, 0).numpy()
    return pixels


def _captum() -> Any:
    try:
        import captum.attr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'captum is not installed: pip install mmvitkd[saliency]'
        ) from error
    return captum.attr


def _vanilla(score: Any, inputs: Tensor) -> Tensor:
    return _captum().Saliency(score).attribute(inputs.clone().requires_grad_())


def _smoothgrad(score: Any, inputs: Tensor) -> Tensor:
    captum = _captum()
    deviation = NOISE * float(inputs.max() - inputs.min())
    return captum.NoiseTunnel(captum.Saliency(score)).attribute(
        inputs.clone().requires_grad_(),
        nt_type='smoothgrad',
        nt_samples=SAMPLES,
        nt_samples_batch_size=PER_PASS,
        stdevs=deviation,
    )


def _integrated(score: Any, inputs: Tensor) -> Tensor:
    return (
        _captum()
        .IntegratedGradients(score)
        .attribute(inputs, n_steps=STEPS, method='riemann_left', internal_batch_size=PER_PASS)
    )


METHODS: dict[str, Method] = {
    'vanilla': _vanilla,
    'smoothgrad': _smoothgrad,
    'integrated': _integrated,
}

"""Saliency: captum's maps equal the formulas of arXiv 2511.06848, written out."""

import builtins

import mmvitkd  # noqa: F401
from mmvitkd.apis.saliency import pixels_of, saliency
from mmvitkd.utils import random_state

import numpy as np
import pytest
import timm
import torch


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    arguments = dict(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=2)
    return timm.create_model('vit_tiny_patch16_224', num_classes=5, **arguments).eval().double()


@pytest.fixture(scope='module')
def image():
    return torch.randn(3, 32, 32, dtype=torch.float64, generator=torch.manual_seed(1))


def gradient(model, images, label):
    images = images.clone().requires_grad_()
    model(images)[:, label].sum().backward()
    return images.grad


def shown(gradients):
    return gradients.abs().amax(0)


def test_the_gradient(model, image):
    wanted = shown(gradient(model, image[None], 3)[0])
    torch.testing.assert_close(saliency(model, image, 3), wanted, rtol=1e-6, atol=1e-12)


def test_smoothgrad_averages_absolute_gradients(model, image):
    """Of the noise that captum draws: the same generator, in its order."""
    deviation = 0.15 * float(image.max() - image.min())
    total, inputs = torch.zeros_like(image), image[None]
    with random_state.seeded(7):
        for _ in range(5):  # ten samples in a pass
            noise = torch.normal(0, torch.full((10, *image.shape), deviation))
            total += gradient(model, inputs + noise, 3).abs().sum(0)
    found = saliency(model, image, 3, 'smoothgrad', seed=7)
    torch.testing.assert_close(found, shown(total / 50), rtol=1e-6, atol=1e-12)
    assert not torch.equal(found, saliency(model, image, 3, 'smoothgrad', seed=8))


def test_integrated_gradients_start_at_an_input_of_zeros(model, image):
    steps = [gradient(model, i / 50 * image[None], 3)[0] for i in range(50)]
    wanted = shown(torch.stack(steps).mean(0) * image)
    found = saliency(model, image, 3, 'integrated')
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-10)


def test_without_a_label_the_predicted_class_is_explained(model, image):
    with torch.no_grad():
        predicted = int(model(image[None]).argmax())
    assert torch.equal(saliency(model, image), saliency(model, image, predicted))


def test_nothing_changes_around_it(model, image):
    state = torch.get_rng_state()
    for parameter in model.parameters():
        parameter.grad = None
    saliency(model, image, 3, 'smoothgrad')
    assert torch.get_rng_state().equal(state)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_it_cannot_do_is_refused(model, image, monkeypatch):
    with pytest.raises(ValueError, match="method='lime'"):
        saliency(model, image, method='lime')
    with pytest.raises(ValueError, match='wanted logits'):
        saliency(lambda x: (x,), image)
    importing = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith('captum'):
            raise ModuleNotFoundError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without)
    with pytest.raises(ModuleNotFoundError, match=r'mmvitkd\[saliency\]'):
        saliency(model, image, 3)


@pytest.mark.parametrize('to_rgb', [True, False])
def test_an_input_is_shown_as_it_was_read(to_rgb):
    """Whatever the normalisation and the order of the channels."""
    mean, std = torch.tensor([100.0, 110, 120]), torch.tensor([50.0, 60, 70])

    class Preprocess:
        size = (4, 6)

        def __call__(self, pixels):
            pixels = torch.from_numpy(pixels[..., :: -1 if to_rgb else 1].copy()).float()
            return ((pixels - mean) / std).permute(2, 0, 1)

    bgr = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    found = pixels_of(Preprocess()(bgr), Preprocess())
    assert found == pytest.approx(bgr[..., ::-1] / 255, abs=1e-6)

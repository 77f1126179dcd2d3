"""The metric: means over images, without a border."""

import numpy as np
import pytest
import torch

from projects.mdbn.mdbn.luma_metric import LumaQuality
from projects.mdbn.mdbn.luma_quality import luma, psnr, ssim


@pytest.fixture
def samples():
    images = torch.randint(256, (3, 2, 3, 30, 28), dtype=torch.uint8)
    return [dict(pred=pred, hr=hr, name=f'{i}.png') for i, (pred, hr) in enumerate(images)]


def evaluate(samples, **options):
    metric = LumaQuality(**options)
    for sample in samples:
        metric.process(None, [sample])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('border', [0, 4])
def test_means_over_images(samples, border):
    found = evaluate(samples, crop_border=border)
    rows, columns = slice(border, 30 - border), slice(border, 28 - border)
    pairs = [
        [luma(sample[key].numpy().transpose(1, 2, 0))[rows, columns] for key in ('pred', 'hr')]
        for sample in samples
    ]
    assert found['luma/psnr'] == pytest.approx(np.mean([psnr(*pair) for pair in pairs]))
    assert found['luma/ssim'] == pytest.approx(np.mean([ssim(*pair) for pair in pairs]))


def test_the_border_is_4_as_released(samples):
    assert evaluate(samples) == evaluate(samples, crop_border=4)
    assert evaluate(samples) != evaluate(samples, crop_border=2)


def test_a_border_that_leaves_too_little_is_named(samples):
    with pytest.raises(ValueError, match=r"crop_border=9: '0\.png' has 30 x 28"):
        evaluate(samples, crop_border=9)


def test_a_negative_border():
    with pytest.raises(ValueError, match='crop_border=-1'):
        LumaQuality(crop_border=-1)


def test_one_image_that_equals_its_truth_makes_the_mean_psnr_infinite(samples):
    samples[1]['pred'] = samples[1]['hr']
    found = evaluate(samples)
    assert found['luma/psnr'] == float('inf') and found['luma/ssim'] < 1

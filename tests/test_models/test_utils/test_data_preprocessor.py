"""The preprocessor is MMPretrain's to the bit, and waits for no copy."""

import copy

import mmvitkd  # noqa: F401
from mmvitkd.models import ClsDataPreprocessor

import numpy as np
import pytest
import torch
from copies import Copies
from mmengine.dataset import default_collate, pseudo_collate
from mmpretrain.models import ClsDataPreprocessor as MMPretrains
from mmpretrain.structures import DataSample
from toy import MEAN, STD


def batch(collate=default_collate, **labels):
    """4 images; each sample has what its entry of the labels says."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (4, 3, 8, 8), generator=generator, dtype=torch.uint8)
    samples = [DataSample() for _ in images]
    for name, values in labels.items():
        for sample, value in zip(samples, values, strict=True):
            getattr(sample, f'set_{name}')(value)
    return collate(
        [dict(inputs=i, data_samples=s) for i, s in zip(images, samples, strict=True)]
    )


LABELS = {
    'labels': dict(gt_label=[3, 1, 4, 1]),
    'several': dict(gt_label=[[0, 1], [2], [3, 4, 0], [1]]),
    'scores': dict(gt_score=[torch.eye(5)[i] for i in (3, 1, 4, 1)]),
    'both': dict(gt_label=[3, 1, 4, 1], gt_score=[torch.eye(5)[i] for i in (3, 1, 4, 1)]),
    'none': {},
}
MIXUP = dict(batch_augments=dict(augments=[dict(type='Mixup', alpha=0.8)]), num_classes=5)


@pytest.mark.parametrize('collate', [default_collate, pseudo_collate])
@pytest.mark.parametrize('labels', LABELS.values(), ids=LABELS)
@pytest.mark.parametrize('options', [{}, dict(to_onehot=True, num_classes=5), MIXUP], ids=str)
@pytest.mark.parametrize('non_blocking', [True, False])
def test_it_is_mmpretrains_to_the_bit(collate, labels, options, non_blocking):
    found, own = [], dict(non_blocking=non_blocking)
    for kind, more in ((ClsDataPreprocessor, own), (MMPretrains, {})):
        np.random.seed(0)
        torch.manual_seed(0)
        settings = copy.deepcopy(options)
        preprocess = kind(mean=MEAN, std=STD, to_rgb=True, **settings, **more)
        found.append(preprocess(batch(collate, **labels), training=True))
    ours, theirs = found
    assert torch.equal(ours['inputs'], theirs['inputs'])
    for mine, wanted in zip(ours['data_samples'], theirs['data_samples'], strict=True):
        assert mine.keys() == wanted.keys()
        for name, value in wanted.items():
            assert torch.equal(mine.get(name), value)


def test_images_alone_are_enough():
    inputs = batch()['inputs']
    assert ClsDataPreprocessor()(dict(inputs=inputs))['data_samples'] is None


@pytest.mark.parametrize('non_blocking', [True, False])
def test_no_copy_to_the_device_waits(non_blocking):
    """Of images and labels; the device is one without values."""
    preprocess = ClsDataPreprocessor(mean=MEAN, std=STD, non_blocking=non_blocking).to('meta')
    with Copies() as copies:
        out = preprocess(batch(gt_label=[3, 1, 4, 1]), training=True)
    assert out['inputs'].device.type == 'meta'
    assert out['data_samples'][2].gt_label.device.type == 'meta'
    assert copies.waited == [not non_blocking] * 2

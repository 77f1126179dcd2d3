"""KNNAccuracy: each image by the others, as scikit-learn counts; what cannot be measured."""

import mmvitkd  # noqa: F401
from mmvitkd.metrics import KNNAccuracy

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from sklearn.neighbors import KNeighborsClassifier


def samples(count=30, unreadable=()):
    """Predictions of an encoder for three classes that overlap."""
    torch.manual_seed(0)
    made = []
    for index in range(count):
        sample = DataSample(metainfo=dict(img_path=f'{index}.png')).set_gt_label(index % 3)
        sample.set_field(torch.randn(8) + 1.5 * torch.eye(8)[index % 3], 'embedding')
        if index in unreadable:
            sample.set_field({'0.png': 'empty'}, 'unreadable', field_type='metainfo')
        made.append(sample)
    return made


def measure(data_samples, size=None, batch=4, **kwargs):
    evaluator = Evaluator(dict(type='mmvitkd.KNNAccuracy', **kwargs))
    for start in range(0, len(data_samples), batch):
        evaluator.process(data_samples[start : start + batch])
    return evaluator.evaluate(size or len(data_samples))


def sklearns(data_samples, k, temperature=0.07):
    """How many of the images scikit-learn classifies right by the others."""
    embeddings = np.stack([sample.embedding.numpy() for sample in data_samples])
    labels = np.array([int(sample.gt_label) for sample in data_samples])
    hits = 0
    for index in range(len(labels)):
        others = np.arange(len(labels)) != index
        classifier = KNeighborsClassifier(
            k, metric='cosine', weights=lambda d: np.exp((1 - d) / temperature)
        ).fit(embeddings[others], labels[others])
        hits += classifier.predict(embeddings[index : index + 1])[0] == labels[index]
    return hits


@pytest.mark.parametrize('k', [1, 5, 20])
def test_each_image_is_classified_by_the_others(k):
    found = measure(samples(), k=k)
    assert found == {'knn/top1': pytest.approx(100 * sklearns(samples(), k) / 30)}
    assert 40 < found['knn/top1'] < 100


def test_padding_of_the_last_batch_does_not_count():
    """In several processes MMEngine's sampler repeats the first images."""
    padded = [*samples(), samples()[0]]
    assert measure(padded, size=30) == measure(samples())


def test_an_unreadable_image_is_wrong_and_does_not_vote():
    found = measure(samples(unreadable={0, 4}))
    readable = [sample for i, sample in enumerate(samples()) if i not in (0, 4)]
    hits = sklearns(readable, 20)
    assert found == {'knn/top1': pytest.approx(100 * hits / 30), 'knn/unreadable': 2}


def test_what_cannot_be_measured_is_named():
    without = DataSample().set_gt_label(0)
    with pytest.raises(ValueError, match="wanted 'embedding'"):
        measure([without])
    unlabelled = DataSample(metainfo=dict(img_path='a.png'))
    unlabelled.set_field(torch.ones(8), 'embedding')
    with pytest.raises(ValueError, match=r'a\.png has the label None'):
        measure([unlabelled])
    with pytest.raises(ValueError, match='found 1 readable'):
        measure(samples(2, unreadable={1}))
    broken = samples(3)
    broken[0].set_field(torch.full((8,), torch.nan), 'embedding')
    with pytest.raises(ValueError, match='NaN'):
        measure(broken)
    with pytest.raises(ValueError, match='k=0'):
        KNNAccuracy(k=0)

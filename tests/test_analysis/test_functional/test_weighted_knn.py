"""Weighted k-NN: scikit-learn's with the same weights, and each against the others."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional import weighted_knn as module
from mmvitkd.analysis.functional.weighted_knn import weighted_knn

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier


def embeddings(count, seed=0):
    """Embeddings of 4 classes that overlap, and their labels."""
    torch.manual_seed(seed)
    labels = torch.arange(count) % 4
    return torch.randn(count, 12).double() + torch.eye(12).double()[labels] * 2, labels


def sklearns(bank, labels, queries, k, temperature):
    classifier = KNeighborsClassifier(
        k, metric='cosine', weights=lambda distance: np.exp((1 - distance) / temperature)
    )
    return classifier.fit(bank.numpy(), labels.numpy()).predict_proba(queries.numpy())


@pytest.mark.parametrize('k, temperature', [(1, 0.07), (5, 0.5), (20, 0.07)])
def test_votes_are_scikit_learns(k, temperature):
    (bank, labels), (queries, _) = embeddings(90), embeddings(30, seed=1)
    found = weighted_knn(bank, labels, queries, k=k, temperature=temperature)
    wanted = sklearns(bank, labels, queries, k, temperature)
    assert found.numpy() == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize('values', [90, 250])
def test_chunks_change_nothing(monkeypatch, values):
    (bank, labels), (queries, _) = embeddings(90), embeddings(30, seed=1)
    whole = weighted_knn(bank, labels, queries), weighted_knn(bank, labels)
    monkeypatch.setattr(module, 'CHUNK_VALUES', values)
    parts = weighted_knn(bank, labels, queries), weighted_knn(bank, labels)
    assert parts[0] == pytest.approx(whole[0])
    assert parts[1] == pytest.approx(whole[1])


def test_each_is_classified_by_the_others():
    bank, labels = embeddings(40)
    found = weighted_knn(bank, labels, k=7)
    for i in range(40):
        others = torch.arange(40) != i
        wanted = sklearns(bank[others], labels[others], bank[i : i + 1], 7, 0.07)
        assert found[i].numpy() == pytest.approx(wanted[0], abs=1e-10)


def test_the_length_of_an_embedding_does_not_matter():
    (bank, labels), (queries, _) = embeddings(60), embeddings(10, seed=1)
    longer = bank * torch.linspace(0.1, 100, 60)[:, None]
    assert weighted_knn(longer, labels, queries) == pytest.approx(
        weighted_knn(bank, labels, queries)
    )


def test_a_small_bank_votes_as_a_whole():
    bank, labels = embeddings(6)
    assert weighted_knn(bank, labels, bank, k=20).sum(1) == pytest.approx(
        torch.ones(6).double()
    )
    assert torch.equal(weighted_knn(bank, labels, k=20), weighted_knn(bank, labels, k=5))


def test_classes_that_nobody_has_get_no_vote():
    bank, labels = embeddings(8)
    votes = weighted_knn(bank, labels, bank, num_classes=7)
    assert votes.shape == (8, 7)
    assert not votes[:, 4:].any()


def test_wrong_shapes_and_numbers_are_named():
    bank, labels = embeddings(8)
    with pytest.raises(ValueError, match=r'\(8, 12\), \(7,\)'):
        weighted_knn(bank, labels[:7])
    with pytest.raises(ValueError, match=r'\(8, 11\)'):
        weighted_knn(bank, labels, bank[:, :11])
    with pytest.raises(ValueError, match='k=0'):
        weighted_knn(bank, labels, k=0)
    with pytest.raises(ValueError, match='found 1 embeddings, wanted 2'):
        weighted_knn(bank[:1], labels[:1])

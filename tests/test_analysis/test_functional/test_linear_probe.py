"""Linear probe: scikit-learn's logistic regression, separable features, and the penalty."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.linear_probe import fit_linear_probe

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def overlapping(count=120, seed=0):
    torch.manual_seed(seed)
    labels = torch.arange(count) % 3
    return torch.randn(count, 6) * torch.logspace(-1, 2, 6) + labels[:, None], labels


def accuracy(probe, embeddings, labels):
    return (probe(embeddings).argmax(1) == labels).double().mean().item()


@pytest.mark.parametrize('penalty', [1.0, 0.01])
def test_it_is_the_minimum_that_scikit_learn_finds(penalty):
    embeddings, labels = overlapping()
    probe = fit_linear_probe(embeddings, labels, penalties=(penalty,))
    scaled = StandardScaler().fit_transform(embeddings.double().numpy())
    theirs = LogisticRegression(C=1 / (len(labels) * penalty), tol=1e-10, max_iter=5000)
    wanted = theirs.fit(scaled, labels.numpy()).predict_proba(scaled)
    assert probe(embeddings).softmax(1).numpy() == pytest.approx(wanted, abs=1e-5)


def test_separable_features_are_separated():
    torch.manual_seed(0)
    labels = torch.arange(200) % 5
    embeddings = torch.randn(200, 8) + 12 * torch.eye(8)[labels]
    probe = fit_linear_probe(embeddings[:150], labels[:150])
    assert accuracy(probe, embeddings[150:], labels[150:]) == 1


def test_random_features_are_at_chance():
    torch.manual_seed(0)
    embeddings, labels = torch.randn(900, 8), torch.arange(900) % 3
    probe = fit_linear_probe(embeddings[:600], labels[:600])
    assert accuracy(probe, embeddings[600:], labels[600:]) == pytest.approx(1 / 3, abs=0.1)


def test_the_penalty_is_chosen_on_training_images_set_apart():
    """With more channels than images, an unpenalised fit is perfect, and worse elsewhere."""
    torch.manual_seed(0)
    labels = torch.arange(300) % 2
    embeddings = torch.randn(300, 60)
    embeddings[:, 0] += 2 * labels
    train = embeddings[:60], labels[:60]
    chosen, weakest = fit_linear_probe(*train), fit_linear_probe(*train, penalties=(1e-5,))
    assert chosen.penalty > 1e-5
    assert accuracy(weakest, *train) == 1
    test = embeddings[60:], labels[60:]
    assert accuracy(chosen, *test) > accuracy(weakest, *test)


def test_constant_channels_get_no_weight_of_rounding():
    embeddings, labels = overlapping()
    with_constant = torch.cat([embeddings, torch.full((120, 1), 0.1)], 1)
    found = fit_linear_probe(with_constant, labels, penalties=(0.1,))
    wanted = fit_linear_probe(embeddings, labels, penalties=(0.1,))
    assert found.weight[-1].abs().max() < 1e-9
    assert found(with_constant) == pytest.approx(wanted(embeddings), abs=1e-5)


def test_few_images_get_the_strongest_penalty():
    embeddings, labels = overlapping(count=4)
    assert fit_linear_probe(embeddings, labels, penalties=(0.1, 1.0)).penalty == 1


def test_wrong_labels_and_penalties_are_named():
    embeddings, labels = overlapping()
    with pytest.raises(ValueError, match='found 1 class'):
        fit_linear_probe(embeddings, torch.zeros_like(labels))
    with pytest.raises(ValueError, match=r'\(120, 6\) and \(7,\)'):
        fit_linear_probe(embeddings, labels[:7])
    with pytest.raises(ValueError, match='penalties'):
        fit_linear_probe(embeddings, labels, penalties=())

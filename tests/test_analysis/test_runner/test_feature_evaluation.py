"""Feature evaluation: every number against its function on all features at once."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis import RidgeReadout, fit_linear_probe, linear_cka, weighted_knn
from mmvitkd.analysis.features.image_features import ImageFeatureReader
from mmvitkd.analysis.runner.feature_evaluation import Evaluated, FeatureEvaluation
from mmvitkd.datasets.image_batches import ImageBatch
from mmvitkd.models.losses.align_features import fit_to

import pytest
import torch
from toy import ARCH, WIDE_ARCH, timm_vit, vit
from toy_students import build

LAYERS = {'last': 'last'}
CLASSES = ('a', 'b', 'c')


def images(count, seed, batch=5, labelled=True):
    """Batches of images of three classes, which differ in their mean colour."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    pixels = torch.randn(count, 3, 32, 32, generator=generator)
    pixels += 1.5 * torch.eye(3)[labels][:, :, None, None]
    return [
        ImageBatch(pixels[part], labels[part] if labelled else None, part)
        for part in torch.arange(count).split(batch)
    ]


def readers(teacher=None):
    student = build(vit())
    teacher = teacher or build(vit(WIDE_ARCH))
    return ImageFeatureReader(student, LAYERS), ImageFeatureReader(teacher, LAYERS)


def together(reader, batches):
    """The embeddings, tokens and labels of all batches."""
    found = reader(torch.cat([batch.images for batch in batches]))
    labels = [batch.labels for batch in batches if batch.labels is not None]
    return found.embedding, found.layers['last'], torch.cat(labels) if labels else None


TRAIN, HELD_OUT = images(24, 0), images(12, 1)


@pytest.fixture(scope='module')
def models():
    torch.manual_seed(0)
    return readers()


@pytest.fixture(scope='module')
def scores(models):
    return FeatureEvaluation(Evaluated(*models), classes=CLASSES).run(TRAIN, HELD_OUT)


@pytest.mark.parametrize('what', ['last', 'embedding'])
def test_similarity_and_readout_are_those_of_all_features(models, scores, what):
    def of(reader, batches):
        embedding, features, _ = together(reader, batches)
        return embedding[:, None] if what == 'embedding' else features.tokens

    (student, teacher), found = models, scores.compared[what]
    test = of(student, HELD_OUT), of(teacher, HELD_OUT)
    assert found['cka'] == pytest.approx(linear_cka(*test), rel=1e-6)
    readout = RidgeReadout()
    readout.fit(of(student, TRAIN), of(teacher, TRAIN))
    readout.test(*test)
    assert found['readout_r2'] == pytest.approx(readout.result()['r2'], rel=1e-6)
    assert (scores.num_train, scores.num_images) == (24, 12)


def test_classes_are_found_by_knn_and_probe(models, scores):
    for name, reader in zip(('student', 'teacher'), models, strict=True):
        bank, _, labels = together(reader, TRAIN)
        queries, _, wanted = together(reader, HELD_OUT)
        votes = weighted_knn(bank, labels, queries)
        hits = (votes.argmax(1) == wanted).double().mean().item()
        assert scores.classified[name]['knn'] == pytest.approx(100 * hits)
        right = fit_linear_probe(bank, labels)(queries).argmax(1) == wanted
        assert scores.classified[name]['probe'] == pytest.approx(
            100 * right.double().mean().item()
        )


def test_other_widths_have_no_error_of_their_own(scores):
    assert 'rel_error' not in scores.compared['last']
    assert 'the student is 16 wide, the teacher 32' in scores.left_out['last.error']


def test_the_same_model_twice_is_perfect(models):
    student, _ = models
    found = FeatureEvaluation(Evaluated(student, student)).run(TRAIN, HELD_OUT).compared
    for what in ('last', 'embedding'):
        assert found[what]['rel_error'] == 0
        assert found[what]['r2'] == found[what]['cosine'] == pytest.approx(1)
        assert found[what]['cka'] == pytest.approx(1)


def test_a_finer_grid_gets_the_students_tokens_interpolated(models):
    student, _ = models
    teacher = ImageFeatureReader(build(timm_vit() | dict(patch_size=4)), LAYERS)
    found = FeatureEvaluation(Evaluated(student, teacher)).run(TRAIN, HELD_OUT)
    _, own, _ = together(student, HELD_OUT)
    _, other, _ = together(teacher, HELD_OUT)
    assert (own.grid, other.grid) == ((4, 4), (8, 8))
    resized = fit_to(own, (8, 8), ARCH['embed_dims']).tokens
    wanted = linear_cka(resized, other.tokens)
    assert found.compared['last']['cka'] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize('classes', [None, ('a',)])
def test_without_two_classes_knn_and_probe_are_left_out(models, classes):
    batches = images(6, 0, labelled=classes is not None)
    found = FeatureEvaluation(Evaluated(models[0]), classes=classes).run(batches, batches)
    assert found.classified == found.compared == {}
    wanted = 'no class folders' if classes is None else '1 class'
    assert wanted in found.left_out['knn'] and wanted in found.left_out['probe']


def test_single_images_leave_out_what_needs_more(models):
    one = images(1, 0)
    found = FeatureEvaluation(Evaluated(*models)).run(one, one)
    assert 'cka' in found.compared['last']
    assert '1 training images' in found.left_out['last.readout']
    assert 'same row in all 1' in found.left_out['embedding.cka']


def test_constant_channels_are_no_problem(models):
    model = build(vit())
    with torch.no_grad():
        model.backbone.ln1.weight[3] = 0
    reader = ImageFeatureReader(model, LAYERS)
    found = FeatureEvaluation(Evaluated(models[1], reader), classes=CLASSES)
    scores = found.run(TRAIN, HELD_OUT)
    assert {*scores.left_out} == {'last.error', 'embedding.error'}


def test_broken_features_and_no_images_are_named(models):
    broken = build(vit())
    torch.nn.init.constant_(broken.backbone.ln1.weight, float('nan'))
    with pytest.raises(ValueError, match='student, embedding: features: some are NaN'):
        FeatureEvaluation(Evaluated(ImageFeatureReader(broken, {}))).run(TRAIN, HELD_OUT)
    with pytest.raises(ValueError, match='none of the held-out images'):
        FeatureEvaluation(Evaluated(models[0])).run(TRAIN, [])

"""MMPretrain's inferencers take an exported config and its checkpoint."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import load_student, predict

import numpy as np
import pytest
import torch
from mmpretrain import FeatureExtractor, ImageClassificationInferencer
from toy_students import NAMES


@pytest.fixture(params=['ours', 'distilled', 'lift', 'widelast', 'swin_widelast'])
def exported(request, export):
    folder, model = export(request.param)
    return str(folder / 'student.py'), str(folder / 'student.pth'), model


def test_the_classifier(exported, pictures):
    config, checkpoint, _ = exported
    arrays, files = pictures
    classify = ImageClassificationInferencer(model=config, pretrained=checkpoint)
    wanted = predict(load_student(config), arrays)
    # It takes arrays as BGR. PNG files are the same to all who decode them.
    for images in ([a[..., ::-1] for a in arrays], [str(f) for f in files]):
        for found, other in zip(classify(images, batch_size=2), wanted, strict=True):
            np.testing.assert_allclose(found['pred_scores'], other['scores'], atol=1e-6)
            assert found['pred_class'] == NAMES[other['label']]


def test_the_feature_extractor(exported, pictures):
    config, checkpoint, model = exported
    extract = FeatureExtractor(model=config, pretrained=checkpoint)
    features = extract([str(f) for f in pictures[1]])
    batch = next(iter(extract.preprocess([str(pictures[1][0])])))
    inputs = model.data_preprocessor(batch)['inputs']
    with torch.no_grad():
        wanted = model.extract_feat(inputs)
    assert len(features) == 3
    # The distilled DeiT gives a pair of tokens, Lift its patch tokens and their mean.
    for found, other in zip(_tensors(features[0]), _tensors(wanted), strict=True):
        torch.testing.assert_close(found, other[0], rtol=0, atol=1e-6)


def _tensors(features):
    if isinstance(features, torch.Tensor):
        return [features]
    return [tensor for part in features for tensor in _tensors(part)]

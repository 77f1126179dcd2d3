"""The remedies of a student are found by the names of its modules."""

import mmvitkd  # noqa: F401
from mmvitkd.models.utils.remedy import distilled_features, remedies_of, widened_modules

import pytest
from mmpretrain.registry import MODELS
from toy_students import student


@pytest.mark.parametrize(
    ('kind', 'remedies', 'widened', 'features'),
    [
        ('ours', [], [], []),
        ('timm', [], [], []),
        ('lift', ['neck'], ['neck'], ['neck']),
        ('widelast', ['backbone'], ['backbone.layers.2', 'backbone.ln1'], []),
        (
            'swin_widelast',
            ['backbone'],
            ['backbone.stages.1.blocks.1', 'backbone.norm1'],
            [],
        ),
    ],
)
def test_students(kind, remedies, widened, features):
    cfg = student(kind)
    cfg.pop('pretrained', None)
    model = MODELS.build(cfg)
    assert list(remedies_of(model)) == remedies
    assert widened_modules(model) == widened
    assert distilled_features(model) == features

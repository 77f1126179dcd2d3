"""The shorthand `pairs` against the vocabulary written out by hand."""

import mmvitkd  # noqa: F401
from mmvitkd.models.algorithms.pairs import expand_pairs

import pytest

MSE = dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2)


def test_one_pair_is_mmrazor_vocabulary():
    assert expand_pairs(None, [(11, 23)], MSE, 'ImageClassifier', 'TimmClassifier') == dict(
        student_recorders=dict(pair_0=dict(type='ModuleOutputs', source='backbone.layers.11')),
        teacher_recorders=dict(pair_0=dict(type='ModuleOutputs', source='model.blocks.23')),
        connectors=dict(pair_0=dict(type='mmvitkd.TokensToMap')),
        distill_losses=dict(loss_pair_0=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2)),
        loss_forward_mappings=dict(
            loss_pair_0=dict(
                preds_S=dict(recorder='pair_0', from_student=True, connector='pair_0'),
                preds_T=dict(recorder='pair_0', from_student=False, connector='pair_0'),
            )
        ),
    )


def test_several_pairs_share_the_weight():
    config = expand_pairs(None, [(0, 0), (11, 23)], MSE, 'ImageClassifier', 'TimmClassifier')
    weights = [loss['loss_weight'] for loss in config['distill_losses'].values()]
    assert weights == [0.1, 0.1]


def test_a_pair_is_added_to_a_distiller_that_stays_as_it_was():
    distiller = dict(
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
        distill_losses=dict(loss_kd=dict(type='KLDivergence')),
    )
    config = expand_pairs(
        distiller, [('neck.norm', 'model.blocks.23')], MSE, 'ImageClassifier', 'Anything'
    )
    assert list(config['student_recorders']) == ['logits', 'pair_0']
    assert config['student_recorders']['pair_0']['source'] == 'neck.norm'
    assert config['teacher_recorders']['pair_0']['source'] == 'model.blocks.23'
    assert list(distiller['student_recorders']) == ['logits']


@pytest.mark.parametrize(
    ('pairs', 'message'),
    [
        ([(11, 23, 1)], r'pairs\[0\]=\(11, 23, 1\): wanted \(student layer, teacher layer\)'),
        ([(0, 0), 11], r'pairs\[1\]=11: wanted'),
        ([(-1, 23)], r'pairs\[0\]\[0\]=-1: a block is counted from 0'),
    ],
)
def test_what_is_no_pair_is_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        expand_pairs(None, pairs, MSE, 'ImageClassifier', 'TimmClassifier')


def test_an_index_into_an_unknown_model_asks_for_the_name():
    with pytest.raises(ValueError, match=r'pairs\[0\]\[1\]=2: .*name the module instead'):
        expand_pairs(None, [(1, 2)], MSE, 'ImageClassifier', 'HuggingFaceClassifier')


def test_a_name_that_is_taken_is_refused():
    distiller = dict(teacher_recorders=dict(pair_0=dict(type='ModuleOutputs', source='x')))
    with pytest.raises(ValueError, match=r"distiller\.teacher_recorders: .*name 'pair_0'"):
        expand_pairs(distiller, [(0, 0)], MSE, 'ImageClassifier', 'TimmClassifier')

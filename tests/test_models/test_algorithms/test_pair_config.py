"""The shorthand `pairs` against the vocabulary written out by hand."""

import mmvitkd  # noqa: F401
from mmvitkd.models.algorithms.pair_config import expand_pairs
from mmvitkd.models.utils.adapters import adapter_for

import pytest
from mmengine.registry import MODELS
from torch import nn
from toy import timm_vit, vit

MSE = dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2)


@pytest.fixture
def student():
    return adapter_for(MODELS.build(vit()))


@pytest.fixture
def teacher():
    return adapter_for(MODELS.build(timm_vit()))


def test_one_pair_is_mmrazor_vocabulary(student, teacher):
    assert expand_pairs(None, [(2, 3)], MSE, student, teacher) == dict(
        student_recorders=dict(pair_0=dict(type='ModuleOutputs', source='backbone.layers.2')),
        teacher_recorders=dict(pair_0=dict(type='ModuleOutputs', source='model.blocks.3')),
        connectors=dict(pair_0=dict(type='mmvitkd.PatchTokens', num_extra_tokens=1)),
        distill_losses=dict(loss_pair_0=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2)),
        loss_forward_mappings=dict(
            loss_pair_0=dict(
                preds_S=dict(recorder='pair_0', from_student=True, connector='pair_0'),
                preds_T=dict(recorder='pair_0', from_student=False, connector='pair_0'),
            )
        ),
    )


@pytest.mark.parametrize('norm', [dict(norm=None), dict(norm='LN', norm_first=True)])
def test_a_linear_projector_leaves_the_target_as_it_is(student, teacher, norm):
    projector = dict(in_channels=16, out_channels=32, bias=True, **norm)
    connectors = expand_pairs(None, [(2, 3)], MSE, student, teacher, projector)['connectors']
    assert connectors == dict(
        pair_0_S=dict(type='mmvitkd.ProjectorConnector', num_extra_tokens=1, **projector),
        pair_0_T=dict(type='mmvitkd.PatchTokens', num_extra_tokens=1),
    )


def test_several_pairs_share_the_weight(student, teacher):
    config = expand_pairs(None, [(0, 0), (2, 3)], MSE, student, teacher)
    weights = [loss['loss_weight'] for loss in config['distill_losses'].values()]
    assert weights == [0.1, 0.1]


def test_without_a_weight_they_share_the_default_of_the_loss(student, teacher):
    sep = dict(type='mmvitkd.SEPLoss')  # whose default is 100
    config = expand_pairs(
        None, [(0, 0), (2, 3)], sep, student, teacher, extra_losses=dict(a=sep)
    )
    assert {loss['loss_weight'] for loss in config['distill_losses'].values()} == {50.0}


def test_a_pair_is_added_to_a_distiller_that_stays_as_it_was(student, teacher):
    distiller = dict(
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
        distill_losses=dict(loss_kd=dict(type='KLDivergence')),
    )
    config = expand_pairs(
        distiller, [('neck.norm', 'model.blocks.23')], MSE, student, adapter_for(None)
    )
    assert list(config['student_recorders']) == ['logits', 'pair_0']
    assert config['student_recorders']['pair_0']['source'] == 'neck.norm'
    assert config['teacher_recorders']['pair_0']['source'] == 'model.blocks.23'
    assert list(distiller['student_recorders']) == ['logits']


@pytest.mark.parametrize(
    ('pairs', 'message'),
    [
        ([(2, 3, 1)], r'pairs\[0\]=\(2, 3, 1\): wanted \(student layer, teacher layer\)'),
        ([(0, 0), 2], r'pairs\[1\]=2: wanted'),
        ([(-1, 3)], r'pairs\[0\]\[0\]=-1: the student.*3 blocks or stages, .*from 0 to 2'),
        ([(0, 0), (2, 4)], r'pairs\[1\]\[1\]=4: the teacher \(TimmClassifier\) has 4 blocks'),
        (11, r'pairs=11: wanted a list of \(student layer, teacher layer\)'),
        ([(1.5, 3)], r'pairs\[0\]\[0\]=1.5: wanted a block index of the student'),
        ([(1, None)], r'pairs\[0\]\[1\]=None: wanted a block index of the teacher'),
        ([(True, 3)], r'pairs\[0\]\[0\]=True: wanted a block index'),
    ],
)
def test_what_is_no_pair_is_refused(pairs, message, student, teacher):
    with pytest.raises(ValueError, match=message):
        expand_pairs(None, pairs, MSE, student, teacher)


@pytest.mark.parametrize('weight', ['0.2', [0.1, 0.1], None, True])
def test_a_weight_that_is_no_number_is_refused(weight, student, teacher):
    with pytest.raises(ValueError, match=r'pair_loss\.loss_weight=.*: wanted one number'):
        expand_pairs(None, [(2, 3)], dict(MSE, loss_weight=weight), student, teacher)


def test_an_index_into_an_unknown_model_asks_for_the_name(student):
    with pytest.raises(ValueError, match=r'pairs\[0\]\[1\]=2: .*Sequential.*name the module'):
        expand_pairs(None, [(1, 2)], MSE, student, adapter_for(nn.Sequential()))


@pytest.mark.parametrize(
    ('name', 'last'),
    [('swin_tiny_patch4_window7_224', 'layers.3'), ('cait_xxs24_224', 'blocks.23')],
)
def test_timm_says_where_its_blocks_and_stages_are(name, last, student):
    classifier = MODELS.build(dict(type='TimmClassifier', model_name=name))
    index = 3 if 'swin' in name else 23
    config = expand_pairs(None, [(2, index)], MSE, student, adapter_for(classifier))
    assert config['teacher_recorders']['pair_0']['source'] == f'model.{last}'
    extra = {} if 'swin' in name else dict(num_extra_tokens=0)
    assert config['connectors']['pair_0_T'] == dict(type='mmvitkd.PatchTokens', **extra)


def test_a_name_that_is_taken_is_refused(student, teacher):
    distiller = dict(teacher_recorders=dict(pair_0=dict(type='ModuleOutputs', source='x')))
    with pytest.raises(ValueError, match=r"distiller\.teacher_recorders: .*name 'pair_0'"):
        expand_pairs(distiller, [(0, 0)], MSE, student, teacher)


PROJECTOR = dict(in_channels=32, out_channels=48)


def test_a_projector_is_one_for_each_pair_and_normalises_the_teacher_too(student, teacher):
    pairs = [(0, 0), (2, 3)]
    config = expand_pairs(None, pairs, MSE, student, teacher, dict(PROJECTOR, frozen=True))
    kind = dict(type='mmvitkd.ProjectorConnector', num_extra_tokens=1)
    ours, theirs = dict(kind, **PROJECTOR, frozen=True), dict(kind, in_channels=48)
    assert config['connectors'] == {
        f'pair_{i}_{side}': connector
        for i in range(2)
        for side, connector in (('S', ours), ('T', theirs))
    }
    mapping = config['loss_forward_mappings']['loss_pair_1']
    assert mapping['preds_S']['connector'] == 'pair_1_S'
    assert mapping['preds_T']['connector'] == 'pair_1_T'


def test_with_lifts_projection_the_teacher_stays_raw(student, teacher):
    config = expand_pairs(None, [(2, 3)], MSE, student, teacher, dict(PROJECTOR, norm='LN'))
    assert config['connectors']['pair_0_S']['norm'] == 'LN'
    teachers = dict(type='mmvitkd.PatchTokens', num_extra_tokens=1)
    assert config['connectors']['pair_0_T'] == teachers


@pytest.mark.parametrize(
    ('projector', 'message'),
    [
        (dict(out_channels=48), "in_channels=None: wanted the width of the student's feature"),
        (dict(in_channels=32), "out_channels=None: wanted the width of the teacher's feature"),
        (dict(PROJECTOR, out_channels=0), "out_channels=0: wanted the width of the teacher's"),
        (dict(PROJECTOR, freeze=True), "pair_projector=.*unexpected keyword argument 'freeze'"),
        (dict(PROJECTOR, norm='bn'), r"pair_projector=.*norm='bn' is none of "),
        (True, r'pair_projector=True: wanted dict\(in_channels=, out_channels=\)'),
    ],
)
def test_a_projector_that_is_none_is_refused(projector, message, student, teacher):
    with pytest.raises(ValueError, match=message):
        expand_pairs(None, [(2, 3)], MSE, student, teacher, projector)


def test_further_losses_get_what_the_first_one_gets_and_share_their_weight(student, teacher):
    extra = dict(subspace=dict(type='mmvitkd.SubspaceLoss', d=4, loss_weight=3.0))
    projector = dict(in_channels=16, out_channels=32, norm=None, bias=True)
    found = expand_pairs(
        None, [(1, 2), (2, 3)], MSE, student, teacher, projector, extra_losses=extra
    )
    names = [f'loss_pair_{i}{name}' for i in (0, 1) for name in ('', '_subspace')]
    assert list(found['distill_losses']) == names
    losses, mappings = found['distill_losses'], found['loss_forward_mappings']
    for i in (0, 1):
        assert losses[f'loss_pair_{i}_subspace'] == dict(extra['subspace'], loss_weight=1.5)
        assert mappings[f'loss_pair_{i}_subspace'] == mappings[f'loss_pair_{i}']
    assert list(found['connectors']) == ['pair_0_S', 'pair_0_T', 'pair_1_S', 'pair_1_T']


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        ([MSE], r'^pair_extra_losses=\[.*wanted configs of losses by names'),
        ({'a b': MSE}, r"^pair_extra_losses=.*'a b'"),
        ({'sep': 'mmvitkd.SEPLoss'}, r'^pair_extra_losses\.sep='),
        ({'sep': dict(type='mmvitkd.SEP')}, r"^pair_extra_losses\.sep\.type='mmvitkd\.SEP'"),
        ({'sep': dict(MSE, loss_weight='1')}, r"^pair_extra_losses\.sep\.loss_weight='1'"),
    ],
)
def test_further_losses_that_are_none_are_refused(extra, message, student, teacher):
    with pytest.raises(ValueError, match=message):
        expand_pairs(None, [(2, 3)], MSE, student, teacher, extra_losses=extra)

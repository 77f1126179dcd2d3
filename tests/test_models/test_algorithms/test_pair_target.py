"""``pair_target`` and ``norm_from_target``: what is recorded, compared, started and refused."""

import mmvitkd  # noqa: F401
from mmvitkd.models import BaseTeacher, TargetTokens

import pytest
import torch
from mmengine.registry import MODELS
from toy import PREPROCESSOR, WIDE_ARCH, timm_vit, vit
from toy_distillation import distillation, loss_arguments

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
LIFT = dict(
    architecture=dict(
        vit(out_type='raw', final_norm=False),
        neck=dict(type='mmvitkd.LiftProjector', in_channels=16, out_channels=32),
        head=dict(type='mmpretrain.LinearClsHead', num_classes=5, in_channels=32),
    ),
    pairs=[('neck.norm', 3)],
)


def model_of(**kwargs):
    return MODELS.build(distillation(**{'pair_projector': None, **kwargs}))


def teacher_tokens(model, module):
    """What a module of the teacher returns, by a hook of its own."""
    kept = []
    part = model.teacher.model.get_submodule(module)
    handle = part.register_forward_hook(lambda *args: kept.append(args[2]))
    with torch.no_grad():
        model.teacher.model(IMAGES)
    handle.remove()
    return kept[0][:, -16:]


@pytest.mark.parametrize('target', ['centred', 'standardised'])
def test_the_loss_gets_the_changed_target(target):
    model = model_of(pair_target=target).eval()
    tokens = teacher_tokens(model, 'backbone.layers.3').double()
    mean, std = tokens.mean((0, 1)), tokens.std((0, 1), unbiased=False)
    model.distiller.connectors['pair_0_T'].set_statistics(mean, std, 64)
    expected = (tokens - mean) / (std if target == 'standardised' else 1)
    found = loss_arguments(model, IMAGES)['preds_T'].tokens
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_raw_is_the_published_target_without_statistics():
    names = model_of().state_dict()
    assert list(names) == list(model_of(pair_target='raw').state_dict())
    assert not [name for name in names if 'pair_0' in name]


@pytest.mark.parametrize(
    ('teacher', 'last', 'norm'),
    [
        (dict(vit(WIDE_ARCH), data_preprocessor=dict(PREPROCESSOR)), 3, 'backbone.ln1'),
        (timm_vit(data_preprocessor=dict(PREPROCESSOR)), 3, 'model.norm'),
    ],
)
def test_the_final_norm_of_any_family(teacher, last, norm):
    model = model_of(teacher=teacher, pairs=[(2, last)], pair_target='final_norm').eval()
    found = loss_arguments(model, IMAGES)['preds_T'].tokens
    torch.testing.assert_close(found, teacher_tokens(model, norm))


def test_the_final_norm_is_not_for_other_blocks():
    with pytest.raises(
        ValueError, match=r'pair_target.*pairs\[0\]\[1\]=1.*backbone\.layers\.3'
    ):
        model_of(pairs=[(2, 1)], pair_target='final_norm')


@pytest.mark.parametrize('kind', ['no norm', 'identity', 'own'])
def test_a_teacher_without_a_final_norm_is_refused_by_name(kind):
    class Own(BaseTeacher):
        def forward(self, images, data_samples):
            return {'pair_0': torch.ones(len(images), 17, 32)}

    given = {
        'no norm': vit(WIDE_ARCH, final_norm=False),
        'identity': timm_vit(global_pool='avg', class_token=False, num_classes=5),
        'own': Own(),
    }[kind]
    name = {'no norm': 'ImageClassifier', 'identity': 'TimmClassifier', 'own': 'Own'}[kind]
    pairs = [(2, 'any')] if kind == 'own' else [(2, 3)]
    allow = kind != 'own'
    with pytest.raises(ValueError, match=f'pair_target.*{name}.*no final norm'):
        model_of(
            teacher=given, pairs=pairs, pair_target='final_norm', allow_random_teacher=allow
        )


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(pair_target='white'), "pair_target='white'"),
        (dict(pair_target='centred', pairs=None, pair_loss=None), 'pair_target.*need pairs'),
        (
            dict(pair_target='centred', pair_projector=dict(in_channels=16, out_channels=32)),
            'pair_target.*BatchNorm',
        ),
        (dict(norm_from_target=True), r'norm_from_target.*pairs\[0\].*no LayerNorm of 32'),
        (
            dict(norm_from_target=True, pair_projector=dict(in_channels=16, out_channels=32)),
            'norm_from_target=True.*BatchNorm',
        ),
        (dict(norm_from_target='yes'), 'norm_from_target'),
    ],
)
def test_refusals(kwargs, message):
    with pytest.raises(ValueError, match=message):
        model_of(**kwargs)


@pytest.mark.parametrize(
    'kwargs',
    [
        LIFT,
        dict(LIFT, pairs=[('tokens', 3)]),
        dict(pair_projector=dict(in_channels=16, out_channels=32, norm='LN')),
        dict(LIFT, pair_extra_losses=dict(sep=dict(type='mmvitkd.SEPLoss'))),
    ],
)
def test_a_layernorm_starts_at_the_targets_statistics(kwargs):
    """Its first tokens have the target's norm."""
    model = model_of(**kwargs, norm_from_target=True).eval()
    tokens = teacher_tokens(model, 'backbone.layers.3').double() * 3 + 2
    target = model.distiller.connectors['pair_0_T']
    assert isinstance(target, TargetTokens)
    mean, std = tokens.mean((0, 1)), tokens.std((0, 1), unbiased=False)
    target.set_statistics(mean, std, 64)
    [norm] = model.target_norms
    norm.start()
    student = loss_arguments(model, IMAGES)['preds_S']
    student = student.tokens if hasattr(student, 'tokens') else student.flatten(2).mT
    wanted = tokens.square().sum(2).mean().sqrt()
    found = student.double().square().sum(2).mean().sqrt()
    assert float(found) == pytest.approx(float(wanted), rel=0.1)
    torch.testing.assert_close(norm.norm.bias.double(), mean, rtol=1e-5, atol=1e-5)

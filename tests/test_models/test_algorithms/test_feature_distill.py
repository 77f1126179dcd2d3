"""FeatureDistill: a teacher outside the module tree, released records, errors at build."""

import copy
import sys

import mmvitkd  # noqa: F401
from mmvitkd.models import BaseTeacher, FeatureDistill

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn
from toy import ARCH, MEAN, PREPROCESSOR, STD, WIDE_ARCH, timm_vit, vit

MSE = dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2)
SOFT_KD = dict(
    _scope_='mmrazor',
    type='ConfigurableDistiller',
    student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
    teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
    distill_losses=dict(loss_kd=dict(type='KLDivergence', tau=1.0, loss_weight=0.9)),
    loss_forward_mappings=dict(
        loss_kd=dict(
            preds_S=dict(recorder='logits', from_student=True),
            preds_T=dict(recorder='logits', from_student=False),
        )
    ),
)


def distill(**kwargs):
    config = dict(
        type='mmvitkd.FeatureDistill',
        architecture=vit(),
        teacher=vit(WIDE_ARCH),
        pairs=[(2, 3)],
        pair_loss=MSE,
        allow_random_teacher=True,
    )
    return MODELS.build(copy.deepcopy({**config, **kwargs}))


def batch(size=4):
    torch.manual_seed(1)
    return dict(
        inputs=torch.randint(0, 256, (size, 3, 32, 32), dtype=torch.uint8),
        data_samples=[DataSample().set_gt_label(i % 5) for i in range(size)],
    )


def test_losses_are_the_students_plus_the_pairs():
    model = distill(distiller=SOFT_KD)
    data = model.data_preprocessor(batch(), True)
    losses = model(**data, mode='loss')
    assert set(losses) == {'student.loss', 'distill.loss_kd', 'distill.loss_pair_0'}

    student, teacher = model.student, model.teacher.model
    images = data['inputs']
    labels = torch.cat([s.gt_label for s in data['data_samples']])
    logits = student(images)
    torch.testing.assert_close(
        losses['student.loss'], nn.functional.cross_entropy(logits, labels)
    )
    log_p, log_q = teacher(images).log_softmax(1), logits.log_softmax(1)
    kd = 0.9 * (log_p.exp() * (log_p - log_q)).sum() / len(images)
    torch.testing.assert_close(losses['distill.loss_kd'], kd)

    def last_tokens(classifier):
        backbone = copy.deepcopy(classifier.backbone)
        backbone.out_type, backbone.final_norm = 'raw', False
        return backbone(images)[-1][:, 1:]

    pooled = last_tokens(teacher).unflatten(2, (16, 2)).mean(3)
    mse = 0.2 * (last_tokens(student) - pooled).square().mean()
    torch.testing.assert_close(losses['distill.loss_pair_0'], mse)


@pytest.mark.parametrize('teacher', [vit(WIDE_ARCH), timm_vit()])
def test_the_teacher_is_nowhere_in_the_model(teacher):
    model = distill(teacher=teacher)
    student = set(map(id, model.student.parameters()))
    assert set(map(id, model.parameters())) == student
    assert all(k.startswith('architecture.') for k in model.state_dict())
    assert model.teacher.model not in list(model.modules())


def test_the_teacher_stays_as_it_was_loaded(tmp_path):
    path = str(tmp_path / 'teacher.pth')
    weights = {k: torch.randn_like(v) for k, v in MODELS.build(vit()).state_dict().items()}
    torch.save(weights, path)
    model = distill(teacher=vit(), pairs=[(2, 2)], teacher_ckpt=path)
    model.init_weights()
    model.train()
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    model.train_step(batch(), optimizer)
    for name, value in model.teacher.model.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert not any(m.training for m in model.teacher.model.modules())


def test_to_moves_the_teacher():
    model = distill()
    model.to(torch.float64)
    assert next(model.teacher.model.parameters()).dtype == torch.float64
    assert next(model.student.parameters()).dtype == torch.float64


def test_records_are_released_and_the_model_can_be_copied():
    model = distill(distiller=SOFT_KD)
    model.train_step(batch(), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    managers = model.distiller.student_recorders, model.teacher.recorders
    assert not any(r.data_buffer for m in managers for r in m.recorders.values())
    other = copy.deepcopy(model)
    assert other.teacher is model.teacher
    data = model.data_preprocessor(batch(), True)
    ours, theirs = model(**data, mode='loss'), other(**data, mode='loss')
    assert {k: v.item() for k, v in ours.items()} == {k: v.item() for k, v in theirs.items()}


def test_records_are_released_when_a_loss_fails():
    model = distill()
    model.distiller.distill_losses['loss_pair_0'].forward = lambda **_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        model(**model.data_preprocessor(batch(), True), mode='loss')
    copy.deepcopy(model)


def test_another_teacher_can_take_its_place():
    class Cached(BaseTeacher):
        def forward(self, images, data_samples):
            return {'pair_0': torch.zeros(len(images), 17, 32)}

    model = FeatureDistill(vit(), Cached(), pairs=[(2, 'any')], pair_loss=MSE)
    losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    assert losses['distill.loss_pair_0'] > 0


def test_teacher_none_is_for_evaluation_only():
    model = distill(teacher=None)
    assert len(model(**model.data_preprocessor(batch()), mode='predict')) == 4
    with pytest.raises(RuntimeError, match='teacher=None: it cannot train'):
        model(**model.data_preprocessor(batch(), True), mode='loss')


def test_one_preprocessor_with_the_config_of_the_run():
    student = vit()
    del student['data_preprocessor']
    config = dict(mean=MEAN, std=STD, to_rgb=True, num_classes=5)
    model = distill(architecture=student, data_preprocessor=config)
    assert model.data_preprocessor is model.student.data_preprocessor
    assert model.data_preprocessor.mean.flatten().tolist() == pytest.approx(MEAN)


def test_mixup_of_the_student_is_seen_by_both():
    student = vit()
    student['data_preprocessor'] = dict(PREPROCESSOR, num_classes=5)
    student['train_cfg'] = dict(augments=dict(type='Mixup', alpha=0.8))
    model = distill(architecture=student)
    assert model.data_preprocessor(batch(), True)['data_samples'][0].gt_score.shape == (5,)
    assert model.train_step(batch(), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))


def test_distillation_can_be_stopped():
    model = distill()
    model.distillation_stopped = True
    losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    assert set(losses) == {'student.loss'}


def test_all_that_is_trained_has_a_gradient_after_the_stop():
    """Otherwise DDP waits for that of a projector."""
    model = distill(pair_projector=dict(in_channels=16, out_channels=32))
    model.distillation_stopped = True
    losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    assert losses['distill.loss_stopped'] == 0
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_layer_depth_under_the_algorithm():
    model = distill()
    assert model.get_layer_depth('architecture.backbone.pos_embed') == (0, 5)
    assert model.get_layer_depth('architecture.backbone.layers.1.ln1.weight') == (2, 5)
    assert model.get_layer_depth('architecture.head.layers.head.weight') == (4, 5)
    assert model.get_layer_depth('distiller.connectors.x.weight') == (4, 5)


def test_the_student_starts_alike_with_any_teacher():
    torch.manual_seed(0)
    MODELS.build(vit())
    wanted = torch.rand(1)
    torch.manual_seed(0)
    distill()
    assert torch.equal(torch.rand(1), wanted)


def test_a_random_teacher_is_not_drawn_from_the_students_numbers():
    torch.manual_seed(0)
    first = MODELS.build(vit(WIDE_ARCH)).state_dict()
    torch.manual_seed(0)
    teachers = [distill().teacher.model.state_dict() for _ in range(2)]
    name = 'head.layers.head.weight'
    assert torch.equal(teachers[0][name], teachers[1][name])  # of one seed
    assert not torch.equal(teachers[0][name], first[name])


def mapping(**changes):
    config = copy.deepcopy(SOFT_KD)
    config['loss_forward_mappings']['loss_kd'].update(changes)
    return config


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(pairs=[(3, 3)]), r'pairs\[0\]\[0\]=3: the student.* 3 blocks'),
        (dict(pairs=[(2, 4)]), r'pairs\[0\]\[1\]=4: the teacher.* 4 blocks'),
        (dict(pairs=[('bakbone.layers.2', 3)]), r'Similar names: backbone\.layers\.2'),
        (dict(pair_loss=None), 'give both or neither'),
        (dict(pairs=None, pair_loss=None), 'nothing to distil'),
        (
            dict(distiller=mapping(preds_S=dict(recorder='logit', from_student=True))),
            r"\['loss_kd'\]\['preds_S'\]\.recorder: 'logit' is not in "
            r"distiller\.student_recorders, which has 'logits'",
        ),
        (
            dict(
                distiller=mapping(
                    preds_S=dict(recorder='logits', from_student=True, connector='no')
                )
            ),
            r"'no' is not in distiller\.connectors",
        ),
        (
            dict(distiller=dict(SOFT_KD, loss_forward_mappings={})),
            r"distill_losses\['loss_kd'\]: 'loss_kd' is not in distiller\.loss_forward_mapp",
        ),
        (
            dict(teacher=vit(WIDE_ARCH, num_classes=7), distiller=SOFT_KD),
            r"\['loss_kd'\].*the student has 5 classes, the teacher 7 outputs, and loss_kd",
        ),
        (
            dict(distiller=mapping(preds_S=dict(recorder='logits'))),
            r"\['preds_S'\]: wanted from_student=True or False",
        ),
        (
            dict(distiller=mapping(pred_S=dict(recorder='logits', from_student=True))),
            r"loss_forward_mappings\['loss_kd'\]: KLDivergence\.forward .*'pred_S'.* preds_S",
        ),
        (
            dict(teacher={**timm_vit(), 'in_chans': 1}),
            r"teacher: it cannot take the student's input, 32 x 32",
        ),
    ],
)
def test_what_does_not_fit_fails_at_build(kwargs, message):
    with pytest.raises(ValueError, match=message):
        distill(**kwargs)


def test_a_neck_that_would_drop_patches_fails_at_build():
    student = vit(out_type='raw', with_cls_token=False)
    student['neck'] = dict(type='mmvitkd.LiftProjector', in_channels=16, out_channels=32)
    student['head'] = dict(type='LinearClsHead', num_classes=5, in_channels=32)
    message = r'architecture\.neck\.num_extra_tokens=1, but the backbone .* has 0'
    with pytest.raises(ValueError, match=message):
        distill(architecture=student, pairs=[('neck.norm', 3)])
    student['neck']['num_extra_tokens'] = 0
    distill(architecture=student, pairs=[('neck.norm', 3)])


def test_a_student_without_an_input_size_is_reported(monkeypatch):
    said = []
    module = sys.modules['mmvitkd.models.algorithms.dry_run']
    monkeypatch.setattr(module, 'print_log', lambda text, **_: said.append(text))
    student = dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=5, in_channels=512),
    )
    features = dict(distiller=mapping(), pairs=None, pair_loss=None)
    distill(architecture=student, **features)
    assert said == []  # the teacher says one
    features['distiller']['teacher_recorders']['logits']['source'] = ''
    teacher = dict(type='timm:test_resnet', num_classes=5)
    distill(architecture=student, teacher=teacher, **features)
    assert 'Neither student nor teacher states its input size' in said[0]
    teacher = dict(type='timm:test_resnet', num_classes=7)
    with pytest.raises(ValueError, match='student has 5 classes, the teacher 7 outputs'):
        distill(architecture=student, teacher=teacher, **features)


def test_widths_that_differ_are_reported(monkeypatch):
    said = []
    module = sys.modules['mmvitkd.models.algorithms.dry_run']
    monkeypatch.setattr(module, 'print_log', lambda text, **_: said.append(text))
    distill()
    assert said == [
        'loss_pair_0: the student is 16 wide and the teacher 32: the wider map is '
        'average-pooled along its channels.'
    ]


def test_a_head_of_another_width_fails_at_build():
    student = vit()
    student['head']['in_channels'] = 24
    with pytest.raises(ValueError, match=r'^architecture\.head.*32 x 32; .* in_channels'):
        distill(architecture=student)


def test_a_backbone_without_blocks_fails_at_build():
    student = dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=5, in_channels=512),
    )
    with pytest.raises(ValueError, match=r'pairs\[0\]\[0\]=2: the blocks of ImageClassifier'):
        distill(architecture=student)


def test_the_student_starts_from_a_narrow_model(tmp_path):
    path = str(tmp_path / 'narrow.pth')
    narrow = MODELS.build(vit())
    for parameter in narrow.parameters():
        nn.init.normal_(parameter)
    torch.save(narrow.state_dict(), path)
    student = vit(WIDE_ARCH)
    student['backbone'] = dict(type='mmvitkd.WideLast', base=vit()['backbone'], width=32)
    model = distill(architecture=student, student_ckpt=path)
    model.init_weights()
    ours, theirs = model.student.state_dict(), narrow.state_dict()
    assert torch.equal(ours['backbone.pos_embed'], theirs['backbone.pos_embed'])
    for block in (0, 1):
        name = f'backbone.layers.{block}.attn.qkv.weight'
        assert torch.equal(ours[name], theirs[name])
    assert ours['backbone.layers.2.attn.qkv.weight'].shape == (96, 32)
    copy.deepcopy(model)


def test_a_narrow_model_that_does_not_fit_fails_at_build(tmp_path):
    path = str(tmp_path / 'wide.pth')
    torch.save(MODELS.build(vit(WIDE_ARCH)).state_dict(), path)
    with pytest.raises(ValueError, match=r'student_ckpt=.*wide\.pth.*does not fit'):
        distill(student_ckpt=path)


def test_the_student_follows_the_teacher():
    """A few steps on one batch bring the features together, and the labels too."""
    model = distill(
        pair_loss=dict(MSE, loss_weight=5.0),
        architecture=vit(dict(ARCH, embed_dims=32, feedforward_channels=64)),
    )
    model.init_weights()
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=3e-3))
    first = model.train_step(batch(), optimizer)
    for _ in range(30):
        last = model.train_step(batch(), optimizer)
    assert last['distill.loss_pair_0'] < 0.5 * first['distill.loss_pair_0']
    assert last['student.loss'] < first['student.loss']

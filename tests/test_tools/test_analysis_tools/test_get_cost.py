"""tools/analysis_tools/get_cost.py: published figures, errors, and what it writes."""

import json
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.models import BaseTeacher
from mmvitkd.registry import MODELS

import pytest
import torch
import toy
from tool_modules import load_tool

ROOT = Path(__file__).parents[3]
PLAIN_DEIT_TINY = """
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean='measured', std='measured'),
    backbone=dict(
        type='VisionTransformer', arch='deit-tiny', img_size=224, patch_size=16,
        init_cfg=dict(type='Pretrained', checkpoint='nowhere.pth')),
    head=dict(type='VisionTransformerClsHead', num_classes=1000, in_channels=192))
"""


@pytest.fixture
def get_cost(monkeypatch, capsys, tmp_path):
    """Run the tool; returns its JSON by the names of the configs, and what it printed."""

    def run(*configs):
        file = tmp_path / 'out' / 'cost.json'
        arguments = [*map(str, configs), '--json', str(file)]
        monkeypatch.setattr(sys, 'argv', ['get_cost', *arguments])
        load_tool('analysis_tools/get_cost').main()
        assert [path.name for path in file.parent.iterdir()] == ['cost.json']
        content = json.loads(file.read_text())
        models = {Path(model['config']).stem: model for model in content['models']}
        return content, models, capsys.readouterr().out

    return run


@pytest.fixture
def write(tmp_path):
    def write(text, name='own.py'):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_published_figures(get_cost, write):
    lift = f"_base_ = '{ROOT}/configs/cait_s24_deit_tiny_lift.py'\n"
    small_teacher = "model = dict(teacher=dict(type='timm:cait_xxs24_224'))"
    content, models, printed = get_cost(
        write(PLAIN_DEIT_TINY, 'plain.py'),
        write(lift + small_teacher, 'lift.py'),
        ROOT / 'configs/cait_s24_deit_tiny_widelast.py',
    )
    widelast = 'cait_s24_deit_tiny_widelast'
    published = [
        ('plain', 5_717_416, 2.507),
        ('lift', 5_983_528, 2.536),
        (widelast, 7_313_896, 3.089),
    ]
    for name, parameters, gflops in published:
        student = models[name]['student']
        assert student['parameters'] == parameters
        assert 2 * student['macs'] / 1e9 == pytest.approx(gflops, rel=5e-3)
        assert student['image_size'] == [224, 224]
        assert f'{parameters:,}' in printed
        assert f'{2 * student["macs"] / 1e9:.3f}' in printed
    assert models['plain']['teacher'] is models['plain']['added_share'] is None
    distilled = models[widelast]
    teacher, student = distilled['teacher'], distilled['student']
    assert teacher['name'] == 'timm:cait_s24_224'
    assert (teacher['parameters'], teacher['image_size']) == (46_916_200, [224, 224])
    assert teacher['macs'] / 1e9 == pytest.approx(9.4, rel=0.01)
    assert distilled['losses'] == dict(parameters=0, macs=0)
    assert distilled['added_share'] == pytest.approx(teacher['macs'] / (3 * student['macs']))
    assert f'+{distilled["added_share"]:.1%}' in printed
    assert content['versions']['torch'].startswith(torch.__version__.split('+')[0])
    assert content['versions'].keys() >= {'mmvitkd', 'timm', 'mmpretrain', 'mmengine'}
    assert '3 x its MACs' in ' '.join(printed.split())


# A ViT of width 32 with 4 blocks of 64 hidden channels, 16 + 1 tokens and 5 classes.
WIDE_SIZE = (
    (3 * 64 * 32 + 32)
    + 32
    + 17 * 32
    + 4 * (2 * 64 + (32 * 96 + 96) + (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32))
    + 64
    + (32 * 5 + 5)
)


@pytest.mark.parametrize(
    'kind', ['timm name', 'timm name with arguments', 'config file', 'model config']
)
def test_a_teacher_by_any_name(get_cost, write, kind):
    """Its weights, and the student's, are named but not there."""
    teacher = {
        'timm name': 'timm:vit_tiny_patch16_224',
        'timm name with arguments': {
            **toy.timm_vit(mlp_ratio=2, pretrained=True),
            'type': 'timm:vit_tiny_patch16_224',
        },
        'config file': str(write(f'model = {toy.vit(toy.WIDE_ARCH)!r}', 'teacher.py')),
        'model config': {
            **toy.vit(toy.WIDE_ARCH),
            'init_cfg': dict(type='Pretrained', checkpoint='nowhere.pth'),
        },
    }[kind]
    model = dict(
        type='mmvitkd.FeatureDistill',
        architecture=toy.vit(),
        teacher=teacher,
        teacher_ckpt='nowhere.pth',
        student_ckpt='nowhere.pth',
        pairs=[(2, 3)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
    )
    _, models, _ = get_cost(write(f'model = {model!r}'))
    found = models['own']['teacher']
    side, parameters = (224, 5_717_416) if kind == 'timm name' else (32, WIDE_SIZE)
    assert found['image_size'] == [side, side]
    assert found['parameters'] == parameters


def test_top_level_num_classes_counts(get_cost, write):
    base = write(f'model = {toy.vit()!r}', 'five.py')
    _, models, _ = get_cost(write(f'_base_ = {str(base)!r}\nnum_classes = 7'))
    _, with_5, _ = get_cost(write(f'model = {toy.vit()!r}'))
    more = models['own']['student']['parameters'] - with_5['own']['student']['parameters']
    assert more == 2 * (16 + 1)


RESNET = """
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=5, in_channels=512))
"""


def test_a_model_without_a_size_of_its_own_takes_the_pipelines(get_cost, write):
    crop = "[dict(type='CenterCrop', crop_size=64)]"
    loader = f"test_dataloader = dict(dataset=dict(type='CustomDataset', pipeline={crop}))"
    _, models, _ = get_cost(write(RESNET + loader))
    assert models['own']['student']['image_size'] == [64, 64]


@MODELS.register_module()
class CostlessTeacher(BaseTeacher):
    """Does not know its cost."""

    def forward(self, images, data_samples):
        return dict(pair_0=images.new_zeros(len(images), 17, 32))


def test_a_teacher_that_does_not_know_its_cost(get_cost, write):
    model = dict(
        type='mmvitkd.FeatureDistill',
        architecture=toy.vit(),
        teacher=dict(type='mmvitkd.CostlessTeacher'),
        pairs=[(2, 'any')],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss'),
    )
    _, models, printed = get_cost(write(f'model = {model!r}'))
    teacher = models['own']['teacher']
    assert teacher == dict(
        name='mmvitkd.CostlessTeacher', image_size=[32, 32], parameters=None, macs=None
    )
    assert models['own']['added_share'] is None
    assert '?' in printed


NO_DISTILLATION = """
model = dict(
    type='mmrazor.SingleTeacherDistill', architecture=dict(), teacher=dict(), distiller=dict())
"""


@pytest.mark.parametrize(
    ('text', 'wrong'),
    [
        ('train_cfg = dict(max_epochs=3)', 'this config has no model'),
        ('model = None', 'this config has no model'),
        (RESNET, 'input size is not known'),
        (NO_DISTILLATION, "model.type='mmrazor.SingleTeacherDistill' has a teacher"),
        ("model = dict(type='NoSuchModel')", 'NoSuchModel'),
        (
            "model = dict(type='mmvitkd.FeatureDistill', teacher='timm:vit_x')",
            "no model 'vit_x'",
        ),
    ],
)
def test_a_config_that_cannot_be_counted(get_cost, write, tmp_path, text, wrong):
    path = write(text)
    with pytest.raises(SystemExit, match=f'get_cost: {path}: .*{wrong}'):
        get_cost(path)
    assert not (tmp_path / 'out').exists()


def test_a_config_that_is_not_there(get_cost, tmp_path):
    with pytest.raises(SystemExit, match=f'get_cost: {tmp_path}/no.py: .*no such file'):
        get_cost(tmp_path / 'no.py')

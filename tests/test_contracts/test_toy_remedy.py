"""A remedy of one file: started from a narrow model, distilled, exported, converted."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.convert import convert
from mmvitkd.checkpoint.converters.key_rules import KeyRules, register_key_rules
from mmvitkd.export.mmpretrain_files import write_mmpretrain
from mmvitkd.export.onnx_file import write_onnx
from mmvitkd.export.student import FormatUnavailableError, read_student
from mmvitkd.export.timm_folder import write_timm
from mmvitkd.models.utils.remedy import Remedy, distilled_features, widened_modules
from mmvitkd.registry import MODELS

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.optim import build_optim_wrapper
from mmpretrain import get_model
from torch import nn
from toy import vit
from toy_distillation import noise
from toy_students import save_training, training

# What a user writes -------------------------------------------------------------------


@MODELS.register_module()
class ToyRemedy(Remedy, BaseModule):
    """A neck that widens the patch tokens by a small MLP; the head reads their mean."""

    widened = ('up',)
    distilled_feature = 'up'

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.up = nn.Sequential(nn.Linear(in_channels, out_channels), nn.GELU())

    def forward(self, inputs):
        """(B, 1 + N, C) of the backbone to (B, N, C') and what the head reads, (B, C')."""
        tokens = self.up(inputs[-1][:, 1:])
        return tokens, tokens.mean(1)


@register_key_rules
class ToyKeys(KeyRules):
    name = 'ToyRemedy'
    key = r'neck\.up\.'

    def top(self, keys):
        return ['neck.up.0.weight', 'neck.up.0.bias', 'head.fc.weight']


# What it gets -------------------------------------------------------------------------


@pytest.fixture
def narrow(tmp_path):
    """A pretrained narrow model, and its file."""
    model = MODELS.build(vit())
    torch.save(model.state_dict(), tmp_path / 'narrow.pth')
    return model.state_dict(), str(tmp_path / 'narrow.pth')


@pytest.fixture
def cfg(narrow):
    """The config of a distillation into a student with the remedy."""
    cfg = training('ours', teacher_ckpt=None, allow_random_teacher=True)
    cfg.model.architecture.backbone.update(out_type='raw', final_norm=False)
    cfg.model.architecture.neck = dict(
        type='mmvitkd.ToyRemedy', in_channels=16, out_channels=32
    )
    cfg.model.architecture.head = dict(type='LinearClsHead', num_classes=5, in_channels=32)
    cfg.model.pairs = [('neck.up', 3)]
    cfg.model.student_ckpt = narrow[1]
    return cfg


@pytest.fixture
def student(cfg, tmp_path):
    """The student as its export reads it."""
    save_training(cfg, tmp_path / 'training.pth')
    return read_student(cfg, str(tmp_path / 'training.pth'))


def test_it_starts_from_a_narrow_model_and_distils_a_step(cfg, narrow):
    model = MODELS.build(cfg.model)
    model.init_weights()
    backbone = model.student.backbone.state_dict()
    assert all(torch.equal(value, narrow[0][f'backbone.{k}']) for k, value in backbone.items())

    before = {k: v.clone() for k, v in model.student.state_dict().items()}
    samples = noise(4)
    batch = dict(
        inputs=[s['inputs'] for s in samples],
        data_samples=[s['data_samples'] for s in samples],
    )
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper.to_dict())
    losses = model.train_step(batch, optimizer)
    assert losses['loss'].isfinite() and any(key.startswith('distill.') for key in losses)
    assert not torch.equal(model.student.neck.up[0].weight, before['neck.up.0.weight'])


def test_analyses_and_checks_know_its_feature(student):
    assert distilled_features(student.model) == ['neck.up']
    assert widened_modules(student.model) == ['neck.up']


def test_it_exports_to_mmpretrain_with_equal_logits(student, tmp_path):
    write_mmpretrain(student, tmp_path)
    model = get_model(str(tmp_path / 'student.py'), str(tmp_path / 'student.pth'))
    images = student.images(3)
    assert torch.equal(model(images), student.model(images))


def test_it_exports_to_onnx_with_equal_logits(student, tmp_path):
    ort = pytest.importorskip('onnxruntime')
    write_onnx(student, tmp_path / 'student.onnx')
    session = ort.InferenceSession(str(tmp_path / 'student.onnx'))
    images = student.images(3)
    (logits,) = session.run(['logits'], {'images': images.numpy()})
    torch.testing.assert_close(
        torch.from_numpy(logits), student.model(images).detach(), rtol=0, atol=1e-5
    )


def test_timm_and_the_converters_refuse_it_by_its_name(student, tmp_path):
    weights = student.model.state_dict()
    with pytest.raises(FormatUnavailableError, match='ToyRemedy'):
        write_timm(student, tmp_path / 'timm')
    with pytest.raises(ValueError, match='ToyRemedy, which timm does not have'):
        convert(weights, 'timm')
    with pytest.raises(ValueError, match='ToyRemedy, which was not released'):
        convert(weights, 'released')
    del weights['neck.up.0.bias']
    with pytest.raises(ValueError, match=r'missing: neck\.up\.0\.bias'):
        convert(weights, 'timm')

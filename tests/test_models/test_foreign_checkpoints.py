"""Files as other trainings save them: each loads, or the message says what it is."""

import argparse
import types

import mmvitkd  # noqa: F401
from mmvitkd.models.students import narrow_start
from mmvitkd.models.teachers import build_teacher

import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from released_models import shaken
from safetensors.torch import save_file
from transformers_models import CLASSES, DEPTH, HEADS, PATCH, SIZE, WIDTH, vit

NAME = 'vit_tiny_patch16_224'
ARGUMENTS = dict(img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS)
ARCH = dict(embed_dims=WIDTH, num_layers=DEPTH, num_heads=HEADS, feedforward_channels=4 * WIDTH)
STUDENT = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer', arch=ARCH, img_size=SIZE, patch_size=PATCH, out_type='raw'
    ),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=WIDTH),
)


def prefixed(weights, prefix):
    return {prefix + key: value for key, value in weights.items()}


def within(weights, prefix):
    """A wrapper of a submodule, such as a compiled ``blocks.0``."""
    return {key.replace('blocks.0.', f'blocks.0.{prefix}'): v for key, v in weights.items()}


def cast(weights, dtype):
    return {key: value.to(dtype) for key, value in weights.items()}


def other(weights):
    return {key: value + 1 for key, value in weights.items()}


def trunk(weights):
    return {key: value for key, value in weights.items() if not key.startswith('head.')}


HEAD = {'mlp.weight': torch.ones(2, WIDTH), 'last_layer.weight': torch.ones(2, 2)}
# Containers of the whole model's weights W: what a file holds.
WITH_CLASSES = {
    'timm': lambda w: w,
    'DeiT': lambda w: dict(model=w, args=argparse.Namespace(lr=1)),
    'a timm training': lambda w: dict(
        arch='vit', epoch=3, state_dict=w, state_dict_ema=other(w)
    ),
    'DDP': lambda w: prefixed(w, 'module.'),
    'Lightning, the model alone': lambda w: dict(state_dict=prefixed(w, 'model.')),
    'Lightning': lambda w: {
        'state_dict': prefixed(w, 'model.') | {'criterion.weight': torch.ones(2)},
        'hyper_parameters': {},
    },
    'compiled': lambda w: prefixed(w, '_orig_mod.'),
    'compiled in DDP': lambda w: prefixed(w, 'module._orig_mod.'),
    'DDP, compiled': lambda w: dict(model=prefixed(w, '_orig_mod.module.')),
    'compiled blocks': lambda w: within(w, '_orig_mod.'),
    'checkpointed activations': lambda w: within(w, '_checkpoint_wrapped_module.'),
    'an EMA alone': lambda w: dict(state_dict_ema=w, epoch=3),
    'swa_utils': lambda w: prefixed(w, 'module.') | {'n_averaged': torch.tensor(9)},
    'float16': lambda w: cast(w, torch.float16),
    'bfloat16': lambda w: dict(model=cast(w, torch.bfloat16)),
    'a network of a wrapper': lambda w: prefixed(w, 'net.encoder.'),
    'our distillation of a TimmClassifier': lambda w: dict(
        state_dict=prefixed(w, 'architecture.model.') | {'distiller.a.weight': torch.ones(1)}
    ),
}
WITHOUT_CLASSES = {
    'DINO': lambda w: dict(
        student=prefixed(other(w), 'module.backbone.'),
        teacher=prefixed(w, 'backbone.') | prefixed(HEAD, 'head.'),
        epoch=3,
    ),
    "DINOv2's training": lambda w: dict(
        teacher=prefixed(w, 'backbone.') | prefixed(HEAD, 'dino_head.')
    ),
    'student and teacher in one': lambda w: dict(
        model=prefixed(other(w), 'student.backbone.') | prefixed(w, 'teacher.backbone.')
    ),
    'MAE': lambda w: dict(
        model=w
        | {'mask_token': torch.ones(1, 1, 8), 'decoder_embed.weight': torch.ones(8, WIDTH)}
    ),
    'I-JEPA': lambda w: dict(
        encoder=prefixed(other(w), 'module.'), target_encoder=prefixed(w, 'module.')
    ),
    'a captioner': lambda w: prefixed(w, 'visual_encoder.') | {'text.weight': torch.ones(2)},
}


def images():
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def assert_teacher(path, model, classes=CLASSES, tolerance=0.0):
    """Load the file as a teacher's; its tokens are the model's."""
    config = dict(type=f'timm:{NAME}', num_classes=classes, **ARGUMENTS)
    loaded = build_teacher(config, str(path)).eval()
    with torch.no_grad():
        wanted, found = (
            model.forward_features(images()),
            loaded.model.forward_features(images()),
        )
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)


def assert_student(path, model, tolerance=1e-5):
    """Start a student from the file: another head, and the model's tokens."""
    student = MODELS.build(STUDENT)
    narrow_start(student, str(path)).load(student)
    student.eval()
    with torch.no_grad():
        wanted, (found,) = model.forward_features(images()), student.backbone(images())
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)


@pytest.fixture
def model():
    return shaken(timm.create_model(NAME, num_classes=CLASSES, **ARGUMENTS)).eval()


@pytest.mark.parametrize('name', WITH_CLASSES)
def test_a_whole_classifier(name, model, tmp_path):
    torch.save(WITH_CLASSES[name](model.state_dict()), tmp_path / 'file.pth')
    tolerance = 0.3 if 'float' in name else 0.0
    assert_teacher(tmp_path / 'file.pth', model, tolerance=tolerance)
    assert_student(tmp_path / 'file.pth', model, max(tolerance, 1e-5))


@pytest.mark.parametrize('name', WITHOUT_CLASSES)
def test_a_trunk_with_other_heads(name, model, tmp_path):
    torch.save(WITHOUT_CLASSES[name](trunk(model.state_dict())), tmp_path / 'file.pth')
    assert_teacher(tmp_path / 'file.pth', model, classes=0)
    assert_student(tmp_path / 'file.pth', model)


@pytest.mark.parametrize('suffix', ['bin', 'pt', 'ckpt', 'safetensors'])
def test_other_endings(suffix, model, tmp_path):
    path = tmp_path / f'model.{suffix}'
    (save_file if suffix == 'safetensors' else torch.save)(model.state_dict(), path)
    assert_teacher(path, model)
    assert_student(path, model)


def test_transformers(tmp_path):
    theirs = vit()
    save_file(theirs.weights, tmp_path / 'model.safetensors')
    model = types.SimpleNamespace(forward_features=theirs.trunk.forward)
    assert_teacher(tmp_path / 'model.safetensors', model, tolerance=1e-5)
    assert_student(tmp_path / 'model.safetensors', model)


@pytest.mark.parametrize('form', ['state_dict', 'backbone alone'])
def test_mmpretrain_and_mmcls(form, model, tmp_path):
    ours = MODELS.build(STUDENT)
    content = dict(meta=dict(mmcls_version='0.23'), state_dict=ours.state_dict())
    torch.save(
        content if form == 'state_dict' else ours.backbone.state_dict(), tmp_path / 'f.pth'
    )
    student = MODELS.build(STUDENT)
    narrow_start(student, str(tmp_path / 'f.pth')).load(student)
    for key, value in ours.backbone.state_dict().items():
        assert torch.equal(student.backbone.state_dict()[key], value)


def test_an_mmpretrain_teacher_takes_timms_names(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / 'timm.pth')
    head = dict(type='VisionTransformerClsHead', num_classes=CLASSES, in_channels=WIDTH)
    backbone = dict(STUDENT['backbone'], out_type='cls_token')
    loaded = build_teacher(
        dict(STUDENT, backbone=backbone, head=head), str(tmp_path / 'timm.pth')
    )
    with torch.no_grad():
        torch.testing.assert_close(
            loaded.eval()(images()), model(images()), atol=1e-5, rtol=1e-5
        )


# Named --------------------------------------------------------------------------------

CLIP = 'vision_model.encoder.layers.0.self_attn.q_proj.weight'
NAMED = {
    "transformers' CLIP": ({CLIP: torch.ones(1)}, "transformers' CLIP"),
    "OpenAI's CLIP": ({'transformer.resblocks.0.ln_1.bias': torch.ones(1)}, "OpenAI's CLIP"),
    'torchvision': (
        {'encoder.layers.encoder_layer_0.ln_1.bias': torch.ones(1)},
        "torchvision's ViT",
    ),
    'DINOv3': ({'layer.0.attention.q_proj.weight': torch.ones(1)}, 'DINOv3'),
    'Swin': ({'layers.0.blocks.0.norm1.bias': torch.ones(1)}, "timm's Swin"),
    'chunks of DINOv2': ({'blocks.0.0.norm1.bias': torch.ones(1)}, 'chunks'),
    'a ResNet': ({'layer1.0.conv1.weight': torch.ones(1)}, 'a ResNet'),
    'two ViTs': (
        {'a.blocks.0.norm1.bias': torch.ones(1), 'b.blocks.0.norm1.bias': torch.ones(1)},
        r'2 Vision Transformers, under a\., b\.',
    ),
    'no weights': (dict(optimizer={}, epoch=3), 'found the keys optimizer, epoch'),
    'a list': ([1, 2], 'holds a list'),
    'a whole model': (torch.nn.Linear(2, 2), r'torch\.nn\.modules\.linear\.Linear'),
    'a whole model in a dict': (dict(model=torch.nn.Linear(2, 2)), r'linear\.Linear'),
}


@pytest.mark.parametrize('name', NAMED)
def test_what_does_not_load_is_named(name, tmp_path):
    content, message = NAMED[name]
    path = str(tmp_path / 'file.pth')
    torch.save(content, path)
    with pytest.raises(ValueError, match=rf'(?s)file\.pth.*{message}'):
        build_teacher(dict(type=f'timm:{NAME}', num_classes=0, **ARGUMENTS), path)
    with pytest.raises(ValueError, match=rf'(?s)file\.pth.*{message}'):
        narrow_start(MODELS.build(STUDENT), path)


def test_mmpretrains_names_for_timm_name_the_converter(tmp_path):
    torch.save(MODELS.build(STUDENT).state_dict(), tmp_path / 'file.pth')
    with pytest.raises(ValueError, match='convert_checkpoint'):
        build_teacher(dict(type=f'timm:{NAME}', **ARGUMENTS), str(tmp_path / 'file.pth'))


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('x.onnx', b'\x08\x07', 'ONNX graph: .*convert_checkpoint'),
        ('x.h5', b'\x89HDF\r\n', 'HDF5'),
        ('x.npz', None, 'NumPy archive'),
    ],
)
def test_files_of_other_libraries(name, content, message, tmp_path):
    path = tmp_path / name
    if content is None:
        import numpy as np

        np.savez(path, kernel=np.ones(2))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'student_ckpt=.*{message}'):
        narrow_start(MODELS.build(STUDENT), str(path))

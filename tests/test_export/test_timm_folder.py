"""The student in timm's layout."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.export import timm_folder
from mmvitkd.export.student import FormatUnavailableError
from mmvitkd.export.timm_folder import crop_pct_of, write_timm

import numpy as np
import pytest
import timm
import torch
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from toy_students import NAMES, PIPELINE


def load(folder):
    return timm.create_model(f'local-dir:{folder}', pretrained=True).eval()


@pytest.mark.parametrize(
    ('kind', 'parts'),
    [
        ('plain', {}),
        ('ours', {}),
        ('ours', dict(backbone=dict(qkv_bias=False, layer_scale_init_value=0.1))),
        ('ours', dict(backbone=dict(pre_norm=True, patch_size=16))),
        ('ours', dict(head=dict(type='LinearClsHead', init_cfg=None))),
        ('distilled', {}),
        ('timm', {}),
    ],
)
def test_timm_gives_the_same_logits(tmp_path, read, kind, parts):
    student = read(kind, **parts)
    write_timm(student, tmp_path)
    images = student.images(4)
    with torch.no_grad():
        found, wanted = load(tmp_path)(images), student.model(images)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert wanted.std() > 0.1


def test_without_a_head_timm_gives_the_embedding_and_the_features(tmp_path, read):
    student = read('ours', labels=False)
    write_timm(student, tmp_path)
    images, model = student.images(4), load(tmp_path)
    assert model.num_classes == 0
    with torch.no_grad():
        embedding, features = student.model(images)
        torch.testing.assert_close(model(images), embedding, rtol=0, atol=1e-5)
        tokens = model.forward_features(images)
    torch.testing.assert_close(tokens[:, 1:], features, rtol=0, atol=1e-5)
    text = (tmp_path / 'config.json').read_text()
    assert 'label_names' not in text and json.loads(text)['num_classes'] == 0


@pytest.mark.parametrize(
    ('kind', 'parts', 'reason'),
    [
        ('widelast', {}, r'\(WideLast\)'),
        ('lift', {}, 'LiftProjector between'),
        ('swin', {}, 'known to equal a SwinTransformer'),
        ('distilled', {}, 'its embedding .* differ'),  # timm takes the mean of two tokens
        ('ours', dict(backbone=dict(out_type='featmap')), "out_type='featmap'"),
    ],
)
def test_headless_students_that_timm_lacks_are_refused(tmp_path, read, kind, parts, reason):
    with pytest.raises(FormatUnavailableError, match=reason):
        write_timm(read(kind, labels=False, **parts), tmp_path / 'timm')
    assert not (tmp_path / 'timm').exists()


def test_timm_prepares_an_image_equally(tmp_path, read):
    student = read('ours')
    write_timm(student, tmp_path)
    grid = np.mgrid[0:70, 0:50].sum(0)
    pixels = np.stack([grid * 2, grid, 255 - grid], -1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'image.png')
    transform = timm.data.create_transform(
        **timm.data.resolve_model_data_config(load(tmp_path))
    )
    found = transform(Image.open(tmp_path / 'image.png'))

    pipeline = Compose([TRANSFORMS.build(dict(t)) for t in PIPELINE])
    packed = pipeline(dict(img_path=str(tmp_path / 'image.png')))
    batch = dict(inputs=packed['inputs'][None])
    wanted = student.model.data_preprocessor(batch)['inputs'][0]
    grey_level = 1 / 57
    assert (found - wanted).abs().max() < 3 * grey_level and wanted.std() > 0.5


def test_timm_resizes_to_the_edge_of_every_test(read):
    image_input = read('ours').image_input
    for crop in range(96, 449, 32):
        for edge in range(crop, 2 * crop + 1):
            wanted = image_input._replace(size=(crop, crop), crop_pct=crop / edge)
            transform = timm.data.create_transform(crop, crop_pct=crop_pct_of(wanted))
            assert transform.transforms[0].size == edge


def test_the_config_does_not_mention_timms_own_weights(tmp_path, read):
    write_timm(read('distilled'), tmp_path)
    text = (tmp_path / 'config.json').read_text()
    for word in ('apache', 'http', 'hf_hub', 'augreg', 'in1k', 'in21k', 'paper'):
        assert word not in text
    config = json.loads(text)
    assert config['label_names'] == list(NAMES) and config['num_classes'] == 5
    pretrained = config['pretrained_cfg']
    assert pretrained['mean'] == [0.485, 0.456, 0.406]
    assert pretrained['crop_pct'] == 0.8 and pretrained['interpolation'] == 'bicubic'


@pytest.mark.parametrize(
    ('kind', 'parts', 'reason'),
    [
        ('widelast', {}, r'last blocks are wider than the others \(WideLast\)'),
        ('swin_widelast', {}, r'WideLast'),
        ('swin', {}, 'known to equal a SwinTransformer'),
        ('lift', {}, 'LiftProjector between its blocks and its head'),
        ('ours', dict(head=dict(hidden_dim=8)), 'hidden layer'),
        ('ours', dict(backbone=dict(out_type='avg_featmap')), "out_type='avg_featmap'"),
        ('ours', dict(data_preprocessor=dict(to_rgb=False)), 'takes BGR'),
        (
            'ours',
            dict(backbone=dict(layer_cfgs=dict(act_cfg=dict(type='ReLU')))),
            'differ by',
        ),
    ],
)
def test_students_that_timm_lacks_are_refused(tmp_path, read, kind, parts, reason):
    with pytest.raises(FormatUnavailableError, match=reason):
        write_timm(read(kind, **parts), tmp_path / 'timm')
    assert not (tmp_path / 'timm').exists()


def test_weights_that_do_not_fit_are_refused(tmp_path, read, monkeypatch):
    monkeypatch.setattr(timm_folder, 'mmpretrain_to_timm', lambda weights: {'x': torch.ones(1)})
    with pytest.raises(FormatUnavailableError, match=r'vit_tiny_patch16_224 does not fit'):
        write_timm(read('ours'), tmp_path)

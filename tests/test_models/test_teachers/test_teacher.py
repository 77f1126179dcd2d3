"""The teacher: strict loading, eval mode, its own normalisation, records by name."""

import copy
import sys
from contextlib import nullcontext

import mmvitkd  # noqa: F401
from mmvitkd.models import Teacher
from mmvitkd.models.teachers import build_teacher

import pytest
import timm
import torch
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from toy import MEAN, PREPROCESSOR, STD, WIDE_ARCH, timm_vit, vit


def recorders(**sources):
    return RecorderManager(
        {
            name: dict(type='mmrazor.ModuleOutputs', source=source)
            for name, source in sources.items()
        }
    )


def teacher(config, checkpoint=None, allow_random=False, **kwargs):
    model = build_teacher(config, checkpoint, allow_random)
    student = MODELS.build(dict(PREPROCESSOR))
    return Teacher(model, kwargs.get('recorders', recorders()), student)


def test_images_in_named_tensors_out():
    config = vit(WIDE_ARCH)
    model = teacher(
        config,
        allow_random=True,
        recorders=recorders(block='backbone.layers.3', logits='head'),
    )
    tensors = model(torch.randn(2, 3, 32, 32))
    assert {k: tuple(v.shape) for k, v in tensors.items()} == {
        'block': (2, 17, 32),
        'logits': (2, 5),
    }
    assert not any(t.requires_grad for t in tensors.values())
    assert all(not r.data_buffer for r in model.recorders.recorders.values())


def test_drop_path_is_off_even_in_training():
    model = teacher(
        vit(WIDE_ARCH, drop_path_rate=0.5, drop_rate=0.5),
        allow_random=True,
        recorders=recorders(block='backbone.layers.3'),
    )
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(model(images)['block'], model(images)['block'])


def test_it_is_shared_by_deepcopy_and_moves_with_apply():
    model = teacher(vit(), allow_random=True)
    assert copy.deepcopy(model) is model
    model.apply(lambda t: t.double())
    assert {p.dtype for p in model.model.parameters()} == {torch.float64}


@pytest.mark.parametrize('kind', ['mmpretrain', 'mmengine checkpoint', 'timm', 'init_cfg'])
def test_weights_equal_the_file(kind, tmp_path):
    path = str(tmp_path / 'teacher.pth')
    if kind == 'timm':
        config = timm_vit()
        source = MODELS.build(dict(config)).model
    else:
        config = vit(WIDE_ARCH)
        source = MODELS.build(dict(config))
    weights = {k: torch.randn_like(v) for k, v in source.state_dict().items()}
    file = dict(state_dict=weights, meta={}) if kind == 'mmengine checkpoint' else weights
    torch.save(file, path)
    if kind == 'init_cfg':
        config['init_cfg'] = dict(type='Pretrained', checkpoint=path)
        path = None
    loaded = teacher(config, path).model
    loaded = loaded.model if kind == 'timm' else loaded
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_timm_loads_pretrained_weights_itself(monkeypatch, tmp_path):
    config = timm_vit(pretrained=True)
    source = MODELS.build(dict(config, pretrained=False)).model
    path = str(tmp_path / 'hub.pth')
    torch.save(source.state_dict(), path)
    overlay = dict(file=path, num_classes=5, input_size=(3, 32, 32), custom_load=False)
    config['pretrained_cfg_overlay'] = overlay
    loaded = teacher(config).model.model
    assert torch.equal(loaded.blocks[0].attn.qkv.weight, source.blocks[0].attn.qkv.weight)


def test_a_local_file_comes_before_a_download(monkeypatch, tmp_path):
    def download(*args, **kwargs):
        raise AssertionError('timm was asked for weights')

    monkeypatch.setattr(timm.models._builder, 'load_pretrained', download)
    path = str(tmp_path / 'local.pth')
    torch.save(MODELS.build(timm_vit()).model.state_dict(), path)
    teacher(timm_vit(pretrained=True), path)


def test_a_download_that_fails_says_what_else_to_give(monkeypatch):
    def download(*args, **kwargs):
        raise OSError('no connection')

    monkeypatch.setattr(timm.models._builder, 'load_pretrained', download)
    monkeypatch.setattr('mmvitkd.models.teachers.build.hub_access', nullcontext)
    message = r'vit_tiny.*teacher_ckpt="FILE".*teacher\.pretrained=False.*no connection'
    with pytest.raises(ValueError, match=message):
        teacher(timm_vit(pretrained=True))


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"teacher_ckpt='none\.pth'.*no such file"):
        teacher(vit(), 'none.pth')


def test_a_missing_file_of_init_cfg_is_named():
    config = dict(vit(), init_cfg=dict(type='Pretrained', checkpoint='none.pth'))
    message = r"teacher\.init_cfg\.checkpoint='none\.pth'.*no such file"
    with pytest.raises(FileNotFoundError, match=message):
        teacher(config)


def test_a_url_that_names_its_sha256_is_downloaded(monkeypatch, tmp_path):
    path, url = tmp_path / 'found.pth', 'https://localhost/a.pth#sha256=00112233'
    weights = MODELS.build(vit()).state_dict()
    torch.save(weights, path)
    found = {url: str(path)}
    monkeypatch.setattr('mmvitkd.models.teachers.checkpoint.download', found.__getitem__)
    loaded = teacher(dict(vit(), init_cfg=dict(type='Pretrained', checkpoint=url))).model
    assert torch.equal(loaded.head.layers.head.weight, weights['head.layers.head.weight'])


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / 'cut.pth'
    torch.save(MODELS.build(vit()).state_dict(), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r'teacher_ckpt=.*cut\.pth.*truncated'):
        teacher(vit(), str(path))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('backbone.ln1.weight'), r'missing: backbone\.ln1\.weight'),
        (lambda w: w.update(extra=torch.zeros(1)), 'unknown: extra'),
        (
            lambda w: w.update({'backbone.ln1.bias': torch.zeros(7)}),
            r'another shape: backbone\.ln1\.bias: wanted \(16,\), found \(7,\)',
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(change, message, tmp_path):
    weights = dict(MODELS.build(vit()).state_dict())
    change(weights)
    path = str(tmp_path / 'other.pth')
    torch.save(weights, path)
    with pytest.raises(ValueError, match=rf'(?s)other\.pth.*does not fit.*{message}'):
        teacher(vit(), path)


@pytest.mark.parametrize('config', [vit(), timm_vit(), timm_vit(pretrained=False)])
def test_a_random_teacher_must_be_wanted(config):
    with pytest.raises(ValueError, match=r'nothing was loaded.*allow_random_teacher=True'):
        teacher(copy.deepcopy(config))
    teacher(config, allow_random=True)


def test_a_source_that_does_not_exist_lists_what_comes_close():
    with pytest.raises(
        ValueError,
        match=r"teacher_recorders\['block'\]\.source: 'backbone\.layer\.3' is not in the "
        r'teacher.*backbone\.layers\.3',
    ):
        teacher(
            vit(WIDE_ARCH), allow_random=True, recorders=recorders(block='backbone.layer.3')
        )


class Seen(torch.nn.Module):
    """Keeps what it is shown."""

    def forward(self, images, mode):
        self.images = images
        return images


@pytest.mark.parametrize('to_rgb', [True, False])
def test_the_teacher_sees_the_image_normalised_its_way(to_rgb):
    image = torch.randint(0, 256, (2, 3, 32, 32))  # BGR, as MMPretrain loads it
    config = dict(PREPROCESSOR, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=to_rgb)
    model = teacher(dict(vit(), data_preprocessor=config), allow_random=True)
    model.model = Seen()
    student = MODELS.build(dict(PREPROCESSOR))
    model(student({'inputs': image})['inputs'])
    wanted = ((image.flip(1) if to_rgb else image) / 255 - 0.5) / 0.5
    torch.testing.assert_close(model.model.images, wanted, atol=2e-6, rtol=1e-5)


def test_timm_states_its_normalisation_itself():
    config = timm_vit(pretrained_cfg_overlay=dict(mean=(0.5,) * 3, std=(0.5,) * 3))
    model = teacher(config, allow_random=True)
    pixels = torch.rand(2, 3, 8, 8) * 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    torch.testing.assert_close(
        model.renormalize((pixels - mean) / std), pixels / 127.5 - 1, atol=2e-6, rtol=1e-5
    )


def test_the_same_normalisation_is_no_work():
    model = teacher(
        timm_vit(
            pretrained_cfg_overlay=dict(
                mean=timm.data.IMAGENET_DEFAULT_MEAN, std=timm.data.IMAGENET_DEFAULT_STD
            )
        ),
        allow_random=True,
    )
    images = torch.randn(2, 3, 32, 32)
    assert model.renormalize(images) is images


def test_a_missing_normalisation_is_reported(monkeypatch):
    said = []
    module = sys.modules['mmvitkd.models.teachers.teacher']
    monkeypatch.setattr(module, 'print_log', lambda text, **_: said.append(text))
    config = dict(vit(), data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor'))
    model = teacher(config, allow_random=True)
    assert model.renormalize.scale is None
    assert 'The teacher states no mean and std' in said[0]


def test_inplace_modules_do_not_overwrite_records():
    class Net(torch.nn.Sequential):
        def forward(self, x, mode=None):
            return super().forward(x)

    net = Net(torch.nn.Identity(), torch.nn.ReLU(inplace=True))
    model = Teacher(net, recorders(before='0'))
    images = -torch.ones(1, 3, 4, 4)
    assert model(images)['before'].min() == -1

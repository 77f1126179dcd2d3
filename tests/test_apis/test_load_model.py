"""Models by every kind of name, with their weights and their own input."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import load_student, predict
from mmvitkd.apis.load_model import load_model
from mmvitkd.config.student_config import student_config
from mmvitkd.datasets.image_batches import ImageBatches
from mmvitkd.datasets.image_list import find_images

import pytest
import timm
import torch
import toy_students
from mmengine.logging import MMLogger
from PIL import Image
from toy import MEAN, STD, WIDE_ARCH, timm_vit, vit

SMALL = 'timm:test_vit'  # 160 x 160 pixels, 64 wide


def write(cfg, path):
    """Write a config; MMEngine's own way formats it, slowly."""
    path.write_text('\n'.join(f'{k} = {v!r}' for k, v in cfg.to_dict().items()))


@pytest.fixture
def training(tmp_path):
    """Writes the config and the checkpoint of a training; returns both, and the models."""

    def training(kind, **changes):
        cfg = toy_students.training(kind, **changes)
        config, checkpoint = tmp_path / 'config.py', tmp_path / 'epoch_3.pth'
        write(cfg, config)
        student = student_config(cfg.to_dict()['model'])
        models = toy_students.build(student), toy_students.build(student)
        prefix = '' if kind == 'plain' else 'architecture.'
        raw, average = (model.state_dict() for model in models)
        content = dict(
            state_dict={f'{prefix}{k}': v for k, v in raw.items()},
            ema_state_dict={f'module.{k}': v for k, v in average.items()},
        )
        torch.save(content, checkpoint)
        return str(config), str(checkpoint), models

    return training


@pytest.fixture
def warnings(monkeypatch):
    """What is logged as a warning."""
    found = []
    monkeypatch.setattr(
        MMLogger.get_current_instance(),
        'log',
        lambda level, message, *args: found.append(message) if level >= 30 else None,
    )
    return found


def logits(model, images):
    with torch.no_grad():
        return model(images)


def equal(one, other, size=(32, 32)):
    images = torch.randn(2, 3, *size)
    return torch.equal(logits(one, images), logits(other, images))


def is_eval(model):
    return not any(module.training for module in model.modules())


# Configs ------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['plain', 'ours', 'lift', 'widelast', 'timm', 'swin'])
def test_the_model_or_the_student_of_a_config(training, kind, warnings):
    config, checkpoint, (raw, average) = training(kind)
    loaded = load_model(config, checkpoint)
    assert equal(loaded.model, raw) and is_eval(loaded.model)
    assert loaded.preprocess.size == (32, 32)
    assert loaded.provenance == f'{config}, weights of {checkpoint}'
    assert not loaded.is_random and not warnings
    averaged = load_model(config, checkpoint, ema=True)
    assert equal(averaged.model, average)
    assert averaged.provenance == f'{config}, EMA weights of {checkpoint}'


def test_images_are_prepared_as_in_the_test(training, export, pictures):
    config, _, _ = training('ours')
    folder, _ = export('ours')  # of the same config
    loaded = load_model(config, allow_random=True)
    exported = load_model(str(folder))
    assert exported.provenance == f'exported student {folder}'
    assert is_eval(exported.model)
    wanted = predict(load_student(folder), pictures[1])
    for path, result in zip(pictures[1], wanted, strict=True):
        image = loaded.preprocess(str(path))
        assert torch.equal(image, exported.preprocess(str(path)))
        scores = logits(exported.model, image[None]).softmax(1)[0]
        torch.testing.assert_close(scores.numpy(), result['scores'], rtol=0, atol=1e-6)


def test_batches_of_a_folder_with_workers(training, pictures, tmp_path):
    config, checkpoint, (raw, _) = training('ours')
    loaded = load_model(config, checkpoint)
    images = find_images(str(tmp_path))
    (batch,) = ImageBatches(images, loaded.preprocess, num_workers=1)
    wanted = torch.stack([loaded.preprocess(images.file(i)) for i in range(3)])
    assert torch.equal(batch.images, wanted)
    assert logits(raw, batch.images).shape == (3, 5)


def test_random_weights_are_logged_and_initialised(training, warnings):
    config, _, _ = training('ours')
    with pytest.raises(ValueError, match=r'none is given for .*its weights would be random'):
        load_model(config)
    torch.manual_seed(1)
    loaded = load_model(config, allow_random=True)
    assert loaded.is_random and loaded.provenance == f'{config}, random weights'
    assert warnings == [f'RANDOM WEIGHTS: nothing was loaded into {config}.']
    backbone = loaded.model.backbone
    assert backbone.pos_embed.std().item() == pytest.approx(
        0.02, rel=0.2
    )  # zero until initialised
    assert backbone.layers[0].attn.qkv.bias.abs().max() == 0
    assert is_eval(loaded.model)


@pytest.mark.parametrize(
    ('name', 'side', 'blocks'),
    [
        ('mmvitkd::mnist5k/vit_32.py', 28, 6),
        ('mmpretrain::deit/deit-tiny_4xb256_in1k.py', 224, 12),
    ],
)
def test_configs_of_packages(name, side, blocks):
    loaded = load_model(name, allow_random=True)
    assert loaded.preprocess.size == (side, side)
    assert len(loaded.model.backbone.layers) == blocks


def test_a_config_is_read_as_its_run_reads_it(training, tmp_path):
    """``num_classes`` is spread over the model."""
    cfg = toy_students.training('plain')
    cfg.num_classes = 7
    del cfg.model.head.num_classes
    write(cfg, tmp_path / 'seven.py')
    loaded = load_model(str(tmp_path / 'seven.py'), allow_random=True)
    assert logits(loaded.model, torch.zeros(1, 3, 32, 32)).shape == (1, 7)


# Teachers -----------------------------------------------------------------------------


def test_a_teacher_that_is_a_config(training, tmp_path, pictures):
    teacher = toy_students.build(vit(WIDE_ARCH))
    torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
    checkpoint = str(tmp_path / 'teacher.pth')
    config, _, _ = training('ours', teacher_ckpt=checkpoint)
    for given in (None, checkpoint):
        loaded = load_model(config, given, teacher=True)
        assert equal(loaded.model, teacher) and is_eval(loaded.model)
        assert loaded.provenance.startswith(
            f'teacher of {config}, ImageClassifier on mmpretrai'
        )
        assert loaded.provenance.endswith(f'weights of {checkpoint}')
    image = loaded.preprocess(str(pictures[1][0]))
    student = load_model(config, allow_random=True)
    assert torch.equal(image, student.preprocess(str(pictures[1][0])))


def test_a_teacher_with_a_config_of_its_own(training, tmp_path, pictures):
    config, checkpoint, (raw, _) = training('plain')
    (tmp_path / 'distill').mkdir()
    cfg = toy_students.training('ours', teacher=config, teacher_ckpt=checkpoint)
    cfg.test_dataloader.dataset.pipeline[1].scale = 64
    write(cfg, tmp_path / 'distill.py')
    loaded = load_model(str(tmp_path / 'distill.py'), teacher=True)
    assert equal(loaded.model, raw)
    path = str(pictures[1][0])
    own = load_model(config, checkpoint).preprocess(path)
    assert torch.equal(loaded.preprocess(path), own)
    student = load_model(str(tmp_path / 'distill.py'), allow_random=True)
    assert not torch.equal(student.preprocess(path), own)


@pytest.mark.parametrize('normalised', [True, False])
def test_a_teacher_of_timm(training, tmp_path, pictures, normalised):
    """It gets timm's own input, unless its config says how it was normalised."""
    teacher = timm_vit()
    if normalised:
        teacher['data_preprocessor'] = dict(mean=[1] * 3, std=[9] * 3, to_rgb=True)
    model = toy_students.build(teacher)
    torch.save(model.state_dict(), tmp_path / 'teacher.pth')
    config, _, _ = training('ours', teacher=teacher)
    loaded = load_model(config, str(tmp_path / 'teacher.pth'), teacher=True)
    assert equal(loaded.model, model)
    image = loaded.preprocess(str(pictures[1][2]))
    if normalised:
        student = load_model(config, allow_random=True).preprocess(str(pictures[1][2]))
        mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
        torch.testing.assert_close(image, (student * std + mean - 1) / 9)
    else:
        data = timm.data.resolve_model_data_config(model.model, dict(input_size=(3, 32, 32)))
        wanted = timm.data.create_transform(**data)(Image.open(pictures[1][2]))
        assert torch.equal(image, wanted)


def test_a_random_teacher(training, warnings):
    config, _, _ = training('ours', teacher_ckpt=None)
    with pytest.raises(ValueError, match='nothing was loaded'):
        load_model(config, teacher=True)
    loaded = load_model(config, teacher=True, allow_random=True)
    assert loaded.is_random and 'random weights' in loaded.provenance and len(warnings) == 1


def test_no_teacher(training):
    config, checkpoint, _ = training('plain')
    with pytest.raises(ValueError, match=r'teacher=True: .*config\.py. is not a distillation'):
        load_model(config, checkpoint, teacher=True)


# timm ---------------------------------------------------------------------------------


def test_timm_with_a_checkpoint(tmp_path, warnings):
    model = toy_students.build(dict(type='TimmClassifier', model_name='test_vit'))
    torch.save(model.model.state_dict(), tmp_path / 'weights.pth')
    loaded = load_model(SMALL, str(tmp_path / 'weights.pth'))
    assert equal(loaded.model, model, (160, 160)) and is_eval(loaded.model)
    assert loaded.preprocess.size == (160, 160)
    assert loaded.provenance == f'{SMALL}, weights of {tmp_path / "weights.pth"}'
    assert not loaded.is_random and not warnings


def test_timm_at_another_size(warnings):
    loaded = load_model(SMALL, img_size=96, allow_random=True)
    assert loaded.preprocess.size == (96, 96)
    assert loaded.model.model.patch_embed.grid_size == (6, 6)
    assert logits(loaded.model, torch.zeros(1, 3, 96, 96)).shape == (1, 1000)
    assert loaded.is_random and loaded.provenance == f'{SMALL}, random weights'
    assert warnings == [f'RANDOM WEIGHTS: nothing was loaded into {SMALL}.']


def test_a_folder_that_timm_wrote(tmp_path):
    model = timm.create_model('test_vit', num_classes=5).eval()
    timm.models._hub.save_for_hf(model, tmp_path / 'timm', model_args=dict(num_classes=5))
    loaded = load_model(f'timm:local-dir:{tmp_path / "timm"}')
    assert equal(loaded.model, model, (160, 160))
    assert not loaded.is_random


def test_timms_own_weights_are_requested(monkeypatch):
    asked = []
    create = timm.create_model
    monkeypatch.setattr(
        timm.models,
        'create_model',
        lambda *args, pretrained, **kwargs: asked.append(pretrained) or create(*args, **kwargs),
    )
    monkeypatch.setattr('timm.models._factory.create_model', timm.models.create_model)
    loaded = load_model(SMALL)
    load_model(SMALL, allow_random=True)
    assert asked == [True, False]
    assert loaded.provenance == f'{SMALL}, weights of timm' and not loaded.is_random


# What does not go ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ('model', 'arguments', 'message'),
    [
        (
            SMALL,
            dict(teacher=True),
            r'teacher=True is for the config of a distillation, not fo',
        ),
        (
            SMALL,
            dict(ema=True, checkpoint='x.pth'),
            'ema=True is for a config with a checkpoin',
        ),
        ('config.py', dict(ema=True), 'ema=True is for a config with a checkpoint'),
        ('config.py', dict(img_size=32), "img_size=32 is for timm:NAME, not for model='config"),
        ('.', dict(checkpoint='x.pth'), "checkpoint='x.pth' is for timm:NAME or a config"),
        (
            'timm:test_resnet',
            dict(img_size=32, allow_random=True),
            'test_resnet is made for any',
        ),
        (
            'timm:test_vt',
            dict(allow_random=True),
            "^(model|teacher)='timm:test_vt': timm .* has no model 'test_vt'.*test_vi",
        ),
        ('test_vit', {}, r"wanted 'timm:NAME', the folder .*did you mean 'timm:test_vit'\?"),
        ('gone', {}, r"model='gone': wanted 'timm:NAME'.*'mmpretrain::PATH'\.$"),
    ],
)
def test_unsupported_requests_are_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_model(model, **arguments)


@pytest.mark.parametrize('model', ['gone.py', 'mmvitkd::gone.py', '.'])
def test_missing_files(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'gone\.py|not an exported student'):
        load_model(model, allow_random=True)


def test_a_checkpoint_that_does_not_fit(training, tmp_path):
    config, _, _ = training('ours')
    torch.save(dict(x=torch.ones(1)), tmp_path / 'other.pth')
    for model in (config, SMALL):
        with pytest.raises(ValueError, match=r'^checkpoint=.*other\.pth.*does not fit the m'):
            load_model(model, str(tmp_path / 'other.pth'))
        with pytest.raises(FileNotFoundError, match=r'^checkpoint=.*gone\.pth'):
            load_model(model, str(tmp_path / 'gone.pth'))


def test_errors_about_weights_name_the_right_argument(training, tmp_path):
    config, _, _ = training('ours', teacher_ckpt=str(tmp_path / 'gone.pth'))
    with pytest.raises(FileNotFoundError, match=r'^teacher_ckpt=.*gone\.pth'):
        load_model(config, teacher=True)
    with pytest.raises(FileNotFoundError, match=r'^checkpoint=.*lost\.pth'):
        load_model(config, str(tmp_path / 'lost.pth'), teacher=True)

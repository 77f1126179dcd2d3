"""Features of any model, and of a distillation as its losses compare them."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis import RelativeError
from mmvitkd.apis import FeatureModels, evaluate_features, load_distillation
from mmvitkd.config.load_config import load_config
from mmvitkd.datasets.image_batches import ImageBatches
from mmvitkd.datasets.train_val_lists import find_train_val
from mmvitkd.models.algorithms.compared_features import compared_features

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from toy import MEAN, STD, WIDE_ARCH, vit
from toy_distillation import encoder
from toy_students import PIPELINE, training, write_images

PROJECTOR = dict(in_channels=16, out_channels=32, norm='LN')
OURS = dict(allow_random_teacher=True, teacher_ckpt=None)


@pytest.fixture
def data(tmp_path):
    return find_train_val(str(write_images(tmp_path / 'data', per_class=4)))


@pytest.fixture
def trained(tmp_path):
    """Writes the config and the checkpoint of a distillation; returns both and its model."""

    def write(model, prefixes=('',), name='epoch_3.pth'):
        cfg = training('ours')
        cfg.model = model
        cfg.test_dataloader.dataset.pipeline = PIPELINE
        path = tmp_path / 'config.py'
        path.write_text('\n'.join(f'{k} = {v!r}' for k, v in cfg.to_dict().items()))
        built = MODELS.build(Config(cfg.to_dict()).model)
        teacher = tmp_path / 'teacher.pth'
        for module in (built, built.teacher.model):
            for parameter in module.parameters():
                torch.nn.init.normal_(parameter, std=0.2)
        torch.save(built.teacher.model.state_dict(), teacher)
        weights = built.state_dict()
        kept = {k: v for k, v in weights.items() if k.startswith(prefixes)}
        average = {f'module.{k}': 2 * v for k, v in built.student.state_dict().items()}
        torch.save(dict(state_dict=kept, ema_state_dict=average), tmp_path / name)
        return str(path), str(tmp_path / name), str(teacher), built.eval()

    return write


def distilled(**kwargs):
    model = dict(
        type='mmvitkd.FeatureDistill',
        architecture=vit(),
        teacher=vit(WIDE_ARCH),
        pairs=[(2, 3)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
        pair_projector=dict(PROJECTOR),
        **OURS,
    )
    return {**model, **kwargs}


def compared(model, images, preprocess):
    """What the losses compare, of all images at once."""
    (batch,) = ImageBatches(images, preprocess, batch_size=len(images))
    errors = {}
    for name, rows in compared_features(model, batch.images).items():
        errors[name] = RelativeError()
        errors[name].update(*rows)
    return {name: error.result() for name, error in errors.items()}


def test_a_distillation_is_compared_through_its_projector(trained, data):
    config, checkpoint, teacher, model = trained(distilled())
    models = FeatureModels(config, checkpoint, teacher_checkpoint=teacher)
    found = evaluate_features(models, *data)
    wanted = compared(model, data[1], models.student.preprocess)['pair_0']
    for key in ('rel_error', 'mean_token', 'r2', 'cosine'):
        assert found['compared']['pair_0'][key] == pytest.approx(wanted[key], rel=1e-5)
    assert found['layers'] == {'pair_0': ['backbone.layers.2', 'backbone.layers.3']}
    assert {'cka', 'readout_r2'} <= found['compared']['embedding'].keys()
    assert {*found['classified']} == {'student', 'teacher'}


def test_an_encoder_is_compared_in_its_embedding_too(trained, data):
    config, checkpoint, teacher, model = trained(encoder())
    models = FeatureModels(config, checkpoint, teacher_checkpoint=teacher)
    found = evaluate_features(models, *data)['compared']
    wanted = compared(model, data[1], models.student.preprocess)
    assert {*found} == {'tokens', 'embedding'}
    for name, pair in (('tokens', 'pair_0'), ('embedding', 'pair_1')):
        assert found[name]['r2'] == pytest.approx(wanted[pair]['r2'], rel=1e-5)
        assert {'cka', 'readout_r2'} <= found[name].keys()


def test_a_student_without_its_projector_has_no_error(trained, data):
    config, checkpoint, teacher, _ = trained(distilled(), prefixes=('architecture.',))
    models = FeatureModels(config, checkpoint, teacher_checkpoint=teacher)
    found = evaluate_features(models, *data)
    assert 'rel_error' not in found['compared']['pair_0']
    assert 'no projector' in found['left_out']['pair_0.error']
    assert 'readout_r2' in found['compared']['pair_0']


@pytest.mark.parametrize('teacher', ['timm:test_vit', vit(WIDE_ARCH)], ids=['timm', 'config'])
def test_a_random_teacher_of_a_distillation_is_said_to_be_random(trained, data, teacher):
    width = 64 if teacher == 'timm:test_vit' else 32
    model = distilled(teacher=teacher, pair_projector=PROJECTOR | dict(out_channels=width))
    config, checkpoint, file, _ = trained(model)
    found = evaluate_features(FeatureModels(config, checkpoint, allow_random=True), *data)
    assert found['teacher'].endswith(', random weights')
    assert found['random_teacher'] and not found['random_weights']
    loaded = FeatureModels(config, checkpoint, teacher_checkpoint=file)
    assert loaded.teacher.endswith(f'weights of {file}') and not loaded.random_teacher


def test_another_teacher_and_none(trained, data):
    config, checkpoint, *_ = trained(distilled())
    torch.manual_seed(0)
    other = FeatureModels(config, checkpoint, teacher='timm:test_vit', allow_random=True)
    found = evaluate_features(other, *data)
    assert 'test_vit' in found['teacher']
    assert found['layers']['last'] == ['backbone.layers.2', 'model.blocks.5']
    assert 'readout_r2' in found['compared']['last']
    none = evaluate_features(FeatureModels(config, checkpoint, teacher='none'), *data)
    assert none['teacher'] is None and none['compared'] == {}
    assert 'knn' in none['classified']['student']


def test_the_teacher_gets_the_students_images_normalised_and_resized_for_it(trained):
    config, checkpoint, *_ = trained(distilled())
    models = FeatureModels(
        config,
        checkpoint,
        teacher='timm:vit_tiny_patch16_224',
        teacher_img_size=48,
        allow_random=True,
    )
    pixels = torch.rand(2, 3, 1, 1).expand(2, 3, 32, 32)
    images = (255 * pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    inputs = models.evaluated('cpu').teacher_inputs(images)
    assert inputs.shape == (2, 3, 48, 48)
    wanted = (pixels[..., :1, :1] - 0.5) / 0.5  # as timm normalises for this model
    assert torch.allclose(inputs, wanted.expand_as(inputs), atol=1e-4)


def test_a_teacher_layer_without_a_token_map_is_named(trained):
    config, checkpoint, *_ = trained(distilled())
    with pytest.raises(ValueError, match=r"no patch tokens in the output of 'model\.head'"):
        FeatureModels(
            config,
            checkpoint,
            teacher='timm:test_vit',
            allow_random=True,
            teacher_layer='model.head',
        )


def test_weights_of_a_projector_must_fit(trained):
    config, checkpoint, teacher, _ = trained(distilled())
    content = torch.load(checkpoint)
    weights = content['state_dict']
    del weights['distiller.connectors.pair_0_S.norm.bias']
    torch.save(content, checkpoint)
    with pytest.raises(ValueError, match=r'missing: connectors\.pair_0_S\.norm\.bias'):
        load_distillation(load_config(config), checkpoint, teacher_checkpoint=teacher)


def test_the_average_of_the_student_goes_with_the_trained_projector(trained):
    config, checkpoint, teacher, model = trained(distilled())
    loaded = load_distillation(load_config(config), checkpoint, True, False, teacher)
    for name, value in model.student.state_dict().items():
        assert torch.equal(loaded.model.student.state_dict()[name], 2 * value)
    for name, value in model.distiller.state_dict().items():
        assert torch.equal(loaded.model.distiller.state_dict()[name], value)


def test_an_exported_student(export, data):
    folder, model = export('lift')
    models = FeatureModels(str(folder))
    found = evaluate_features(models, *data)
    assert found['layers'] == {'last': ['neck']}
    embedding = models.evaluated('cpu').student(torch.ones(1, 3, 32, 32)).embedding
    with torch.no_grad():
        assert torch.allclose(embedding, model.extract_feat(torch.ones(1, 3, 32, 32))[-1])


def test_without_weights_nothing_is_loaded(trained):
    config, *_ = trained(distilled())
    with pytest.raises(ValueError, match='checkpoint: none is given'):
        FeatureModels(config)

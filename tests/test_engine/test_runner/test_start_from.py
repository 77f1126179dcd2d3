"""``load_from`` loads all weights of a model, or says which do not fit."""

from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.vit import mmpretrain_to_timm
from mmvitkd.engine.runner.start_from import start_from
from mmvitkd.utils.cli import format_error
from mmvitkd.utils.errors import KeyedValueError

import pytest
import torch
from mmengine.registry import MODELS
from safetensors.torch import save_file
from torch import nn
from toy import ARCH, WIDE_ARCH, vit
from transformers_models import DEPTH, HEADS, PATCH, SIZE, WIDTH
from transformers_models import vit as transformers_vit

CONNECTOR = 'distiller.connectors.pair_0_S.proj.weight'


def distillation(arch=ARCH, num_classes=5, wide=WIDE_ARCH, **changes):
    """A small distillation, whose student has a connector."""
    projector = dict(in_channels=arch['embed_dims'], out_channels=wide['embed_dims'])
    config = dict(
        type='mmvitkd.FeatureDistill',
        architecture=vit(arch, num_classes),
        teacher=vit(wide),
        allow_random_teacher=True,
        pairs=[(2, 3)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
        pair_projector=projector,
    )
    return MODELS.build(config | changes)


@pytest.fixture
def start(tmp_path):
    """Writes weights, loads them into a model; returns the log and the hooks' checkpoint."""

    def start(model, weights, new=(), name='file.pth', **content):
        path = str(tmp_path / name)
        if name.endswith('.safetensors'):
            save_file({k: v.contiguous() for k, v in weights.items()}, path)
        else:
            torch.save(dict(state_dict=weights, **content), path)
        said, seen = [], []
        runner = SimpleNamespace(
            model=model,
            logger=SimpleNamespace(info=said.append),
            call_hook=lambda name, checkpoint: seen.append((name, checkpoint)),
        )
        start_from(runner, path, new)
        return said[0], seen

    return start


def message(*arguments, **kwargs):
    start, *arguments = arguments
    with pytest.raises(KeyedValueError) as error:
        start(*arguments, **kwargs)
    return format_error(error.value, {})


def equal(one, two):
    return all(torch.equal(v, two[k]) for k, v in one.items()) and one.keys() <= two.keys()


# What is loaded -----------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['distillation', 'student'])
def test_a_timm_student_from_transformers_names(start, kind):
    theirs = transformers_vit()
    sizes = dict(img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS)
    model = dict(
        type='TimmClassifier',
        model_name='vit_tiny_patch16_224',
        num_classes=theirs.weights['classifier.bias'].shape[0],
        **sizes,
    )
    if kind == 'distillation':
        projector = dict(in_channels=WIDTH, out_channels=WIDE_ARCH['embed_dims'])
        model = distillation(architecture=model, pairs=[(1, 3)], pair_projector=projector)
        student = model.student
    else:
        student = model = MODELS.build(model)
    said, _ = start(model, theirs.weights, name='model.safetensors')
    assert f'new: {"distiller" if kind == "distillation" else "nothing"}' in said
    images = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        wanted, found = theirs.trunk(images), student.eval().model.forward_features(images)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_of_such_a_run(start):
    first, second = distillation(), distillation()
    said, (hook,) = start(second, first.state_dict(), epoch=3)
    assert equal(first.state_dict(), second.state_dict())
    assert 'new: nothing' in said and 'unused of the file: nothing' in said
    assert hook[0] == 'after_load_checkpoint' and hook[1]['epoch'] == 3
    assert equal(hook[1]['state_dict'], second.state_dict())


@pytest.mark.parametrize('name', ['file.pth', 'file.safetensors'])
@pytest.mark.parametrize('layout', ['mmpretrain', 'timm'])
@pytest.mark.parametrize('build', [distillation, lambda: MODELS.build(vit())])
def test_the_file_of_a_student(start, build, layout, name):
    student, model = MODELS.build(vit()), build()
    weights = student.state_dict()
    before = {k: v.clone() for k, v in model.state_dict().items() if 'distiller' in k}
    said, _ = start(
        model, mmpretrain_to_timm(weights) if layout == 'timm' else weights, name=name
    )
    assert equal(weights, getattr(model, 'architecture', model).state_dict())
    assert equal(before, model.state_dict())
    assert f'new: {"distiller" if before else "nothing"}' in said


def test_a_student_takes_its_weights_from_a_distillation(start):
    source, model = distillation(), MODELS.build(vit())
    said, _ = start(model, source.state_dict())
    assert equal(model.state_dict(), source.student.state_dict())
    assert 'unused of the file: nothing' in said


def test_a_wrapped_model(start):
    source = MODELS.build(vit())
    wrapped = nn.Module()
    wrapped.module = MODELS.build(vit())
    start(wrapped, {f'module.{k}': v for k, v in source.state_dict().items()})
    assert equal(source.state_dict(), wrapped.module.state_dict())


def test_positions_of_another_grid_are_resized(start):
    config = vit()
    config['backbone'].update(img_size=64)
    source, model = MODELS.build(vit()), MODELS.build(config)
    start(model, source.state_dict())
    assert model.backbone.pos_embed.shape[1] == 65
    assert torch.equal(model.head.layers.head.weight, source.head.layers.head.weight)


# What is refused ----------------------------------------------------------------------


def test_another_width(start):
    found = message(start, distillation(), MODELS.build(vit(WIDE_ARCH)).state_dict())
    total = len(MODELS.build(vit()).state_dict())
    assert f'0 of its {total} tensors fit' not in found  # the head's bias does
    assert f'1 of its {total} tensors fit' in found
    assert 'backbone.cls_token: wanted (1, 1, 16), found (1, 1, 32)' in found
    assert 'load_from_new' not in found


def test_another_model(start):
    found = message(start, distillation(), nn.Linear(2, 3).state_dict())
    assert found.startswith('load_from=') and '0 of its' in found
    assert 'missing: ' in found and 'unknown: ' in found and 'load_from_new' not in found


def test_names_that_are_not_converted(start):
    """Register tokens: MMPretrain's model has none."""
    weights = mmpretrain_to_timm(MODELS.build(vit()).state_dict())
    found = message(start, distillation(), weights | dict(reg_token=torch.ones(1, 4, 16)))
    assert found.startswith('load_from=') and 'reg_token' in found


@pytest.mark.parametrize(
    'build', [distillation, lambda num_classes: MODELS.build(vit(ARCH, 9))]
)
def test_another_number_of_classes(start, build):
    weights = distillation().state_dict()
    found = message(start, build(num_classes=9), weights)
    assert 'head.layers.head.weight: wanted (9, 16), found (5, 16)' in found
    assert "load_from_new=['head']" in found


def test_a_distillation_without_its_connector(start):
    weights = distillation().state_dict()
    del weights[CONNECTOR]
    found = message(start, distillation(), weights)
    assert f'missing: {CONNECTOR}' in found and "load_from_new=['distiller']" in found


# What may be new ----------------------------------------------------------------------


@pytest.mark.parametrize('part', ['head', 'architecture.head', 'head.layers.head'])
def test_a_part_may_be_new(start, part):
    source, model = distillation(), distillation(num_classes=9)
    own = model.student.head.layers.head.weight.clone()
    said, _ = start(model, source.state_dict(), [part])
    assert torch.equal(model.student.head.layers.head.weight, own)
    assert equal(source.student.backbone.state_dict(), model.student.backbone.state_dict())
    assert 'new: head;' in said and 'unused of the file: head' in said


def test_a_part_that_fits_is_loaded(start):
    source, model = distillation(), distillation()
    said, _ = start(model, source.state_dict(), ['head', 'distiller'])
    assert equal(source.state_dict(), model.state_dict()) and 'new: nothing' in said


def test_a_part_is_new_as_a_whole(start):
    source, model = distillation(), distillation()
    weights = source.state_dict()
    del weights['architecture.head.layers.head.bias']
    own = model.student.head.layers.head.weight.clone()
    start(model, weights, ['head'])
    assert torch.equal(model.student.head.layers.head.weight, own)


def test_what_only_the_file_has(start):
    model, source = distillation(), distillation()
    start(model, source.state_dict() | {'neck.weight': torch.ones(1)}, ['neck'])
    assert equal(source.state_dict(), model.state_dict())


def test_the_rest_must_fit(start):
    weights = distillation(num_classes=9).state_dict()
    del weights[CONNECTOR]
    found = message(start, distillation(), weights, ['head'])
    assert CONNECTOR in found and "load_from_new=['distiller']" in found
    assert 'head.layers' not in found


def test_a_misspelt_part(start):
    found = message(start, distillation(), distillation().state_dict(), ['haed'])
    assert found.startswith('load_from_new') and "'haed'" in found
    assert 'backbone, distiller, head' in found


# In a run -----------------------------------------------------------------------------


@pytest.mark.parametrize('resume', [None, 'auto'])
def test_a_run_refuses_what_does_not_fit(make_runner, tmp_path, resume):
    torch.save(dict(state_dict={'fc.weight': torch.ones(9, 9)}), tmp_path / 'file.pth')
    runner = make_runner(resume=resume, load_from=str(tmp_path / 'file.pth'))
    with pytest.raises(KeyedValueError, match=r'load_from=.*file\.pth.*0 of its'):
        runner.train()


def test_a_run_with_a_new_part(make_runner, tmp_path):
    first = make_runner('first', epochs=1)
    first.train()
    weights = torch.load(f'{first.work_dir}/epoch_1.pth', weights_only=True)['state_dict']
    names = sorted({name.partition('.')[0] for name in weights})
    torch.save({'state_dict': {'other.weight': torch.ones(1)}}, tmp_path / 'file.pth')
    second = make_runner(
        'second',
        epochs=1,
        load_from=str(tmp_path / 'file.pth'),
        cfg=dict(load_from_new=[*names, 'other']),
    )
    second.train()
    assert second.iter == 4

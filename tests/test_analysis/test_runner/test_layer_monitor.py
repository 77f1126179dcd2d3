"""A layer monitor does not change the model, and runs the teacher only once."""

import copy

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.selection import measure_named
from mmvitkd.analysis.runner.layer_monitor import LayerMonitor
from mmvitkd.datasets.subset_loader import subset_loader

import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.registry import MODELS
from torch.utils.data import DataLoader
from toy import vit
from toy_distillation import distillation, noise


def sample(count=7, batch_size=3):
    loader = DataLoader(noise(count), collate_fn=default_collate)
    return subset_loader(loader, count, batch_size, seed=0)


def monitor(model, loader, names=('sep', 'effective_rank', 'svd', 'cka'), layers=None):
    measures = [measure_named(name) for name in names]
    return LayerMonitor(model, loader, measures, layers)


@pytest.fixture
def model():
    model = MODELS.build(distillation(pairs=[(0, 1), (2, 3)]))
    model.train()
    model.student.backbone.layers[0].eval()  # as a user may freeze one
    data = model.data_preprocessor(default_collate(noise(4, seed=1)), True)
    sum(loss.mean() for loss in model(**data, mode='loss').values()).backward()
    return model


def test_nothing_of_the_model_changes(model):
    modes = {name: module.training for name, module in model.named_modules()}
    state = copy.deepcopy(model.state_dict())
    gradients = {name: p.grad for name, p in model.named_parameters()}
    values = {name: g.clone() for name, g in gradients.items() if g is not None}
    hooks = {name: len(m._forward_hooks) for name, m in model.student.named_modules()}
    recorders = [
        *model.distiller.student_recorders.recorders.values(),
        *model.distiller.teacher_recorders.recorders.values(),
        *model.teacher.recorders.recorders.values(),
    ]
    assert any('running_mean' in name for name in state) and len(values) > 20
    monitor(model, sample()).measure()
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is gradients[name] for name, p in model.named_parameters())
    assert all(torch.equal(gradients[name], value) for name, value in values.items())
    assert {n: len(m._forward_hooks) for n, m in model.student.named_modules()} == hooks
    assert len(recorders) == 6 and all(recorder.data_buffer == [] for recorder in recorders)


def test_the_teacher_is_run_once_and_the_student_every_time(model):
    calls = dict(student=0, teacher=0)

    def count(name):
        def hook(module, inputs):
            calls[name] += len(inputs[0])

        return hook

    monitored = monitor(model, sample())
    model.student.backbone.register_forward_pre_hook(count('student'))
    model.teacher.model.backbone.register_forward_pre_hook(count('teacher'))
    first = monitored.measure()
    assert calls == dict(student=7, teacher=7)
    second = monitored.measure()
    assert calls == dict(student=14, teacher=7)
    assert first == second
    model.student.backbone.layers[2].ffn.layers[1].bias.data += torch.randn(16)
    third = monitored.measure()
    assert third['pair_0'] == first['pair_0'] and third['pair_1'] != first['pair_1']
    assert third['pair_1'].teacher == first['pair_1'].teacher


def test_batches_do_not_matter(model):
    found = [monitor(model, sample(batch_size=size)).measure() for size in (2, 7)]
    for name, report in found[0].items():
        scalars = {**report.scalars(), **report.references()}
        other = {**found[1][name].scalars(), **found[1][name].references()}
        assert scalars == pytest.approx(other, rel=1e-5)


def test_other_grids_are_compared_by_the_images_mean_tokens():
    teacher = vit(dict(embed_dims=32, num_layers=4, num_heads=4, feedforward_channels=64))
    teacher['backbone']['img_size'] = 48
    model = MODELS.build(distillation(teacher=teacher))
    [report] = monitor(model, sample()).measure().values()
    assert report.student['cka']['rows'] == 'images' and report.student['cka']['num_rows'] == 7
    assert report.teacher['svd']['curve'] != report.student['svd']['curve']


def test_without_a_teacher_there_are_no_scalars_of_one():
    [report] = monitor(MODELS.build(vit()), sample()).measure().values()
    assert report.teacher is None and 'cka' not in report.student
    assert not any('cka' in key for key in report.scalars())
    assert all(key.startswith('null_') for key in report.references())


@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_features_that_are_not_finite_are_named(model, side):
    monitored = monitor(model, sample())
    part = model.student if side == 'student' else model.teacher.model
    block = part.backbone.layers[2 if side == 'student' else 3]
    block.ffn.layers[1].bias.data[0] = float('nan')
    with pytest.raises(ValueError, match=f'{side}, pair_1: features: some are NaN'):
        monitored.measure()


def test_measures_that_need_all_features_first(model):
    [report, _] = monitor(model, sample(), ('pca', 'entropy', 'rotation')).measure().values()
    scalars = report.scalars()
    assert list(scalars) == ['pca99', 'pca99_p99', 'entropy', 'overlap']
    assert {f'teacher_{name}' for name in scalars} < report.references().keys()
    assert report.references()['null_overlap'] == report.student['rotation']['null']

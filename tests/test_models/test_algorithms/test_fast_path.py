"""The switches of FeatureDistill for speed: the same training, and what they refuse."""

import copy

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.extractor import FeatureExtractor
from mmvitkd.engine.runner.launch import cleanup
from mmvitkd.export.student import read_student
from mmvitkd.models import BaseTeacher, FeatureDistill
from mmvitkd.utils.isolated_eval import isolated_eval

import pytest
import torch
from graph_counter import counted_graphs
from mmengine.model import ExponentialMovingAverage, MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from toy import ARCH, timm_vit, vit
from toy_distillation import distillation, logits_and
from toy_students import student, training

SMALL = dict(ARCH, num_layers=2)
ALL = dict(
    teacher_options=dict(compile=True, cuda_stream=True),
    compile_student=True,
    channels_last=True,
)


@pytest.fixture
def graphs():
    with counted_graphs() as graphs:
        yield graphs


def batch(size=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return dict(
        inputs=torch.randint(0, 256, (size, 3, 32, 32), generator=generator).byte(),
        data_samples=[DataSample().set_gt_label(i % 5) for i in range(size)],
    )


def built(**kwargs):
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(distillation(**kwargs)))
    model.init_weights()
    return model.train()


def deterministic(**kwargs):
    return built(architecture=vit(SMALL), pairs=[(1, 1)], **kwargs)


def curve(model, steps=20):
    wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-3))
    torch.manual_seed(2)
    found = []
    for step in range(steps):
        losses = model.train_step(batch(seed=step), wrapper)
        found.append([value.item() for value in losses.values()])
    return torch.tensor(found, dtype=torch.float64)


@pytest.fixture(scope='module')
def plain():
    """The losses of 20 steps without any switch."""
    return curve(deterministic(teacher_options=dict(stop_early=False)))


@pytest.mark.parametrize(
    ('switches', 'tolerance'),
    [
        ({}, 0),
        (dict(teacher_options=dict(cuda_stream=True)), 0),
        (dict(teacher_options=dict(precision='fp32')), 0),
        (dict(channels_last=True), 1e-5),
        (ALL, 1e-5),
        (dict(teacher_options=dict(precision='bf16')), 1e-2),
    ],
    ids=['stop_early', 'cuda_stream', 'fp32', 'channels_last', 'all', 'bf16'],
)
def test_the_losses_of_twenty_steps_are_the_plain_ones(switches, tolerance, plain, graphs):
    assert (plain[0, -1] - plain[-1, -1]).abs() > 0.01  # it learns
    found = curve(deterministic(**switches))
    torch.testing.assert_close(found, plain, rtol=tolerance, atol=0)
    assert graphs.count == (2 if switches is ALL else 0)
    assert graphs.breaks == {}
    if 'bf16' in str(switches):
        assert not torch.equal(found, plain)


def test_a_real_compiler_trains_the_same(plain):
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.ones(8))
    except Exception as error:
        pytest.skip(f'there is no compiler: {type(error).__name__}')
    torch._dynamo.reset()
    found = curve(deterministic(**ALL))
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=0)
    torch._dynamo.reset()


@pytest.mark.parametrize('kind', ['widelast', 'lift', 'swin_wide'])
def test_one_graph_each_for_training_validation_and_another_batch(kind, graphs):
    pairs = [('neck.norm' if kind == 'lift' else 2, 3)]
    if kind == 'swin_wide':
        pairs = [(1, 3)]
    model = built(
        architecture=student(kind), pairs=pairs, pair_projector=None, compile_student=True
    )
    assert graphs.count == 0  # the dry run is not compiled
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    found = []
    for mode, size in ('t4', 't4', 'v4', 't4', 'v4', 't3', 'v3', 't4', 'v4', 't3', 'v3'):
        if mode == 't':
            model.train()
            model.train_step(batch(int(size)), wrapper)
        else:
            model.eval()
            with torch.no_grad():
                model.val_step(batch(int(size)))
        found.append(graphs.count)
    assert found == [1, 1, 2, 2, 2, 3, 4, 4, 4, 4, 4]
    assert graphs.breaks == {}


def test_the_students_names_and_its_copies_are_as_without(graphs):
    plain, fast = deterministic(), deterministic(compile_student=True)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    wrapper = OptimWrapper(torch.optim.SGD(fast.parameters(), lr=0.1))
    fast.train_step(batch(), wrapper)
    plain.load_state_dict(fast.state_dict())
    average = ExponentialMovingAverage(fast)
    before = graphs.count
    images = torch.randn(3, 3, 32, 32)
    fast.train_step(batch(), wrapper)
    found = average.module.eval()(images)
    torch.testing.assert_close(found, plain.eval()(images))
    assert graphs.count == before
    assert not torch.equal(found, fast.eval()(images))


def test_hooks_on_inner_modules_run_after_compilation(graphs):
    """Compiled code skips hooks that are registered later."""
    model = deterministic(compile_student=True)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    model.train_step(batch(), wrapper)
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        model.eval()(images)
        model.train()
    before = graphs.count
    source = FeatureExtractor(model.student, [0, 1])
    wanted = FeatureExtractor(deterministic().student, [0, 1])
    wanted.model.load_state_dict(model.student.state_dict())
    torch.testing.assert_close(source(images), wanted(images))
    torch.testing.assert_close(source(2 * images), wanted(2 * images))
    assert graphs.count == before
    model.train_step(batch(), wrapper)
    assert graphs.count == before
    assert model.training and model.student.backbone.training


def test_an_isolated_evaluation_during_training_compiles_nothing(graphs):
    model = deterministic(**ALL)
    with isolated_eval(torch.device('cpu'), 0):
        model.eval()(torch.randn(3, 3, 32, 32))
        model.teacher(torch.randn(3, 3, 32, 32))
    assert graphs.count == 0


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/meet', rank=0, world_size=1
    )
    yield
    cleanup()


def test_ddp_trains_it(one_process, graphs, plain):
    model = MMDistributedDataParallel(deterministic(**ALL))
    torch.testing.assert_close(curve(model, steps=3), plain[:3], rtol=1e-5, atol=0)
    assert graphs.count == 2
    assert graphs.breaks == {}


def test_both_get_channels_last_images(graphs):
    model = deterministic(channels_last=True)
    seen = []
    for part in (model.student.backbone, model.teacher.model.backbone):
        part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        weight = part.patch_embed.projection.weight
        assert weight.is_contiguous(memory_format=torch.channels_last)
        assert not weight.is_contiguous()
    model(**model.data_preprocessor(batch(), True), mode='loss')
    assert len(seen) == 2 and seen[0] is seen[1]
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_the_very_same_images_reach_both():
    model, seen = deterministic(), []
    for part in (model.student, model.teacher.model):
        part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    data = model.data_preprocessor(batch(), True)
    model(**data, mode='loss')
    assert len(seen) == 2 and all(images is data['inputs'] for images in seen)


def test_the_teacher_starts_before_the_student_and_is_waited_for_after_it():
    calls = []

    class Teacher(BaseTeacher):
        def start(self, images, data_samples=None):
            calls.append('start')
            return lambda: calls.append('wait') or {'pair_0': torch.zeros(len(images), 17, 32)}

    config = distillation(teacher=Teacher(), pairs=[(2, 'any')], pair_projector=None)
    del config['allow_random_teacher'], config['type']
    model = FeatureDistill(**config)
    calls.clear()
    model.student.register_forward_pre_hook(lambda *_: calls.append('student'))
    loss = model.distiller.distill_losses['loss_pair_0']
    loss.register_forward_pre_hook(lambda *_: calls.append('loss'))
    model(**model.data_preprocessor(batch(), True), mode='loss')
    assert calls == ['start', 'student', 'wait', 'loss']


@pytest.mark.parametrize('precision', ['bf16', 'fp32'])
@pytest.mark.parametrize('around', [False, True])
def test_every_loss_takes_a_teacher_of_another_precision(precision, around):
    model = built(
        teacher_options=dict(precision=precision),
        pairs=None,
        pair_loss=None,
        pair_projector=None,
        distiller=logits_and('backbone.layers.2'),
    )
    with torch.autocast('cpu', torch.bfloat16, enabled=around):
        losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    assert len(losses) == 4
    sum(losses.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_when_distillation_is_stopped_the_teacher_does_not_run():
    model = deterministic()
    model.distillation_stopped = True
    model.teacher.start = None
    losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    assert set(losses) == {'student.loss', 'distill.loss_stopped'}


DELIVERY = dict(
    type='MethodOutputs',
    max_keep_data=1,
    method_path='mmpretrain.models.heads.VisionTransformerClsHead.pre_logits',
)


@pytest.mark.parametrize('options', [None, dict(stop_early=True)])
def test_what_is_delivered_behind_all_that_is_recorded_arrives(options):
    """The student's head is given the teacher's class token: it has the teacher's loss."""
    model = deterministic(
        distiller=dict(distill_deliveries=dict(token=DELIVERY)),
        teacher=dict(vit(SMALL), data_preprocessor=vit()['data_preprocessor']),
        pair_projector=None,
        teacher_options=options,
    )
    data = model.data_preprocessor(batch(), True)
    teacher = model.teacher.model
    model.student.head.load_state_dict(teacher.head.state_dict())
    wanted = teacher(**data, mode='loss')['loss']
    found = model(**data, mode='loss')
    torch.testing.assert_close(found['student.loss'], wanted)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (
            dict(teacher_options=dict(compil=True)),
            r'^teacher_options\.compil=True: .* did you mean compile\?$',
        ),
        (
            dict(teacher_options=dict(compile=True), deliver=True),
            r"^teacher_options\.compile=True: distiller\.distill_deliveries\['token'\]",
        ),
        (
            dict(compile_student=True, deliver=True),
            r"^compile_student=True: distiller\.distill_deliveries\['token'\]",
        ),
        (
            dict(
                compile_student=True,
                distiller=dict(
                    student_recorders=dict(
                        drop=dict(
                            type='FunctionInputs', source='mmcv.cnn.bricks.drop.drop_path'
                        )
                    )
                ),
            ),
            r"^compile_student=True: distiller\.student_recorders\['drop'\]\.type='FunctionInp",
        ),
    ],
)
def test_what_is_refused(kwargs, message):
    if kwargs.pop('deliver', False):
        kwargs['distiller'] = dict(distill_deliveries=dict(token=DELIVERY))
        kwargs |= dict(teacher=vit(SMALL), pair_projector=None)
    with pytest.raises(ValueError, match=message):
        deterministic(**kwargs)


def test_options_are_for_a_model_and_not_for_a_teacher():
    class Cached(BaseTeacher):
        def forward(self, images, data_samples):
            return {}

    with pytest.raises(ValueError, match=r'^teacher_options=.*Cached is a BaseTeacher'):
        FeatureDistill(vit(), Cached(), teacher_options=dict(compile=True))


def test_without_a_teacher_the_switches_change_nothing(graphs):
    model = built(teacher=None, **ALL)
    assert model.eval()(torch.randn(2, 3, 32, 32)).shape == (2, 5)
    assert graphs.count == 0


def test_a_students_timm_model_is_compiled_too(graphs):
    preprocessor = vit()['data_preprocessor']
    model = built(
        architecture=dict(timm_vit(), data_preprocessor=preprocessor),
        pairs=[(1, 3)],
        pair_projector=None,
        compile_student=True,
    )
    model.train_step(batch(), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    assert graphs.count == 1
    assert graphs.breaks == {}


def test_an_exported_student_knows_nothing_of_it(tmp_path):
    cfg = training('ours', compile_student=True, channels_last=True)
    path = str(tmp_path / 'c.pth')
    torch.save(dict(state_dict=MODELS.build(student('ours')).state_dict()), path)
    exported = read_student(cfg, path)
    assert 'compile' not in str(exported.config) and 'channels_last' not in str(exported.config)


@pytest.mark.parametrize('key', ['compile_student', 'channels_last'])
def test_a_switch_that_is_no_bool(key):
    with pytest.raises(ValueError, match=rf"{key}='no': wanted True or False"):
        MODELS.build(distillation(**{key: 'no'}))

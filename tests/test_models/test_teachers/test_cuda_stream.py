"""A stream of the teacher's own: what waits for what, with CUDA played by a list of calls."""

from contextlib import contextmanager
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.models import Teacher
from mmvitkd.models.teachers import cuda_stream as own_stream
from mmvitkd.models.teachers.cuda_stream import CudaStream

import pytest
import torch
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from toy import timm_vit

CALLS: list[str] = []


class Stream:
    """A stream that says what it is asked."""

    def __init__(self, device, name='own'):
        self.device, self.name = device, name

    def wait_stream(self, other):
        CALLS.append(f'{self.name} waits for {other.name}')


class OnCUDA(torch.Tensor):
    """A tensor that pretends to be on a GPU."""

    is_cuda = True
    device = SimpleNamespace(type='cuda', index=0)
    name = 'tensor'

    def record_stream(self, stream):
        CALLS.append(f'{self.name} is used on {stream.name}')


def on_cuda(name):
    tensor = torch.zeros(2).as_subclass(OnCUDA)
    tensor.name = name
    return tensor


@pytest.fixture(autouse=True)
def cuda(monkeypatch):
    CALLS.clear()
    now = [Stream(OnCUDA.device, 'current')]

    @contextmanager
    def stream(which):
        now.append(which)
        CALLS.append('begin')
        yield
        CALLS.append('end')
        now.pop()

    fake = SimpleNamespace(Stream=Stream, current_stream=lambda device: now[-1], stream=stream)
    monkeypatch.setattr(own_stream.torch, 'cuda', fake)


def test_it_waits_for_the_images_and_is_waited_for():
    stream, images = CudaStream(True), on_cuda('images')
    with stream.beside(images):
        CALLS.append('teacher')
        outputs = {'a': on_cuda('a'), 'b': (on_cuda('b'), torch.zeros(1), (4, 4))}
    CALLS.append('student')
    assert stream.join(outputs) is outputs
    assert CALLS == [
        'own waits for current',
        'images is used on own',
        'begin',
        'teacher',
        'end',
        'student',
        'current waits for own',
        'a is used on current',
        'b is used on current',
    ]


def test_there_is_one_stream_for_all_steps():
    stream, made = CudaStream(True), []
    for _ in range(2):
        with stream.beside(on_cuda('images')):
            made.append(own_stream.torch.cuda.current_stream(None))
    assert made[0] is made[1] and made[0].name == 'own'


@pytest.mark.parametrize(
    ('enable', 'images'), [(False, on_cuda('images')), (True, torch.zeros(2))]
)
def test_without_cuda_or_the_switch_nothing_is_asked(enable, images):
    stream = CudaStream(enable)
    with stream.beside(images):
        pass
    stream.join({'a': on_cuda('a')})
    assert CALLS == []


def test_on_the_cpu_the_tensors_are_the_same():
    model, images = MODELS.build(timm_vit()), torch.randn(2, 3, 32, 32)
    recorders = dict(block=dict(type='mmrazor.ModuleOutputs', source='model.blocks.1'))
    found = [
        Teacher(model, RecorderManager(recorders), own_stream=own)(images)
        for own in (False, True)
    ]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_the_results_are_made_on_the_stream_and_joined_when_asked_for(monkeypatch):
    model, images = MODELS.build(timm_vit()), torch.randn(2, 3, 32, 32)
    recorders = dict(block=dict(type='mmrazor.ModuleOutputs', source='model.blocks.1'))
    made = Teacher(model, RecorderManager(recorders), precision='bf16', own_stream=True)
    joined = []

    @contextmanager
    def beside(self, images):
        CALLS.append('begin')
        yield
        CALLS.append('end')

    monkeypatch.setattr(CudaStream, 'beside', beside)
    monkeypatch.setattr(CudaStream, 'join', lambda self, x: joined.append(x) or x)
    handed_over = made._handed_over
    monkeypatch.setattr(made, '_handed_over', lambda x: CALLS.append('cast') or handed_over(x))
    outputs = made.start(images)
    assert CALLS == ['begin', 'cast', 'end'] and joined == []
    assert outputs()['block'].shape == (2, 17, 32) and len(joined) == 1

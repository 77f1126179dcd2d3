"""A stream of the teacher's own: without CUDA nothing changes."""

import mmvitkd  # noqa: F401
from mmvitkd.models import Teacher
from mmvitkd.models.teachers.cuda_stream import CudaStream

import pytest
import torch
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from toy import timm_vit


def made(model, cuda_stream):
    recorders = dict(block=dict(type='mmrazor.ModuleOutputs', source='model.blocks.1'))
    return Teacher(model, RecorderManager(recorders), cuda_stream=cuda_stream)


@pytest.mark.parametrize('enable', [False, True])
def test_on_the_cpu_there_is_none(enable):
    stream, outputs = CudaStream(enable), {'a': torch.zeros(2)}
    with stream.run(torch.zeros(2)):
        pass
    assert stream.wait(outputs) is outputs


def test_on_the_cpu_the_tensors_are_the_same():
    model, images = MODELS.build(timm_vit()), torch.randn(2, 3, 32, 32)
    found = [made(model, cuda_stream)(images) for cuda_stream in (False, True)]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
def test_the_student_reads_finished_tensors_from_the_other_stream():
    """Each step overwrites its images while the teacher may still compute."""
    model = MODELS.build(timm_vit()).cuda()
    images = [torch.randn(64, 3, 32, 32) for _ in range(8)]
    plain, concurrent = (made(model, cuda_stream) for cuda_stream in (False, True))
    wanted = [plain(batch.cuda())['block'].cpu() for batch in images]
    for batch, tensor in zip(images, wanted, strict=True):
        on_gpu = batch.cuda()
        wait = concurrent.start(on_gpu)
        del on_gpu
        torch.empty(64, 3, 32, 32, device='cuda').fill_(1e9)
        torch.testing.assert_close(wait()['block'].cpu(), tensor)

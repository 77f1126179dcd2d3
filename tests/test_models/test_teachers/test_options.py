"""teacher_options: what is wrong is named."""

import mmvitkd  # noqa: F401
from mmvitkd.models import Teacher
from mmvitkd.models.teachers.options import check_options

import pytest
import torch
from mmrazor.models.task_modules import RecorderManager


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(stop_earl=True),
            r'^teacher_options\.stop_earl=True: .*did you mean stop_early',
        ),
        (dict(zzz=1), r'teacher_options\.zzz=1.*stop_early, compile, cuda_stream, precision'),
        (dict(compile=1), r'^teacher_options\.compile=1: wanted True or False'),
        (dict(cuda_stream='yes'), r"^teacher_options\.cuda_stream='yes': wanted True or False"),
        (
            dict(precision='fp16'),
            r"^teacher_options\.precision='fp16': wanted one of None, 'bf16', 'fp32'",
        ),
        (dict(precision=['bf16']), r"precision=\['bf16'\]: wanted one of"),
        (True, r'^teacher_options=True: wanted dict\(stop_early=, '),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check_options(options, 'teacher_options.')


def test_what_is_taken():
    given = dict(stop_early=False, precision=None, compile=True, cuda_stream=True)
    assert check_options(given) == given
    assert check_options(None) == {}


def test_the_old_name_of_cuda_stream_still_works():
    assert check_options(dict(own_stream=True)) == dict(cuda_stream=True)
    Teacher(torch.nn.Identity(), own_stream=True)
    with pytest.raises(TypeError, match='own_stream is the old name of cuda_stream'):
        check_options(dict(own_stream=True, cuda_stream=True))


def test_the_teacher_itself_checks_them():
    with pytest.raises(ValueError, match=r"^precision='half': wanted"):
        Teacher(torch.nn.Identity(), RecorderManager(), precision='half')

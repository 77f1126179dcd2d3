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
            r'^teacher_options\.stop_earl=True: .*Close to it: stop_early\.',
        ),
        (dict(zzz=1), r'teacher_options\.zzz=1.*stop_early, compile, own_stream, precision'),
        (dict(compile=1), r'^teacher_options\.compile=1: wanted True or False'),
        (dict(own_stream='yes'), r"^teacher_options\.own_stream='yes': wanted True or False"),
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
    given = dict(stop_early=False, precision=None, compile=True, own_stream=True)
    assert check_options(given) == given
    assert check_options(None) == {}


def test_the_teacher_itself_checks_them():
    with pytest.raises(ValueError, match=r"^precision='half': wanted"):
        Teacher(torch.nn.Identity(), RecorderManager(), precision='half')

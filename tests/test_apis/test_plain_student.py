"""The plain student that a recommendation is for."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.apis.plain_student import plain_student

import pytest
import toy_students

MNIST = 'mmvitkd::mnist5k'


def test_packaged_students():
    tiny, small = plain_student('deit_tiny'), plain_student('deit_small')
    assert (tiny.width, tiny.depth, tiny.head_size) == (192, 12, 64)
    assert (small.width, small.config) == (384, None)


def test_the_student_of_a_config():
    found = plain_student(f'{MNIST}/vit_32.py')
    assert (found.width, found.depth, found.head_size) == (32, 6, 16)
    assert found.config == f'{MNIST}/vit_32.py' and found.is_ours


@pytest.mark.parametrize('kind', ['distilled', 'swin', 'widelast', 'timm'])
def test_students_of_other_kinds(kind, tmp_path):
    path = Path(tmp_path, f'{kind}.py')
    model = toy_students.student(kind)
    model.pop('pretrained', None)
    path.write_text(f'model = {model!r}\n')
    if kind == 'distilled':
        assert plain_student(str(path)).num_extra_tokens == 2
    else:
        with pytest.raises(ValueError, match=r'student=.*wanted a plain ViT of MMPretrain'):
            plain_student(str(path))


def test_a_distillation_and_a_word_that_is_no_student():
    with pytest.raises(ValueError, match=r'student=.*is a distillation'):
        plain_student(f'{MNIST}/vit_32_lift.py')
    with pytest.raises(ValueError, match="student='deit_tinny': wanted deit_tiny, deit_small"):
        plain_student('deit_tinny')

"""An export whose outputs differ is refused, with the difference."""

from mmvitkd.export.parity import check_outputs

import pytest


def test_equal_logits_pass_without_a_tolerance(read):
    student = read('ours')
    check_outputs(student, student.model, 0, 'a copy', batch_sizes=(1, 3))


@pytest.mark.parametrize(('tolerance', 'passes'), [(0, False), (1e-4, False), (1e-2, True)])
def test_the_difference_is_reported_and_tolerated(read, tolerance, passes):
    student = read('ours')

    def classify(images):
        return student.model(images) + (1e-3 if len(images) == 3 else 0)

    if passes:
        check_outputs(student, classify, tolerance, 'x.onnx', batch_sizes=(1, 3))
        return
    with pytest.raises(ValueError, match=r'x\.onnx: .* size 3 .* differ .* 0\.001, .* at most'):
        check_outputs(student, classify, tolerance, 'x.onnx', batch_sizes=(1, 3))

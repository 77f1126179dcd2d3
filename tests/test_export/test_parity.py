"""An export whose outputs differ is refused, with the difference."""

from mmvitkd.export.parity import check_outputs

import pytest


@pytest.mark.parametrize(('index', 'name'), [(0, 'embedding'), (1, 'features')])
def test_each_output_is_compared(read, index, name):
    student = read('ours', labels=False)
    check_outputs(student, student.model, 0, 'a copy')

    def encode(images):
        outputs = list(student.model(images))
        outputs[index] = outputs[index] + 1e-3
        return outputs

    with pytest.raises(ValueError, match=rf'x\.onnx: .* its {name} .* differ by up to 0\.001'):
        check_outputs(student, encode, 1e-4, 'x.onnx')


def test_an_output_of_another_shape_is_named(read):
    student = read('ours', labels=False)

    def encode(images):
        embedding, features = student.model(images)
        return embedding, features[:, :1]

    with pytest.raises(ValueError, match=r'its features: \(2, 1, 16\), wanted \(2, 16, 16\)'):
        check_outputs(student, encode, 0, 'x.onnx')


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

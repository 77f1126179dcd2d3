"""Ridge readout: against numpy's least squares, and what it must not depend on."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.ridge_readout import RidgeReadout

import numpy as np
import pytest
import torch


def related(num_images=12, num_tokens=9, noise=0.5, seed=0):
    """A student of 6 channels, and a teacher of 10 that depends on them."""
    torch.manual_seed(seed)
    student = torch.randn(num_images, num_tokens, 6) + 2
    teacher = student @ torch.randn(6, 10) + noise * torch.randn(num_images, num_tokens, 10)
    return student, teacher + torch.linspace(0, 30, 10)


def readout_of(student, teacher, num_train=9, batch=4, **kwargs):
    readout = RidgeReadout(**kwargs)
    for part in torch.arange(num_train).split(batch):
        readout.fit(student[part], teacher[part])
    for part in torch.arange(num_train, len(student)).split(batch):
        readout.test(student[part], teacher[part])
    return readout


def least_squares(student, teacher, penalty):
    """Weight and bias by numpy: the penalty as further rows, which the bias has no part in."""
    x, y = (t.double().flatten(0, 1).numpy() for t in (student, teacher))
    rows = np.hstack([x, np.ones((len(x), 1))])
    ridge = np.sqrt(penalty) * np.eye(x.shape[1], x.shape[1] + 1)
    targets = np.vstack([y, np.zeros((x.shape[1], y.shape[1]))])
    solution = np.linalg.lstsq(np.vstack([rows, ridge]), targets)[0]
    return solution[:-1], solution[-1]


def r2_of(weight, bias, student, teacher):
    x, y = (t.double().flatten(0, 1).numpy() for t in (student, teacher))
    return 1 - ((y - x @ weight - bias) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()


def scale_of(student):
    """The mean eigenvalue of the centred X^T X."""
    x = student.double().flatten(0, 1).numpy()
    return np.square(x - x.mean(0)).sum() / x.shape[1]


@pytest.mark.parametrize('ridge', [1e-8, 1e-2, 1.0])
def test_map_and_r2_are_those_of_least_squares(ridge):
    student, teacher = related()
    readout = readout_of(student, teacher, ridges=(ridge,))
    weight, bias = least_squares(student[:9], teacher[:9], ridge * scale_of(student[:9]))
    linear = readout.linear_map(ridge)
    assert linear.weight.numpy() == pytest.approx(weight, rel=1e-8, abs=1e-10)
    assert linear(torch.zeros(6)).numpy() == pytest.approx(bias, rel=1e-8)
    wanted = r2_of(weight, bias, student[9:], teacher[9:])
    assert readout.result()['r2'] == pytest.approx(wanted, rel=1e-9)


def test_the_ridge_is_the_best_on_images_set_apart():
    """Images 1, 6, 11, ... choose among maps that are fitted on the others."""
    student, teacher = related(num_images=14, num_tokens=1, noise=4)
    chosen = torch.arange(11) % 5 == 1
    fit, apart = torch.arange(11)[~chosen], torch.arange(11)[chosen]
    ridges = (1e-6, 0.1, 1.0, 10.0)
    r2 = {}
    for ridge in ridges:
        penalty = ridge * scale_of(student[fit])
        linear = least_squares(student[fit], teacher[fit], penalty)
        r2[ridge] = r2_of(*linear, student[apart], teacher[apart])
    found = readout_of(student, teacher, num_train=11, ridges=ridges).result()
    assert found['ridge'] == max(r2, key=r2.get)
    assert found['ridge'] != ridges[0]  # or nothing was chosen


def test_an_exact_linear_relation_is_read_out_and_noise_is_not():
    student, teacher = related(noise=0)
    assert readout_of(student, teacher).result()['r2'] == pytest.approx(1, abs=1e-9)
    noise = torch.randn(400, 9, 10)
    student = torch.randn(400, 9, 6)
    assert abs(readout_of(student, noise, num_train=300).result()['r2']) < 0.01


def test_width_scale_and_rotation_of_the_student_change_nothing():
    student, teacher = related()
    rotation = torch.linalg.qr(torch.randn(6, 6)).Q
    other = torch.cat([50 * student @ rotation - 9, torch.ones(12, 9, 2)], 2)
    wanted = readout_of(student, teacher, ridges=(1e-8,)).result()['r2']
    found = readout_of(other, teacher, ridges=(1e-8,)).result()['r2']
    assert found == pytest.approx(wanted, rel=1e-5)


def test_any_split_into_batches_is_the_same():
    student, teacher = related()
    found = [readout_of(student, teacher, batch=batch).result()['r2'] for batch in (1, 4, 12)]
    assert found == pytest.approx([found[0]] * 3, rel=1e-11)


def test_constant_channels_of_either_are_no_problem():
    student, teacher = related()
    student[..., 0], teacher[..., 0] = 5, -5
    assert 0.5 < readout_of(student, teacher).result()['r2'] < 1


def test_what_has_no_readout_is_named():
    student, teacher = related()
    constant = torch.full_like(student, 0.1), torch.full_like(teacher, 0.1)
    with pytest.raises(ValueError, match='student: all 63 rows are the same'):
        readout_of(constant[0], teacher).result()
    with pytest.raises(ValueError, match='teacher: all 27 held-out rows are the same'):
        readout_of(student, constant[1]).result()
    with pytest.raises(ValueError, match='1 training images'):
        readout_of(student, teacher, num_train=1).result()
    with pytest.raises(ValueError, match='0 held-out tokens'):
        readout_of(student, teacher, num_train=12).result()
    with pytest.raises(ValueError, match=r'\(12, 9, 6\) and \(12, 4, 10\)'):
        RidgeReadout().fit(student, teacher[:, :4])
    with pytest.raises(ValueError, match='ridges'):
        RidgeReadout(ridges=(0.0,))

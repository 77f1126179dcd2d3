"""Linear CKA: against centred Gram matrices, its invariances, and shuffled rows."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.linear_cka import LinearCKA

import numpy as np
import pytest
import tokens
import torch
from tokens import numbers


def naive(x, y):
    """HSIC of centred Gram matrices, rows by rows, normalised (arXiv 1905.00414)."""
    x, y = x.double().numpy(), y.double().numpy()
    centre = np.eye(len(x)) - np.full((len(x), len(x)), 1 / len(x))
    k, l = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre  # noqa: E741
    return np.trace(k @ l) / np.sqrt(np.trace(k @ k) * np.trace(l @ l))


def measured(*features, rows='tokens'):
    measure = LinearCKA(rows)
    measure.update(*features)
    return measure.result()


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_tokens_are_compared_as_the_paper_says(kind):
    x = tokens.KINDS[kind]()
    y = (x @ torch.randn(32, 12, dtype=x.dtype)).relu() + torch.randn(12, dtype=x.dtype)
    found = measured(x, y)
    assert found['cka'] == pytest.approx(naive(x.flatten(0, 1), y.flatten(0, 1)), rel=1e-9)
    assert found['num_rows'] == x.shape[0] * x.shape[1]


def test_images_are_compared_by_their_mean_tokens():
    x, y = tokens.real_tokens(), torch.randn(7, 9, 12)
    found = measured(x, y, rows='images')
    assert found['cka'] == pytest.approx(naive(x.mean(1), y.mean(1)), rel=1e-6)
    assert (found['num_rows'], found['rows']) == (7, 'images')


def test_rotation_scale_and_shift_change_nothing():
    x, y = torch.randn(5, 20, 32).double(), torch.randn(5, 20, 12).double()
    turned = 1e-3 * x @ torch.linalg.qr(torch.randn(32, 32).double()).Q + torch.randn(32)
    assert measured(x, turned)['cka'] == pytest.approx(1, rel=1e-12)
    assert measured(turned, y)['cka'] == pytest.approx(measured(x, y)['cka'], rel=1e-9)


def test_channels_that_share_nothing_have_a_cka_of_0():
    """Two sources along orthogonal directions of the rows."""
    rows = torch.linalg.qr(torch.cat([torch.ones(12, 1), torch.randn(12, 5)], 1).double()).Q
    x, y = rows[:, 1:3].view(3, 4, 2), rows[:, 3:6].view(3, 4, 3)
    assert measured(x, y)['cka'] == pytest.approx(0, abs=1e-15)


def test_shared_directions_by_hand():
    """Of d and d' equal orthogonal directions, s shared: s / sqrt(d d')."""
    rows = torch.linalg.qr(torch.cat([torch.ones(12, 1), torch.randn(12, 5)], 1).double()).Q
    x, y = rows[:, 1:4].view(3, 4, 3), rows[:, 2:6].view(3, 4, 4)
    assert measured(x, y)['cka'] == pytest.approx(2 / 12**0.5, rel=1e-9)


def test_a_large_mean_costs_no_precision():
    x, y = torch.randn(5, 20, 32).double(), torch.randn(5, 20, 12).double()
    far = x + 1e6
    assert measured(far, y)['cka'] == pytest.approx(measured(x, y)['cka'], rel=1e-7)


def test_the_null_is_the_mean_over_shuffled_rows():
    x = torch.randn(1, 30, 8).double()
    y = x[..., :5] + 0.1 * torch.randn(1, 30, 5)
    found = measured(x, y)
    shuffled = [measured(x, y[:, torch.randperm(30)])['cka'] for _ in range(400)]
    error = np.std(shuffled) / 400**0.5
    assert found['null'][0][1] == pytest.approx(np.mean(shuffled), abs=5 * error)
    assert error < 0.1 * found['null'][0][1] < 0.1 * found['cka']


def test_the_null_is_the_mean_over_every_order_of_three_rows():
    x, y = torch.randn(1, 3, 4).double(), torch.randn(1, 3, 2).double()
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    wanted = np.mean([measured(x, y[:, order])['cka'] for order in orders])
    assert measured(x, y)['null'][0][1] == pytest.approx(wanted, rel=1e-9)


def test_a_matrix_of_several_sources_is_that_of_their_pairs():
    sources = [torch.randn(4, 10, width) for width in (8, 12, 6)]
    found = measured(*sources)
    assert found['cka'] == found['matrix'][0][1]
    for i, x in enumerate(sources):
        for j, y in enumerate(sources):
            pair = measured(x, y)
            assert found['matrix'][i][j] == pytest.approx(pair['cka'], rel=1e-12)
            assert found['null'][i][j] == pytest.approx(pair['null'][0][1], rel=1e-12)


@pytest.mark.parametrize('rows', ['tokens', 'images'])
def test_any_split_into_batches_is_the_same(rows):
    x, y = tokens.real_tokens(), torch.randn(7, 64, 12)
    wanted = numbers(measured(x, y, rows=rows))
    first = LinearCKA(rows)
    for part in torch.arange(7).split([1, 3, 1, 2]):
        first.update(x[part], y[part])
    assert numbers(first.result()) == pytest.approx(wanted, rel=1e-11)


def test_a_result_is_json_and_leaves_the_measure_alone():
    measure = LinearCKA()
    measure.update(torch.randn(2, 9, 4), torch.randn(2, 9, 5))
    assert json.loads(json.dumps(measure.result())) == measure.result()


def test_other_grids_need_images_as_rows():
    with pytest.raises(ValueError, match=r"found 49 tokens of one source and 196 .*'images'"):
        measured(torch.randn(2, 49, 8), torch.randn(2, 196, 8))


def test_other_numbers_of_images_or_sources_are_refused():
    with pytest.raises(ValueError, match='found 2 images of one source and 3 of another'):
        measured(torch.randn(2, 9, 8), torch.randn(3, 9, 8))
    with pytest.raises(ValueError, match='found 1 source, wanted 2 or more'):
        measured(torch.randn(2, 9, 8))
    x = torch.randn(2, 9, 8)
    measure = LinearCKA()
    measure.update(x, x)
    with pytest.raises(ValueError, match='found 3 sources, wanted 2 as before'):
        measure.update(x, x, x)
    with pytest.raises(ValueError, match=r'widths \(8, 4\) after widths \(8, 8\)'):
        measure.update(x, x[..., :4])


def test_a_source_that_is_the_same_everywhere_has_no_cka():
    constant = torch.randn(8).expand(2, 9, 8)
    with pytest.raises(ValueError, match='source 1 has the same row in all 18 tokens'):
        measured(torch.randn(2, 9, 8), constant)
    with pytest.raises(ValueError, match='source 0 has the same row in all 1 images'):
        measured(torch.randn(1, 9, 8), torch.randn(1, 9, 8), rows='images')


def test_nothing_measured_and_unknown_rows_are_refused():
    with pytest.raises(ValueError, match='nothing measured'):
        LinearCKA().result()
    with pytest.raises(ValueError, match=r"rows='patches': wanted one of"):
        LinearCKA('patches')

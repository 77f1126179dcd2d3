"""Dynamics: a panel per number, a line per epoch, the last one darkest."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.plotting.dynamics import draw_dynamics

import pytest
from matplotlib.colors import to_rgb

BLOCKS = ('0', '1', 'neck')
COLUMNS = ['entropy, bits', 'my number']


def numbers(epochs, columns=COLUMNS):
    return {
        epoch: {key: dict.fromkeys(columns, epoch + i) for i, key in enumerate(BLOCKS)}
        for epoch in epochs
    }


def test_lines_are_the_numbers_and_axes_have_units():
    figure = draw_dynamics(numbers([30, 60, 300]), COLUMNS)
    entropy, other, bar = figure.axes
    assert (entropy.get_title('left'), entropy.get_ylabel()) == ('token entropy', 'bits')
    assert other.get_ylabel() == 'my number'
    assert [list(line.get_ydata()) for line in entropy.lines] == [
        [30, 31, 32],
        [60, 61, 62],
        [300, 301, 302],
    ]
    brightness = [sum(to_rgb(line.get_color())) for line in entropy.lines]
    assert brightness == sorted(brightness, reverse=True)
    assert bar.get_ylabel() == 'epoch'
    assert [label.get_text() for label in bar.get_yticklabels()] == ['300', '60', '30']


@pytest.mark.parametrize('count', [1, 12, 100])
def test_the_epochs_are_few_enough_to_read(count):
    *_, bar = draw_dynamics(numbers(range(1, count + 1)), COLUMNS).axes
    labels = [label.get_text() for label in bar.get_yticklabels()]
    assert labels[0] == str(count) and len(labels) <= 12


def test_a_block_without_a_number_is_left_out():
    found = numbers([1, 2])
    del found[1]['neck']['my number']
    _, other, _ = draw_dynamics(found, COLUMNS).axes
    assert [len(line.get_ydata()) for line in other.lines] == [2, 3]

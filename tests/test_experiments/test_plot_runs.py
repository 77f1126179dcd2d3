"""Figures of runs are written whole."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.experiments.plot_runs import RunSummary, draw_accuracy, draw_losses, half_interval

import pytest
from PIL import Image
from scipy.stats import norm

RUNS = [
    RunSummary('teacher', 95.0, {'labels': [2.0, 1.0, 0.5]}, 300, 20, 9.0, 0),
    RunSummary('student', 90.0, {'labels': [2.0, 1.5], 'features': [1.0, 0.2]}, 100, 5, 4.0, 1),
]


def test_interval_of_an_accuracy():
    wanted = 100 * norm.ppf(0.975) * (0.9 * 0.1 / 1000) ** 0.5
    assert half_interval(90.0, 1000) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(
    'draw', [lambda p: draw_accuracy(RUNS, 1000, p), lambda p: draw_losses(RUNS, p)]
)
def test_a_figure_is_written_whole(draw, tmp_path):
    path = tmp_path / 'figure.png'
    draw(path)
    assert Image.open(path).size[0] > 600
    assert [p.name for p in Path(tmp_path).iterdir()] == ['figure.png']

"""The figure of runs over seeds shows every score, mean and difference."""

import mmvitkd  # noqa: F401
from mmvitkd.experiments import plot_seeds
from mmvitkd.experiments.plot_seeds import draw_seeds

import pytest
from PIL import Image

SCORES = {
    'plain': {0: 90.0, 1: 91.0, 2: 92.0},
    'lift': {0: 91.0, 1: 92.5, 2: 92.0},
    'one seed': {1: 90.5},
    'failed': {},
}


def test_a_figure_is_written_whole(tmp_path):
    draw_seeds(SCORES, 'plain', 'accuracy/top1', tmp_path / 'scores.png')
    assert Image.open(tmp_path / 'scores.png').size[0] > 1000
    assert [p.name for p in tmp_path.iterdir()] == ['scores.png']


def test_it_shows_every_seed_mean_and_difference(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plot_seeds, 'save', lambda figure, path: figures.append(figure))
    draw_seeds(SCORES, 'plain', 'accuracy/top1', tmp_path / 'scores.png')
    left, right = figures[0].axes
    dots = [
        sorted(x for x, _ in c.get_offsets()) for c in left.collections if c.get_offsets().size
    ]
    assert [90.0, 91.0, 92.0] in dots and [91.0, 92.0, 92.5] in dots and [90.5] in dots
    gaps = [sorted(x for x, _ in c.get_offsets()) for c in right.collections]
    assert [0.0, 1.0, 1.5] in gaps and [-0.5] in gaps
    means = [bar.lines[0].get_xdata()[0] for bar in right.containers]
    assert means == pytest.approx([2.5 / 3, -0.5])
    assert [tick.get_text() for tick in left.get_yticklabels()] == list(SCORES)

"""Maps of saliency: a row per model, each map relative to its own largest value."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.plotting.saliency_maps import SaliencyRow, draw_saliency

import numpy as np


def row(label, scale):
    image = np.random.default_rng(0).random((8, 8, 3))
    maps = {'vanilla': scale * image[..., 0], 'integrated': np.zeros((8, 8))}
    return SaliencyRow(label, image, maps)


def test_a_row_per_model_and_a_column_per_method():
    rows = [row('teacher\nlabel: 3', 5.0), row('plain\nlabel: 3', 0.01)]
    figure = draw_saliency(rows)
    *panels, bar = figure.axes
    titles = [axes.get_title('left') for axes in panels]
    assert titles == ['input', 'gradient', 'Integrated Gradients', '', '', '']
    assert [axes.get_ylabel() for axes in panels[::3]] == [r.label for r in rows]
    first, second = (axes.images[0].get_array() for axes in panels[1::3])
    np.testing.assert_allclose(first, second)
    assert first.max() == 1 and (panels[2].images[0].get_array() == 0).all()
    assert 'largest value' in bar.get_ylabel()

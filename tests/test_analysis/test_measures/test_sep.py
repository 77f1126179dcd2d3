"""SEP curves as an image: its size, and each curve in its place."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.sep import TRAINING_STYLES, draw_training
from mmvitkd.analysis.plotting.figure import pixels

import numpy as np
import pytest
from matplotlib.colors import to_rgb

NULLS = ('null', 'null_folded')
LINE = [(i + 1) / 50 for i in range(50)]
EARLY = [min(1.0, 0.6 + 0.02 * i) for i in range(50)]


def layer(null, **curves):
    """The entries of student and teacher with these curves, and the null in each of them."""
    modes = {name: {'curve': null[: 26 if 'folded' in name else 50]} for name in NULLS}
    return {
        name: {'sep': {'full': {'curve': curve}, 'folded': {'curve': curve[:26]}, **modes}}
        for name, curve in curves.items()
    }


def sep_image(layers):
    return pixels(draw_training(layers))


def with_colors(image, name):
    """Where an image has the colour of a source."""
    distance = np.abs(
        image.astype(int) - np.round(255 * np.array(to_rgb(TRAINING_STYLES[name]['color'])))
    )
    return distance.max(2) < 12


@pytest.mark.parametrize('rows', [1, 3])
def test_a_row_a_layer_and_a_column_a_mode(rows):
    layers = {f'pair_{i}': layer(student=LINE, null=LINE) for i in range(rows)}
    image = sep_image(layers)
    assert image.dtype == np.uint8 and image.shape == (270 * rows, 720, 3)


def test_a_curve_that_rises_early_lies_above():
    image = sep_image({'a': layer(student=EARLY, teacher=LINE, null=LINE)})
    half = image[:, : image.shape[1] // 2]
    student, teacher = (np.argwhere(with_colors(half, n))[:, 0] for n in ('student', 'teacher'))
    assert len(student) > 100 and len(teacher) > 100
    assert np.median(student) < np.median(teacher)


def test_without_a_teacher_there_is_no_curve_of_one():
    image = sep_image({'a': layer(student=EARLY, null=LINE)})
    assert with_colors(image, 'student').any() and not with_colors(image, 'teacher').any()

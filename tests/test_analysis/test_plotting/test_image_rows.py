"""Rows of images with captions."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.plotting.figure import pixels
from mmvitkd.analysis.plotting.image_rows import image_rows

import numpy as np

RED, BLUE = (np.full((600, 400, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))


def test_each_image_has_its_place_and_caption():
    figure = image_rows([[(RED, 'query\na$b_$'), (BLUE, '0.9')], [(BLUE, 'q')]], 'heading')
    one, two, three, empty = figure.axes
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 0]
    assert two.get_title() == '0.9' and one.get_title() == 'query\na\\$b_\\$'
    assert np.array_equal(np.unique(two.images[0].get_array()), [0, 255])
    assert (one.axison, two.axison, three.axison, empty.axison) == (True, False, True, False)
    assert figure.get_suptitle() == 'heading'
    drawn = pixels(figure)
    for colour in ((255, 0, 0), (0, 0, 255)):
        assert (drawn == colour).all(-1).sum() > 1000


def test_large_images_are_drawn_small():
    figure = image_rows([[(RED, 'q')]], '')
    assert figure.axes[0].images[0].get_array().shape == (256, 171, 3)


def test_the_end_of_a_long_caption_is_kept():
    figure = image_rows([[(RED, f'query\n{"folder/" * 9}file.png')]], '')
    kind, name = figure.axes[0].get_title().splitlines()
    assert kind == 'query' and name.startswith('…') and name.endswith('folder/file.png')

"""Overlays of models: each with its numbers, and the same colour in every figure."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.energy import overlay_sorted_energy
from mmvitkd.analysis.measures.rotation import overlay_rotation
from mmvitkd.analysis.measures.selection import all_measures
from mmvitkd.analysis.measures.sep import draw_spread, overlay_sep
from mmvitkd.analysis.measures.spectrum import draw_intensities
from mmvitkd.analysis.plotting.directions import overlay_energy
from mmvitkd.analysis.plotting.model_overlays import MODEL_COLORS, draw_matrix

import pytest
from representation_reports import report

OVERLAYS = {
    figure.name: figure.overlay
    for measure in all_measures().values()
    for figure in measure.figures
    if figure.overlay
}


@pytest.fixture(scope='module')
def models():
    """The last blocks of three models of different widths."""
    widths = dict(teacher=32, plain=16, lift=24)
    return {
        name: report(blocks=('0',), width=width, seed=seed)['blocks']['0']
        for seed, (name, width) in enumerate(widths.items())
    }


def curves(axes):
    """The models' curves by the first word of their labels."""
    lines = [line for line in axes.lines if not line.get_label().startswith('_')]
    return {line.get_label().split(',')[0]: line for line in lines}


def test_energy_has_a_panel_for_svd_and_one_for_pca(models):
    figure = overlay_energy(models)
    for axes, measure in zip(figure.axes, ('svd', 'pca'), strict=True):
        found = curves(axes)
        assert list(found) == list(models)
        for name, block in models.items():
            wanted = [100 * value for value in block[measure]['curve']]
            assert found[name].get_ydata() == pytest.approx(wanted)
    bare = {name: {'svd': block['svd']} for name, block in models.items()}
    assert len(overlay_energy(bare).axes) == 1


def test_rotation_says_the_overlap_and_the_random_one(models):
    figure = overlay_rotation(models)
    for axes, kind in zip(figure.axes, ('pairs', 'dataset'), strict=True):
        for name, line in curves(axes).items():
            rotation = models[name]['rotation']
            assert list(line.get_ydata()) == rotation[kind]['angles']['mean']
            overlap, null = rotation[kind]['overlap']['mean'], rotation['null']
            assert line.get_label() == f'{name}, overlap {overlap:.3f} (random {null:.3f})'


def test_sep_is_shown_with_and_without_the_diagonal(models):
    left, right = overlay_sep(models).axes
    found = curves(left)
    assert list(found) == [*models, 'random tokens']
    # The null of the widest model.
    null = models['teacher']['sep']['null']['curve']
    assert found['random tokens'].get_ydata() == pytest.approx([100 * v for v in null])
    for (name, block), rest in zip(models.items(), right.lines, strict=False):
        curve = block['sep']['full']['curve']
        assert found[name].get_ydata() == pytest.approx([100 * v for v in curve])
        over = [100 * (v - (k + 1) / len(curve)) for k, v in enumerate(curve)]
        assert rest.get_ydata() == pytest.approx(over, abs=1e-9)


def test_sorted_energy_is_over_shares_of_the_channels(models):
    (axes,) = overlay_sorted_energy(models).axes
    found = curves(axes)
    assert list(found) == [*models, 'Gaussian tokens']
    for name, block in models.items():
        energy = block['sorted_energy']
        assert found[name].get_ydata() == pytest.approx([100 * v for v in energy['curve']])
        assert found[name].get_xdata()[0] == pytest.approx(100 / block['embed_dims'])
        assert found[name].get_label() == f'{name}, b90 {energy["bandwidth"]["0.90"]:.3f}'


def test_a_model_without_a_measure_leaves_the_others_their_colours(models):
    fewer = {**models, 'plain': {k: v for k, v in models['plain'].items() if k != 'svd'}}
    whole = {
        name: line.get_color() for name, line in curves(overlay_energy(models).axes[0]).items()
    }
    found = {
        name: line.get_color() for name, line in curves(overlay_energy(fewer).axes[0]).items()
    }
    assert found == {name: whole[name] for name in ('teacher', 'lift')}
    assert len(set(whole.values())) == 3


def test_many_models_differ_in_colour_or_style(models):
    many = {str(i): models['plain'] for i in range(15)}
    lines = curves(overlay_sorted_energy(many).axes[0])
    looks = {(line.get_color(), line.get_linestyle()) for line in lines.values()}
    assert len(looks) == 16  # with the null


def test_no_legend_lies_on_the_sorted_energy(models):
    for count in (2, 15):
        figure = overlay_sorted_energy({str(i): models['plain'] for i in range(count)})
        figure.draw_without_rendering()
        (axes,), (names,) = figure.axes, figure.legends
        assert not names.get_window_extent().overlaps(axes.get_window_extent())
        assert axes.get_window_extent().height > 0.5 * axes.get_window_extent().width


@pytest.mark.parametrize('draw', OVERLAYS.values(), ids=OVERLAYS)
def test_without_measurements_nothing_is_drawn(draw):
    assert draw({'a': {'num_tokens': 4}, 'b': {'num_tokens': 4}}) is None


def test_the_matrix_has_its_numbers():
    matrix = [[1.0, 0.83, 0.25], [0.83, 1.0, 0.5], [0.25, 0.5, 1.0]]
    axes = draw_matrix(['a', 'b', 'c'], matrix).axes[0]
    texts = {tuple(t.get_position()): t.get_text() for t in axes.texts}
    wanted = {(j, i): f'{matrix[i][j]:.2f}' for i in range(3) for j in range(3)}
    assert texts == wanted
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ['a', 'b', 'c']
    assert axes.images[0].get_array().tolist() == matrix
    assert axes.images[0].get_clim() == (0, 1)


def test_sep_of_each_model_has_its_spread_and_its_null(models):
    figure = draw_spread(models)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    for axes, (name, block) in zip(panels, models.items(), strict=True):
        own = block['sep']['full']
        assert axes.get_title('left').startswith(f'{name}, D = {len(own["curve"])}, b90 ')
        drawn = {line.get_label(): line for line in axes.lines}
        mean = drawn['mean and 1 s.d. of the tokens'].get_ydata()
        assert mean == pytest.approx([100 * share for share in own['curve']])
        (band,) = axes.collections
        highest = band.get_paths()[0].vertices[:, 1].max()
        ends = zip(own['curve'], own['std'], strict=True)
        assert highest == pytest.approx(max(min(100, 100 * (m + s)) for m, s in ends))
        null = block['sep']['null']['curve']
        assert drawn['random tokens'].get_ydata() == pytest.approx([100 * n for n in null])
    assert draw_spread({'plain': {}}) is None


def test_many_models_have_rows_of_panels(models):
    five = {str(i): models['plain'] for i in range(5)}
    figure = draw_spread(five)
    assert sum(axes.get_visible() for axes in figure.axes) == 5 and len(figure.axes) == 8


def test_intensity_over_the_depth_of_models_with_different_depths():
    """At the blocks' places in the model; Lift's neck is none of them."""
    wanted = {
        'teacher': {'0': 100 / 24, '11': 50, '23': 100},
        'plain': {'0': 50, '1': 100},
        'lift': {'1': 50, '3': 100},
    }
    models = {'one block': report(blocks=('0',))}
    models |= {name: report(blocks=[*places]) for name, places in wanted.items()}
    models['lift'] = report(blocks=('3', '1', 'neck')) | dict(num_blocks=4)
    models['teacher']['num_blocks'] = 24
    left, right = draw_intensities(models).axes
    drawn = curves(left)
    assert list(drawn) == list(wanted)
    for name, shape in zip(drawn, right.lines, strict=True):
        blocks, places = models[name]['blocks'], wanted[name]
        values = [blocks[key]['frequency_intensity'] for key in places]
        assert drawn[name].get_ydata() == pytest.approx(values)
        assert drawn[name].get_xdata() == pytest.approx([*places.values()])
        assert shape.get_xdata() == pytest.approx([*places.values()])
        assert shape.get_ydata() == pytest.approx([100 * v / max(values) for v in values])
        assert shape.get_color() == drawn[name].get_color()
    assert drawn['teacher'].get_color() == MODEL_COLORS[1]  # the second model
    assert 'unit' in left.get_ylabel() and '%' in right.get_ylabel()
    assert draw_intensities({'one block': models['one block']}) is None

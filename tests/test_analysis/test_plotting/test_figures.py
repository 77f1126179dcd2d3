"""The figures of a report show its numbers next to their nulls."""

from math import acos, degrees, sqrt

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.energy import draw_sorted_energy, sorted_null
from mmvitkd.analysis.measures.rotation import draw_rotation
from mmvitkd.analysis.measures.sep import draw_sep
from mmvitkd.analysis.measures.spectrum import draw_intensity, draw_spectrum
from mmvitkd.analysis.plotting.depth import draw_in_use, draw_u_shape
from mmvitkd.analysis.plotting.directions import draw_dimensions, draw_energy, draw_layers
from mmvitkd.analysis.plotting.panels import depth_axis

import pytest
from matplotlib.figure import Figure
from representation_reports import report

LIFT = dict(blocks=('0', '1', '2', 'neck'), widths={'neck': 32})


@pytest.fixture(scope='module')
def blocks():
    """Those of a Lift."""
    return report(**LIFT)['blocks']


def percent(values):
    return pytest.approx([100 * value for value in values])


def titles(figure):
    return [axes.get_title(loc='left') for axes in figure.axes]


def line(axes, label):
    """The curve whose label begins so."""
    (found,) = [each for each in axes.lines if each.get_label().startswith(label)]
    return found


def test_three_blocks_of_many_have_a_panel(blocks):
    many = {str(i): blocks['1'] for i in range(24)}
    assert titles(draw_energy(many)) == ['block 0', 'block 11', 'block 23']
    assert titles(draw_energy(blocks)) == ['block 0', 'block 1', 'neck']
    two = {key: blocks[key] for key in ('2', 'neck')}
    assert titles(draw_energy(two)) == ['block 2', 'neck']


def test_energy_curves_with_their_spread(blocks):
    axes = draw_energy(blocks).axes[-1]
    for measure, label in (('svd', "image's own"), ('pca', "dataset's")):
        shares = blocks['neck'][measure]
        found = line(axes, label)
        assert found.get_ydata() == percent(shares['curve'])
        assert list(found.get_xdata()) == [*range(1, len(shares['curve']) + 1)]
    bands = [band.get_paths()[0].vertices[:, 1] for band in axes.collections]
    shares = blocks['neck']['svd']
    highest = max(min(1, m + s) for m, s in zip(shares['curve'], shares['std'], strict=True))
    assert max(bands[0]) == pytest.approx(100 * highest)
    lowest = min(m - s for m, s in zip(shares['curve'], shares['std'], strict=True))
    assert min(bands[0]) == pytest.approx(100 * lowest)


def test_histograms_count_every_image_and_mark_the_99th_percentile(blocks):
    figure = draw_dimensions(blocks)
    assert titles(figure) == [f'neck: {t} % of the energy' for t in (80, 90, 95, 99)]
    for axes, threshold in zip(figure.axes, ('0.80', '0.90', '0.95', '0.99'), strict=True):
        for bars, measure in zip(axes.containers, ('svd', 'pca'), strict=True):
            dimensions = blocks['neck'][measure]['dimensions'][threshold]
            assert sum(bar.get_height() for bar in bars) == len(dimensions) == 12
            for bar in bars:
                left, right = bar.get_x(), bar.get_x() + bar.get_width()
                assert bar.get_height() == sum(left < d < right for d in dimensions)
        p99s = {blocks['neck'][measure][threshold]['p99'] for measure in ('svd', 'pca')}
        assert {x for mark in axes.lines for x in mark.get_xdata()} == p99s


@pytest.mark.parametrize('most', [1, 2, 47, 48, 49, 384])
def test_histograms_hold_the_smallest_and_the_largest_dimension(most):
    images = [1, 1, most]
    svd = {'0.99': {'p99': most}, 'dimensions': {'0.99': images}}
    (axes,) = draw_dimensions({'0': {'svd': svd}}).axes
    heights = [bar.get_height() for bar in axes.containers[0]]
    assert sum(heights) == 3
    assert len(heights) <= 48


def test_no_histograms_without_the_dimensions_of_images(blocks):
    bare = {m: {k: v for k, v in blocks['2'][m].items() if k != 'dimensions'} for m in ('svd',)}
    assert draw_dimensions({'2': bare}) is None


def test_layers_show_median_quartiles_and_99th_percentile(blocks):
    (axes,) = draw_layers(blocks).axes
    for measure, label in (('svd', "image's own"), ('pca', "dataset's")):
        summaries = [block[measure]['0.99'] for block in blocks.values()]
        found = line(axes, label)
        assert list(found.get_xdata()) == [0, 1, 2, 3]
        assert list(found.get_ydata()) == [summary['median'] for summary in summaries]
        p99 = [summary['p99'] for summary in summaries]
        assert any(list(each.get_ydata()) == p99 for each in axes.lines)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ['0', '1', '2', '\nneck']


def test_blocks_lie_at_their_indices(blocks):
    apart = {'2': blocks['0'], '5': blocks['1'], '11': blocks['2']}
    (axes,) = draw_intensity(apart).axes
    (found,) = axes.lines
    assert list(found.get_xdata()) == [2, 5, 11]
    assert list(found.get_ydata()) == [block['frequency_intensity'] for block in apart.values()]


def test_u_shape_shows_means_and_quartiles(blocks):
    figure = draw_u_shape(blocks)
    names = ('entropy', 'activation_magnitude', 'gradient_magnitude')
    for axes, name in zip(figure.axes, names, strict=True):
        (found,) = axes.lines
        assert list(found.get_ydata()) == [block[name]['mean'] for block in blocks.values()]
        band = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert min(band) == min(block[name]['q25'] for block in blocks.values())
        assert max(band) == max(block[name]['q75'] for block in blocks.values())
    assert figure.axes[0].get_ylabel() == 'bits'
    one = {key: {'entropy': block['entropy']} for key, block in blocks.items()}
    assert titles(draw_u_shape(one)) == ['token entropy']


def test_ranks_and_ratios_start_at_zero(blocks):
    figure = draw_in_use(blocks)
    assert [axes.get_ylim()[0] for axes in figure.axes] == [0, 0]
    means = [block['effective_rank']['mean'] for block in blocks.values()]
    assert list(figure.axes[0].lines[0].get_ydata()) == means


def test_sep_next_to_permutations_and_null(blocks):
    figure = draw_sep(blocks)
    above, below = figure.axes[2], figure.axes[5]
    sep = blocks['neck']['sep']
    size = len(sep['full']['curve'])
    kinds = (
        ('full', 'natural order'),
        ('permuted', 'channels permuted'),
        ('null', 'random tokens'),
    )
    for (kind, label), rest in zip(kinds, below.lines, strict=True):
        curve = sep[kind]['curve']
        found = line(above, label)
        assert found.get_ydata() == percent(curve)
        assert found.get_label().endswith(f'b90 {sep[kind]["bandwidth"]["0.90"]:.3f}')
        over = [value - (k + 1) / size for k, value in enumerate(curve)]
        assert rest.get_ydata() == pytest.approx([100 * value for value in over], abs=1e-9)
    band = below.collections[0].get_paths()[0].vertices[:, 1]
    edges = zip(sep['permuted']['curve'], sep['permuted']['std'], strict=True)
    highest = max(c + 2 * s - (k + 1) / size for k, (c, s) in enumerate(edges))
    assert max(band) == pytest.approx(100 * highest)


def test_sep_of_the_folded_spectrum_is_next_to_its_own_null(blocks):
    sep = {kind: blocks['2']['sep'][kind] for kind in ('folded', 'null', 'null_folded')}
    figure = draw_sep({'2': {'sep': sep}})
    assert titles(figure)[0] == 'block 2, folded spectrum'
    own, null = figure.axes[0].lines
    assert own.get_ydata() == percent(sep['folded']['curve'])
    assert null.get_ydata() == percent(sep['null_folded']['curve'])
    assert draw_sep({'2': {'sep': {'permuted': blocks['2']['sep']['permuted']}}}) is None


def test_sorted_energy_next_to_random_tokens(blocks):
    (axes,) = draw_sorted_energy(blocks).axes
    energy = blocks['neck']['sorted_energy']
    found = line(axes, 'neck')
    assert found.get_ydata() == percent(energy['curve'])
    assert found.get_xdata() == percent([(k + 1) / 32 for k in range(32)])
    eight = line(axes, '8-sparse')
    assert eight.get_ydata()[7] == pytest.approx(100)
    assert eight.get_ydata()[6] < 100
    assert line(axes, 'Gaussian').get_ydata()[7] < 80


def test_the_width_of_the_null_is_named_where_widths_differ(blocks):
    (axes,) = draw_sorted_energy(blocks).axes
    assert axes.get_xlabel().endswith('first, %')
    assert line(axes, 'Gaussian').get_label().startswith('Gaussian, D = 32, b90')
    assert line(axes, '8-sparse').get_xdata()[0] == pytest.approx(100 / 32)
    same = {key: blocks[key] for key in ('0', '1')}
    (axes,) = draw_sorted_energy(same).axes
    assert axes.get_xlabel().endswith('first, % of 24')
    assert line(axes, 'Gaussian').get_label().startswith('Gaussian tokens, b90')


@pytest.mark.parametrize(('active', 'share'), [(None, 0.45), (8, 0.013), (1, 0.003)])
def test_nulls_of_the_sorted_energy_are_those_of_the_paper(active, share):
    found = sorted_null(384, active)['bandwidth']['0.90']
    assert found == pytest.approx(share, rel=0.25, abs=0.003)


def test_the_spectrum_is_drawn_up_to_half_a_cycle(blocks):
    (axes,) = draw_spectrum(blocks).axes
    found = line(axes, 'neck')
    assert list(found.get_ydata()) == blocks['neck']['spectrum'][:17]
    assert (found.get_xdata()[0], found.get_xdata()[-1]) == (0, 0.5)


def spectrum_of(*half):
    """The axes of a spectrum of 2 * len(half) - 2 channels."""
    return draw_spectrum({'0': {'spectrum': [*half, *half[-2:0:-1]]}}).axes[0]


def test_the_spectrum_is_legible_without_a_mean():
    """Behind a LayerNorm there is nothing at frequency 0 but rounding."""
    axes = spectrum_of(5e-9, 0.3, 0.4, 0.2, 0.1)
    low, high = axes.get_ylim()
    assert (low, high) == pytest.approx((0.07, 0.56)) and axes.get_yscale() == 'log'
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert ticks == pytest.approx([0.1, 0.2, 0.5])
    wide = spectrum_of(70, 0.3, 1e-4)
    low, high = wide.get_ylim()
    assert (low, high) == pytest.approx((7e-5, 98))
    ticks = [tick for tick in wide.get_yticks() if low <= tick <= high]
    assert len(ticks) <= 9 and all(f'{tick:.0e}'.startswith('1e') for tick in ticks)


@pytest.mark.filterwarnings('error')
def test_the_spectrum_of_nothing_is_linear(tmp_path):
    axes = spectrum_of(0.0, 0.0, 0.0)
    axes.figure.savefig(tmp_path / 'zero.png')
    assert axes.get_yscale() == 'linear' and axes.get_ylim()[0] == 0


def overlapped(figure):
    """Whether a legend of the figure lies in one of its panels."""
    figure.draw_without_rendering()
    names = figure.legends[0].get_window_extent()
    return any(names.overlaps(axes.get_window_extent()) for axes in figure.axes)


@pytest.mark.parametrize(
    'draw', [draw_rotation, draw_sorted_energy, draw_layers, draw_u_shape, draw_in_use]
)
def test_no_legend_lies_on_curves(blocks, draw):
    figure = draw(blocks)
    assert all(axes.get_legend() is None for axes in figure.axes)
    assert len(figure.legends[0].get_texts()) >= 1 and not overlapped(figure)
    assert not overlapped(draw({key: blocks[key] for key in ('2', 'neck')}))


@pytest.mark.parametrize(
    ('keys', 'ticks'),
    [
        (['10', '11'], ['10', '11']),
        (['0', '1', '46', '47'], ['1', '47']),
        ([*map(str, range(12)), 'neck'], [*'02468', '10', '11', '\nneck']),
        (map(str, range(24)), [*'0369', '12', '15', '18', '21', '23']),
        ([*map(str, range(24)), 'neck'], [*'0369', '12', '15', '18', '21', '23', '\nneck']),
    ],
)
def test_ticks_name_the_last_block_and_do_not_touch(keys, ticks):
    axes = Figure().add_subplot()
    depth_axis(axes, [*keys])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ticks


@pytest.mark.parametrize('draw', [draw_in_use, draw_intensity, draw_layers])
def test_there_is_room_for_the_highest_marker(blocks, draw):
    rising = {key: blocks[key] for key in ('0', '1', '2')}
    for axes in draw(rising).axes:
        highest = max(max(each.get_ydata()) for each in axes.lines)
        assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 1.05 * highest


def test_a_histograms_label_is_not_crossed(blocks):
    svd = {'0.99': {'p99': 30}, 'dimensions': {'0.99': [10, 20, 30]}}
    pca = {'0.99': {'p99': 60}, 'dimensions': {'0.99': [50, 55, 60]}}
    figure = draw_dimensions({'0': {'svd': svd, 'pca': pca}})
    figure.draw_without_rendering()
    (axes,) = figure.axes
    words = {text.get_text(): text.get_window_extent() for text in axes.texts}
    of_svd = next(each for each in axes.lines if set(each.get_xdata()) == {30})
    assert words['99th percentile 60'].y0 >= of_svd.get_window_extent().y1
    assert all(text.get_bbox_patch() is not None for text in axes.texts)


def test_overlaps_are_counted_in_whole_numbers(blocks):
    few = {'overlaps': [0.3], 'angles': {'mean': [10], 'std': [1]}}
    rotation = {'d': 1, 'null': 0.1, 'pairs': few}
    ticks = draw_rotation({'0': {'rotation': rotation}}).axes[1].get_yticks()
    assert all(tick == int(tick) for tick in ticks)


def test_rotation_next_to_random_subspaces(blocks):
    figure = draw_rotation(blocks)
    above, below = figure.axes[2], figure.axes[5]
    rotation = blocks['neck']['rotation']
    for kind, label in (('pairs', 'two images'), ('dataset', 'an image and')):
        assert list(line(above, label).get_ydata()) == rotation[kind]['angles']['mean']
    random = degrees(acos(sqrt(4 / 32)))
    assert line(above, 'random').get_ydata()[0] == pytest.approx(random)
    counted = [sum(bar.get_height() for bar in bars) for bars in below.containers]
    assert counted == [len(rotation[kind]['overlaps']) for kind in ('pairs', 'dataset')]
    assert below.lines[0].get_xdata()[0] == rotation['null'] == 4 / 32
    assert [text.get_text() for text in below.texts] == ['random 0.125']


@pytest.mark.parametrize(
    'draw',
    [
        draw_energy,
        draw_dimensions,
        draw_layers,
        draw_rotation,
        draw_sep,
        draw_sorted_energy,
        draw_spectrum,
        draw_intensity,
        draw_u_shape,
        draw_in_use,
    ],
)
def test_without_measurements_nothing_is_drawn(draw):
    assert draw({'0': {'num_tokens': 4}, '1': {'num_tokens': 4}}) is None

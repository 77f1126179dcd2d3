"""The branches of a network: which maps are measured, and what differs between them."""

import pytest
import torch

from projects.mdbn.mdbn.branch_figure import draw_branches
from projects.mdbn.mdbn.branch_spectra import BranchSpectra, measure
from projects.mdbn.mdbn.network import MDBN
from projects.mdbn.mdbn.radial_spectrum import radial_spectrum


def images():
    return [torch.rand(1, 3, 24, 20), torch.rand(1, 3, 18, 30)]


def test_the_maps_are_what_a_base_block_adds_up():
    network, (image, _) = MDBN(2, 4, 1), images()
    _, maps = measure(network, [image])
    block, first = network.body[0].baseblock1, network.conv_first(image)
    assert torch.equal(maps['body.0.baseblock1.dconv'], block.dconv(first))
    deep = block.uconv2(block.act(block.uconv1(first)))
    assert torch.equal(maps['body.0.baseblock1.uconv2'], deep)


def test_results_are_means_over_images():
    network, both = MDBN(2, 4, 1), images()
    result, _ = measure(network, both, 0.3)
    shares = []
    for image in both:
        _, maps = measure(network, [image])
        shares.append(radial_spectrum(maps['body.0.baseblock2.dconv'], 0.3).above.item())
    found = result['blocks']['body.0.baseblock2']['shallow']
    assert found['above'] == pytest.approx(sum(shares) / 2)
    assert found['std'] == pytest.approx(abs(shares[0] - shares[1]) / 2)
    assert (result['images'], list(result['blocks'])) == (
        2,
        [f'body.0.baseblock{i}' for i in (1, 2)],
    )


def test_a_branch_that_blurs_has_less_of_high_frequencies():
    network = MDBN(2, 4, 1)
    with torch.no_grad():
        for block in (network.body[0].baseblock1, network.body[0].baseblock2):
            for layer in (block.uconv1, block.uconv2):
                layer.weight.fill_(1 / 36)
            block.dconv.weight.zero_()[:, :, 1, 1] = torch.eye(4)
    result, _ = measure(network, images())
    first = result['blocks']['body.0.baseblock1']
    assert first['deep']['above'] < 0.5 * first['shallow']['above']


def test_one_branch_cannot_be_compared():
    with pytest.raises(ValueError, match='one branch'):
        BranchSpectra(MDBN(2, 4, 1, 'deep'))


def test_the_frequency_is_below_half_a_cycle():
    with pytest.raises(ValueError, match=r'frequency=0.5'):
        BranchSpectra(MDBN(2, 4, 1), 0.5)


def test_the_figure_shows_maps_spectra_curves_and_shares():
    result, maps = measure(MDBN(2, 4, 1), images())
    figure = draw_branches(result, result, maps)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == 'image' and titles[2] == 'deep, body.0.baseblock2'
    assert len(figure.axes) == 8
    shares = figure.axes[-1].lines[0].get_ydata()
    assert list(shares) == [b['deep']['above'] for b in result['blocks'].values()]


def test_images_of_a_batch_are_counted_one_by_one():
    spectra = BranchSpectra(MDBN(2, 4, 1))
    spectra.update(torch.rand(3, 3, 12, 10))
    spectra.update(torch.rand(1, 3, 9, 20))
    assert spectra.result()['images'] == 4

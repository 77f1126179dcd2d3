"""The network: counts, a plain build of the same, its radius, and refusals."""

from mmvitkd.analysis import cost_of

import pytest
import torch
from torch import nn
from torch.nn import functional

from projects.mdbn.mdbn.network import MDBN, scale_of

PARAMETERS = {2: 1_517_571, 3: 1_702_211, 4: 1_665_283}
# Of a 1280 x 720 image, at scale 3 of 1278 x 720.
GMACS = {2: 350.22, 3: 175.14, 4: 122.72}
SMALL = {2: (360, 640), 3: (240, 426), 4: (180, 320)}


def plain_forward(weights, scale, x):
    """The network from the paper's description, function by function."""

    def conv(name, x):
        return functional.conv2d(x, weights[f'{name}.weight'], weights[f'{name}.bias'], 1, 1)

    x = first = conv('conv_first', x)
    for i in range(6):
        inner = x
        for block in (f'body.{i}.baseblock1', f'body.{i}.baseblock2'):
            middle = functional.gelu(conv(f'{block}.uconv1', inner))
            inner = functional.gelu(
                conv(f'{block}.uconv2', middle) + conv(f'{block}.dconv', inner)
            )
        x = x + inner
    x = conv('conv_after_body', x) + first
    x = functional.pixel_shuffle(conv('upsample.0', x), 3 if scale == 3 else 2)
    if scale == 4:
        x = functional.pixel_shuffle(conv('upsample.2', x), 2)
    return conv('conv_last', x)


@pytest.mark.parametrize('scale', [2, 3, 4])
def test_parameters_and_macs_are_those_of_the_paper(scale):
    with torch.device('meta'):
        parameters, macs = cost_of(MDBN(scale), SMALL[scale])
    assert parameters == PARAMETERS[scale]
    assert macs / 1e9 == pytest.approx(GMACS[scale], rel=0.005)


@pytest.mark.parametrize('scale', [2, 3, 4])
def test_it_equals_a_plain_build(scale):
    network, x = MDBN(scale).double(), torch.rand(2, 3, 9, 11, dtype=torch.float64)
    expected = plain_forward(network.state_dict(), scale, x)
    assert expected.shape == (2, 3, 9 * scale, 11 * scale)
    assert (network(x) - expected).abs().max() < 1e-6


@pytest.mark.parametrize(('branches', 'num_blocks'), [('deep', 3), ('shallow', 6)])
def test_one_branch_with_as_many_parameters(branches, num_blocks):
    counts = {
        sum(p.numel() for p in MDBN(2, 8, blocks, kind).parameters())
        for kind, blocks in (('both', 2), (branches, num_blocks))
    }
    assert len(counts) == 1


@pytest.mark.parametrize('branches', ['both', 'deep', 'shallow'])
@pytest.mark.parametrize('scale', [2, 3, 4])
def test_the_radius_is_how_far_an_output_depends_on_the_input(scale, branches):
    network = MDBN(scale, channels=2, num_blocks=2, branches=branches).double()
    for parameter in network.parameters():  # so that no two paths cancel
        nn.init.uniform_(parameter, 0.1, 0.2)
    side = 2 * network.radius + 5
    x = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    pixel = side // 2
    block = network(x)[:, :, scale * pixel : scale * (pixel + 1), scale * pixel]
    (gradient,) = torch.autograd.grad(block.sum(), x)
    rows, columns = gradient[0].abs().sum(0).nonzero().T
    assert pixel - rows.min() == rows.max() - pixel == network.radius
    assert pixel - columns.min() == network.radius


@pytest.mark.parametrize('scale', [2, 3, 4])
def test_the_scale_of_weights(scale):
    assert scale_of(MDBN(scale, channels=4, num_blocks=1).state_dict()) == scale


def test_weights_of_another_scale_are_refused():
    with pytest.raises(ValueError, match=r'scale=2: .* scale 3'):
        MDBN(2, 4, 1).load_state_dict(MDBN(3, 4, 1).state_dict())


@pytest.mark.parametrize(
    ('setting', 'value'), [('scale', 5), ('scale', 1), ('branches', 'none')]
)
def test_wrong_settings_are_named(setting, value):
    with pytest.raises(ValueError, match=f'{setting}={value!r}'):
        MDBN(**{'scale': 2, setting: value})

"""The model of a training: its modes, and how it reads a batch."""

import pytest
import torch

from projects.mdbn.mdbn.model import SuperResolver, to_8_bit
from projects.mdbn.mdbn.network import MDBN


@pytest.fixture
def model():
    return SuperResolver(dict(type='MDBN', scale=2, channels=4, num_blocks=1))


@pytest.fixture
def batch():
    images = dict(inputs=(2, 3, 8, 6), hr=(2, 3, 16, 12))
    made = {key: torch.randint(256, size, dtype=torch.uint8) for key, size in images.items()}
    return dict(made, name=['a.png', 'b.png'])


def test_the_loss_is_the_mean_absolute_error_of_the_unit_range(model, batch):
    data = model.data_preprocessor(batch, True)
    loss = model(**data, mode='loss')['loss']
    expected = (model.network(batch['inputs'] / 255) - batch['hr'] / 255).abs().mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize('tile_size', [None, 3])
def test_predictions_are_8_bit_and_come_with_the_truth(model, batch, tile_size):
    model.tile_size = tile_size
    found = model.val_step(batch)
    assert [each['name'] for each in found] == batch['name']
    output = model.network(batch['inputs'] / 255)
    for index, each in enumerate(found):
        assert torch.equal(each['hr'], batch['hr'][index])
        difference = each['pred'].float() - 255 * output[index].clamp(0, 1)
        assert difference.abs().max() <= 0.5 + 1e-3


def test_tensor_is_the_output_of_the_network(model):
    x = torch.rand(1, 3, 5, 5)
    assert torch.equal(model(x), model.network(x))


def test_a_network_may_be_built_already():
    network = MDBN(3, 4, 1)
    assert SuperResolver(network).network is network


def test_an_unknown_mode(model):
    with pytest.raises(ValueError, match="mode='train'"):
        model(torch.rand(1, 3, 5, 5), mode='train')


def test_every_8_bit_value_comes_back():
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_8_bit(values.float() / 255), values)
    assert to_8_bit(torch.tensor([-0.2, 1.3])).tolist() == [0, 255]


@pytest.mark.parametrize(('mode', 'missing'), [('loss', 'hr'), ('predict', 'hr and name')])
def test_what_a_mode_lacks_is_named(model, mode, missing):
    with pytest.raises(ValueError, match=f"mode='{mode}': wanted {missing}, too"):
        model(torch.rand(1, 3, 5, 5), mode=mode)


@pytest.mark.parametrize('value', [float('nan'), float('-inf')])
def test_weights_that_diverged_give_no_image(model, batch, value):
    torch.nn.init.constant_(model.network.conv_last.bias, value)
    with pytest.raises(ValueError, match=r'1,152 of 1,152 values .* NaN'):
        model.val_step(batch)

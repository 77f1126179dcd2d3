"""Checkpoints of the released layout: read strictly and safely, converted, and back."""

import pickle

from mmvitkd.utils.errors import KeyedValueError

import pytest
import torch

from projects.mdbn.mdbn.checkpoint import convert, load_network
from projects.mdbn.mdbn.network import MDBN

IMAGE = torch.rand(1, 3, 9, 7)


@pytest.fixture
def networks():
    return dict(params=MDBN(3, 8, 2), params_ema=MDBN(3, 8, 2))


@pytest.fixture
def released(networks, tmp_path):
    """A checkpoint of BasicSR's layout."""
    path = tmp_path / 'released.pth'
    torch.save({key: network.state_dict() for key, network in networks.items()}, path)
    return str(path)


@pytest.mark.parametrize(('ema', 'key'), [(False, 'params'), (True, 'params_ema')])
def test_a_released_checkpoint_gives_the_same_output(released, networks, ema, key):
    found = load_network(released, ema)
    assert (found.scale, len(found.body), found.training) == (3, 2, False)
    assert torch.equal(found(IMAGE), networks[key](IMAGE))


@pytest.mark.parametrize('branches', ['deep', 'shallow'])
def test_the_branches_are_those_of_the_weights(tmp_path, branches):
    network = MDBN(4, 6, 3, branches)
    torch.save(dict(params=network.state_dict()), tmp_path / 'a.pth')
    assert torch.equal(load_network(str(tmp_path / 'a.pth'))(IMAGE), network(IMAGE))


def test_there_and_back(released, networks, tmp_path):
    ours, back = tmp_path / 'ours.pth', tmp_path / 'back.pth'
    assert convert(released, ours) == 'mmvitkd'
    content = torch.load(ours, weights_only=True)
    assert content.keys() == {'state_dict', 'ema_state_dict'}
    assert all(name.startswith('network.') for name in content['state_dict'])
    assert torch.equal(load_network(str(ours), ema=True)(IMAGE), networks['params_ema'](IMAGE))
    assert convert(str(ours), back) == 'BasicSR'
    content = torch.load(back, weights_only=True)
    for key, network in networks.items():
        weights = network.state_dict()
        assert content[key].keys() == weights.keys()
        assert all(torch.equal(content[key][name], weights[name]) for name in weights)


def test_a_missing_or_an_unknown_tensor_is_named(networks, tmp_path):
    weights = networks['params'].state_dict()
    weights['body.0.baseblock1.uconv9.bias'] = weights.pop('conv_last.bias')
    torch.save(dict(params=weights), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'missing: conv_last.bias\.\n.*uconv9') as error:
        load_network(str(tmp_path / 'a.pth'))
    assert 'a.pth' in str(error.value)


def test_another_scale_is_named(released):
    with pytest.raises(ValueError, match=r'released\.pth.* scale 3; wanted scale 2'):
        load_network(released, scale=2)


def test_another_network_is_named(tmp_path):
    torch.save(dict(params=torch.nn.Linear(2, 2).state_dict()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth.* no MDBN: .*found weight, bias'):
        load_network(str(tmp_path / 'a.pth'))


def test_an_average_that_is_not_there(networks, tmp_path):
    torch.save(dict(params=networks['params'].state_dict()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match="found params, no 'params_ema'; wanted ema=False"):
        load_network(str(tmp_path / 'a.pth'), ema=True)


def test_nothing_in_a_file_is_executed(tmp_path):
    class Harmful:
        def __reduce__(self):
            return open, (str(tmp_path / 'harm'), 'w')

    torch.save(dict(params=Harmful()), tmp_path / 'a.pth', pickle_module=pickle)
    with pytest.raises(ValueError, match=r'a\.pth'):
        load_network(str(tmp_path / 'a.pth'))
    assert not (tmp_path / 'harm').exists()


def test_a_file_without_weights_is_not_converted(tmp_path):
    torch.save(dict(epoch=torch.tensor(3)), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='found epoch; wanted one of params'):
        convert(str(tmp_path / 'a.pth'), tmp_path / 'b.pth')
    assert not (tmp_path / 'b.pth').exists()


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (dict(params=3), "no weights under 'params'"),
        (dict(params=None), "no weights under 'params'"),
        (dict(params={'conv_first.weight': 3}), "no weights under 'params'"),
        (dict(params={1: IMAGE}), "no weights under 'params'"),
        (dict(state_dict=3), 'no weights'),
        (dict(state_dict={'conv_first.weight': 'x'}), 'no weights'),
    ],
)
def test_what_is_no_weights_is_named(tmp_path, content, reason):
    path = str(tmp_path / 'a.pth')
    torch.save(content, path)
    for use in (load_network, lambda path: convert(path, tmp_path / 'b.pth')):
        with pytest.raises(KeyedValueError, match=rf"a\.pth' .*{reason}"):
            use(path)


def test_an_average_that_is_none(networks, tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save(dict(params=networks['params'].state_dict(), params_ema=None), path)
    assert load_network(path).scale == 3
    with pytest.raises(KeyedValueError, match=r"a\.pth' .*no weights under 'params_ema'"):
        load_network(path, ema=True)
    with pytest.raises(KeyedValueError, match=r"a\.pth' .*no weights under 'params_ema'"):
        convert(path, tmp_path / 'b.pth')


def test_a_first_layer_that_is_a_number(networks, tmp_path):
    weights = networks['params'].state_dict()
    weights['conv_first.weight'] = torch.tensor(3.0)
    torch.save(dict(params=weights), tmp_path / 'a.pth')
    with pytest.raises(KeyedValueError, match=r'a\.pth.* no MDBN'):
        load_network(str(tmp_path / 'a.pth'))

"""ProjectorConnector against loops over every number, its gradients and what it trains."""

import math

import mmvitkd  # noqa: F401
from mmvitkd.models.connectors import ProjectorConnector
from mmvitkd.models.necks import LiftProjector
from mmvitkd.registry import MODELS

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmrazor.models.architectures.connectors.base_connector import BaseConnector

EPS = 1e-5


def student(in_channels=3, out_channels=4, **kwargs) -> ProjectorConnector:
    """The student's connector, with values that no initialisation has."""
    connector = ProjectorConnector(in_channels, out_channels, **kwargs)
    for parameter in connector.parameters():
        torch.nn.init.normal_(parameter)
    return connector


def naive_projection(x: torch.Tensor, weight: list[list[float]]) -> list:
    """(B, C, H, W) -> places of C' numbers, the batch's places one after the other."""
    places = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).tolist()
    return [[sum(w * v for w, v in zip(row, p, strict=True)) for row in weight] for p in places]


def naive_moments(places: list) -> list[tuple[float, float]]:
    """Mean and variance, over N and not N - 1, of each channel."""
    moments = []
    for channel in zip(*places, strict=True):
        mean = sum(channel) / len(channel)
        moments.append((mean, sum((v - mean) ** 2 for v in channel) / len(channel)))
    return moments


def naive_norm(places: list, scale: list[float]) -> list:
    moments = naive_moments(places)
    return [
        [
            s * (v - mean) / math.sqrt(var + EPS)
            for v, (mean, var), s in zip(p, moments, scale, strict=True)
        ]
        for p in places
    ]


def as_map(places: list, batch: int, height: int, width: int) -> torch.Tensor:
    found = torch.tensor(places, dtype=torch.float64)
    return found.reshape(batch, height, width, -1).permute(0, 3, 1, 2)


@pytest.fixture
def feature():
    return torch.randn(2, 3, 4, 4, dtype=torch.float64) * 2 + 1


def test_the_students_side_equals_loops(feature):
    connector = student().double()
    projected = naive_projection(feature, connector.proj.weight.tolist())
    wanted = as_map(naive_norm(projected, connector.norm.weight.tolist()), 2, 4, 4)
    torch.testing.assert_close(connector(feature), wanted)


def test_the_teachers_side_equals_loops(feature):
    connector = MODELS.build(dict(type='mmvitkd.ProjectorConnector', in_channels=3)).double()
    assert isinstance(connector, BaseConnector)
    places = naive_projection(feature, torch.eye(3).tolist())
    wanted = as_map(naive_norm(places, [1.0] * 3), 2, 4, 4)
    torch.testing.assert_close(connector(feature), wanted)


def test_the_published_module_has_biases_that_do_nothing(feature):
    """Linear and BatchNorm2d as they come, against the teacher's side: the gradients agree."""
    ours, teacher = student().double(), ProjectorConnector(4).double()
    linear, norm = torch.nn.Linear(3, 4).double(), torch.nn.BatchNorm2d(4).double()
    linear.load_state_dict({'weight': ours.proj.weight, 'bias': linear.bias})
    norm.load_state_dict({**norm.state_dict(), 'weight': ours.norm.weight})
    target = teacher(torch.randn(2, 17, 4, dtype=torch.float64))
    published = norm(linear(feature.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
    torch.testing.assert_close(published, ours(feature))
    for found in (published, ours(feature)):
        F.mse_loss(found, target).backward()
    torch.testing.assert_close(linear.weight.grad, ours.proj.weight.grad)
    torch.testing.assert_close(norm.weight.grad, ours.norm.weight.grad)
    assert linear.weight.grad.abs().min() > 1e-6 and norm.weight.grad.abs().min() > 1e-6
    for bias in (linear.bias, norm.bias):
        assert bias.grad.abs().max() < 1e-15


@pytest.mark.parametrize('extra', [0, 1, 2])
def test_tokens_and_maps_are_laid_out_first(extra, feature):
    connector = student().double()
    wanted = connector(feature)
    tokens = feature.flatten(2).transpose(1, 2)
    padded = torch.cat([torch.randn(2, extra, 3, dtype=torch.float64), tokens], 1)
    torch.testing.assert_close(connector(padded), wanted)
    torch.testing.assert_close(connector((tokens, (4, 4))), wanted)
    torch.testing.assert_close(connector(feature.permute(0, 2, 3, 1)), wanted)


def test_the_grid_and_the_extra_tokens_can_be_named():
    connector = student(grid=(2, 5), num_extra_tokens=7)
    assert connector(torch.randn(2, 7 + 10, 3)).shape == (2, 4, 2, 5)


@pytest.mark.parametrize('side', [student, lambda: ProjectorConnector(3)])
def test_gradient(side):
    feature = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    connector = side().double()
    parameters = tuple(connector.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: connector(x), (feature, *parameters))


def test_what_is_trained():
    trained = {n for n, p in student().named_parameters() if p.requires_grad}
    assert trained == {'proj.weight', 'norm.weight'}
    assert not list(ProjectorConnector(3).parameters())


def test_frozen_has_the_same_state_and_hands_the_gradient_on(feature):
    frozen, free = student(frozen=True).double(), student().double()
    assert frozen.state_dict().keys() == free.state_dict().keys()
    assert not any(p.requires_grad for p in frozen.parameters())
    frozen.load_state_dict(free.state_dict())
    gradients = []
    for connector in (frozen, free):
        leaf = feature.clone().requires_grad_()
        (connector(leaf) * torch.arange(4).view(4, 1, 1)).square().mean().backward()
        gradients.append(leaf.grad)
    assert gradients[0].any()
    torch.testing.assert_close(*gradients)
    assert frozen.proj.weight.grad is None and free.proj.weight.grad.any()


@pytest.mark.parametrize('frozen', [False, True])
def test_a_frozen_projector_starts_as_a_free_one(frozen):
    """PyTorch's initialisation of a Linear, and a scale of 1."""
    connector = ProjectorConnector(192, 384, frozen=frozen)
    connector.init_weights()
    assert connector.proj.weight.std().item() == pytest.approx(192**-0.5 / 3**0.5, rel=0.01)
    assert (connector.norm.weight == 1).all()


@pytest.mark.parametrize('frozen', [False, True])
def test_statistics_are_the_batchs_in_training_and_the_records_in_eval(frozen, feature):
    connector = student(frozen=frozen).double()
    connector(feature)
    moments = naive_moments(naive_projection(feature, connector.proj.weight.tolist()))
    mean, var = torch.tensor(moments, dtype=torch.float64).T
    places = 2 * 4 * 4
    torch.testing.assert_close(connector.norm.running_mean, 0.1 * mean)
    torch.testing.assert_close(
        connector.norm.running_var, 0.9 + 0.1 * var * places / (places - 1)
    )
    before = {k: v.clone() for k, v in connector.state_dict().items()}
    connector.eval()
    one = connector(feature[:1])
    torch.testing.assert_close(one, connector(feature)[:1])
    after = connector.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_normalised_in_float32(dtype):
    """PyTorch's BatchNorm would hand half precision on, with an error of 1 / 256."""
    feature = (1 + torch.rand(4, 3, 8, 8) / 8).to(dtype)
    found = ProjectorConnector(3)(feature)
    wanted = F.batch_norm(feature.double(), None, None, training=True)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=1e-4)


def test_under_autocast_the_projection_alone_is_in_bfloat16():
    connector, feature = student(64, 8), torch.randn(2, 64, 4, 4)
    with torch.autocast('cpu', torch.bfloat16):
        found = connector(feature)
    low = F.linear(
        feature.permute(0, 2, 3, 1).bfloat16(), connector.proj.weight.bfloat16()
    ).permute(0, 3, 1, 2)
    wanted = F.batch_norm(low.float(), None, None, connector.norm.weight, training=True)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted)
    assert not torch.allclose(found, connector(feature), atol=1e-4)


@pytest.mark.parametrize('side', [student, lambda: ProjectorConnector(3)])
@pytest.mark.parametrize(
    ('shape', 'found'), [((2, 17, 5), r'\(2, 5, 4, 4\)'), ((2, 2, 4, 4), r'\(2, 2, 4, 4\)')]
)
def test_a_feature_of_another_width_is_refused(side, shape, found):
    with pytest.raises(ValueError, match=rf'in_channels=3, but the feature {found} is \d wide'):
        side()(torch.randn(shape))


def test_with_ln_it_is_lifts_projection(feature):
    """Equal to a LiftProjector of the same weights, place by place."""
    ours, lift = student(norm='LN').double(), LiftProjector(3, 4).double()
    lift.load_state_dict(ours.state_dict())
    tokens = feature.flatten(2).transpose(1, 2)
    extra = torch.zeros(2, 1, 3, dtype=torch.float64)
    wanted, _ = lift((torch.cat([extra, tokens], 1),))
    found = ours(feature)
    assert found.shape == (2, 4, 4, 4)
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), wanted)


def test_ln_on_the_target_and_an_unknown_norm_are_refused():
    with pytest.raises(ValueError, match="norm='LN' needs out_channels"):
        ProjectorConnector(3, norm='LN')
    with pytest.raises(ValueError, match=r"norm='GN' is none of \['BN', 'LN', None\]"):
        ProjectorConnector(3, 4, norm='GN')


def test_without_a_norm_it_is_a_linear_layer(feature):
    linear = student(norm=None, bias=True).double()
    weight, bias = (p.detach().numpy() for p in (linear.proj.weight, linear.proj.bias))
    wanted = np.einsum('bchw,dc->bdhw', feature.numpy(), weight) + bias[:, None, None]
    np.testing.assert_allclose(linear(feature).detach().numpy(), wanted)
    assert set(dict(linear.named_parameters())) == {'proj.weight', 'proj.bias'}


def test_the_norm_may_come_first(feature):
    """LayerNorm, then Linear, in numpy."""
    projector = student(norm='LN', norm_first=True, bias=True).double()
    torch.nn.init.normal_(projector.norm.weight)
    torch.nn.init.normal_(projector.norm.bias)
    scale, shift, weight, bias = (
        p.detach().numpy()
        for p in (*projector.norm.parameters(), projector.proj.weight, projector.proj.bias)
    )
    tokens = feature.flatten(2).transpose(1, 2).numpy()
    centred = tokens - tokens.mean(-1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift
    found = projector(feature).flatten(2).transpose(1, 2)
    np.testing.assert_allclose(found.detach().numpy(), normed @ weight.T + bias)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(out_channels=4, bias=True), "bias=True has no effect with norm='BN'"),
        (dict(out_channels=4, norm_first=True), "norm_first=True needs norm='LN'"),
        (dict(norm=None), 'norm=None, bias=False need out_channels'),
        (dict(bias=True), 'norm=BN, bias=True need out_channels'),
    ],
)
def test_arguments_without_an_effect_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProjectorConnector(3, **arguments)


@pytest.mark.parametrize(
    ('options', 'rank'),
    [
        (dict(norm=None, bias=True), 4),
        (dict(norm='LN', norm_first=True), 3),
        (dict(norm='LN', norm_first=True, bias=True), 3),
        (dict(norm='LN'), 4),
        (dict(norm='LN', bias=True), 5),
        (dict(norm='BN'), 3),
    ],
)
def test_the_rank_of_its_tokens(options, rank):
    """Of more tokens than dimensions; LayerNorm's epsilon is no part of it."""
    connector = student(3, 10, **options).double()
    tokens = connector(torch.randn(4, 3, 5, 5).double()).permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.linalg.matrix_rank(tokens, rtol=1e-9) == connector.max_rank == rank

"""The proof's cases: token codes that are free to be anything, optimised through each map."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.width_floor import WidthFloor, width_floor
from mmvitkd.models.connectors import ProjectorConnector
from mmvitkd.models.necks import LiftProjector

import pytest
import torch
from mmpretrain.registry import MODELS

WIDTH, STUDENT, IMAGES, SIDE = 96, 16, 12, 4


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def target():
    """Standardised tokens of a falling spectrum in rotated channels, (B, N, D)."""
    tokens = torch.randn(IMAGES, SIDE**2, WIDTH) * torch.linspace(0, -3, WIDTH).exp()
    tokens = tokens @ torch.linalg.qr(torch.randn(WIDTH, WIDTH)).Q
    return (tokens - tokens.mean((0, 1))) / tokens.std((0, 1), correction=0)


def floor_of(target):
    floor = WidthFloor()
    floor.update(target)
    return width_floor(floor.whole)


def least_error(run, target, parameters=(), iterations=1500):
    """The error after optimising codes (B, N, w), and parameters, from a random start."""
    codes = torch.randn(*target.shape[:2], STUDENT, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [codes, *parameters],
        max_iter=iterations,
        max_eval=2 * iterations,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        history_size=20,
        line_search_fn='strong_wolfe',
    )

    def error():
        optimizer.zero_grad()
        found = (run(codes) - target).square().sum() / target.square().sum()
        found.backward()
        return found

    optimizer.step(error)
    return error().item()


def test_a_linear_projector_reaches_the_floor(target):
    projector = ProjectorConnector(STUDENT, WIDTH, norm=None, bias=True)
    floor = floor_of(target)[STUDENT]
    assert floor > 0.2
    found = least_error(projector.proj, target, projector.parameters())
    assert floor - 1e-9 < found < 1.001 * floor


def test_lift_comes_close_and_not_below(target):
    lift = LiftProjector(STUDENT, WIDTH, num_extra_tokens=0)
    floor = floor_of(target)[STUDENT]
    found = least_error(lambda codes: lift((codes,))[0], target, lift.parameters())
    assert floor - 1e-9 < found < 1.06 * floor


def test_a_projector_behind_a_layer_norm_has_the_floor_of_one_channel_less(target):
    def found():
        projector = ProjectorConnector(STUDENT, WIDTH, norm='LN', norm_first=True, bias=True)

        def run(codes):
            maps = projector.forward_train(codes.mT.unflatten(2, (SIDE, SIDE)))
            return maps.flatten(2).mT

        return least_error(run, target, projector.parameters(), iterations=3000)

    floor = floor_of(target)[STUDENT - 1]
    # From some starts it ends in a local minimum; which ones depends on torch's rounding.
    assert floor - 1e-9 < min(found() for _ in range(4)) < 1.06 * floor


def test_codes_of_a_frozen_wide_last_block_go_below_the_floor():
    """What it can return for codes of 16 numbers lies in no set of 16 dimensions."""
    base = dict(embed_dims=STUDENT, num_layers=1, num_heads=1, feedforward_channels=64)
    config = dict(type='VisionTransformer', arch=base, img_size=64, patch_size=16)
    student = MODELS.build(dict(type='mmvitkd.WideLast', base=config, width=WIDTH, num_heads=3))
    [block] = student.layers
    for parameter in block.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.12)
    block.requires_grad_(False)
    target = block(torch.randn(IMAGES, SIDE**2, STUDENT))
    target -= target.mean((0, 1))
    mean = block(torch.randn(64, SIDE**2, STUDENT)).mean((0, 1))
    floor = floor_of(target)[STUDENT]
    assert floor > 0.2
    assert least_error(lambda codes: block(codes) - mean, target, iterations=100) < 0.1 * floor

"""SpectralLoss against a discrete Fourier transform written out, and Parseval."""

import cmath
import math

import mmvitkd  # noqa: F401
from mmvitkd.models.losses import SpectralLoss
from mmvitkd.registry import MODELS

import pytest
import torch
import torch.nn.functional as F

# C_s below, equal to and above C_t; divisible and not.
CHANNELS = [(2, 4), (3, 4), (3, 3), (4, 2), (4, 3)]
GRIDS = [(4, 4), (3, 5), (5, 4), (1, 2)]


def naive_pool(x: torch.Tensor, channels: int) -> torch.Tensor:
    size = x.shape[1]
    bins = []
    for i in range(channels):
        first = math.floor(i * size / channels)
        last = math.ceil((i + 1) * size / channels)
        bins.append(sum(x[:, c] for c in range(first, last)) / (last - first))
    return torch.stack(bins, 1)


def naive_half_spectrum(x: list[list[float]]) -> list[complex]:
    """The orthonormal 2-D transform of a real grid; columns 0 to W // 2 of it."""
    height, width = len(x), len(x[0])
    found = []
    for u in range(height):
        for v in range(width // 2 + 1):
            total = 0j
            for h in range(height):
                for w in range(width):
                    angle = -2 * math.pi * (u * h / height + v * w / width)
                    total += x[h][w] * cmath.exp(1j * angle)
            found.append(total / math.sqrt(height * width))
    return found


def naive_loss(student: torch.Tensor, teacher: torch.Tensor) -> float:
    channels = min(student.shape[1], teacher.shape[1])
    student, teacher = naive_pool(student, channels), naive_pool(teacher, channels)
    errors = []
    for s, t in zip(student.flatten(0, 1), teacher.flatten(0, 1), strict=True):
        spectra = naive_half_spectrum(s.tolist()), naive_half_spectrum(t.tolist())
        for p, q in zip(*spectra, strict=True):
            errors += [(p.real - q.real) ** 2, (p.imag - q.imag) ** 2]
    return sum(errors) / len(errors)


def maps(c_s: int, c_t: int, grid=(4, 4)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(2, c_s, *grid, generator=generator)
    return student, torch.randn(2, c_t, *grid, generator=generator)


@pytest.mark.parametrize('grid', GRIDS)
@pytest.mark.parametrize(('c_s', 'c_t'), CHANNELS)
def test_equals_a_loop(c_s, c_t, grid):
    student, teacher = maps(c_s, c_t, grid)
    wanted = naive_loss(student, teacher)
    assert SpectralLoss()(student, teacher).item() == pytest.approx(wanted, abs=1e-6, rel=0)


@pytest.mark.parametrize(
    ('width', 'column', 'weight'),
    [
        *[(14, v, 0.875 if v in (0, 7) else 0.4375) for v in range(8)],
        *[(7, v, 0.875 if v == 0 else 0.4375) for v in range(4)],
    ],
)
@pytest.mark.parametrize('row', [0, 3])
def test_parseval_weight_of_every_column(width, column, weight, row):
    """A plane wave of one column of the spectrum, against its spatial error."""
    y, x = torch.meshgrid(torch.arange(14), torch.arange(width), indexing='ij')
    angle = 2 * math.pi * (row * y / 14 + column * x / width)
    wave = torch.cos(angle + 0.3).expand(1, 2, 14, width)
    ratio = SpectralLoss()(wave, torch.zeros_like(wave)) / wave.square().mean()
    assert ratio.item() == pytest.approx(weight, rel=1e-5)


def test_white_noise_weighs_half():
    student, teacher = maps(64, 64, (14, 14))
    ratio = SpectralLoss()(student, teacher) / F.mse_loss(student, teacher)
    assert ratio.item() == pytest.approx(0.5, rel=0.01)


def test_loss_weight_and_registry():
    student, teacher = maps(3, 6)
    loss = MODELS.build(dict(type='mmvitkd.SpectralLoss', loss_weight=0.2))
    wanted = 0.2 * SpectralLoss()(student, teacher)
    torch.testing.assert_close(loss(student, teacher), wanted)


@pytest.mark.parametrize(('c_s', 'c_t'), CHANNELS)
def test_gradient(c_s, c_t):
    student, teacher = (x.double().requires_grad_() for x in maps(c_s, c_t, (2, 3)))
    assert torch.autograd.gradcheck(lambda s: SpectralLoss()(s, teacher.detach()), (student,))
    SpectralLoss()(student, teacher).backward()
    assert student.grad.any()
    assert teacher.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_raised_to_float32(dtype):
    student = torch.full((2, 384, 14, 14), 200.0, dtype=dtype)
    teacher = torch.full((2, 768, 14, 14), -200.0, dtype=dtype)
    loss = SpectralLoss()(student, teacher)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.875 * 160_000)


def test_autocast_does_not_lower_it():
    student, teacher = maps(3, 6)
    wanted = SpectralLoss()(student, teacher)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(SpectralLoss()(student, teacher), wanted)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r'\(2, 4, 3, 3\) and \(3, 4, 3, 3\)'):
        SpectralLoss()(torch.randn(2, 4, 3, 3), torch.randn(3, 4, 3, 3))
    with pytest.raises(ValueError, match=r'\(2, 9, 4\) and \(2, 4, 3, 3\)'):
        SpectralLoss()(torch.randn(2, 9, 4), torch.randn(2, 4, 3, 3))

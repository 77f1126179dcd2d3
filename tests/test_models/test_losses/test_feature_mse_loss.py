"""FeatureMSELoss against a loop over every number, and the channel pooling."""

import math

import mmvitkd  # noqa: F401
from mmvitkd.models.losses import FeatureMSELoss
from mmvitkd.models.losses.align_features import align
from mmvitkd.models.utils.features import Features, features_of_map
from mmvitkd.registry import MODELS

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

# C_s below, equal to and above C_t; divisible and not.
CHANNELS = [(3, 6), (4, 6), (1, 5), (6, 6), (6, 3), (7, 4)]


def aligned(student, teacher):
    """The teacher's map after it was brought to the student's width and grid."""
    return align(student, teacher)[1].to_map()


def naive_pool(x: list, channels: int) -> list:
    """A list of C numbers, averaged down to ``channels`` of them."""
    bins = []
    for i in range(channels):
        first = math.floor(i * len(x) / channels)
        last = math.ceil((i + 1) * len(x) / channels)
        bins.append(sum(x[first:last]) / (last - first))
    return bins


def naive_mse(student: torch.Tensor, teacher: torch.Tensor) -> float:
    total, count = 0.0, 0
    channels = min(student.shape[1], teacher.shape[1])
    for b in range(student.shape[0]):
        for y in range(student.shape[2]):
            for x in range(student.shape[3]):
                s = naive_pool(student[b, :, y, x].tolist(), channels)
                t = naive_pool(teacher[b, :, y, x].tolist(), channels)
                total += sum((p - q) ** 2 for p, q in zip(s, t, strict=True))
                count += channels
    return total / count


def maps(c_s: int, c_t: int, grid=(3, 4)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(2, c_s, *grid, generator=generator)
    return student, torch.randn(2, c_t, *grid, generator=generator)


@pytest.mark.parametrize(('c_s', 'c_t'), CHANNELS)
def test_equals_a_loop(c_s, c_t):
    student, teacher = maps(c_s, c_t)
    wanted = naive_mse(student, teacher)
    assert FeatureMSELoss()(student, teacher).item() == pytest.approx(wanted, abs=1e-6, rel=0)


@pytest.mark.parametrize('grid', [(3, 4), (6, 5)])
def test_tokens_with_their_grid_are_a_map(grid):
    student, teacher = maps(4, 6)
    teacher = torch.randn(2, 6, *grid)
    of_maps = FeatureMSELoss()(student, teacher)
    of_tokens = FeatureMSELoss()(features_of_map(student), features_of_map(teacher))
    assert torch.equal(of_maps, of_tokens)


def test_loss_weight_and_registry():
    student, teacher = maps(3, 6)
    loss = MODELS.build(dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2))
    wanted = 0.2 * FeatureMSELoss()(student, teacher)
    torch.testing.assert_close(loss(student, teacher), wanted)


@pytest.mark.parametrize(('c_s', 'c_t'), CHANNELS)
def test_gradient(c_s, c_t):
    student, teacher = (x.double().requires_grad_() for x in maps(c_s, c_t, (2, 2)))
    assert torch.autograd.gradcheck(lambda s: FeatureMSELoss()(s, teacher.detach()), (student,))
    FeatureMSELoss()(student, teacher).backward()
    assert student.grad.any()
    assert teacher.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_raised_to_float32(dtype):
    student = torch.full((2, 384, 14, 14), 200.0, dtype=dtype)
    teacher = torch.full((2, 768, 14, 14), -200.0, dtype=dtype)
    loss = FeatureMSELoss()(student, teacher)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(160_000)


def test_autocast_does_not_lower_it():
    student, teacher = maps(3, 6)
    wanted = FeatureMSELoss()(student, teacher)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(FeatureMSELoss()(student, teacher), wanted)


def test_a_map_of_tokens_is_pooled_like_any_other():
    tokens = torch.randn(2, 12, 6)
    token_map = tokens.transpose(1, 2).unflatten(2, (3, 4))
    student = torch.randn(2, 3, 3, 4)
    found = aligned(student, token_map)
    assert torch.equal(found, aligned(student, token_map.contiguous()))
    assert torch.equal(found, aligned(student, Features(tokens, (3, 4))))
    pairs = tokens.unflatten(2, (3, 2)).mean(-1)
    torch.testing.assert_close(found, pairs.transpose(1, 2).unflatten(2, (3, 4)))


def test_pooling_is_pytorchs_adaptive_pooling():
    student, teacher = maps(4, 7)
    found = aligned(student, teacher)
    columns = teacher.permute(0, 2, 3, 1).reshape(-1, 1, 7)
    wanted = F.adaptive_avg_pool1d(columns, 4).reshape(2, 3, 4, 4)
    torch.testing.assert_close(found, wanted.permute(0, 3, 1, 2))


@pytest.mark.parametrize('grid', [(6, 4), (7, 5), (2, 3)])
def test_a_teacher_of_another_grid_is_resized_as_an_image_is(grid):
    """Pillow's bilinear filter, antialiased, on each channel of float pixels."""
    student, teacher = torch.randn(1, 2, 3, 4), torch.randn(1, 2, *grid)
    found = aligned(student, teacher)
    for channel in range(2):
        image = Image.fromarray(teacher[0, channel].numpy(), mode='F')
        resized = image.resize((4, 3), Image.Resampling.BILINEAR)
        torch.testing.assert_close(found[0, channel], torch.from_numpy(np.array(resized)))


def test_pooling_and_resizing_are_both_done():
    student, teacher = torch.randn(2, 3, 4, 4), torch.randn(2, 6, 8, 8)
    naive = teacher.unflatten(1, (3, 2)).mean(2)
    naive = F.interpolate(naive, (4, 4), mode='bilinear', antialias=True)
    torch.testing.assert_close(aligned(student, teacher), naive)


@pytest.mark.parametrize(
    ('s', 't', 'message'),
    [
        ((2, 9, 4), (2, 4, 3, 3), r'maps \(B, C, H, W\).*\(2, 9, 4\) and \(2, 4, 3, 3'),
        ((2, 4, 3, 3), (2, 9, 4), r'maps .*\(2, 4, 3, 3\) and \(2, 9, 4\)'),
        ((2, 4, 3, 3), (1, 4, 3, 3), r'agree in batch.*\(2, 4, 3, 3\) and \(1, 4, 3'),
    ],
)
def test_shapes_are_checked(s, t, message):
    with pytest.raises(ValueError, match=message):
        FeatureMSELoss()(torch.randn(s), torch.randn(t))

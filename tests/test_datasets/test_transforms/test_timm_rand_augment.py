"""RandAugment equals timm's, and each operation its definition."""

import random
from collections import Counter
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.datasets import TimmRandAugment

import numpy as np
import pytest
import timm.data
from mmpretrain.registry import TRANSFORMS
from PIL import Image, ImageEnhance, ImageOps
from smooth_image import smooth_image
from timm.data import auto_augment

FILL = (124, 116, 104)


def of_points(function):
    """An operation on single values."""
    return lambda image, m, sign: Image.fromarray(
        function(np.array(image, int), m).astype('u1')
    )


def affine(matrix):
    """An operation that moves pixels: (a, b, c, d, e, f) of a magnitude and (width, height)."""

    def moved(image, m, sign):
        coefficients = matrix(sign * m, *image.size)
        return image.transform(
            image.size,
            Image.Transform.AFFINE,
            coefficients,
            Image.Resampling.BICUBIC,
            fillcolor=FILL,
        )

    return moved


def enhanced(kind):
    return lambda image, m, sign: kind(image).enhance(max(0.1, 1 + sign * (m / 10 * 0.9)))


# The operations of 'rand-m9-mstd0.5-inc1' in timm's order, for a magnitude from 0 to 10.
DEFINITIONS = {
    'AutoContrast': lambda image, m, sign: ImageOps.autocontrast(image),
    'Equalize': lambda image, m, sign: ImageOps.equalize(image),
    'Invert': of_points(lambda v, m: 255 - v),
    'Rotate': lambda image, m, sign: image.rotate(
        sign * (m / 10 * 30), Image.Resampling.BICUBIC, fillcolor=FILL
    ),
    'PosterizeIncreasing': of_points(lambda v, m: v & -(2 ** (4 + int(m / 10 * 4)))),
    'SolarizeIncreasing': of_points(
        lambda v, m: np.where(v < 256 - int(m / 10 * 256), v, 255 - v)
    ),
    'SolarizeAdd': of_points(
        lambda v, m: np.where(v < 128, np.minimum(255, v + int(m / 10 * 110)), v)
    ),
    'ColorIncreasing': enhanced(ImageEnhance.Color),
    'ContrastIncreasing': enhanced(ImageEnhance.Contrast),
    'BrightnessIncreasing': enhanced(ImageEnhance.Brightness),
    'SharpnessIncreasing': enhanced(ImageEnhance.Sharpness),
    'ShearX': affine(lambda m, w, h: (1, m / 10 * 0.3, 0, 0, 1, 0)),
    'ShearY': affine(lambda m, w, h: (1, 0, 0, m / 10 * 0.3, 1, 0)),
    'TranslateXRel': affine(lambda m, w, h: (1, 0, m / 10 * 0.45 * w, 0, 1, 0)),
    'TranslateYRel': affine(lambda m, w, h: (1, 0, 0, 0, 1, m / 10 * 0.45 * h)),
}


def bgr(image):
    return np.asarray(image)[..., ::-1]


def seed(number):
    random.seed(number)
    np.random.seed(number)


def test_it_equals_timms_for_the_same_seed():
    theirs = timm.data.create_transform(
        224, is_training=True, auto_augment='rand-m9-mstd0.5-inc1', interpolation='bicubic'
    )
    (augment,) = [t for t in theirs.transforms if type(t) is auto_augment.RandAugment]
    ours = TRANSFORMS.build(dict(type='mmvitkd.TimmRandAugment'))
    image = smooth_image()
    changed = 0
    for number in range(80):
        seed(number)
        expected = bgr(augment(image))
        seed(number)
        given = bgr(image).copy()
        results = ours(dict(img=given, img_shape=given.shape[:2]))
        np.testing.assert_array_equal(results['img'], expected)
        np.testing.assert_array_equal(given, bgr(image))  # the sample's own array stays
        assert results['img'].flags['C_CONTIGUOUS']
        changed += not np.array_equal(expected, given)
    assert 40 < changed < 80


def test_a_flipped_view_is_the_image_that_it_shows():
    ours = TimmRandAugment('rand-m9-mstd0.5-inc1-p1')
    flipped = bgr(smooth_image()).copy()[:, ::-1]
    seed(0)
    expected = ours(dict(img=flipped.copy()))['img']
    seed(0)
    np.testing.assert_array_equal(ours(dict(img=flipped))['img'], expected)


def test_its_operations():
    augment = TimmRandAugment().augment
    assert [op.name for op in augment.ops] == list(DEFINITIONS)
    assert (augment.num_layers, augment.choice_weights) == (2, None)
    for op in augment.ops:
        assert (op.prob, op.magnitude, op.magnitude_std, op.magnitude_max) == (
            0.5,
            9,
            0.5,
            None,
        )


@pytest.mark.parametrize('sign', [1, -1])
@pytest.mark.parametrize('name', DEFINITIONS)
def test_an_operation_by_its_definition(name, sign, monkeypatch):
    """The draw of 11.5 is clipped to 10."""
    ours = TimmRandAugment()
    ops = [op for op in ours.augment.ops if op.name == name]
    ours.augment = auto_augment.RandAugment(ops, num_layers=1)
    image = smooth_image()
    for drawn, magnitude in ((-1, 0), (2.7, 2.7), (9, 9), (9.6, 9.6), (10, 10), (11.5, 10)):
        draws = iter([0.5, 0.5 if sign > 0 else 0.51])  # apply, then turn the sign
        fake = SimpleNamespace(
            random=lambda draws=draws: next(draws), gauss=lambda mean, std, drawn=drawn: drawn
        )
        monkeypatch.setattr(auto_augment, 'random', fake)
        expected = DEFINITIONS[name](image, magnitude, sign)
        result = ours(dict(img=bgr(image)))['img']
        np.testing.assert_array_equal(result, bgr(expected))


def test_which_operations_it_draws_and_how_strong():
    ours = TimmRandAugment()
    applied, magnitudes = [], []
    for op in ours.augment.ops:
        op.aug_fn = lambda image, *args, name=op.name, **kwargs: applied.append(name) or image
        op.level_fn = lambda magnitude, hparams: magnitudes.append(magnitude) or ()
    image, a_call = np.zeros((2, 2, 3), np.uint8), Counter()
    seed(0)
    for _ in range(6000):
        before = len(applied)
        ours(dict(img=image))
        a_call[tuple(applied[before:])] += 1
    # Two of 15 with replacement, each applied at even odds: 400 times, +- 4.5 sigma.
    counts = Counter(applied)
    assert counts.keys() == DEFINITIONS.keys()
    assert all(abs(count - 400) < 90 for count in counts.values())
    lengths = Counter(len(names) for names in a_call.elements())
    assert lengths[0] / 6000 == pytest.approx(1 / 4, abs=0.025)
    assert lengths[1] / 6000 == pytest.approx(1 / 2, abs=0.025)
    twice = sum(n for names, n in a_call.items() if len(names) == 2 and len(set(names)) == 1)
    assert twice / lengths[2] == pytest.approx(1 / 15, abs=0.03)
    # N(9, 0.5), clipped at 10: two standard deviations.
    assert np.mean(magnitudes) == pytest.approx(9, abs=0.03)
    assert np.std(magnitudes) == pytest.approx(0.5, abs=0.02)
    assert np.mean(np.array(magnitudes) == 10) == pytest.approx(0.0228, abs=0.01)
    assert max(magnitudes) == 10


def test_the_fill_is_given_as_rgb():
    ours = TimmRandAugment('rand-m10-p1', fill_color=(10, 20, 30), interpolation='bilinear')
    ops = [op for op in ours.augment.ops if op.name == 'TranslateXRel']
    ours.augment = auto_augment.RandAugment(ops, num_layers=1)
    image = ours(dict(img=np.full((4, 10, 3), 200, np.uint8)))['img']
    empty = image[:, -3:] if image[0, 0, 0] == 200 else image[:, :3]
    assert (empty == [30, 20, 10]).all()


@pytest.mark.parametrize(
    'wrong', [dict(policy='v0'), dict(policy='rand-x5'), dict(interpolation='cubic')]
)
def test_unknown_policies(wrong):
    ((key, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"TimmRandAugment: .*{key}='{value}'"):
        TimmRandAugment(**wrong)


@pytest.mark.parametrize(
    ('image', 'found'),
    [
        (np.zeros((4, 4, 1), np.uint8), r'uint8 of shape \(4, 4, 1\)'),
        (np.zeros((4, 4), np.uint8), r'uint8 of shape \(4, 4\)'),
        (np.zeros((4, 4, 3), np.float32), r'float32 of shape \(4, 4, 3\)'),
    ],
)
def test_an_image_of_another_kind(image, found):
    with pytest.raises(ValueError, match=f'{found}; wanted uint8'):
        TimmRandAugment()(dict(img=image))

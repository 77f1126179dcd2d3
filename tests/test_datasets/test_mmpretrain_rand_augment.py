"""What MMPretrain's augmentation has in common with timm's, and what not.

It says why our ImageNet configs use ``mmvitkd.TimmRandAugment``. A test that fails after an
update of one of the two says that its documentation needs another look.
"""

from pathlib import Path
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.datasets import TimmRandAugment

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpretrain.registry import TRANSFORMS
from packaging.version import Version
from PIL import Image
from smooth_image import smooth_image
from timm.data import auto_augment

# timm's name, MMPretrain's, and what 9 of 10 means there. Geometric operations have their
# signs the other way round, which does not show, as the sign is drawn at even odds.
OPERATIONS = [
    ('AutoContrast', 'AutoContrast', None),
    ('Equalize', 'Equalize', None),
    ('Invert', 'Invert', None),
    ('Rotate', 'Rotate', 27),
    ('PosterizeIncreasing', 'Posterize', 0.4),
    ('SolarizeIncreasing', 'Solarize', 25.6),
    ('SolarizeAdd', 'SolarizeAdd', 99),
    ('ColorIncreasing', 'ColorTransform', 0.81),
    ('ContrastIncreasing', 'Contrast', 0.81),
    ('BrightnessIncreasing', 'Brightness', 0.81),
    ('SharpnessIncreasing', 'Sharpness', 0.81),
    ('ShearX', 'Shear', 0.27),
    ('ShearY', 'Shear', 0.27),
    ('TranslateXRel', 'Translate', 0.405),
    ('TranslateYRel', 'Translate', 0.405),
]
EQUAL = (0, 1, 2, 4, 5, 6, 9)
COLOR, CONTRAST, SHARPNESS = 7, 8, 10
GEOMETRIC = (3, 11, 12, 13, 14)
MAGNITUDES = (2.7, 5, 8.3, 9, 9.6, 10)
IMAGE = np.asarray(smooth_image(144, 112))


@pytest.fixture
def theirs():
    """As configs/_base_/datasets/imagenet_bs256.py could have it."""
    return TRANSFORMS.build(
        dict(
            type='RandAugment',
            policies='timm_increasing',
            num_policies=2,
            total_level=10,
            magnitude_level=9,
            magnitude_std=0.5,
            hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic'),
        )
    )


@pytest.fixture
def difference(theirs, monkeypatch):
    """timm's result minus MMPretrain's, of an operation with a given strength."""

    def difference(index, magnitude, negative=False):
        draws = iter([0.5, 0.6 if negative else 0.4])
        fake = SimpleNamespace(random=lambda: next(draws), gauss=lambda *_: magnitude)
        monkeypatch.setattr(auto_augment, 'random', fake)
        timms = np.asarray(TimmRandAugment().augment.ops[index](Image.fromarray(IMAGE)))
        transform = theirs.transforms[index]
        opposite = index in GEOMETRIC
        monkeypatch.setattr(transform, 'random_disable', lambda: False)
        monkeypatch.setattr(
            transform, 'random_negative', lambda x: -x if negative != opposite else x
        )
        monkeypatch.setattr('numpy.random.normal', lambda *_: magnitude)
        mmpretrains = transform(dict(img=IMAGE[..., ::-1].copy()))['img'][..., ::-1]
        return timms.astype(int) - mmpretrains

    return difference


def test_the_same_operations_at_the_same_odds(theirs):
    np.random.seed(0)
    names = [op.name for op in TimmRandAugment().augment.ops]
    assert names == [name for name, _, _ in OPERATIONS]
    assert [type(t).__name__ for t in theirs.transforms] == [name for _, name, _ in OPERATIONS]
    drawn = np.array([theirs.random_policy_indices() for _ in range(6000)])
    assert drawn.shape == (6000, 2)
    assert (np.abs(np.bincount(drawn.ravel(), minlength=15) - 800) < 120).all()
    assert np.mean(drawn[:, 0] == drawn[:, 1]) == pytest.approx(1 / 15, abs=0.015)
    for transform in theirs.transforms:
        applied = 1 - np.mean([transform.random_disable() for _ in range(2000)])
        assert applied == pytest.approx(0.5, abs=0.05)


def test_the_same_strengths(theirs):
    np.random.seed(0)
    for transform, (_, _, at_nine) in zip(theirs.transforms, OPERATIONS, strict=True):
        if at_nine is None:
            continue
        low, high = transform.magnitude_range
        drawn = np.array([transform.random_magnitude() for _ in range(2000)])
        levels = 10 * (drawn - low) / (high - low)
        assert low + 0.9 * (high - low) == pytest.approx(at_nine)
        assert levels.mean() == pytest.approx(9, abs=0.06)
        assert levels.std() == pytest.approx(0.5, abs=0.04)
        assert np.mean(levels > 10 - 1e-9) == pytest.approx(0.0228, abs=0.015)
        assert levels.max() < 10 + 1e-9


@pytest.mark.parametrize('magnitude', MAGNITUDES)
@pytest.mark.parametrize('index', EQUAL, ids=lambda i: OPERATIONS[i][0])
def test_equal_to_the_bit(difference, index, magnitude):
    for negative in (False, True):
        assert not difference(index, magnitude, negative).any()


def test_colour_is_rounded_where_pillow_cuts_off(difference):
    found = np.stack([difference(COLOR, m, n) for m in MAGNITUDES for n in (False, True)])
    assert 0.2 < np.mean(found != 0) < 0.6
    assert np.abs(found).max() <= 2


def test_contrast_differs_by_rounding(difference):
    found = np.stack([difference(CONTRAST, m, n) for m in MAGNITUDES for n in (False, True)])
    assert np.mean(found != 0) < 0.2
    assert np.abs(found).max() <= 1
    # MMPretrain's is OpenCV's, which rounds as Pillow does up to 4.
    assert found.any() == (Version(cv2.__version__) >= Version('5'))


def test_sharpness_differs_at_the_border(difference):
    found = np.stack([difference(SHARPNESS, m, n) for m in MAGNITUDES for n in (False, True)])
    assert np.abs(found[:, 1:-1, 1:-1]).max() <= 1
    assert np.abs(found).max() > 3


@pytest.mark.parametrize('index', GEOMETRIC, ids=lambda i: OPERATIONS[i][0])
def test_geometry_differs_by_the_kernel(difference, index):
    """Pillow's cubic has a = -1 and OpenCV's -0.75; a shear starts half a pixel elsewhere."""
    for negative in (False, True):
        found = np.abs(difference(index, 9, negative))
        assert 0.1 < found.mean() < 2.5
        assert found.max() > 5


def test_random_erasing_differs_slightly_from_timms():
    """On 8-bit images, before normalisation: the noise is clipped, and narrower."""
    path = Path(__file__).parents[2] / 'configs/_base_/datasets/imagenet_bs256.py'
    pipeline = Config.fromfile(path).train_pipeline
    (erasing,) = [TRANSFORMS.build(t) for t in pipeline if t.type == 'RandomErasing']
    np.random.seed(0)
    filled = erasing._fill_pixels(np.zeros((224, 224, 3), np.uint8), 0, 0, 224, 224)
    noise = (filled - np.array(erasing.fill_color)) / erasing.fill_std
    assert noise.mean((0, 1)) == pytest.approx(0, abs=0.03)
    assert noise.std((0, 1)) == pytest.approx(0.97, abs=0.015)
    cut = np.mean((filled == 0) | (filled == 255), (0, 1))
    assert ((cut > 0.02) & (cut < 0.05)).all()
    boxes = np.array([erasing.random_patch(64, 64) for _ in range(4000)])
    # At the bottom only where the image's whole height is erased.
    assert np.mean(boxes[:, 0] == 0) > 0.02
    assert np.mean(boxes[:, 0] + boxes[:, 2] == 64) < 0.01

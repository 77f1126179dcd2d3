"""A crop read in one step: MMPretrain's boxes, and Pillow's pixels within what is promised."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets import LoadImage, LoadRandomResizedCrop
from mmvitkd.datasets.transforms.load_image import UnreadableImageError

import cv2
import numpy as np
import pytest
from folders import write_noise
from logged import logged
from mmengine.dataset import default_collate
from mmpretrain.datasets import RandomResizedCrop
from mmpretrain.registry import DATASETS, TRANSFORMS
from natural_images import natural_image
from PIL import Image
from torch.utils.data import DataLoader


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Files of 1,500 x 1,125: as in the benchmark, and much noisier."""
    folder = tmp_path_factory.mktemp('photos')
    paths = [folder / f'{noise}.jpg' for noise in (4, 20)]
    for path, noise in zip(paths, (4, 20), strict=True):
        natural_image(1500, 1125, seed=3, noise=noise).save(path, quality=90)
    return [str(path) for path in paths]


@pytest.fixture
def photo(tmp_path):
    """A file of 500 x 375."""
    natural_image(500, 375, seed=0).save(tmp_path / 'photo.jpg', quality=90)
    return str(tmp_path / 'photo.jpg')


def in_one(path, seed=0, **settings):
    """What it loads, and the box that it draws for it."""
    step = LoadRandomResizedCrop(settings.pop('scale', 224), **settings)
    np.random.seed(seed)
    results = step(dict(img_path=path))
    np.random.seed(seed)
    with Image.open(path) as image:
        return results, step.draw_box((image.height, image.width), image.format == 'JPEG')


def in_two(path, seed=0, **settings):
    """The same as MMPretrain has it, from our loader."""
    np.random.seed(seed)
    results = LoadImage()(dict(img_path=path))
    crop = RandomResizedCrop(224, backend='pillow', interpolation='bicubic', **settings)
    return crop(results)


def of_pillow(path, box, size=(224, 224)):
    """Decode in full, crop and resize."""
    with Image.open(path) as image:
        crop = image.crop((box.left, box.top, box.left + box.width, box.top + box.height))
        return np.asarray(crop.resize(size, Image.Resampling.BICUBIC))[..., ::-1]


def psnr(image, wanted):
    """In dB, of 8 bits."""
    return 10 * np.log10(255**2 / np.mean((image.astype(float) - wanted) ** 2))


# Its pixels ---------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(8))
def test_with_pillow_it_equals_mmpretrain_to_the_bit(photo, seed):
    ours, _ = in_one(photo, seed, backend='pillow', draft_decode=False)
    drawn = np.random.rand()
    theirs = in_two(photo, seed)
    assert np.array_equal(ours.pop('img'), theirs.pop('img'))
    assert ours == theirs
    in_one(photo, seed)
    assert np.random.rand() == drawn  # no more and no fewer draws


@pytest.mark.parametrize('seed', range(8))
def test_with_torch_it_is_pillows_within_60_db(photo, seed):
    results, box = in_one(photo, seed)
    assert box.reduction == 1
    assert results['img'].flags['C_CONTIGUOUS'] and results['img'].dtype == np.uint8
    assert psnr(results['img'], of_pillow(photo, box)) > 60
    assert psnr(results['img'], in_two(photo, seed)['img']) > 60


def test_reduced_crops_are_pillows_within_40_db(photos):
    worst, reduced = {}, 0
    for path in photos:
        for seed in range(16):
            results, box = in_one(path, seed, crop_ratio_range=(0.4, 1))
            found = psnr(results['img'], of_pillow(path, box))
            worst[box.reduction] = min(worst.get(box.reduction, 99), found)
            reduced += box.reduction == 2
    assert worst.keys() == {1, 2} and 8 <= reduced <= 24
    assert worst[1] > 60 and worst[2] > 40


def test_without_the_reserve_they_would_not_be(photos, monkeypatch):
    """The reserve keeps crops within 40 dB; a smaller one does not."""
    monkeypatch.setattr('mmvitkd.datasets.transforms.load_random_resized_crop.RESERVE', 1)
    results, box = in_one(photos[1], crop_ratio_range=(0.2, 0.2))
    assert box.reduction == 2
    assert psnr(results['img'], of_pillow(photos[1], box)) < 38


@pytest.mark.parametrize('target', [24, 100])
def test_stronger_reductions(photos, target):
    results, box = in_one(photos[0], scale=target, crop_ratio_range=(0.5, 1))
    assert box.reduction == {24: 8, 100: 4}[target]
    assert psnr(results['img'], of_pillow(photos[0], box, (target, target))) > 40


def test_the_edges_move_to_the_nearest_reduced_pixels(photos):
    step, whole = (LoadRandomResizedCrop(120, draft_decode=r) for r in (True, False))
    reductions = set()
    for seed in range(50):
        np.random.seed(seed)
        box = step.draw_box((1125, 1500), is_jpeg=True)
        np.random.seed(seed)
        wanted = whole.draw_box((1125, 1500), is_jpeg=True)
        assert abs(wanted.top - box.top) <= box.reduction / 2
        assert abs(wanted.left - box.left) <= box.reduction / 2
        bottom, right = wanted.top + wanted.height, wanted.left + wanted.width
        # 1,125 is odd: the last row has no reduced pixel of its own.
        assert abs(bottom - box.top - box.height) <= (
            box.reduction - 1 if bottom > 1120 else box.reduction / 2
        )
        assert abs(right - box.left - box.width) <= box.reduction / 2
        assert not any(number % box.reduction for number in box[:4])
        reductions.add(box.reduction)
    assert reductions == {1, 2, 4}


@pytest.mark.parametrize('kind', ['png', 'jpg'])
def test_other_kinds_of_files_are_read_as_our_loader_reads_them(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = str(tmp_path / f'turned.{kind}')
    natural_image(90, 60, seed=0).save(path, exif=exif)
    ours, _ = in_one(path, backend='pillow')
    theirs = in_two(path)
    assert ours['ori_shape'] == (90, 60)
    assert np.array_equal(ours['img'], theirs['img'])


def test_an_image_that_is_loaded_already(photo):
    step = LoadRandomResizedCrop(224)
    np.random.seed(0)
    results = step(LoadImage()(dict(img_path=photo)))
    assert np.array_equal(results['img'], in_one(photo)[0]['img'])
    np.random.seed(0)
    flipped = LoadImage()(dict(img_path=photo))['img'][:, ::-1]
    assert step(dict(img=flipped))['img'].shape == (224, 224, 3)


def test_height_and_width(photo):
    for backend in ('torch', 'pillow'):
        assert in_one(photo, scale=[40, 60], backend=backend)[0]['img'].shape == (40, 60, 3)


# Files that cannot be read ------------------------------------------------------------


@pytest.mark.parametrize(
    'damage', [lambda c: c[: len(c) // 2], lambda c: c[:-2], lambda c: b'', lambda c: b'text']
)
def test_the_errors_are_our_loaders(photo, damage):
    with open(photo, 'rb') as file:
        content = damage(file.read())
    with open(photo, 'wb') as file:
        file.write(content)
    with pytest.raises(UnreadableImageError) as wanted:
        LoadImage()(dict(img_path=photo))
    with pytest.raises(UnreadableImageError) as found:
        LoadRandomResizedCrop(224)(dict(img_path=photo))
    assert str(found.value) == str(wanted.value)


def test_pixels_that_opencv_cannot_decode_are_pillows(photo, monkeypatch):
    monkeypatch.setattr(
        'mmvitkd.datasets.transforms.load_random_resized_crop.decode_jpeg',
        lambda *arguments: None,
    )
    ours = in_one(photo, backend='pillow')[0]
    np.random.seed(0)
    step = LoadRandomResizedCrop(224)
    step.draw_box((375, 500), is_jpeg=True)
    wanted = of_pillow(photo, step.draw_box((375, 500), is_jpeg=False))
    assert np.array_equal(ours['img'], wanted)


def test_a_black_image_replaces_a_broken_one(photo):
    results = LoadRandomResizedCrop(64)(dict(img_path='gone.jpg', blank_like=photo))
    assert results['img'].shape == (64, 64, 3) and not results['img'].any()
    assert (results['img_path'], results['ori_shape']) == ('gone.jpg', (375, 500))


def test_a_folder_with_broken_files(tmp_path):
    names = [f'{kind}/{i}.jpg' for kind in ('cat', 'dog') for i in range(4)]
    write_noise(tmp_path, *names, size=(40, 50, 3))
    broken = tmp_path / 'cat' / '0.jpg'
    broken.write_bytes(broken.read_bytes()[:900])
    pipeline = [dict(type='mmvitkd.LoadRandomResizedCrop', scale=24), dict(type='PackInputs')]
    folder = dict(type='mmvitkd.ImageFolder', data_root=str(tmp_path), val_ratio=0.25)
    train = DATASETS.build(dict(folder, pipeline=pipeline))
    samples = [train[i] for i in range(len(train))]
    assert all(sample['inputs'].shape == (3, 24, 24) for sample in samples)
    found = {p for s in samples for p in s['data_samples'].get('unreadable', {})}
    assert found <= {str(broken)}
    everything = DATASETS.build(dict(folder, pipeline=pipeline, test_mode=True))
    assert len(everything) == len(train)


# In a pipeline ------------------------------------------------------------------------


@pytest.mark.parametrize('workers', [0, 2])
def test_a_seed_gives_the_same_images(tmp_path, workers):
    write_noise(tmp_path, 'a/0.jpg', 'a/1.jpg', 'b/0.jpg', 'b/1.png', size=(70, 90, 3))
    pipeline = [dict(type='mmvitkd.LoadRandomResizedCrop', scale=32), dict(type='PackInputs')]
    dataset = DATASETS.build(
        dict(type='CustomDataset', data_root=str(tmp_path), pipeline=pipeline)
    )

    def images():
        np.random.seed(0)
        loader = DataLoader(
            dataset, 2, num_workers=workers, collate_fn=default_collate, worker_init_fn=seed
        )
        return [batch['inputs'] for batch in loader]

    first, second = images(), images()
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert not (first[0][0] == first[0][1]).all()


def seed(worker):
    np.random.seed(worker)


@pytest.mark.parametrize('name', ['photo.jpg', 'photo.png'])
def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path, monkeypatch, name):
    path = str(tmp_path / name)
    natural_image(150, 101, seed=0).save(path)
    monkeypatch.setattr(cv2, 'imdecode', pytest.fail)
    monkeypatch.setattr(Image.Image, 'load', pytest.fail)
    with pytest.raises(UnreadableImageError, match='15150 pixels, more than max_pixels=15149'):
        in_one(path, max_pixels=15149)


def test_repr():
    step = TRANSFORMS.build(dict(type='mmvitkd.LoadRandomResizedCrop', scale=224))
    shown = repr(step)
    assert shown.startswith('LoadRandomResizedCrop(scale=(224, 224), ')
    assert shown.endswith('draft_decode=True, backend_args=None, max_pixels=64000000)')


def test_the_old_name_of_draft_decode():
    with logged() as lines:
        assert not LoadRandomResizedCrop(224, reduced_decoding=False).draft_decode
    assert lines == [
        'WARNING LoadRandomResizedCrop: reduced_decoding is now called draft_decode.'
    ]


@pytest.mark.parametrize(
    ('wrong', 'wanted'),
    [
        (dict(backend='cv2'), "backend='cv2'; wanted one of 'torch', 'pillow'"),
        (dict(interpolation='area'), "interpolation='area'; wanted one of 'bilinear', 'bic"),
        (dict(interpolation='lanczos'), "interpolation='lanczos'; wanted one of"),
    ],
)
def test_unknown_options(wrong, wanted):
    with pytest.raises(ValueError, match=f'LoadRandomResizedCrop: {wanted}'):
        LoadRandomResizedCrop(224, **wrong)
    LoadRandomResizedCrop(224, backend='pillow', interpolation='lanczos')

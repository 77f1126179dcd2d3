"""Mean and std of images equal numpy's over all pixels."""

import random

import mmvitkd  # noqa: F401
from mmvitkd.datasets.mean_std import MeanStd, describe, fill_measured, measure_mean_std

import numpy as np
import pytest
from folders import touch, write_noise
from logged import logged
from mmengine.config import Config
from PIL import Image

NAMES = [f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(5)]


@pytest.fixture
def root(tmp_path):
    return write_noise(tmp_path / 'images', *NAMES)


def paths_of(root):
    return [str(root / name) for name in NAMES]


def by_numpy(paths):
    """Of all pixels at once, in float64."""
    pixels = np.concatenate([np.array(Image.open(p), float).reshape(-1, 3) for p in paths])
    return pixels.mean(0), pixels.std(0)


def assert_measured(found, paths):
    for one, other in zip(found[:2], by_numpy(paths), strict=True):
        assert one == pytest.approx(other, abs=6e-4)
    assert found[2:] == (len(paths), {})


def test_over_all_pixels(tmp_path):
    """Images of several sizes: each pixel counts alike, not each image."""
    for index, size in enumerate([(8, 6, 3), (3, 50, 3), (40, 20, 3)]):
        name = f'{index}.png'
        write_noise(tmp_path, name, size=size)
        pixels = np.array(Image.open(tmp_path / name)) // (index + 1) // [1, 2, 3]
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
    paths = [str(tmp_path / f'{index}.png') for index in range(3)]
    found = measure_mean_std(paths)
    assert found.mean[0] > found.mean[1] > found.mean[2]  # R, G, B
    assert_measured(found, paths)


def test_the_order_and_random_states_do_not_matter(root):
    paths = paths_of(root)
    wanted = measure_mean_std(paths, num_images=4)
    for seed in range(3):
        random.seed(seed)
        assert measure_mean_std(random.sample(paths, 10), num_images=4) == wanted


def test_a_sample(root):
    paths = paths_of(root)
    found = [measure_mean_std(paths, num_images=4, seed=seed) for seed in (0, 1)]
    assert found[0] != found[1]
    assert_measured(found[0], random.Random(0).sample(paths, 4))
    assert_measured(measure_mean_std(paths, num_images=10), paths)


def test_unreadable_images_are_skipped_and_kept_with_the_reason(root):
    broken = touch(root, 'cat/2.png', 'dog/0.png')
    rest = [path for path in paths_of(broken) if not path.endswith(('cat/2.png', 'dog/0.png'))]
    found = measure_mean_std(paths_of(root))
    assert found.num_images == 8
    wanted = [str(root / name) for name in ('cat/2.png', 'dog/0.png')]
    assert found.unreadable == dict.fromkeys(wanted, 'the file is empty')
    assert found[:2] == measure_mean_std(rest)[:2]


def test_images_that_cannot_be_measured(root):
    with pytest.raises(ValueError, match='none of 0 images can be read'):
        measure_mean_std([])
    paths = paths_of(touch(root, *NAMES))
    with pytest.raises(ValueError, match=r"none of 10 images can be read.*cat/0\.png': the f"):
        measure_mean_std(paths)
    Image.new('RGB', (4, 4), (9, 9, 9)).save(paths[0])
    with pytest.raises(ValueError, match='cannot divide by a std of 0'):
        measure_mean_std(paths[:1])


# In a config --------------------------------------------------------------------------


def config(root, mean='measured', std='measured', **cfg):
    images = dict(type='mmvitkd.ImageFolder', data_root=str(root), pipeline=[])
    preprocessor = dict(mean=mean, std=std, to_rgb=True)
    return Config(
        dict(
            default_scope='mmpretrain',
            data_preprocessor=preprocessor,
            model=dict(teacher=dict(data_preprocessor=dict(preprocessor))),
            train_dataloader=dict(dataset=images),
        )
        | cfg
    )


@pytest.mark.parametrize('repeated', [False, True])
def test_the_training_images_are_measured(root, repeated):
    write_noise(root.parent / 'split' / 'train', *NAMES, size=(9, 9, 3))
    write_noise(root.parent / 'split' / 'val', *NAMES)
    cfg = config(root.parent / 'split')
    if repeated:
        inner = cfg.train_dataloader.dataset
        cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=inner)
    with logged() as lines:
        fill_measured(cfg)
    mean, std = by_numpy(paths_of(root.parent / 'split' / 'train'))
    for preprocessor in (cfg.data_preprocessor, cfg.model.teacher.data_preprocessor):
        assert preprocessor.mean == pytest.approx(mean, abs=6e-4)
        assert preprocessor.std == pytest.approx(std, abs=6e-4)
    assert '\n'.join(lines).count(f'mean={cfg.data_preprocessor.mean}') == 1
    Config.fromstring(cfg.pretty_text, '.py')  # as MMEngine keeps it


def test_the_limit_of_the_training_images_holds(root, capsys):
    cfg = config(root)
    loader = dict(type='mmvitkd.LoadImage', max_pixels=47)
    cfg.train_dataloader.dataset.pipeline = [loader, dict(type='PackInputs')]
    with pytest.raises(ValueError, match=r'none of \d+ images'):
        fill_measured(cfg)  # they have 48 pixels
    loader['max_pixels'] = 48
    cfg.train_dataloader.dataset.pipeline = [loader, dict(type='PackInputs')]
    fill_measured(cfg)


def test_images_that_cannot_be_read_are_named(root):
    touch(root, *(f'{kind}/3.png' for kind in ('cat', 'dog')))
    with logged() as lines:
        fill_measured(config(root))
    assert f'{str(root / "cat/3.png")!r}: the file is empty' in '\n'.join(lines)


def test_given_numbers_stay(root):
    cfg = config(root, mean=[1, 2, 3])
    fill_measured(cfg)
    assert cfg.data_preprocessor.mean == [1, 2, 3]
    assert cfg.data_preprocessor.std != 'measured'


def test_given_numbers_need_no_images(tmp_path, capsys):
    cfg = config(tmp_path / 'gone', [1, 2, 3], [4, 5, 6])
    fill_measured(cfg)
    fill_measured(Config(dict(train_dataloader=None)))
    assert capsys.readouterr().out == ''


def test_only_the_first_process_prints(root, capsys, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    cfg = config(root)
    fill_measured(cfg)
    assert cfg.data_preprocessor.mean != 'measured'
    assert 'Measured' not in capsys.readouterr().out


def test_a_list_of_images_is_checked_before_it_is_read(root):
    (root / 'list.txt').write_text('a.png,0\n')
    cfg = config(root)
    dataset = dict(type='CustomDataset', data_root=str(root), ann_file='list.txt')
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', dataset=dataset)
    with pytest.raises(ValueError, match=r'^train_dataloader.dataset.dataset.ann_file.*line 1'):
        fill_measured(cfg)


def test_nothing_to_measure(tmp_path):
    with pytest.raises(ValueError, match=r"^mean='measured': the config has no train_data"):
        fill_measured(config(tmp_path, train_dataloader=None))
    with pytest.raises(FileNotFoundError, match=f"data_root='{tmp_path}/gone'.*no such folder"):
        fill_measured(config(tmp_path / 'gone'))


def test_the_lines_can_be_pasted():
    reasons = {f'/data/{i}\n.png': 'the file\nis empty' for i in range(4)}
    measured = MeanStd([1.5, 2.0, 3.25], [4.0, 5.0, 6.0], 8, reasons)
    lines = describe(measured)
    assert Config.fromstring(lines, '.py').data_preprocessor == dict(
        mean=[1.5, 2.0, 3.25], std=[4.0, 5.0, 6.0], to_rgb=True
    )
    first, second, *_ = lines.splitlines()
    assert first == '# Measured on 8 images of the training split.'
    assert second.startswith(r"# Left out 4, unreadable: '/data/0\n.png': the file is empty, ")
    assert second.endswith('and 1 more') and '/data/3' not in second

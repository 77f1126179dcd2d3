"""The data pipeline benchmark: all candidates do the same work, and the tables are printed."""

import itertools
import json
import sys
from io import BytesIO

import mmvitkd  # noqa: F401

import data_pipeline
import numpy as np
import pipelines
import pytest
import torch
from mmengine.config import Config
from natural_images import natural_image, write_images
from PIL import Image

TRAIN = Config.fromfile(data_pipeline.CONFIG).train_pipeline


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('images')
    write_images(root, (120, 90), 4)
    return root


@pytest.fixture(scope='module')
def candidates(folder):
    return pipelines.pipelines_of([dict(step) for step in TRAIN], folder)


def test_the_images_are_like_photographs(folder):
    path = next(folder.glob('odd/*.jpg'))
    with Image.open(path) as image:
        assert image.size == (120, 90)
    image = natural_image(512, 512, seed=0)
    assert np.array_equal(image, natural_image(512, 512, seed=0))
    # The power falls with the frequency f about as 1/f^2, as in photographs.
    power = np.abs(np.fft.fft2(np.asarray(image.convert('L'), float))) ** 2
    f = np.hypot(*np.meshgrid(*2 * [512 * np.fft.fftfreq(512)]))
    low, high = (power[(f >= start) & (f < 2 * start)].mean() for start in (8, 64))
    assert 8**1.5 < low / high < 8**2.5
    content = BytesIO()
    image.save(content, 'JPEG', quality=90)
    assert 0.4 < len(content.getvalue()) / 512**2 < 0.6  # of ImageNet: about 0.6


def test_all_candidates_make_images_of_the_same_size(candidates):
    for name, candidate in candidates.items():
        batch = candidate.collate([candidate.dataset[i] for i in range(2)])
        images = batch[0] if name.startswith('timm') else batch['inputs']
        assert images.shape == (2, 3, 224, 224)
        assert images.dtype == (torch.float32 if name == 'timm' else torch.uint8)
        assert bool(candidate.differs) == (not name.startswith('ours'))


def test_timm_has_our_settings(candidates):
    crop, flip, augment, *_, erase = candidates['timm'].dataset.transform.transforms
    ours = {type(s).__name__: s for s in candidates['ours'].dataset.pipeline.transforms}
    load = ours['LoadRandomResizedCrop']
    assert (crop.size, crop.scale, crop.ratio) == (
        load.scale,
        load.crop_ratio_range,
        load.aspect_ratio_range,
    )
    assert crop.interpolation.value == load.interpolation == 'bicubic'
    assert flip.p == ours['RandomFlip'].prob
    assert repr(augment) == repr(ours['TimmRandAugment'].augment)
    theirs = ours['RandomErasing']
    assert (erase.probability, erase.per_pixel) == (theirs.erase_prob, theirs.mode == 'rand')
    for op, other in zip(augment.ops, ours['TimmRandAugment'].augment.ops, strict=True):
        assert op.kwargs == other.kwargs


def test_a_pipeline_of_another_kind(folder):
    with pytest.raises(ValueError, match=r"train_pipeline.0.type='LoadImageFromFile': wanted"):
        pipelines.pipelines_of([dict(type='LoadImageFromFile')], folder)


def test_the_time_of_a_stage_is_that_of_its_steps(monkeypatch):
    clock = iter([0.0, 1, 4, 6, 6, 8])
    monkeypatch.setattr(pipelines.time, 'process_time', lambda: next(clock))
    watch = pipelines.Stopwatch()
    resize = watch.timed('resize', lambda x: x + 1)
    assert watch.timed('decode', lambda x: 2 * resize(x))(3) == 8
    assert watch.timed('pack', str)(5) == '5'
    assert watch.seconds == dict(decode=3, resize=3, augment=0, pack=2)


def test_every_stage_has_a_step(candidates, monkeypatch):
    monkeypatch.setattr(pipelines.time, 'process_time', itertools.count().__next__)
    for candidate in candidates.values():
        seconds = pipelines.stage_seconds(candidate.dataset, 4)
        assert list(seconds) == list(pipelines.STAGES)
        assert all(readings > 0 for readings in seconds.values())


def test_it_prints_and_writes(folder, tmp_path, monkeypatch, capsys):
    written = tmp_path / 'times.json'
    sizes = ['--sizes', '60x40', '--files', '4', '--images', '4', '--rounds', '1']
    arguments = [*sizes, '--workers', '1', '--json', str(written)]
    monkeypatch.setattr(sys, 'argv', ['data_pipeline.py', *arguments])
    data_pipeline.main()
    printed = capsys.readouterr().out
    assert '60 x 40: 4 files of' in printed
    assert printed.count('| timm, uint8 |') == 3  # one core, workers, stages
    content = json.loads(written.read_text())
    times = content['found']['60x40']['seconds']
    assert list(times) == ['one core', '1 workers']
    assert all(len(t) == 1 for way in times.values() for t in way.values())
    assert content['versions']['torch'] and content['hardware']['cores']
    own = [*sizes[2:], '--workers', '0', '--data-root', str(folder)]
    monkeypatch.setattr(sys, 'argv', ['data_pipeline.py', *own])
    data_pipeline.main()
    assert capsys.readouterr().out.count('| timm, uint8 |') == 2


@pytest.mark.parametrize('wrong', [['--rounds', '0'], ['--sizes', '500']])
def test_wrong_arguments_are_named(wrong, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['data_pipeline.py', *wrong])
    with pytest.raises(SystemExit):
        data_pipeline.parse_args()
    assert wrong[0] in capsys.readouterr().err

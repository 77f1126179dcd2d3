"""A sample has the same pixels on every layout."""

import random

import mmvitkd  # noqa: F401
from mmvitkd.datasets.samplers.view_sampler import ViewIndex
from mmvitkd.datasets.seeded_samples import SeededSamples, seed_samples
from mmvitkd.utils import random_state

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from PIL import Image
from torch.utils.data import SequentialSampler

PIPELINE = [
    dict(type='mmvitkd.LoadRandomResizedCrop', scale=8),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmvitkd.TimmRandAugment', policy='rand-m9-mstd0.5-inc1'),
    dict(type='RandomErasing', erase_prob=0.5, mode='rand'),
    dict(type='PackInputs'),
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Twelve noise images of two classes, one of which cannot be read."""
    root = tmp_path_factory.mktemp('images')
    generator = np.random.default_rng(0)
    for number in range(12):
        path = root / f'class_{number % 2}' / f'{number}.png'
        path.parent.mkdir(exist_ok=True)
        pixels = generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    path.write_bytes(b'no image')
    return root


def epochs(folder, batch_size=4, workers=0, persistent=False, enable=True, count=2):
    """The pixels of some epochs, image by image."""
    loader = dict(
        dataset=dict(
            type='mmvitkd.ImageFolder', data_root=str(folder), pipeline=PIPELINE, val_ratio=0.1
        ),
        sampler=dict(type='DefaultSampler', shuffle=True),
        batch_size=batch_size,
        num_workers=workers,
        persistent_workers=persistent,
    )
    loader = Runner.build_dataloader(seed_samples(loader, 3, enable=enable), seed=3)
    found = []
    for epoch in range(count):
        random_state.seed_everything(workers, batch_size)  # the main stream is another one
        loader.sampler.set_epoch(epoch)
        found.append([image for batch in loader for image in batch['inputs']])
    if persistent:
        loader._iterator._shutdown_workers()
    return torch.stack([torch.stack(images) for images in found])


@pytest.mark.parametrize(
    'layout',
    [dict(workers=1), dict(workers=2, persistent=True), dict(batch_size=3)],
    ids=str,
)
def test_the_layout_does_not_matter(folder, layout):
    assert torch.equal(epochs(folder, **layout), epochs(folder))


def test_without_seeds_it_does(folder):
    assert not torch.equal(
        epochs(folder, workers=2, enable=False), epochs(folder, enable=False)
    )


def test_another_epoch_and_another_image_have_other_pixels(folder):
    drawn = epochs(folder, count=3).flatten(0, 1)
    assert len({image.numpy().tobytes() for image in drawn}) == len(drawn)


@pytest.fixture
def dataset(monkeypatch):
    """Three numbers for every sample: of Python, numpy and torch."""

    class Drawn:
        CLASSES = ('a', 'b')

        def __len__(self):
            return 4

        def __getitem__(self, index):
            assert type(index) is int
            return random.random(), np.random.random(), torch.rand(1).item()

    monkeypatch.setitem(DATASETS._module_dict, 'Drawn', Drawn)
    return DATASETS.build(
        dict(type='mmvitkd.SeededSamples', dataset=dict(type='Drawn'), seed=0)
    )


def test_the_states_outside_do_not_change(dataset):
    states = random_state.get_state()
    dataset[2]
    after = random_state.get_state()
    assert str(after) == str(states)
    random_state.set_state(states)
    wanted = random.random(), np.random.random(), torch.rand(1)
    random_state.set_state(states)
    dataset[1]
    assert (random.random(), np.random.random(), torch.rand(1)) == wanted


def test_index_view_and_repeat_each_give_other_numbers(dataset):
    keys = [ViewIndex(0, 0), ViewIndex(1, 0), ViewIndex(0, 1), ViewIndex(0, 0, 1)]
    drawn = [number for key in keys for number in dataset[key]]
    assert len(set(drawn)) == 12


def test_an_index_without_a_view_is_that_of_the_first_epoch(dataset):
    assert dataset[3] == dataset[ViewIndex(3, 0)]


def test_a_sample_says_which_view_it_is():
    dataset = [dict(inputs=index, data_samples=DataSample()) for index in range(4)]
    sample = SeededSamples(dataset, 0)[ViewIndex(2, 5, 1)]['data_samples']
    assert sample.sample_view == (2, 5, 1)
    assert 'sample_view' in sample.metainfo_keys()


def test_so_does_each_of_several_crops():
    dataset = [dict(inputs=[0, 1], data_samples=[DataSample(), DataSample()])]
    samples = SeededSamples(dataset, 0)[0]['data_samples']
    assert [sample.sample_view for sample in samples] == [(0, 0, 0)] * 2


@pytest.mark.parametrize('item', [(1, 2), dict(inputs=1), dict(data_samples=[1])], ids=str)
def test_other_items_are_unchanged(item):
    assert SeededSamples([item], 0)[0] is item


def test_what_a_data_set_knows_can_be_read(dataset):
    assert dataset.CLASSES == ('a', 'b')
    assert not hasattr(dataset, 'full_init')


def test_what_a_hook_sets_is_set_in_the_data_set(dataset):
    """As MMPretrain's SwitchRecipeHook switches the pipeline."""
    dataset.pipeline = 'another'
    assert dataset.dataset.pipeline == 'another'


def test_built_data_sets_and_samplers_are_taken():
    built = [(index,) for index in range(6)]
    loader = dict(dataset=built, sampler=SequentialSampler(built), batch_size=2)
    loader = Runner.build_dataloader(seed_samples(loader, 3), seed=3)
    assert [index for (index,) in loader.dataset] == list(range(6))
    assert len(list(loader)) == 3


LOADER = dict(dataset=dict(), sampler=dict())


def test_the_views_have_the_seed_of_the_run_or_their_own():
    assert seed_samples(LOADER, 3)['dataset']['seed'] == 3
    assert seed_samples(LOADER, 3, seed=0)['dataset']['seed'] == 0


@pytest.mark.parametrize('seed', [-1, 2.5, True, '3'])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match=f'sample_seed={seed!r}: wanted an integer of 0'):
        seed_samples(LOADER, 3, seed=seed)


@pytest.mark.parametrize('enable', [3, None, 'False'])
def test_a_seed_in_the_place_of_the_switch_is_refused(enable):
    with pytest.raises(ValueError, match=f'sample_seeds={enable!r}: .* sample_seed'):
        seed_samples(LOADER, 3, enable=enable)


def test_a_seed_that_nothing_uses_is_refused():
    with pytest.raises(ValueError, match='sample_seed=7 .*sample_seeds=False'):
        seed_samples(LOADER, 3, seed=7, enable=False)

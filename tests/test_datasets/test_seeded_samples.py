"""A sample has the same pixels on every layout."""

import random
from hashlib import sha256
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.datasets import ImageFolder
from mmvitkd.datasets.samplers.view_sampler import ViewIndex
from mmvitkd.datasets.seeded_samples import SeededSamples, seed_samples
from mmvitkd.engine.runner.loops import batches_from
from mmvitkd.utils import random_state

import numpy as np
import pytest
import torch
from folders import touch
from mmengine.config import Config
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from smooth_image import smooth_image
from torch.utils.data import SequentialSampler

BASE = Path(__file__).parents[2] / 'configs/_base_/datasets'
# The configs of our recipes, and the sampler of each.
RECIPES = {'image_folder': 'DefaultSampler', 'imagenet_bs256': 'mmvitkd.RepeatAugSampler'}
KINDS = [(recipe, views) for recipe in RECIPES for views in (None, 1)]


UNREADABLE = 'class_0/0.png'
pytestmark = pytest.mark.filterwarnings('ignore:This DataLoader will create')  # on few cores


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """26 images of two classes, 24 of which are for training; one of these is unreadable."""
    root = tmp_path_factory.mktemp('images')
    for number in range(26):
        path = touch(root, name := f'class_{number % 2}/{number}.png') / name
        smooth_image(seed=number).save(path)
    (root / UNREADABLE).write_bytes(b'no image')
    return root


def checksums(
    folder,
    recipe='image_folder',
    views=None,
    ranks=1,
    set_rank=None,
    batch_size=4,
    workers=0,
    persistent=False,
    start=0,
    epochs=2,
    enable=True,
):
    """Return the SHA-256 of every view that a training sees: (epoch, index, view, repeat)."""
    pipeline = Config.fromfile(BASE / f'{recipe}.py').train_pipeline
    pipeline[0]['scale'] = 32
    config = dict(
        dataset=dict(type='mmvitkd.ImageFolder', data_root=str(folder), pipeline=pipeline),
        sampler=dict(type=RECIPES[recipe], shuffle=True),
        batch_size=batch_size,
        num_workers=workers,
        persistent_workers=persistent,
        collate_fn=dict(type='default_collate'),
    )
    found = {}
    for rank in range(ranks):
        if ranks > 1:
            set_rank(rank, ranks)
        seeded = seed_samples(config, 3, views=views, enable=enable)
        loader = Runner.build_dataloader(seeded, seed=3)
        for epoch in range(epochs):
            random_state.seed_everything(rank, workers, batch_size)  # the main stream
            loader.sampler.set_epoch(epoch)
            for batch in batches_from(loader, 0 if epoch else start):
                for pixels, sample in zip(*batch.values(), strict=True):
                    view = getattr(sample, 'sample_view', (sample.sample_idx,))
                    found[(epoch, *view)] = sha256(pixels.numpy().tobytes()).hexdigest()
        if persistent:
            loader._iterator._shutdown_workers()
    return found


@pytest.fixture(scope='module', params=KINDS, ids=str)
def kind(request):
    """A recipe, and how many views its images have."""
    return dict(zip(('recipe', 'views'), request.param, strict=True))


@pytest.fixture(scope='module')
def wanted(folder, kind):
    """What one rank sees, without workers."""
    return checksums(folder, **kind)


@pytest.mark.parametrize(
    'layout',
    [
        dict(batch_size=5),
        dict(workers=1),
        dict(workers=3),
        dict(workers=3, persistent=True),
        dict(ranks=2),
        dict(ranks=2, workers=3, persistent=True),
        dict(ranks=8, workers=1),
        dict(ranks=8, batch_size=2, workers=1, persistent=True),
    ],
    ids=str,
)
def test_the_layout_does_not_matter(folder, set_rank, kind, wanted, layout):
    assert len(wanted) == 2 * 24
    assert checksums(folder, set_rank=set_rank, **kind, **layout) == wanted


@pytest.mark.parametrize(
    'resumed',
    [
        dict(start=2),
        dict(start=1, workers=3),
        dict(start=2, workers=1, persistent=True),
        dict(start=2, ranks=2, workers=1),
    ],
    ids=str,
)
def test_nor_does_where_an_epoch_is_resumed(folder, set_rank, kind, wanted, resumed):
    found = checksums(folder, set_rank=set_rank, **kind, **resumed)
    assert len(found) == 2 * 24 - 4 * resumed['start'] * resumed.get('ranks', 1)
    assert found.items() < wanted.items()


def test_without_seeds_it_does(folder):
    assert checksums(folder, workers=2, enable=False) != checksums(folder, enable=False)


def test_another_epoch_and_another_image_have_other_pixels(folder):
    drawn = checksums(folder, epochs=3)
    assert len(set(drawn.values())) == len(drawn) == 3 * 24


def test_with_one_view_an_image_has_the_same_pixels_in_all_epochs(folder):
    drawn = checksums(folder, views=1, epochs=3)
    assert len(drawn) == 3 * len(set(drawn.values())) == 3 * 24


def test_what_replaces_an_unreadable_image_depends_on_the_view_alone(folder):
    pipeline = [dict(type='mmvitkd.LoadRandomResizedCrop', scale=8), dict(type='PackInputs')]
    dataset = SeededSamples(ImageFolder(str(folder), pipeline=pipeline), seed=3)
    [number] = [i for i in range(24) if UNREADABLE in dataset.get_data_info(i)['img_path']]
    drawn = []
    for view in [0, 1, 2, 0, 1, 2]:
        random_state.seed_everything(len(drawn))  # the main stream
        sample = dataset[ViewIndex(number, view)]['data_samples']
        assert list(sample.unreadable) == [str(folder / UNREADABLE)]
        assert sample.sample_view == (number, view, 0)
        drawn.append(sample.img_path)
    assert drawn[:3] == drawn[3:]
    assert len(set(drawn)) > 1


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
    with pytest.raises(ValueError, match=r'sample_seed=7 .*sample_seeds=False'):
        seed_samples(LOADER, 3, seed=7, enable=False)

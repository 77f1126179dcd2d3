"""A subset has the same images every time, and draws no random number."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets.subset_loader import subset_loader

import torch
from torch.utils.data import DataLoader


def loader(size):
    return DataLoader(list(range(size)), collate_fn=lambda batch: ('collated', batch))


def indices(sample):
    return [index for _, batch in sample for index in batch]


def test_the_same_images_in_batches_collated_as_there():
    sample = subset_loader(loader(100), 10, 4, seed=3)
    batches = list(sample)
    assert [len(batch) for _, batch in batches] == [4, 4, 2]
    found = indices(sample)
    assert found == [index for _, batch in batches for index in batch]
    assert found == sorted(set(found)) and len(found) == 10
    assert found == indices(subset_loader(loader(100), 10, 7, seed=3))
    assert found != indices(subset_loader(loader(100), 10, 4, seed=4))


def test_a_subset_larger_than_the_data_set():
    assert indices(subset_loader(loader(5), 10, 2, seed=0)) == [0, 1, 2, 3, 4]


def test_no_random_number_is_drawn():
    state = torch.get_rng_state()
    indices(subset_loader(loader(9), 4, 2, seed=0))
    assert torch.equal(state, torch.get_rng_state())

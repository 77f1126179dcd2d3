"""What tells one teacher from another, without building it."""

import mmvitkd  # noqa: F401
from mmvitkd.models.teachers.teacher_identity import (
    identity_of_config,
    may_differ,
    weights_sha256,
)

import pytest
import torch
from torch import nn
from toy import WIDE_ARCH, vit

TIMM = 'timm:cait_s24_224'


def identity(teacher=None, checkpoint=None, allow_random=False, options=None):
    return identity_of_config(teacher or vit(WIDE_ARCH), checkpoint, allow_random, options)


@pytest.fixture
def files(tmp_path):
    """Two files with the same weights, and one with others."""
    weights = dict(a=torch.arange(3.0), b=torch.ones(2, 2))
    torch.save(dict(state_dict=weights), tmp_path / 'one.pth')
    torch.save(dict(weights), tmp_path / 'same.pth')
    torch.save(dict(weights, a=torch.zeros(3)), tmp_path / 'other.pth')
    return [str(tmp_path / f'{name}.pth') for name in ('one', 'same', 'other')]


def test_a_file_is_known_by_its_weights(files):
    one, same, other = (identity(checkpoint=file) for file in files)
    assert one == same
    assert one['checkpoint_sha256'] != other['checkpoint_sha256']
    assert may_differ(one, other) and not may_differ(one, same)


def test_a_missing_file_may_be_that_of_the_cache(files):
    one, missing = identity(checkpoint=files[0]), identity(checkpoint='gone.pth')
    assert 'checkpoint_sha256' not in missing
    assert not may_differ(missing, one)


@pytest.mark.parametrize('key', ['checkpoint_path', 'init_cfg'])
def test_a_file_that_the_config_names(files, key):
    def config(file):
        named = dict(type='Pretrained', checkpoint=file) if key == 'init_cfg' else file
        return dict(vit(WIDE_ARCH), **{key: named})

    one, same, other = (identity(config(file)) for file in files)
    assert one['config'] == other['config']
    assert not may_differ(one, same)
    assert may_differ(one, other)


def test_random_weights_are_never_trusted():
    random = identity(allow_random=True)
    assert may_differ(random, random)


def test_downloaded_weights_are_not_random_ones():
    downloaded, random = identity(TIMM), identity(TIMM, allow_random=True)
    assert downloaded['config'] == random['config']
    assert not may_differ(downloaded, downloaded)
    assert may_differ(random, downloaded) and may_differ(downloaded, random)


def test_a_file_may_hold_what_is_downloaded(files):
    downloaded, file = identity(TIMM), identity(TIMM, checkpoint=files[0])
    assert may_differ(downloaded, file) and may_differ(file, downloaded)


def test_a_teacher_of_another_kind_is_known_by_its_config():
    lookup = identity(dict(type='my.LookUpTeacher', folder='a'))
    assert not may_differ(lookup, lookup)
    assert lookup['config'] == dict(type='my.LookUpTeacher', folder='a')


def test_a_built_model_is_never_trusted():
    built = identity(nn.Linear(2, 2))
    assert built['config'] == dict(type='Linear')
    assert may_differ(built, built)


def test_the_precision_counts_and_other_options_do_not():
    assert identity(options=dict(precision='bf16'))['precision'] == 'bf16'
    assert identity(options=dict(compile=True)) == identity()


def test_the_digest_of_weights():
    weights = dict(a=torch.tensor([1.0, 2.0]), b=torch.tensor(1.0, dtype=torch.bfloat16))
    digest = weights_sha256(weights)
    assert digest == weights_sha256(dict(reversed(weights.items())))
    for other in (
        dict(weights, a=torch.tensor([1.0, 3.0])),
        dict(weights, a=torch.tensor([[1.0, 2.0]])),
        dict(weights, b=torch.tensor(1.0)),
        dict(weights, c=torch.empty(0)),
    ):
        assert weights_sha256(other) != digest

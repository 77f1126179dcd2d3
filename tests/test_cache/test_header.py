"""The header is written last, read strictly, and compared with a run."""

import json
from dataclasses import replace

import mmvitkd  # noqa: F401
from mmvitkd.cache.damaged_cache import DamagedCacheError
from mmvitkd.cache.header import (
    FORMAT,
    CacheHeader,
    differences,
    read_header,
    write_header,
)

import pytest

HEADER = CacheHeader(
    num_images=100,
    views=5,
    repeats=3,
    seed=7,
    row_bytes=84,
    num_rows=1500,
    teacher=dict(model='deit', sha256='ab'),
    tensors=dict(logits=dict(source='logits', codec=dict(type='TopKLogits'), grid=None)),
    data=dict(pipeline=[dict(type='RandomResizedCrop', scale=224)]),
    files_sha256='cd',
    versions=dict(torch='2.13'),
    pixel_checks=[[3, 0, 0, 'ef']],
    created='2026-01-01 12:00:00+00:00',
)


def changed(folder, **values):
    """Write a header with other values; None removes a key."""
    write_header(folder, HEADER)
    path = folder / 'cache.json'
    content = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_it_comes_back(tmp_path):
    write_header(tmp_path, HEADER)
    assert read_header(tmp_path) == HEADER
    write_header(tmp_path, replace(HEADER, seed=8))
    assert read_header(str(tmp_path)).seed == 8
    assert [path.name for path in tmp_path.iterdir()] == ['cache.json']


@pytest.mark.parametrize('name', ['', 'missing', 'file'])
def test_what_is_no_cache(tmp_path, name):
    (tmp_path / 'file').touch()
    with pytest.raises(FileNotFoundError, match=f'{tmp_path / name} is no .* no cache.json'):
        read_header(tmp_path / name)


def test_a_newer_format(tmp_path):
    changed(tmp_path, format=FORMAT + 1, seed=None)
    with pytest.raises(ValueError, match=f'format {FORMAT + 1}, but .* up to {FORMAT}'):
        read_header(tmp_path)


@pytest.mark.parametrize('content', ['', '{"format": 1', '\xff'])
def test_broken_json(tmp_path, content):
    (tmp_path / 'cache.json').write_bytes(content.encode('latin1'))
    with pytest.raises(DamagedCacheError, match=r'cache.json: invalid JSON'):
        read_header(tmp_path)


def test_json_of_something_else(tmp_path):
    (tmp_path / 'cache.json').write_text('[1]')
    with pytest.raises(DamagedCacheError, match=r'cache.json: found a list'):
        read_header(tmp_path)


@pytest.mark.parametrize('key', json.loads(json.dumps(vars(HEADER))))
def test_a_missing_key(tmp_path, key):
    changed(tmp_path, **{key: None})
    with pytest.raises(DamagedCacheError, match=f'cache.json: {key}: missing'):
        read_header(tmp_path)


@pytest.mark.parametrize(
    ('key', 'value', 'wanted'),
    [('num_rows', 'many', 'int'), ('teacher', [], 'dict'), ('format', '1', 'int')],
)
def test_a_value_of_another_type(tmp_path, key, value, wanted):
    changed(tmp_path, **{key: value})
    with pytest.raises(DamagedCacheError, match=f'{key}: found .*, wanted {wanted}'):
        read_header(tmp_path)


PIPELINE = dict(pipeline=[dict(type='Load'), dict(type='RandAugment', level=6)])


def test_no_differences():
    assert differences(PIPELINE, PIPELINE) == []
    assert differences(dict(size=(8, 8)), dict(size=[8, 8])) == []


def test_a_difference_deep_inside():
    run = dict(pipeline=[dict(type='Load'), dict(type='RandAugment', level=9)])
    assert differences(PIPELINE, run, 'train_dataloader.dataset') == [
        'train_dataloader.dataset.pipeline[1].level: 6 in the cache, 9 in this run'
    ]


def test_keys_and_items_on_one_side():
    stored, wanted = dict(a=1, b=[1, 2], c=None), dict(b=[1, 2, 3], c=None, d='x')
    assert differences(stored, wanted) == [
        'a: 1 in the cache, not in this run',
        'b[2]: not in the cache, 3 in this run',
        "d: not in the cache, 'x' in this run",
    ]
    assert differences(wanted, stored)[0] == 'b[2]: 3 in the cache, not in this run'


def test_none_is_a_value():
    assert differences(dict(a=None), {}) == ['a: None in the cache, not in this run']


def test_another_kind_of_value():
    found = differences(dict(scale=224), dict(scale=[224, 224]))
    assert found == ['scale: 224 in the cache, [224, 224] in this run']


def test_long_values_are_shortened():
    (line,) = differences(dict(a='x' * 1000), dict(a=1))
    assert len(line) < 150 and '...' in line


def test_as_many_as_asked():
    stored, wanted = dict(a=list(range(100))), dict(a=list(range(1, 101)))
    assert len(differences(stored, wanted)) == 100
    assert differences(stored, wanted, limit=2) == differences(stored, wanted)[:2]

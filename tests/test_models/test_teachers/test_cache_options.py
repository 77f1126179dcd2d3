"""How outputs are stored: each wrong option by its name."""

import mmvitkd  # noqa: F401
from mmvitkd.models.teachers.cache_options import CacheOptions, cache_options

import pytest


def test_the_defaults():
    assert cache_options({}) == CacheOptions(None, 'int8', None, False, False)


@pytest.mark.parametrize(
    'options',
    [dict(top_k=1), dict(top_k='all'), dict(rank=4), dict(features='fp32', full_features=True)],
)
def test_what_is_accepted(options):
    assert vars(cache_options(options)).items() >= options.items()


@pytest.mark.parametrize(
    ('options', 'wanted'),
    [
        (dict(top_k=0), 'above 0'),
        (dict(top_k=True), 'above 0'),
        (dict(top_k='some'), "'all'"),
        (dict(features='int4'), "'int8' or 'fp16' or 'fp32'"),
        (dict(rank=0), 'above 0'),
        (dict(rank=2.0), 'above 0'),
        (dict(full_features=1), 'True or False'),
        (dict(ignore_versions='yes'), 'True or False'),
    ],
)
def test_a_wrong_option(options, wanted):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=rf'teacher_cache\.{name}={value!r}: wanted') as found:
        cache_options(options)
    assert wanted in str(found.value)


def test_rank_is_of_int8():
    with pytest.raises(ValueError, match=r"teacher_cache\.features='fp16'.*rank"):
        cache_options(dict(rank=3, features='fp16'))


def test_an_unknown_option():
    with pytest.raises(ValueError, match=r'teacher_cache\.feature: .*features'):
        cache_options(dict(feature='int8'))

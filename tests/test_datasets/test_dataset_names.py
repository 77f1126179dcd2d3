"""A data set, however wrapped, must name as many classes as the head has."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets.dataset_names import check_num_names, innermost, names_of
from mmvitkd.utils.errors import KeyedValueError

import pytest
from mmpretrain.registry import DATASETS

TWO = ['cat', 'dog']


@pytest.mark.parametrize(
    'names',
    [
        dict(metainfo=dict(classes=TWO)),
        dict(classes=TWO),
        dict(classes=['a', 'b', 'c'], metainfo=dict(classes=TWO)),
        dict(classes='NAMES'),
    ],
    ids=str,
)
def test_the_names_are_those_that_mmpretrain_takes(names, tmp_path):
    (tmp_path / 'names.txt').write_text('\n'.join(TWO))
    if names.get('classes') == 'NAMES':
        names = dict(classes=str(tmp_path / 'names.txt'))
    config = dict(type='CustomDataset', data_root=str(tmp_path), lazy_init=True, **names)
    assert list(names_of(config)) == TWO == list(DATASETS.build(config).CLASSES)


def test_the_names_of_a_type():
    assert len(names_of(dict(type='ImageNet'))) == 1000
    assert names_of(dict(type='CustomDataset')) is None
    assert names_of(dict(type='SomebodysDataset')) is None


def test_another_number_of_names():
    with pytest.raises(KeyedValueError, match=r'found 2 class names \(cat, dog\), wanted 5'):
        check_num_names(TWO, 'x.classes', 5)
    check_num_names(TWO, 'x.classes', 2)
    check_num_names(TWO, 'x.classes', None)
    check_num_names(None, 'x.classes', 5)


def test_a_blank_name():
    with pytest.raises(KeyedValueError, match='the class name 3 is blank'):
        check_num_names([*TWO, ''], 'x.classes', 3)


def test_the_data_sets_within_others():
    one, two = dict(type='ImageNet'), dict(type='CIFAR10')
    repeated = dict(type='RepeatDataset', dataset=two, times=2)
    both = dict(type='ConcatDataset', datasets=[one, repeated])
    assert list(innermost(one, 'x')) == [(one, 'x')]
    assert list(innermost(both, 'x')) == [(one, 'x.datasets.0'), (two, 'x.datasets.1.dataset')]

"""Shortcuts reach every place that must agree with them."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.load_config import load_config
from mmvitkd.config.shortcuts import apply_shortcuts

import pytest
from mmengine.config import Config


def config(**kwargs):
    loader = dict(batch_size=2, dataset=dict(type='ImageFolder', data_root='a'))
    return Config(
        dict(
            model=dict(
                type='mmvitkd.FeatureDistill',
                architecture=dict(
                    data_preprocessor=dict(num_classes=10),
                    head=dict(type='LinearClsHead', num_classes=10),
                ),
                teacher=dict(head=dict(num_classes=10)),
            ),
            data_preprocessor=dict(mean=[0, 0, 0]),
            train_dataloader=dict(dataset=dict(type='RepeatDataset', **loader)),
            val_dataloader=loader,
            test_dataloader=loader,
            val_evaluator=[
                dict(type='Accuracy'),
                dict(type='SingleLabelMetric', num_classes=10),
            ],
            test_evaluator=dict(type='Accuracy', topk=1),
            **kwargs,
        )
    )


def test_classes_reach_all_but_the_teacher():
    cfg = config(num_classes=37)
    apply_shortcuts(cfg)
    student = cfg.model.architecture
    assert student.head.num_classes == 37
    assert student.data_preprocessor.num_classes == 37
    assert cfg.data_preprocessor.num_classes == 37
    assert [m.get('num_classes') for m in cfg.val_evaluator] == [None, 37]
    assert cfg.test_evaluator == dict(type='Accuracy', topk=1)
    assert cfg.model.teacher.head.num_classes == 10


def test_classes_of_a_plain_model():
    cfg = Config(dict(num_classes=3, model=dict(head=dict(num_classes=10))))
    apply_shortcuts(cfg)
    assert cfg.model.head.num_classes == 3


def test_classes_of_a_timm_model():
    cfg = Config(dict(num_classes=3, model=dict(type='TimmClassifier', model_name='test_vit')))
    apply_shortcuts(cfg)
    assert cfg.model.num_classes == 3


def test_classes_of_a_loss():
    loss = dict(type='LabelSmoothLoss', num_classes=10)
    cfg = Config(dict(num_classes=3, model=dict(head=dict(num_classes=10, loss=loss))))
    apply_shortcuts(cfg)
    assert cfg.model.head.loss.num_classes == 3


def test_the_folder_reaches_joined_data_sets():
    joined = dict(type='ConcatDataset', datasets=[dict(data_root='a'), dict(data_root='b')])
    cfg = Config(dict(data_root='c', train_dataloader=dict(dataset=joined)))
    apply_shortcuts(cfg)
    assert cfg.train_dataloader.dataset.datasets == [dict(data_root='c'), dict(data_root='c')]
    assert 'data_root' not in cfg.train_dataloader.dataset


def test_the_folder_reaches_every_data_set():
    cfg = config(data_root='b')
    apply_shortcuts(cfg)
    assert cfg.train_dataloader.dataset.dataset.data_root == 'b'
    assert 'data_root' not in cfg.train_dataloader.dataset
    assert cfg.val_dataloader.dataset.data_root == 'b'
    assert cfg.test_dataloader.dataset.data_root == 'b'


def test_without_the_keys_nothing_changes():
    cfg, untouched = config(), config()
    apply_shortcuts(cfg)
    assert cfg.to_dict() == untouched.to_dict()


@pytest.mark.parametrize(
    ('key', 'value'),
    [('num_classes', 1), ('num_classes', '37'), ('num_classes', True), ('data_root', 3)],
)
def test_a_wrong_value_is_refused(key, value):
    with pytest.raises(ValueError, match=f'{key}={value!r}: '):
        apply_shortcuts(config(**{key: value}))


FILE = """
_base_ = {base!r}
{text}
"""


@pytest.fixture
def own(tmp_path):
    """Load a config that inherits the digits' by one with a top-level data_root."""
    base = str(Path(__file__).parents[2] / 'configs/mnist5k/vit_32.py')
    (tmp_path / 'base.py').write_text(FILE.format(base=base, text="data_root = 'top'"))

    def load(text='', **options):
        path = tmp_path / 'own.py'
        path.write_text(FILE.format(base='./base.py', text=text))
        return load_config(str(path), options, measure=False)

    return load


def roots(cfg):
    return [cfg[f'{x}_dataloader'].dataset.data_root for x in ('train', 'val', 'test')]


NESTED = "val_dataloader = dict(dataset=dict(data_root='mine'))"


def test_a_shortcut_wins_over_what_it_inherits(own):
    assert roots(own()) == ['top'] * 3


def test_a_nested_key_wins_over_an_inherited_shortcut(own):
    assert roots(own(NESTED)) == ['top', 'mine', 'top']


def test_a_nested_option_wins(own):
    assert roots(own(**{'train_dataloader.dataset.data_root': 'mine'})) == [
        'mine',
        'top',
        'top',
    ]


def test_in_one_file_the_nested_key_wins(own):
    assert roots(own(f"data_root = 'new'\n{NESTED}")) == ['new', 'mine', 'new']


def test_a_later_shortcut_wins_over_a_nested_key(own):
    assert roots(own(NESTED, data_root='last')) == ['last'] * 3


def test_none_unsets_a_shortcut(own):
    assert roots(own('data_root = None')) == ['data/mnist5k'] * 3
    assert own('num_classes = None').model.head.num_classes == 10


def test_two_joined_folders_stay_two(own):
    text = """
folder = dict(type='mmvitkd.ImageFolder', split='train', pipeline=[])
parts = [dict(folder, data_root='a'), dict(folder, data_root='b')]
joined = dict(_delete_=True, type='ConcatDataset', datasets=parts)
train_dataloader = dict(dataset=joined)
"""
    found = own(text).train_dataloader.dataset.datasets
    assert [part.data_root for part in found] == ['a', 'b']


def test_a_nested_number_of_classes_wins(own):
    cfg = own('num_classes = 5\nmodel = dict(head=dict(num_classes=7))')
    assert cfg.model.head.num_classes == 7
    assert cfg.data_preprocessor.num_classes == 5


def test_a_conflict_is_said(own, monkeypatch):
    said = []
    monkeypatch.setattr('mmvitkd.config.layers.print_log', lambda text, **_: said.append(text))
    own(NESTED)
    (text,) = said
    assert "val_dataloader.dataset.data_root='mine'" in text and "data_root='top'" in text

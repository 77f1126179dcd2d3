"""A config is loaded as its run has it."""

import sys
from copy import deepcopy

import mmvitkd  # noqa: F401
from mmvitkd.config.load_config import complete_config, load_config, read_config

import pytest
from folders import write_noise

CONFIG = """
data_root = 'elsewhere'
data_preprocessor = dict(mean='measured', std='measured')
train_dataloader = dict(
    dataset=dict(type='mmvitkd.ImageFolder', data_root='', split='train', pipeline=[]),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / 'own.py').write_text(CONFIG)
    write_noise(tmp_path, 'cat/1.png', 'cat/2.png', 'dog/1.png', 'dog/2.png')
    return str(tmp_path / 'own.py')


def test_options_then_shortcuts_then_measuring(path, tmp_path):
    cfg = load_config(path, {'data_root': str(tmp_path)})
    assert cfg.train_dataloader.dataset.data_root == str(tmp_path)
    assert len(cfg.data_preprocessor.mean) == len(cfg.data_preprocessor.std) == 3


def test_nothing_is_read_without_measuring(path):
    cfg = load_config(path, measure=False)
    assert cfg.data_preprocessor.mean == 'measured'


def test_the_images_to_measure_must_exist(path):
    with pytest.raises(FileNotFoundError, match="data_root='elsewhere'"):
        load_config(path)


@pytest.mark.parametrize('prefix', ['mmvitkd', 'mmpretrain'])
def test_packaged_configs(prefix):
    names = dict(
        mmvitkd='deit/deit_tiny_300e.py', mmpretrain='resnet/resnet18_8xb16_cifar10.py'
    )
    assert load_config(f'{prefix}::{names[prefix]}').model.type == 'ImageClassifier'


def test_a_config_that_does_not_exist(tmp_path):
    for path in (tmp_path / 'no.py', 'mmvitkd::no.py'):
        with pytest.raises(FileNotFoundError, match=r'no\.py'):
            load_config(str(path))


def test_a_base_that_does_not_exist_is_named_with_the_file_that_inherits_it(tmp_path):
    (tmp_path / 'run.py').write_text("_base_ = './middle.py'\n")
    (tmp_path / 'middle.py').write_text("_base_ = ['./gone.py']\n")
    with pytest.raises(FileNotFoundError) as error:
        read_config(str(tmp_path / 'run.py'))
    assert str(error.value) == (
        f"{tmp_path}/middle.py: _base_='{tmp_path}/./gone.py': there is no such file"
    )
    with pytest.raises(FileNotFoundError, match=r"^'.*/none\.py': there is no such file$"):
        read_config(str(tmp_path / 'none.py'))


def test_custom_imports_find_the_projects_of_a_clone(tmp_path, monkeypatch):
    monkeypatch.setattr('mmvitkd.config.load_config.PACKAGE', tmp_path / 'mmvitkd')
    monkeypatch.setattr(sys, 'path', [*sys.path])
    (tmp_path / 'a_project').mkdir()
    (tmp_path / 'a_project' / 'types.py').touch()
    config = tmp_path / 'own.py'
    config.write_text("custom_imports = dict(imports=['a_project.types'])")
    read_config(str(config))
    assert sys.modules.pop('a_project.types').__file__.startswith(str(tmp_path))
    del sys.modules['a_project']


def test_what_is_set_after_loading_stays():
    """A second completion, as the runner's, applies only shortcuts that were changed since."""
    cfg = load_config('mmvitkd::mnist5k/vit_32.py', {'data_root': 'a'})
    cfg.val_dataloader.dataset.data_root = 'other'
    copied = deepcopy(cfg)
    complete_config(copied)
    assert copied.val_dataloader.dataset.data_root == 'other'
    copied.data_root = 'b'
    complete_config(copied)
    assert copied.val_dataloader.dataset.data_root == 'b'


def test_a_shortcut_applies_to_what_is_copied_from_a_base(tmp_path):
    (tmp_path / 'own.py').write_text(
        "_base_ = 'mmvitkd::mnist5k/vit_32.py'\n"
        "data_root = 'a'\n"
        'wrapped = _base_.train_dataloader.dataset\n'
        "repeated = dict(_delete_=True, type='RepeatDataset', times=2, dataset=wrapped)\n"
        'train_dataloader = dict(dataset=repeated)\n'
    )
    cfg = load_config(str(tmp_path / 'own.py'))
    assert cfg.train_dataloader.dataset.dataset.data_root == 'a'


def test_options_are_left_as_they_are():
    options = {'model.head': dict(num_classes=7), 'model.head.in_channels': 32}
    given = deepcopy(options)
    load_config('mmvitkd::mnist5k/vit_32.py', options)
    assert options == given


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('a = 1\nb = dict(c=1 d=2)', r'line 2: SyntaxError'),
        ('a = 1\n\nb = dict(c=epochs)', r"line 3: NameError: name 'epochs'"),
        ("a = dict()['b']", r"line 1: KeyError: 'b'"),
    ],
)
@pytest.mark.parametrize('is_inherited', [False, True])
def test_code_that_fails_is_named_with_its_line(text, wanted, is_inherited, tmp_path):
    (tmp_path / 'faulty.py').write_text(text)
    (tmp_path / 'child.py').write_text("_base_ = './faulty.py'")
    name = 'child.py' if is_inherited else 'faulty.py'
    with pytest.raises(ValueError, match=rf'faulty\.py, {wanted}'):
        load_config(str(tmp_path / name))


def test_a_module_that_cannot_be_imported(tmp_path):
    (tmp_path / 'own.py').write_text("custom_imports = dict(imports=['no_such_module'])")
    with pytest.raises(ValueError, match=r"own\.py: .*'?no_such_module'?.* PYTHONPATH"):
        load_config(str(tmp_path / 'own.py'))

"""A run's folders, schedule and checkpoint are checked before anything is built."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.find import PARTS
from mmvitkd.engine.runner.preflight import (
    check_checkpoint,
    check_data,
    check_schedule,
    check_trainable,
)
from mmvitkd.utils.errors import KeyedValueError

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmpretrain.registry import DATASETS
from PIL import Image


@pytest.fixture
def root(tmp_path):
    """Two classes in ImageNet's layout, with .JPEG files."""
    for split in ('train', 'val'):
        for name in ('n01', 'n02'):
            folder = tmp_path / 'imagenet' / split / name
            folder.mkdir(parents=True)
            Image.new('RGB', (4, 4)).save(folder / f'{name}_1.JPEG')
    return tmp_path / 'imagenet'


def _cfg(root, num_classes=2, architecture=False, **dataset):
    model = dict(type='ImageClassifier', head=dict(num_classes=num_classes))
    if architecture:
        model = dict(type='mmvitkd.FeatureDistill', architecture=model)
    two = dict(classes=['n01', 'n02'])
    dataset = dict(type='ImageNet', data_root=str(root), pipeline=[], metainfo=two) | dataset
    return Config(
        dict(
            model=model,
            train_dataloader=dict(dataset=dict(split='train') | dataset),
            val_dataloader=dict(dataset=dict(split='val') | dataset),
        )
    )


def _message(kind, cfg, split='train'):
    with pytest.raises(kind) as error:
        check_data(cfg, [split])
    return str(error.value)


# Data ---------------------------------------------------------------------------------


@pytest.mark.parametrize('architecture', [False, True])
@pytest.mark.parametrize('kind', ['ImageNet', 'mmpretrain.ImageNet'])
def test_a_fine_folder_passes(root, kind, architecture):
    cfg = _cfg(root, type=kind, architecture=architecture)
    check_data(cfg, ['train', 'val'])
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 2  # MMPretrain reads it too


def test_other_classes_need_another_data_set(root):
    """MMPretrain would assert it only once the model is built."""
    cfg = _cfg(root)
    del cfg.train_dataloader.dataset['metainfo']
    message = _message(ValueError, cfg)
    assert 'train_dataloader.dataset: data_root=' in message
    assert 'found 2 class folders' in message and "MMPretrain's ImageNet needs 1000" in message
    assert "type='mmvitkd.ImageFolder'" in message
    with pytest.raises(AssertionError, match=r'subfolders \(2\)'):
        DATASETS.build(cfg.train_dataloader.dataset)


def test_a_custom_dataset_passes(root):
    cfg = _cfg(root, type='CustomDataset', data_prefix='train', split='')
    check_data(cfg, ['train'])
    cfg = _cfg(root, type='CustomDataset', data_prefix=dict(img_path='val'), split='')
    check_data(cfg, ['train'])


def test_images_without_labels(root):
    flat = dict(type='mmvitkd.ImageFolder', with_label=False, metainfo=None)
    cfg = _cfg(root, **flat)
    assert "no labels for the student's head" in _message(ValueError, cfg)
    cfg.model.head = None
    check_data(cfg, ['train', 'val'])
    cfg.val_evaluator = dict(type='mmvitkd.Accuracy')
    assert 'no labels for val_evaluator: mmvitkd.Accuracy' in _message(ValueError, cfg, 'val')
    cfg = _cfg(root / 'no', **flat)
    cfg.model.head = None
    assert 'train_dataloader.dataset: data_root=' in _message(FileNotFoundError, cfg)


def test_a_path_in_the_home_folder(root, monkeypatch):
    monkeypatch.setenv('HOME', str(root.parent))
    check_data(_cfg('~/imagenet'), ['train'])


def test_links_are_followed(root, tmp_path):
    (tmp_path / 'link').symlink_to(root, target_is_directory=True)
    (root / 'train' / 'n02').rename(tmp_path / 'n02')
    (root / 'train' / 'n02').symlink_to(tmp_path / 'n02', target_is_directory=True)
    check_data(_cfg(tmp_path / 'link'), ['train'])


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_missing_root(tmp_path, split):
    message = _message(FileNotFoundError, _cfg(tmp_path / 'no'), split)
    assert message == (
        f"{split}_dataloader.dataset: data_root='{tmp_path}/no', split='{split}': there is "
        f"no such folder; set data_root, wanted '{tmp_path}/no/{split}' with one folder of "
        'images per class.'
    )


def test_a_missing_split(root):
    (root / 'val').rename(root / 'validation')
    check_data(_cfg(root), ['train'])
    message = _message(FileNotFoundError, _cfg(root), 'val')
    assert 'val_dataloader.dataset' in message
    assert f"wanted '{root}/val'" in message


def test_another_number_of_classes(root):
    message = _message(ValueError, _cfg(root, num_classes=1000))
    assert message == (
        f"train_dataloader.dataset: data_root='{root}', split='train': found 2 class folders "
        f"in '{root}/train', wanted 1000: the num_classes of the head. Set "
        'num_classes=2 at the top of the config if the folders are right.'
    )
    student = _cfg(root, num_classes=3, architecture=True)
    assert 'found 2 class folders' in _message(ValueError, student, 'val')


def test_images_without_class_folders(root):
    message = _message(ValueError, _cfg(root / 'train' / 'n01', data_prefix='.', split=''))
    assert 'found 0 class folders' in message


def test_no_image(root):
    for path in root.glob('train/*/*'):
        path.rename(path.with_suffix('.txt'))
    message = _message(ValueError, _cfg(root))
    assert f"train_dataloader.dataset: data_root='{root}'" in message
    assert f"there is no image in '{root}/train'; wanted" in message


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.jpeg', '.JPG', '.Png'])
def test_every_kind_of_image_that_mmpretrain_reads(root, suffix):
    for path in root.glob('train/*/*'):
        path.rename(path.with_suffix(suffix))
    check_data(_cfg(root), ['train'])


def test_the_configs_own_extensions(root):
    for path in root.glob('train/*/*'):
        path.rename(path.with_suffix('.webp'))
    check_data(_cfg(root, extensions=('.webp',)), ['train'])


def _folder_cfg(root, **dataset):
    return _cfg(root, type='mmvitkd.ImageFolder', **dataset)


def test_an_image_folder_passes(root):
    cfg = _folder_cfg(root)
    check_data(cfg, ['train', 'val'])
    cfg.test_dataloader = dict(dataset=dict(cfg.val_dataloader.dataset, split='test'))
    check_data(cfg, ['test'])
    for split in ('train', 'val'):
        assert len(DATASETS.build(cfg[f'{split}_dataloader'].dataset)) == 2


def test_an_image_folder_without_val(root):
    (root / 'val').rename(root / 'train' / 'n02' / 'more')
    (root / 'train' / 'n02' / 'more' / 'n01').rename(root / 'train' / 'n01' / 'more')
    check_data(_folder_cfg(root, val_ratio=0.5), ['train', 'val'])
    message = _message(ValueError, _folder_cfg(root, val_ratio=2))
    assert (
        message == 'train_dataloader.dataset: val_ratio=2: wanted more than 0 and less than 1.'
    )


def test_a_missing_image_folder(tmp_path):
    message = _message(FileNotFoundError, _folder_cfg(tmp_path / 'no'), 'val')
    assert message == (
        f"val_dataloader.dataset: data_root='{tmp_path}/no', split='val': there is no such "
        'folder; set data_root to one with train/<class>/ or <class>/.'
    )


@pytest.mark.parametrize('split', ['train', 'val'])
def test_an_image_folder_of_another_number_of_classes(root, split):
    wanted = (
        f"{split}_dataloader.dataset: data_root='{root}', split='{split}': found 2 class "
        f"folders in '{root}', wanted 37: the num_classes of the head. Set "
        'num_classes=2 at the top of the config if the folders are right.'
    )
    cfg = _folder_cfg(root, num_classes=37)
    assert _message(ValueError, cfg, split) == wanted
    cfg.model = dict(type='TimmClassifier', num_classes=37)
    assert _message(ValueError, cfg, split) == wanted
    loader = cfg[f'{split}_dataloader']
    loader.dataset = dict(type='RepeatDataset', dataset=loader.dataset)
    assert _message(ValueError, cfg, split) == wanted.replace('dataset:', 'dataset.dataset:')
    loader.dataset = dict(type='ConcatDataset', datasets=[loader.dataset])
    assert f'{split}_dataloader.dataset.datasets.0.dataset: ' in _message(
        ValueError, cfg, split
    )


def test_an_image_folder_with_an_empty_class(root):
    for path in (root / 'train' / 'n02').iterdir():
        path.rename(path.with_suffix('.txt'))
    message = _message(ValueError, _folder_cfg(root))
    assert message.startswith('train_dataloader.dataset: data_root=')
    assert message.endswith("there is no image in the class folders 'n02'.")
    check_data(_folder_cfg(root, extensions=['.txt', '.jpeg']), ['train'])


def test_a_list_of_files(root):
    for path in (root / 'train').glob('*/*'):
        path.rename(root / 'train' / path.name)
    for name in ('n01', 'n02'):
        (root / 'train' / name).rmdir()
    message = _message(ValueError, _cfg(root))
    assert 'found 0 class folders' in message
    (root / 'meta').mkdir()
    (root / 'meta' / 'train.txt').write_text('n01_1.JPEG 0\nn02_1.JPEG 1\n')
    check_data(_cfg(root), ['train'])
    listed = dict(ann_file='meta/train.txt', split='', data_prefix='train')
    check_data(_cfg(root, **listed), ['train'])
    assert 'train.txt' in _message(
        FileNotFoundError, _cfg(root, **listed | {'data_prefix': ''})
    )


@pytest.mark.parametrize(
    'dataset',
    [
        dict(type='CIFAR10', metainfo=None, num_classes=10),
        dict(type='SomebodysDataset', metainfo=None),
        dict(data_root='s3://bucket/imagenet'),
        dict(with_label=False),
        dict(split='test'),  # MMPretrain takes it without labels
    ],
    ids=str,
)
def test_other_data_are_left_to_mmpretrain(tmp_path, dataset):
    check_data(_cfg(tmp_path, **dataset), ['train', 'val'])


def test_only_what_is_used_is_checked(root, tmp_path):
    cfg = _cfg(root)
    cfg.test_dataloader = _cfg(tmp_path / 'no').val_dataloader
    cfg.val_dataloader = None
    check_data(cfg, ['train', 'val'])
    _message(FileNotFoundError, cfg, 'test')


def test_a_head_without_classes(root):
    cfg = _cfg(root)
    cfg.model = dict(type='ImageClassifier', backbone=dict(type='VisionTransformer'))
    check_data(cfg, ['train'])


# Checkpoints --------------------------------------------------------------------------


def _run(folder, **cfg):
    return Config(dict(work_dir=str(folder), load_from=None, resume=False) | cfg)


def test_a_run_from_scratch(tmp_path):
    check_checkpoint(_run(tmp_path))
    check_checkpoint(_run(tmp_path, resume=True))  # nothing to resume from: it starts anew
    check_checkpoint(_run(tmp_path, load_from='https://somewhere/file.pth'))


@pytest.mark.parametrize(('resume', 'key'), [(False, 'load_from'), (True, '--resume')], ids=str)
def test_a_checkpoint_to_start_from(tmp_path, resume, key):
    path = tmp_path / 'file.pth'
    cfg = _run(tmp_path, load_from=str(path), resume=resume)
    with pytest.raises(FileNotFoundError, match=f'^{key}=.*file.pth.*no such file'):
        check_checkpoint(cfg)
    torch.save(dict(state_dict=dict(a=torch.ones(1000)), **{part: {} for part in PARTS}), path)
    check_checkpoint(cfg)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f'^{key}=.*file.pth.*truncated'):
        check_checkpoint(cfg)


def test_a_checkpoint_without_optimizer_names_one_that_has_it(tmp_path):
    best, last = tmp_path / 'best_top1_epoch_1.pth', tmp_path / 'epoch_3.pth'
    state = dict(state_dict=dict(a=torch.ones(1)), meta=dict(epoch=3, iter=12), message_hub={})
    torch.save(state, best)
    cfg = _run(tmp_path, load_from=str(best), resume=True)
    with pytest.raises(ValueError, match=r'best_top1.*optimizer.*no complete.*load_from'):
        check_checkpoint(cfg)
    torch.save(state | dict(optimizer={}), last)
    with pytest.raises(ValueError, match=r'--resume=.*best_top1.*optimizer.*epoch_3\.pth'):
        check_checkpoint(cfg)


def test_a_checkpoint_without_schedulers_is_no_run_with_some(tmp_path):
    path = tmp_path / 'epoch_3.pth'
    torch.save(dict(state_dict=dict(a=torch.ones(1)), **{part: {} for part in PARTS}), path)
    cfg = _run(tmp_path, load_from=str(path), resume=True)
    check_checkpoint(cfg)
    cfg.param_scheduler = dict(type='StepLR', step_size=5)
    with pytest.raises(ValueError, match=r'epoch_3\.pth.*param_schedulers'):
        check_checkpoint(cfg)


def test_a_checkpoint_with_pickled_log_buffers_is_no_run(tmp_path):
    path = tmp_path / 'stock.pth'
    buffers = dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1])))
    torch.save(dict(state_dict=dict(a=torch.ones(1)), message_hub=buffers), path)
    with pytest.raises(ValueError, match=r'^--resume=.*stock.pth.*student_ckpt or teacher'):
        check_checkpoint(_run(tmp_path, load_from=str(path), resume=True))
    check_checkpoint(_run(tmp_path, load_from=str(path)))  # its weights are read


def test_a_file_without_weights(tmp_path):
    torch.save(dict(epoch=3), tmp_path / 'file.pth')
    with pytest.raises(ValueError, match=r'file.pth.*holds no weights'):
        check_checkpoint(_run(tmp_path, load_from=str(tmp_path / 'file.pth')))


@pytest.mark.parametrize('new', ['head', [3], ['']], ids=str)
def test_parts_that_may_be_new_are_a_list_of_names(tmp_path, new):
    with pytest.raises(ValueError, match=r'load_from_new=.*wanted a list'):
        check_checkpoint(_run(tmp_path, load_from='https://x.org/a.pth', load_from_new=new))


def test_parts_that_may_be_new_need_a_file(tmp_path):
    with pytest.raises(ValueError, match=r'load_from_new=.*no load_from'):
        check_checkpoint(_run(tmp_path, load_from_new=['head']))
    check_checkpoint(_run(tmp_path, load_from_new=['head'], resume='auto'))


@pytest.mark.parametrize('epochs', [1, 5, 6])
def test_a_schedule_begins_before_training_ends(epochs):
    warm_up, cosine = dict(type='LinearLR', end=5), dict(type='CosineAnnealingLR', begin=5)
    cfg = Config(dict(train_cfg=dict(max_epochs=epochs), param_scheduler=[warm_up, cosine]))
    if epochs > 5:
        check_schedule(cfg)
        return
    message = rf'param_scheduler\[1\]\.begin=5: wanted less than .*max_epochs={epochs}\.'
    with pytest.raises(ValueError, match=message):
        check_schedule(cfg)


@pytest.mark.parametrize('parts', [None, dict(type='CosineAnnealingLR', begin=5)])
def test_other_schedules_are_left_to_mmengine(parts):
    check_schedule(Config(dict(train_cfg=dict(max_iters=3), param_scheduler=parts)))
    check_schedule(Config(dict(train_cfg=dict(max_epochs=3), param_scheduler=parts)))
    by_iteration = [dict(type='LinearLR', by_epoch=False, begin=500)]
    check_schedule(Config(dict(train_cfg=dict(max_epochs=3), param_scheduler=by_iteration)))


def test_the_newest_checkpoint_is_left_to_the_runner(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('')
    check_checkpoint(_run(tmp_path, resume=True))


@pytest.mark.parametrize(
    ('model', 'key'),
    [
        (dict(type='mmvitkd.FeatureDistill', teacher=None), 'model.teacher'),
        (dict(type='ImageClassifier', head=None), 'model.head'),
    ],
)
def test_what_nothing_could_be_learnt_with(model, key):
    with pytest.raises(KeyedValueError, match=f'{key}=None'):
        check_trainable(Config(dict(model=model)))


def test_a_warm_up_longer_than_the_run_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmvitkd.engine.runner.preflight.print_log', lambda text, **_: said.append(text)
    )
    schedule = [dict(type='LinearLR', begin=0, end=9)]
    check_schedule(Config(dict(train_cfg=dict(max_epochs=3), param_scheduler=schedule)))
    (text,) = said
    assert 'param_scheduler.0.end=9' in text and 'max_epochs=3' in text

"""The config of the student alone."""

from copy import deepcopy

import mmvitkd  # noqa: F401
from mmvitkd.export.plain_config import bare_student, config_text, plain_config

import pytest
from mmengine.config import Config
from toy import ARCH, PREPROCESSOR
from toy_students import NAMES, label_free, student, training, write_images


def test_a_plain_student_needs_no_mmvitkd():
    parts = plain_config(training('ours'))
    assert 'custom_imports' not in parts
    backbone = dict(type='VisionTransformer', arch=ARCH, img_size=32, patch_size=8)
    assert parts['model']['backbone'] == backbone
    assert parts['test_pipeline'][0] == dict(type='LoadImageFromFile', imdecode_backend='cv2')
    assert parts['test_evaluator'] == dict(type='Accuracy', topk=(1,))
    assert parts['default_scope'] == 'mmpretrain'


def test_a_student_without_a_head_has_nothing_to_test():
    parts = plain_config(label_free('ours'))
    assert parts['model']['type'] == 'ImageClassifier' and 'head' not in parts['model']
    assert not {'test_evaluator', 'test_cfg', 'visualizer', 'custom_imports'} & parts.keys()
    dataset = parts['test_dataloader']['dataset']
    assert (dataset['type'], dataset['with_label']) == ('CustomDataset', False)
    assert dataset['data_root'] == parts['data_root'] == 'path/to/images'
    assert dataset['pipeline'] == parts['test_pipeline']


@pytest.mark.parametrize('evaluator', [[], None, dict(type='mmvitkd.KNNAccuracy')])
def test_without_a_head_no_metric_is_needed(evaluator):
    cfg = label_free('ours')
    wanted = plain_config(cfg)
    cfg.test_evaluator = evaluator
    assert plain_config(cfg) == wanted
    cfg.val_dataloader, cfg.val_evaluator = cfg.test_dataloader, evaluator
    cfg.test_dataloader = None
    assert plain_config(cfg) == wanted


def test_without_a_head_the_number_of_classes_is_dropped():
    cfg = label_free('ours')
    cfg.model.architecture.data_preprocessor.num_classes = 5
    assert 'num_classes' not in str(plain_config(cfg))


def test_metrics_that_mmpretrain_lacks_are_dropped():
    cfg = training('ours')
    ours = dict(type='mmvitkd.PerClass', out_dir='tables')
    cfg.test_evaluator = [ours, cfg.test_evaluator]
    assert plain_config(cfg)['test_evaluator'] == [dict(type='Accuracy', topk=(1,))]
    cfg.test_evaluator = ours
    assert plain_config(cfg)['test_evaluator'] == []


def test_what_mmpretrains_loader_lacks_is_dropped():
    cfg = training('ours')
    loader = dict(type='mmvitkd.LoadImage', max_pixels=10**9, backend_args=None)
    cfg.test_dataloader.dataset.pipeline[0] = loader
    found = plain_config(cfg)['test_pipeline'][0]
    assert found == dict(type='LoadImageFromFile', imdecode_backend='cv2', backend_args=None)


@pytest.mark.parametrize('kind', ['lift', 'widelast'])
def test_our_modules_import_mmvitkd(kind):
    parts = plain_config(training(kind))
    assert parts['custom_imports'] == dict(imports=['mmvitkd'], allow_failed_imports=False)
    assert next(iter(parts)) == 'custom_imports'


def test_the_users_own_imports_are_kept():
    cfg = training('plain')
    cfg.custom_imports = dict(imports=['mmvitkd', 'my_blocks'])
    assert plain_config(cfg)['custom_imports']['imports'] == ['my_blocks']


def test_nothing_of_the_training_is_left():
    text = config_text(plain_config(training('widelast'))).replace('mmpretrain', '').lower()
    assert 'widelast' in text
    for word in ('teach', 'distil', 'pair', 'optim', 'schedul', 'train', 'loss', 'ema'):
        assert word not in text, word


def test_pretrained_starts_are_dropped_at_any_depth():
    start = dict(type='Pretrained', checkpoint='imagenet.pth')
    normal = dict(type='TruncNormal', layer='Linear', std=0.02)
    model = student('widelast')
    model['pretrained'] = 'whole.pth'
    model['backbone']['base']['init_cfg'] = [normal, start]
    model['head']['init_cfg'] = normal
    found = bare_student(training('widelast', architecture=model))
    assert '.pth' not in str(found)
    assert found['head']['init_cfg'] == normal
    assert found['backbone']['base']['arch'] == ARCH


def test_batch_augmentation_is_dropped():
    mixup = dict(augments=dict(type='Mixup', alpha=0.8))
    cfg = training('lift')
    cfg.model.architecture.train_cfg = mixup
    cfg.model.architecture.data_preprocessor.batch_augments = mixup
    assert 'Mixup' not in str(plain_config(cfg))


def test_a_timm_student_is_not_downloaded():
    assert bare_student(training('timm')).get('pretrained') is None


@pytest.mark.parametrize('place', ['student', 'algorithm', 'config'])
def test_the_preprocessor_is_the_runners(place):
    given = dict(PREPROCESSOR, mean=[1.0, 2.0, 3.0])
    cfg = training('lift')
    del cfg.model.architecture['data_preprocessor']
    cfg.data_preprocessor = dict(PREPROCESSOR)
    if place == 'config':
        cfg.data_preprocessor = given
    elif place == 'algorithm':
        cfg.model.data_preprocessor = given
    else:
        cfg.model.architecture.data_preprocessor = given
    assert plain_config(cfg)['model']['data_preprocessor'] == given


def test_the_given_config_is_unchanged():
    cfg = training('lift')
    before = deepcopy(cfg.to_dict())
    plain_config(cfg)
    assert cfg.to_dict() == before


def test_the_text_reads_back_as_the_same_config(tmp_path):
    parts = plain_config(training('lift'))
    (tmp_path / 'student.py').write_text(config_text(parts))
    assert Config.fromfile(tmp_path / 'student.py').to_dict() == parts
    assert 'pipeline=test_pipeline' in config_text(parts)


def test_a_test_folder_becomes_mmpretrains_data_set(tmp_path):
    cfg = training('plain', write_images(tmp_path))
    dataset = plain_config(cfg, NAMES)['test_dataloader']['dataset']
    assert dataset['type'] == 'CustomDataset'
    assert (dataset['data_root'], dataset['data_prefix']) == ('path/to/images', 'val')
    assert dataset['classes'] == list(NAMES) and '.webp' in dataset['extensions']
    # Where there is no `test`, ImageFolder takes `val`.
    cfg.test_dataloader.dataset.split = 'test'
    assert plain_config(cfg, NAMES)['test_dataloader']['dataset'] == dataset


@pytest.mark.parametrize('why', ['no val', 'a class lacks', 'not sorted', 'names not known'])
def test_other_folders_keep_our_data_set(tmp_path, why):
    write_images(tmp_path)
    names = NAMES
    if why == 'no val':
        (tmp_path / 'val').rename(tmp_path / 'validation')
    elif why == 'a class lacks':
        (tmp_path / 'val' / 'bee').rename(tmp_path / 'bee')
    elif why == 'not sorted':
        names = NAMES[::-1]
    else:
        names = None
    cfg = training('plain', tmp_path)
    dataset = plain_config(cfg, names)['test_dataloader']['dataset']
    assert dataset['type'] == 'mmvitkd.ImageFolder' and dataset['split'] == 'val'


def test_the_validation_set_replaces_a_missing_test_set():
    cfg = training('plain')
    cfg.val_dataloader, cfg.val_evaluator = cfg.test_dataloader, cfg.test_evaluator
    wanted = plain_config(cfg)
    cfg.pop('test_dataloader')
    cfg.pop('test_evaluator')
    assert plain_config(cfg) == wanted


@pytest.mark.parametrize(
    ('key', 'message'), [('model', 'no model'), ('test', 'neither a test_dataloader')]
)
def test_configs_that_lack_something_are_named(tmp_path, key, message):
    file = tmp_path / 'half.py'
    training('plain').dump(file)
    cfg = Config.fromfile(file)
    cfg.pop('model' if key == 'model' else 'test_dataloader')
    with pytest.raises(ValueError, match=rf'half\.py: .*{message}'):
        plain_config(cfg)


def test_a_data_set_without_a_pipeline_is_named():
    cfg = training('plain')
    del cfg.test_dataloader.dataset['pipeline']
    with pytest.raises(ValueError, match=r'test_dataloader\.dataset .*ImageFolder\) has no'):
        plain_config(cfg)


def joined(cfg, *changes):
    """The test set as several, each with changes."""
    inner = cfg.test_dataloader.dataset
    return dict(type='ConcatDataset', datasets=[{**deepcopy(inner), **c} for c in changes])


def test_the_parts_of_a_joined_test_set_are_converted(tmp_path):
    cfg = training('ours')
    roots = [write_images(tmp_path / name) for name in ('here', 'there')]
    cfg.test_dataloader.dataset = joined(cfg, *(dict(data_root=str(r)) for r in roots))
    parts = plain_config(cfg, NAMES)
    first, second = parts['test_dataloader']['dataset']['datasets']
    assert first['type'] == second['type'] == 'CustomDataset'
    assert (first['data_root'], second['data_root']) == ('path/to/here', 'path/to/there')
    assert first['pipeline'] == second['pipeline'] == parts['test_pipeline']
    assert 'data_root' not in parts
    text = config_text(parts)
    assert text.count('pipeline=test_pipeline') == 2
    (tmp_path / 'student.py').write_text(text)
    assert Config.fromfile(tmp_path / 'student.py').to_dict() == parts


def test_a_joined_test_set_of_two_pipelines_is_refused():
    cfg = training('ours')
    changes = {}, dict(pipeline=[*cfg.test_dataloader.dataset.pipeline[1:]])
    cfg.test_dataloader.dataset = joined(cfg, *changes)
    with pytest.raises(
        ValueError, match=r'test_dataloader\.dataset\.datasets\.1\.pipeline: differs'
    ):
        plain_config(cfg)


def test_a_fold_keeps_the_order_that_decides_it(tmp_path):
    cfg = training('ours', data_root=write_images(tmp_path))
    folds = dict(type='KFoldDataset', test_mode=True, dataset=cfg.test_dataloader.dataset)
    cfg.test_dataloader.dataset = folds
    parts = plain_config(cfg, NAMES)
    dataset = parts['test_dataloader']['dataset']
    assert (dataset['type'], dataset['test_mode']) == ('KFoldDataset', True)
    assert dataset['dataset']['type'] == 'mmvitkd.ImageFolder'
    assert dataset['dataset']['data_root'] == parts['data_root'] == 'path/to/images'

"""A student on the hub: written, opened by timm or by load_student, and never executed."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.apis import embed, hub_student, load_student, predict
from mmvitkd.export.hub_folder import front_matter, write_hub
from mmvitkd.export.student import read_student

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file
from toy_students import NAMES, label_free, save_training, training
from toy_students import student as toy_student


@pytest.fixture
def written(tmp_path):
    """Writes a student's folder; returns it and the student."""

    def write(kind, labels=True, **model):
        cfg = (training if labels else label_free)(kind, **model)
        save_training(cfg, tmp_path / 'training.pth')
        student = read_student(cfg, str(tmp_path / 'training.pth'))
        write_hub(student, tmp_path / 'hub')
        return tmp_path / 'hub', student

    return write


def edit(folder, change):
    file = folder / 'config.json'
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def edit_neck(folder, **changes):
    edit(folder, lambda content: content['mmvitkd']['config']['model']['neck'].update(changes))


@pytest.mark.parametrize('kind', ['ours', 'distilled', 'lift', 'widelast', 'swin', 'timm'])
def test_it_comes_back_as_it_was(kind, written):
    folder, student = written(kind)
    assert sorted(p.name for p in folder.iterdir()) == ['config.json', 'model.safetensors']
    model = load_student(folder)
    images = student.images(2)
    with torch.no_grad():
        torch.testing.assert_close(model(images), student.model(images), rtol=0, atol=1e-6)
    assert tuple(model._dataset_meta['classes']) == NAMES


@pytest.mark.parametrize('kind', ['ours', 'lift'])
def test_without_a_head(kind, written):
    folder, student = written(kind, labels=False)
    images = student.images(2)
    with torch.no_grad():
        found, wanted = load_student(folder)(images), student.model(images)
    for one, two in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_how_a_recipe_initializes_is_left_out(written):
    model = toy_student('widelast')
    model['head']['init_cfg'] = dict(type='TruncNormal', layer='Linear', std=0.02)
    model['backbone']['base']['init_cfg'] = [dict(type='Constant', layer='Linear', val=1)]
    folder, trained = written('widelast', architecture=model)
    images = trained.images(1)
    with torch.no_grad():
        assert torch.equal(load_student(folder)(images), trained.model(images))


def test_timm_opens_what_it_has(written):
    folder, student = written('ours')
    model = timm.create_model(f'local-dir:{folder}', pretrained=True).eval()
    images = student.images(2)
    with torch.no_grad():
        torch.testing.assert_close(model(images), student.model(images), rtol=0, atol=1e-5)


def test_it_is_downloaded_by_its_name(written, monkeypatch):
    folder, student = written('lift')
    asked = []

    def snapshot_download(name, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr(hub_student, 'snapshot_download', snapshot_download)
    model = load_student('hf-hub:me/tiny@v1')
    assert asked == [('me/tiny', 'v1', ['config.json', 'model.safetensors'])]
    images = student.images(1)
    with torch.no_grad():
        assert torch.equal(model(images), student.model(images))


def test_its_folder_stands_for_the_model(written):
    folder, _ = written('lift')
    image = np.full((40, 40, 3), 99, np.uint8)
    (found,), (wanted,) = predict(folder, image), predict(load_student(folder), image)
    assert found['scores'].tolist() == wanted['scores'].tolist()
    assert embed(folder, image).embeddings.shape == (1, 32)


def test_what_cannot_be_downloaded_is_named(monkeypatch):
    def snapshot_download(*args, **kwargs):
        raise RuntimeError('404: there is no such repository')

    monkeypatch.setattr(hub_student, 'snapshot_download', snapshot_download)
    with pytest.raises(OSError, match=r'hf-hub:me/tiny.* cannot be downloaded'):
        load_student('hf-hub:me/tiny')


@pytest.mark.parametrize(
    'kind', ['os.system', 'mmpretrain.models.ImageClassifier', 'a:b', 'own_module', None]
)
def test_only_registered_types_are_built(kind, written, tmp_path, monkeypatch):
    (tmp_path / 'own_module.py').write_text('raise SystemExit("it was executed")')
    monkeypatch.syspath_prepend(str(tmp_path))  # where MMEngine would look for it
    folder, _ = written('lift')
    edit_neck(folder, type=kind)
    with pytest.raises(ValueError, match='wanted a name in the registries'):
        load_student(folder)


@pytest.mark.parametrize(
    'changes',
    [
        dict(_scope_='own_module'),
        dict(init_cfg=dict(type='Pretrained', checkpoint='http://a/b.pth')),
        dict(pretrained=True),
        dict(trust_remote_code=True),
        dict(model_name='hf-hub:own/model'),
        dict(file_client_args=dict(backend='petrel')),
    ],
    ids=str,
)
def test_keys_that_import_or_download_are_refused(changes, written):
    folder, _ = written('lift')
    edit_neck(folder, **changes)
    with pytest.raises(ValueError, match=rf'model\.neck\.{next(iter(changes))}'):
        load_student(folder)


def test_other_kinds_of_models_are_refused(written):
    folder, _ = written('lift')
    model = dict(type='HuggingFaceClassifier', model_name='own', trust_remote_code=True)
    edit(folder, lambda content: content['mmvitkd']['config'].update(model=model))
    with pytest.raises(ValueError, match=r'model\.type=.HuggingFaceClassifier'):
        load_student(folder)


def test_a_transform_is_checked_too(written):
    folder, _ = written('lift')
    pipeline = [dict(type='own_module')]
    edit(folder, lambda content: content['mmvitkd']['config'].update(test_pipeline=pipeline))
    with pytest.raises(ValueError, match=r'pipeline\.0\.type'):
        load_student(folder)


@pytest.mark.parametrize(
    ('part', 'place'),
    [
        (dict(type='mmvitkd.FeatureDistill', teacher='own_config.py'), 'type'),
        (dict(type='mmvitkd.CachedTeacher', teacher='own_config.py', dir='own'), 'type'),
        (dict(type='TIMMBackbone', model_name='deit', norm_layer='os'), 'norm_layer'),
        (dict(type='VQAGenerationHead', answer_list_path='answers.pkl'), 'answer_list_path'),
        (dict(type='LinearClsHead', own='http://a/b.pkl'), 'own'),
    ],
    ids=str,
)
def test_parts_that_import_or_read_are_refused(part, place, written):
    folder, _ = written('lift')
    edit(folder, lambda content: content['mmvitkd']['config']['model'].update(neck=part))
    with pytest.raises(ValueError, match=rf'model\.neck\.{place}'):
        load_student(folder)


def test_an_expression_is_not_evaluated(written, tmp_path):
    folder, _ = written('lift')
    code = f'float32 or __import__("os").mkdir({str(tmp_path / "made")!r})'
    pipeline = [dict(type='PackInputs'), dict(type='torchvision/ConvertImageDtype', dtype=code)]
    edit(folder, lambda content: content['mmvitkd']['config'].update(test_pipeline=pipeline))
    with pytest.raises(ValueError, match=r'pipeline\.1\.dtype.*wanted a word'):
        predict(folder, np.zeros((40, 40, 3), np.uint8))
    assert not (tmp_path / 'made').exists()


@pytest.mark.parametrize('kind', ['datasets', 'dataset', 'type'])
def test_of_a_data_set_nothing_is_built_or_imported(kind, written, tmp_path, monkeypatch):
    (tmp_path / 'own_module.py').write_text('raise SystemExit("it was executed")')
    monkeypatch.syspath_prepend(str(tmp_path))
    folder, student = written('lift')
    good = student.config['test_pipeline']
    evil = [good[0], dict(type='os.mkdir', path=str(tmp_path / 'made'))]
    dataset = {
        'datasets': dict(type='ConcatDataset', datasets=[dict(type='A', pipeline=evil)]),
        'dataset': dict(type='A', pipeline=good, dataset=dict(type='B', pipeline=evil)),
        'type': dict(type='own_module', pipeline=good),
    }[kind]
    loader = dict(dataset=dataset, sampler=dict(type='own_module'))
    edit(folder, lambda content: content['mmvitkd']['config'].update(test_dataloader=loader))
    image = np.full((40, 40, 3), 99, np.uint8)
    assert predict(folder, image)[0]['scores'].shape == (5,)
    assert not (tmp_path / 'made').exists()
    dataset = load_student(folder)._config.test_dataloader.to_dict()['dataset']
    assert dataset == dict(type='CustomDataset', pipeline=good)


@pytest.mark.parametrize('config', [{}, {'model': 3}, []], ids=str)
def test_a_config_that_lacks_its_parts_is_named(config, written):
    folder, _ = written('lift')
    edit(folder, lambda content: content['mmvitkd'].update(config=config))
    with pytest.raises(ValueError, match=r'config\.json'):
        load_student(folder)


def test_a_newer_format_is_refused(written):
    folder, _ = written('lift')
    edit(folder, lambda content: content['mmvitkd'].update(version=2))
    with pytest.raises(ValueError, match=r'version 2.*update mmvitkd'):
        load_student(folder)


def test_a_folder_without_weights_is_refused(written):
    folder, _ = written('lift')
    (folder / 'model.safetensors').unlink()
    with pytest.raises(FileNotFoundError, match=r'model\.safetensors'):
        load_student(folder)


def test_pickled_weights_are_not_executed(written):
    folder, student = written('lift')
    torch.save(student.model, folder / 'model.safetensors')
    with pytest.raises(ValueError, match=r'model\.safetensors'):
        load_student(folder)


def test_weights_of_another_width_are_refused(written):
    folder, _ = written('lift')
    edit_neck(folder, in_channels=8)
    with pytest.raises(ValueError, match='does not fit the model'):
        load_student(folder)


def test_another_models_config_is_named(written):
    folder, _ = written('ours')
    edit(folder, lambda content: content.pop('mmvitkd'))
    with pytest.raises(ValueError, match=r'--formats hub.*timm\.create_model'):
        load_student(folder)


@pytest.mark.parametrize(
    ('kind', 'labels', 'wanted'),
    [
        ('ours', True, ('timm', 'image-classification')),
        ('lift', False, ('mmvitkd', 'image-feature-extraction')),
    ],
)
def test_the_front_matter_is_yaml(kind, labels, wanted, written):
    folder, student = written(kind, labels)
    _, text, _ = front_matter(student, folder).split('---\n')
    found = yaml.safe_load(text)
    assert (found['library_name'], found['pipeline_tag']) == wanted
    assert load_file(folder / 'model.safetensors')

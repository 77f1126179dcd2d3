"""The index of models: what MIM and MMEngine read is true of the configs."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis import cost_of
from mmvitkd.engine.student import student_config

import modelindex
import pytest
import yaml
from mmengine.config import Config
from mmpretrain.registry import MODELS

ROOT = Path(__file__).parents[1]
METAFILES = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
ENTRIES = [
    model for file in METAFILES for model in yaml.safe_load((ROOT / file).read_text())['Models']
]
NAMES = [model['Name'] for model in ENTRIES]


def test_every_metafile_is_in_the_index():
    files = (ROOT / 'configs').rglob('metafile.yml')
    assert sorted(METAFILES) == sorted(p.relative_to(ROOT).as_posix() for p in files)


def test_modelindex_finds_nothing_wrong():
    index = modelindex.load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    assert index.check(silent=True) == []
    assert [model.name for model in index.models] == NAMES
    collections = {collection.name for collection in index.collections}
    assert {model.in_collection for model in index.models} == collections


def test_the_headline_configs_are_in_it():
    configs = {model['Config'] for model in ENTRIES}
    assert len(configs) == len(NAMES) == len(set(NAMES))
    assert {p.relative_to(ROOT).as_posix() for p in (ROOT / 'configs').glob('*.py')} <= configs


@pytest.mark.parametrize('model', ENTRIES, ids=NAMES)
def test_a_model_costs_what_its_entry_says(model):
    student = student_config(Config.fromfile(ROOT / model['Config']).model)
    cost = cost_of(MODELS.build(student), (224, 224))
    metadata = model['Metadata']
    assert (metadata['FLOPs'], metadata['Parameters']) == (cost.macs, cost.parameters)


@pytest.mark.parametrize('model', ENTRIES, ids=NAMES)
def test_a_schedule_is_what_its_entry_says(model):
    config = Config.fromfile(ROOT / model['Config'])
    metadata = model['Metadata']
    assert metadata['Epochs'] == config.train_cfg.max_epochs
    assert metadata['Batch Size'] == config.auto_scale_lr.base_batch_size
    assert metadata['Teacher']['Name'] == f'{config.model.teacher.model_name} of timm'


@pytest.mark.parametrize('model', ENTRIES, ids=NAMES)
def test_a_published_score_is_marked_as_such(model):
    """No weights are released, so no score in the index is ours."""
    assert 'Weights' not in model
    assert model['Metadata']['Results Source'].startswith('not measured here; published in')
    (result,) = model['Results']
    published = f'{result["Metrics"]["Top 1 Accuracy"]} % in the paper'
    assert published in (ROOT / model['Config']).read_text()

"""The index of models: what MIM and MMEngine read is true of the configs."""

import re
from collections import Counter

import mmvitkd  # noqa: F401

import modelindex
import pytest
import yaml
from recipes import recipe_of
from zoo import CONFIGS, FAMILIES, HEADLINES, ROOT, config_of, cost, first_comment, student_of

METAFILES = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
CONTENTS = {file: yaml.safe_load((ROOT / file).read_text()) for file in METAFILES}
COLLECTIONS = {c['Name']: c for content in CONTENTS.values() for c in content['Collections']}
ENTRIES = [model for content in CONTENTS.values() for model in content['Models']]
NAMES = [model['Name'] for model in ENTRIES]
LOSSES = dict(
    softkd='SoftKD',
    hardkd='HardKD',
    mse='MSE',
    spectralkd='SpectralKD',
    projectorkd='ProjectorKD',
    projectorkd_frozen='ProjectorKD (frozen)',
    subspace='Subspace',
    sep='SEP',
)
LAYERS = dict(
    first='first block',
    last='last block',
    first_last='first and last blocks',
    eight='eight pairs of blocks',
    stages='all four stages',
)
EM = '2511.15572'  # the paper that a comment means which names none

of_every_model = pytest.mark.parametrize('model', ENTRIES, ids=NAMES)


def config_path(model):
    return ROOT / model['Config']


def top_1(entry):
    """The score in a Student block or a result, or None."""
    return entry.get('Metrics', {}).get('Top 1 Accuracy')


def test_every_metafile_is_in_the_index():
    found = sorted(ROOT.glob('configs/**/metafile.yml'))
    assert sorted(ROOT / file for file in METAFILES) == found
    assert found == sorted(ROOT / f'configs/{family}/metafile.yml' for family in FAMILIES)


def test_modelindex_finds_nothing_wrong():
    index = modelindex.load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    assert index.check(silent=True) == []
    assert [model.name for model in index.models] == NAMES
    collections = {collection.name for collection in index.collections}
    assert {model.in_collection for model in index.models} == collections


def test_every_config_has_one_entry():
    assert Counter(map(config_path, ENTRIES)) == Counter(CONFIGS)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize('file', METAFILES)
def test_a_metafile_is_about_its_folder(file):
    (collection,) = CONTENTS[file]['Collections']
    for model in CONTENTS[file]['Models']:
        assert model['In Collection'] == collection['Name']
        path = config_path(model)
        assert path in HEADLINES or path.parent == (ROOT / file).parent
        assert model['Name'] == f'{path.stem}_in1k'


@of_every_model
def test_a_model_costs_what_its_entry_says(model):
    macs, parameters = model['Metadata']['FLOPs'], model['Metadata']['Parameters']
    found = cost(student_of(config_path(model)))
    assert (macs, parameters) == (found.macs, found.parameters)


@of_every_model
def test_a_training_is_what_its_entry_says(model):
    config, metadata = config_of(config_path(model)), model['Metadata']
    assert metadata['Epochs'] == config.train_cfg.max_epochs
    assert metadata['Batch Size'] == config.auto_scale_lr.base_batch_size
    techniques = [config.optim_wrapper.optimizer.type]
    if 'teacher' in config.model:
        techniques.append('Knowledge Distillation')
        name = config.model.teacher.type.removeprefix('timm:')
        assert metadata['Teacher'] == dict(Name=f'{name} of timm')
    else:
        assert 'Teacher' not in metadata
    assert metadata['Training Techniques'] == techniques


@of_every_model
def test_a_distillation_is_what_its_entry_says(model):
    recipe = recipe_of(config_of(config_path(model)))
    wanted = {}
    if recipe['losses']:
        wanted['Losses'] = [LOSSES[loss] for loss in recipe['losses']]
    if recipe['layers']:
        is_projected = recipe['remedy'] in ('projector', 'linear')
        projected = ', projected to 384 channels' if is_projected else ''
        wanted['Layers'] = LAYERS[recipe['layers']] + projected
    assert model['Metadata'].get('Distillation', {}) == wanted


def test_equal_students_have_one_name():
    pairs = {(student_of(config_path(m)), m['Metadata']['Student']['Name']) for m in ENTRIES}
    assert len(pairs) == len({text for text, _ in pairs}) == len({name for _, name in pairs})


@of_every_model
def test_a_published_score_is_the_comments_and_marked_as_such(model):
    """No weights are released, so no score in the index is ours."""
    assert 'Weights' not in model
    comment, source = first_comment(config_path(model)), model['Metadata']['Results Source']
    claimed = re.findall(r"(\d+\.\d+) % in the paper('s logs)?", comment)
    if not claimed:
        assert '% in' not in comment
        assert source == 'not measured here, not published'
        assert 'Results' not in model
        return
    ((score, logs),) = claimed
    paper = re.search(r'\(arXiv (\S+)\)', comment)
    paper = paper[1] if paper else EM
    where = f'{paper} (logs)' if logs else paper
    best = ', the best epoch on val' if 'for the best epoch on val' in comment else ''
    assert source == f'not measured here; published in arXiv {where}{best}'
    (result,) = model['Results']
    assert result == dict(
        Task='Image Classification',
        Dataset='ImageNet-1k',
        Metrics={'Top 1 Accuracy': float(score)},
    )
    url = (model if 'Paper' in model else COLLECTIONS[model['In Collection']])['Paper']['URL']
    assert url == f'https://arxiv.org/abs/{paper}'


def training_of(model):
    """The identity of a training without a teacher: student, epochs and optimizer."""
    config = config_of(config_path(model))
    settings = (config.optim_wrapper, config.auto_scale_lr, config.train_cfg)
    return student_of(config_path(model)), repr(settings)


@of_every_model
def test_a_student_has_the_score_of_the_same_training_without_a_teacher(model):
    alone = [
        top_1(other['Results'][0])
        for other in ENTRIES
        if 'Teacher' not in other['Metadata']
        and 'Results' in other
        and 'Teacher' in model['Metadata']
        and training_of(other) == training_of(model)
    ]
    assert top_1(model['Metadata']['Student']) == (alone[0] if alone else None)

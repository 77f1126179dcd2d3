"""The features of a finished run: measured once, and the scores of its patch tokens."""

import json
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.apis import FeatureModels, evaluate_features
from mmvitkd.datasets.train_val_lists import find_train_val
from mmvitkd.experiments import Entry, Run
from mmvitkd.experiments.feature_scores import feature_scores, token_scores

import cached_training as toy
import pytest
from toy_students import PIPELINE


@pytest.fixture
def run(tmp_path):
    """A run whose training has ended."""
    root = toy.make_data(tmp_path / 'data', per_class=4)
    cfg = toy.config(root, distiller=None)
    dataset = dict(cfg.train_dataloader.dataset, split='val', pipeline=PIPELINE)
    cfg.test_dataloader = dict(batch_size=4, dataset=dataset)
    cfg.test_evaluator, cfg.test_cfg = dict(type='mmvitkd.Accuracy', topk=(1,)), {}
    cfg.default_hooks.feature_error = dict(type='mmvitkd.FeatureErrorHook', validate=False)
    folder = tmp_path / 'run'
    toy.train(cfg, folder)
    cfg.dump(folder / 'toy.py')
    made = Run(Entry('toy', folder / 'toy.py', {}, once=False), 0, folder, None, {})
    made.record(Path('train.py'), 1.0, None)
    return made


def test_they_are_those_of_the_tool(run):
    found = feature_scores(run)
    root = run.config.train_dataloader.dataset.data_root
    models = FeatureModels(str(run.folder / 'toy.py'), str(run.checkpoint))
    wanted = evaluate_features(models, *find_train_val(root), num_workers=0)
    assert found['compared']['pair_0'] == pytest.approx(wanted['compared']['pair_0'])
    assert found['classified'] == wanted['classified']


def test_the_error_of_the_training_is_its_last_logged_one(run):
    found = feature_scores(run)
    lines = (next(run.folder.glob('*/vis_data/scalars.json'))).read_text().splitlines()
    logged = [json.loads(line) for line in lines if 'feature/pair_0/rel_error' in line]
    assert found['training'] == {'pair_0': logged[-1]['feature/pair_0/rel_error']}


def test_they_are_measured_once(run):
    feature_scores(run)
    file = run.folder / 'features.json'
    file.write_text(json.dumps(dict(compared={}, classified={})))
    assert feature_scores(run)['compared'] == {}


def test_the_scores_are_of_the_patch_tokens():
    pair = dict(rel_error=0.2, mean_token=0.8, r2=0.75, readout_r2=0.9, cka=0.5, floor=0.1)
    found = dict(
        compared=dict(embedding=dict(rel_error=0.1), pair_1=pair),
        classified=dict(student=dict(knn=40.0, probe=60.0), teacher=dict(knn=50.0)),
        training=dict(pair_0=0.08, pair_1=0.18),
    )
    scores = token_scores(found)
    assert scores == pair | dict(train_rel_error=0.18, knn=40.0, probe=60.0)


def test_what_was_not_measured_has_no_score():
    assert token_scores(dict(compared={}, classified={})) == {}
    found = dict(compared=dict(embedding=dict(rel_error=0.1)), classified={})
    assert token_scores(found) == dict(rel_error=0.1)

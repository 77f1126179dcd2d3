"""What would end a run after its first epoch ends it before the first iteration."""

from pathlib import Path
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.config.load_config import load_config
from mmvitkd.engine.runner import Runner
from mmvitkd.engine.runner.launch import set_dataloaders
from mmvitkd.engine.runner.rehearsal import _first_batch

import pytest
from folders import write_noise
from mmengine.config import Config

DIGITS = str(Path(__file__).parents[3] / 'configs/mnist5k/vit_32.py')
TRAIN = [f'train/{c}/{i}.png' for c in range(10) for i in range(2)]
VAL = [f'val/{c}/0.png' for c in range(10)]


@pytest.fixture
def train(tmp_path):
    """Train an epoch of one step, with some settings changed."""
    write_noise(tmp_path / 'data', *TRAIN, *VAL)

    def train(**options):
        options = {key.replace('__', '.'): value for key, value in options.items()}
        settings = {
            'data_root': str(tmp_path / 'data'),
            'work_dir': str(tmp_path / 'run'),
            'train_dataloader.batch_size': 20,
            'train_cfg.max_epochs': 1,
            'train_cfg.val_interval': 1,
            'param_scheduler': [],
            'custom_hooks': [],
        }
        cfg = load_config(DIGITS, settings | options)
        set_dataloaders(cfg)
        runner = Runner.from_cfg(cfg)
        try:
            runner.train()
        except Exception as error:
            assert runner.message_hub.get_info('iter', 0) == 0
            return (
                f'{getattr(error, "config_key", "")} {error} {error.__dict__.get("__notes__")}'
            )
        assert runner.iter == 1
        return None

    return train


def test_a_run_that_is_fine(train):
    assert train(default_hooks__checkpoint__save_best='accuracy/top1') is None


def test_save_best_of_no_metric(train):
    found = train(default_hooks__checkpoint__save_best='accuracy/top_1')
    assert 'save_best' in found and 'accuracy/top1' in found


def test_a_metric_that_does_not_fit(train):
    found = train(val_evaluator=dict(type='mmvitkd.Accuracy', topk=(1, 50)))
    assert 'val_evaluator' in found and 'topk=(1, 50)' in found


def test_a_transform_of_the_validation(train):
    steps = [dict(type='mmvitkd.LoadImage'), dict(type='Resize', scale=8, interpolation='no')]
    steps.append(dict(type='PackInputs'))
    found = train(val_dataloader__dataset__pipeline=steps)
    assert 'val_dataloader.dataset.pipeline.1' in found and "interpolation='no'" in found


def test_a_transform_of_the_training(train):
    steps = [dict(type='mmvitkd.LoadImage'), dict(type='Resize', scale=8, interpolation='no')]
    steps.append(dict(type='PackInputs'))
    found = train(train_dataloader__dataset__pipeline=steps)
    assert 'train_dataloader.dataset.pipeline.1' in found


def test_a_batch_larger_than_the_data(train):
    assert 'batch_size=21' in train(train_dataloader__batch_size=21)


@pytest.mark.parametrize(('broken', 'tried'), [(0, 2), (3, 2), (30, None)])
def test_images_that_can_be_read_are_tried(broken, tried):
    """If they are among the first; broken ones do not end a run."""
    unreadable = [dict(data_samples=dict(unreadable={'a.png': 'empty'}))] * broken
    dataset = [*unreadable, *(dict(data_samples={}) for _ in range(4))]
    loader = SimpleNamespace(dataset=dataset, collate_fn=list)
    batch = _first_batch(SimpleNamespace(dataloader=loader), Config())
    assert batch == (None if tried is None else [dict(data_samples={})] * tried)

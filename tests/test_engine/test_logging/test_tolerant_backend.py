"""A backend that fails is a warning, once, and the training goes on."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.logging.tolerant_backend import TolerantBackend
from mmvitkd.utils.random_state import seed_everything

import numpy as np
import pytest
import torch
from mmengine.registry import VISBACKENDS
from mmengine.visualization import BaseVisBackend
from mmengine.visualization.vis_backend import force_init_env


@VISBACKENDS.register_module()
class ToyService(BaseVisBackend):
    """A service that fails where it is told to, and takes numbers only."""

    def __init__(self, save_dir, fails=(), seed=None):
        super().__init__(save_dir)
        self.fails, self.calls, self.metrics, self.seed = fails, [], {}, seed

    def _call(self, name):
        self.calls.append(name)
        if name in self.fails:
            raise (ImportError if 'missing' in self.fails else RuntimeError)(
                f'no {name}\nfor you'
            )

    def _init_env(self):
        if self.seed is not None:
            seed_everything(self.seed)
        self._call('start')

    experiment = None

    @force_init_env
    def add_config(self, config, **kwargs):
        self._call('add_config')

    @force_init_env
    def add_image(self, name, image, step=0, **kwargs):
        self._call('add_image')

    @force_init_env
    def add_scalar(self, name, value, step=0, **kwargs):
        self._call('add_scalar')

    @force_init_env
    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        self._call('add_scalars')
        self.metrics |= {name: float(value) for name, value in scalar_dict.items()}

    def add_graph(self, model, data_batch, **kwargs):
        self._call('add_graph')

    def close(self):
        self._call('close')


@pytest.fixture
def train(make_runner, capsys):
    """Train with the service; returns it and the warnings."""

    def train(*fails):
        backends = [dict(type='LocalVisBackend'), dict(type='ToyService', fails=fails)]
        runner = make_runner(
            visualizer=dict(type='Visualizer', vis_backends=backends),
            log_interval=1,
            log_level='WARNING',
            cfg=dict(a=1),
        )
        runner.train()
        assert Path(runner.work_dir, 'epoch_3.pth').exists()
        lines = capsys.readouterr().out.splitlines()
        warnings = [line.partition('WARNING - ')[2] for line in lines if 'ToyService.' in line]
        return runner.visualizer.get_backend('ToyService'), warnings

    return train


@pytest.mark.parametrize('name', ['add_config', 'add_scalars', 'close'])
def test_a_method_that_fails_is_one_warning(train, name):
    service, warnings = train(name)
    assert [line.partition(':')[0] for line in warnings] == [f'ToyService.{name}']
    assert f'no {name} for you. The run goes on, and tries again.' in warnings[0]
    assert service.calls.count('add_scalars') > 10


def test_one_that_cannot_start_is_not_tried_again(train):
    service, warnings = train('start')
    assert service.calls == ['start']
    [line] = warnings
    assert 'no start for you. The run goes on without it.' in line


def test_a_package_that_is_missing_is_found_before_the_training(train):
    with pytest.raises(ImportError, match='no start'):
        train('start', 'missing')


def test_a_service_gets_numbers_only(tmp_path):
    service = ToyService(str(tmp_path))
    found = dict(
        top1=40.5, n=np.float32(2), array=np.array(3.0), per_class=[1.0, 2.0], text='x'
    )
    TolerantBackend('ToyService', service).add_scalars(found, step=3)
    assert service.metrics == dict(top1=40.5, n=2.0, array=3.0)


def test_one_that_seeds_when_it_starts_leaves_the_runs_seed(tmp_path):
    seed_everything(7)
    wanted = torch.rand(3), np.random.random(3)
    seed_everything(7)
    service = TolerantBackend('ToyService', ToyService(str(tmp_path), seed=1337))
    service.add_config({})
    assert service.calls == ['start', 'add_config']
    found = torch.rand(3), np.random.random(3)
    assert torch.equal(found[0], wanted[0]) and np.array_equal(found[1], wanted[1])

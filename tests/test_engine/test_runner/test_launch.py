"""A run is prepared: loaders, launcher, rank, work dir."""

import os
import signal

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner import launch
from mmvitkd.utils.folder_lock import FolderInUseError, folder_lock

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import FUNCTIONS
from mmpretrain.registry import MODELS
from toy import vit
from toy_distillation import noise

LOADERS = ['train_dataloader', 'val_dataloader', 'test_dataloader']


def _cfg(**loader) -> Config:
    loader = dict(batch_size=4, dataset=dict(type='ImageNet', pipeline=[])) | loader
    return Config(dict.fromkeys(LOADERS, loader))


@pytest.fixture(params=[False, True], ids=['CPU', 'CUDA'])
def cuda(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: request.param)
    return request.param


@pytest.mark.parametrize('name', LOADERS)
def test_loaders_are_completed(name, cuda):
    cfg = _cfg()
    launch.set_dataloaders(cfg)
    assert cfg[name] == dict(
        batch_size=4,
        dataset=dict(type='ImageNet', pipeline=[]),
        collate_fn=dict(type='default_collate'),
        persistent_workers=False,
        pin_memory=cuda,
    )


@pytest.mark.parametrize('name', LOADERS)
def test_the_config_overrides_the_defaults(name, cuda):
    cfg = _cfg(persistent_workers=True, pin_memory=False, collate_fn=dict(type='mine'))
    launch.set_dataloaders(cfg)
    assert cfg[name].persistent_workers is True
    assert cfg[name].pin_memory is False
    assert cfg[name].collate_fn == dict(type='mine')


@pytest.mark.parametrize(
    ('name', 'workers', 'is_seeded', 'outlasts'),
    [
        ('train_dataloader', 2, True, True),
        ('val_dataloader', 2, True, True),
        ('test_dataloader', 2, True, False),
        ('train_dataloader', 0, True, False),
        ('train_dataloader', 2, False, False),
    ],
)
def test_workers_outlast_an_epoch_where_samples_are_seeded(name, workers, is_seeded, outlasts):
    cfg = _cfg(num_workers=workers)
    cfg.sample_seeds = is_seeded
    launch.set_dataloaders(cfg)
    assert cfg[name].persistent_workers is outlasts


def test_batches_train_as_mmengines_to_the_bit():
    """MMEngine's collate_fn gives a list of images, which are normalised one by one."""
    trained = []
    for cfg in (dict(collate_fn=dict(type='pseudo_collate')), {}):
        cfg = _cfg(**cfg)
        launch.set_dataloaders(cfg)
        collate = FUNCTIONS.get(cfg.train_dataloader.collate_fn.type)
        torch.manual_seed(0)
        model = MODELS.build(vit())
        wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-2))
        images = noise(12)
        losses = [
            model.train_step(collate(images[i : i + 4]), wrapper)['loss'].item()
            for i in (0, 4, 8)
        ]
        trained.append((losses, model.state_dict()))
    (wanted, weights), (found, ours) = trained
    assert found == wanted
    assert all(torch.equal(ours[name], value) for name, value in weights.items())


def test_pinned_memory_can_be_turned_off(cuda):
    cfg = _cfg(pin_memory=True)
    launch.set_dataloaders(cfg, no_pin_memory=True)
    assert [cfg[name].pin_memory for name in LOADERS] == [False] * 3


def test_missing_loaders_are_not_added():
    cfg = Config(dict(train_dataloader=dict(batch_size=4), val_dataloader=None))
    launch.set_dataloaders(cfg)
    assert cfg.train_dataloader.collate_fn.type == 'default_collate'
    assert cfg.val_dataloader is None
    assert 'test_dataloader' not in cfg


def test_loaders_share_nothing():
    cfg = _cfg()
    launch.set_dataloaders(cfg)
    cfg.val_dataloader.collate_fn.type = 'mine'
    cfg.val_dataloader.dataset.type = 'CIFAR10'
    assert cfg.test_dataloader.collate_fn.type == 'default_collate'
    assert cfg.test_dataloader.dataset.type == 'ImageNet'
    launch.set_dataloaders(fresh := _cfg())
    assert fresh.val_dataloader.collate_fn.type == 'default_collate'


def test_options_override_completed_loaders():
    cfg = _cfg()
    launch.set_dataloaders(cfg)
    cfg.merge_from_dict({'train_dataloader.collate_fn.type': 'pseudo_collate'})
    assert cfg.train_dataloader.collate_fn == dict(type='pseudo_collate')
    assert Config.fromstring(cfg.pretty_text, '.py').to_dict() == cfg.to_dict()


@pytest.mark.parametrize('launcher', ['none', 'slurm', 'mpi'])
def test_other_launchers_are_left_to_mmengine(launcher, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = Config(dict(launcher=launcher))
    launch.init_distributed(cfg)
    assert not torch.distributed.is_initialized()
    assert 'model_wrapper_cfg' not in cfg


@pytest.fixture
def one_rank(monkeypatch):
    """The environment of a launcher that starts one process, without CUDA."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name, value in dict(RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1').items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv('MASTER_PORT', '0')


def test_one_process_on_gloo(one_rank):
    cfg = Config(dict(launcher='pytorch', find_unused_parameters=True))
    try:
        launch.init_distributed(cfg)
        assert torch.distributed.get_backend() == 'gloo'
        assert cfg.model_wrapper_cfg.device_ids is None
        assert cfg.model_wrapper_cfg.find_unused_parameters is True
    finally:
        launch.cleanup()
    assert not torch.distributed.is_initialized()
    launch.cleanup()  # nothing to do


@pytest.mark.parametrize(('given', 'seconds'), [({}, 1800), (dict(timeout=7.5), 7.5)], ids=str)
def test_gloo_waits_as_long_as_the_config_says(one_rank, given, seconds):
    cfg = Config(dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(backend='nccl', **given))))
    try:
        launch.init_distributed(cfg)
        group = torch.distributed.group.WORLD._get_backend(torch.device('cpu'))
        assert group.options._timeout.total_seconds() == seconds
    finally:
        launch.cleanup()


@pytest.mark.parametrize('timeout', [0, -1, '30min'])
def test_a_timeout_is_a_number_of_seconds(one_rank, timeout):
    cfg = Config(dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(timeout=timeout))))
    with pytest.raises(ValueError, match=rf'env_cfg.dist_cfg.timeout={timeout!r}'):
        launch.init_distributed(cfg)


def test_torchruns_rank_wins(monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '3')
    launch.set_local_rank(0)
    assert launch.os.environ['LOCAL_RANK'] == '3'
    monkeypatch.delenv('LOCAL_RANK')
    launch.set_local_rank(1)
    assert launch.os.environ['LOCAL_RANK'] == '1'


def test_the_work_dir_is_given_or_from_the_config_or_its_name(tmp_path):
    path = tmp_path / 'my_run.py'
    path.write_text('a = 1')
    cfg = Config.fromfile(path)
    launch.set_work_dir(cfg, None)
    assert cfg.work_dir == 'work_dirs/my_run'
    cfg.work_dir = 'from/config'
    launch.set_work_dir(cfg, None)
    assert cfg.work_dir == 'from/config'
    launch.set_work_dir(cfg, 'from/command line')
    assert cfg.work_dir == 'from/command line'


@pytest.mark.parametrize(
    ('launcher', 'variable'),
    [('none', 'UNUSED'), ('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID')],
)
def test_a_work_dir_in_use_is_refused_by_the_first_rank(
    launcher, variable, tmp_path, monkeypatch
):
    cfg = Config(dict(launcher=launcher, work_dir=str(tmp_path)))
    monkeypatch.setenv(variable, '0')
    with folder_lock(tmp_path, 'a training'):
        with pytest.raises(FolderInUseError, match='a training'):
            launch.check_work_dir(cfg)
        monkeypatch.setenv(variable, '1')
        if launcher != 'none':
            launch.check_work_dir(cfg)
    monkeypatch.setenv(variable, '0')
    launch.check_work_dir(cfg)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_before_training_leaves_with_the_code_of_a_preempted_run(number):
    child = os.fork()
    if child == 0:
        launch.leave_on_signals()
        os.kill(os.getpid(), number)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 75

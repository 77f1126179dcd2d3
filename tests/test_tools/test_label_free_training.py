"""From a flat folder to a student without labels: resumed, cached, in two processes."""

from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import timm
import torch
from folders import write_noise
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / 'foundation' / 'dinov2_small_deit_tiny_projector.py'
COSINE = """
_base_ = '{config}'
custom_hooks = [dict(type='mmvitkd.StudentEMAHook')]
model = dict(
    pair_loss=dict(_delete_=True, type='mmvitkd.CosineSmoothL1Loss', loss_weight=2.0)
)
"""


@pytest.fixture
def photos(tmp_path):
    """Nine images, eight of them for training, and a file that is none."""
    names = [f'{i}.png' for i in range(8)] + ['below/8.png']
    root = write_noise(tmp_path / 'photos', *names, size=(70, 80, 3))
    (root / 'broken.png').write_bytes(b'')
    return root


@pytest.fixture
def options(photos):
    """A training of three short epochs, at 64 px."""
    return [
        f'data_root={photos}',
        'img_size=64',
        'model.teacher.img_size=56',
        'model.teacher.depth=2',
        'model.allow_random_teacher=True',
        'train_dataloader.batch_size=3',
        'train_dataloader.num_workers=0',
        'train_dataloader.drop_last=True',
        'train_cfg.max_epochs=3',
        'param_scheduler.0.end=1',
        'param_scheduler.1.begin=1',
        'default_hooks.logger.interval=1',
    ]


def read(folder, name='epoch_3.pth'):
    return torch.load(folder / name, weights_only=True)


def losses_of(checkpoint):
    scalars = checkpoint['message_hub']['log_scalars']
    return {k: v['log_history'] for k, v in scalars.items() if 'loss' in k}


def test_a_resumed_training_ends_with_the_same_weights(run_tool, options, tmp_path):
    config = tmp_path / 'cosine.py'
    config.write_text(COSINE.format(config=CONFIG))
    run_tool('train', config, '--work-dir', tmp_path / 'run', options=options)
    whole = read(tmp_path / 'run')
    assert whole['state_dict']['distiller.distill_losses.loss_pair_1.standardize.batches'] == 9
    assert not any('head' in key or 'teacher' in key for key in whole['state_dict'])
    assert whole['ema_state_dict']
    assert set(losses_of(whole)) == {
        f'train/{name}' for name in ('loss', 'distill.loss_pair_0', 'distill.loss_pair_1')
    }
    arguments = ('--work-dir', tmp_path / 'again', '--resume', tmp_path / 'run' / 'epoch_2.pth')
    run_tool('train', config, *arguments, options=options)
    again = read(tmp_path / 'again')
    for part in ('state_dict', 'ema_state_dict'):
        for name, tensor in whole[part].items():
            assert torch.equal(tensor, again[part][name]), name
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert '9 images without labels' in log and '1 unreadable training image' in log
    assert log.count('feature/val_r2: ') == log.count('feature/val_r2_ema: ') == 3
    dumped = Config.fromfile(tmp_path / 'run' / 'cosine.py')
    assert dumped.model.architecture.type == 'mmvitkd.ImageEncoder'


def test_there_is_no_metric_to_test(run_tool, options, tmp_path):
    with pytest.raises(SystemExit, match=r'test_evaluator=\[\]: no metric'):
        run_tool('test', CONFIG, 'any.pth', '--work-dir', tmp_path, options=options)


def test_a_teacher_cache_has_embeddings_and_tokens(run_tool, options, tmp_path):
    cache = [f'teacher_cache.dir={tmp_path}/cache', 'teacher_cache.views=2']
    cache += ['teacher_cache.features=fp32']
    teacher = timm.create_model('vit_small_patch14_dinov2', img_size=56, depth=2, num_classes=0)
    torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
    options = [*options, f'model.teacher_ckpt={tmp_path}/teacher.pth']
    run_tool(
        'train', CONFIG, '--work-dir', tmp_path / 'a', options=[*options, 'sample_views=2']
    )
    run_tool('cache_teacher', CONFIG, options=[*options, *cache])
    run_tool('train', CONFIG, '--work-dir', tmp_path / 'b', options=[*options, *cache])
    live, cached = (losses_of(read(tmp_path / name)) for name in 'ab')
    for name, history in live.items():
        torch.testing.assert_close(cached[name], history, rtol=1e-4, atol=0), name
    log = next((tmp_path / 'b').glob('*/*.log')).read_text()
    assert 'complete' in log.lower()


def test_two_processes(run_distributed, options, tmp_path):
    out = tmp_path / 'run'
    run_distributed(
        *('dist_train.sh', CONFIG, 2, '--work-dir', out, '--cfg-options', *options),
        pythonpath=ROOT,
    )
    assert all(history.isfinite().all() for history in losses_of(read(out)).values())


PATCHES = """
_base_ = '{config}'
model = dict(
    pairs=[(11, 1)],
    architecture=dict(
        type='mmvitkd.ImageEncoder', head=None, backbone=dict(out_type='raw')
    ),
)
"""


@pytest.fixture
def patches(tmp_path):
    """A config whose student has a final norm that no loss reads."""
    config = tmp_path / 'patches.py'
    config.write_text(PATCHES.format(config=CONFIG))
    return config


def test_two_processes_refuse_a_layer_that_nothing_trains(
    run_distributed, patches, options, tmp_path
):
    arguments = ('--work-dir', tmp_path / 'run', '--cfg-options', *options)
    with pytest.raises(AssertionError, match=r'train: architecture: no loss depends on backb'):
        run_distributed('dist_train.sh', patches, 2, *arguments, pythonpath=ROOT)


def test_one_process_warns_of_it(run_tool, patches, options, tmp_path):
    run_tool('train', patches, '--work-dir', tmp_path / 'run', options=options)
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'WARNING - architecture: no loss depends on backbone.ln1, so' in log
    assert 'own validation top-1' not in log

"""tools/cache_teacher.py fills a cache, is killed, and goes on; training needs no teacher."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.cache.header import NAME, read_header

import cached_training as toy
import pytest
import timm
import torch
from image_folders import write_folder

ROOT = Path(__file__).parents[2]
SIZE, EPOCHS = 32, 2
CONFIG = """
_base_ = '{root}/configs/cait_s24_deit_tiny_widelast.py'
custom_imports = dict(imports=['short_flush'])
model = dict(
    architecture=dict(backbone=dict(base=dict(img_size={size}))),
    teacher=dict(img_size={size}),
    teacher_ckpt='{data}/cait.pth',
)
pipeline = _base_.train_pipeline
pipeline[0]['scale'] = {size}
test_pipeline = _base_.test_pipeline
test_pipeline[1]['scale'] = test_pipeline[2]['crop_size'] = {size}
train_dataloader = dict(
    batch_size=4, num_workers=0, dataset=dict(data_root='{data}', pipeline=pipeline)
)
val_dataloader = dict(
    batch_size=4, num_workers=0, dataset=dict(data_root='{data}', pipeline=test_pipeline)
)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs={epochs})
param_scheduler = [dict(type='ConstantLR', factor=1.0)]
default_hooks = dict(logger=dict(interval=1))
log_processor = dict(window_size=1)
"""


@pytest.fixture(scope='module')
def headline(tmp_path_factory):
    """The headline config with small images in ImageNet's layout, and CaiT's random weights."""
    data = tmp_path_factory.mktemp('headline')
    return write_headline(data, SIZE, EPOCHS, train=8)


def write_headline(data, size, epochs, train):
    write_folder(data, 1000, train, 2, (size + 8, size + 4, 3), 'JPEG', filled=3)
    torch.manual_seed(0)
    cait = timm.create_model('cait_s24_224', img_size=size)
    torch.save(cait.state_dict(), data / 'cait.pth')
    config = data / 'config.py'
    config.write_text(CONFIG.format(root=ROOT, data=data, size=size, epochs=epochs))
    return data


def torchrun(tool, data, *arguments):
    """Start a tool on two processes."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2']
    command += [f'--master_port={port}', ROOT / 'tools' / f'{tool}.py', data / 'config.py']
    command += ['--launcher', 'pytorch', *arguments]
    return subprocess.Popen(
        list(map(str, command)),
        env=dict(os.environ, PYTHONPATH=f'{ROOT}:{Path(__file__).parent}'),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def output_of(process):
    """The output of a process that succeeds."""
    output = process.communicate(timeout=280)[0]
    assert process.returncode == 0, output[-3000:]
    return output


def cache_options(folder):
    stated = [f'teacher_cache.dir={folder}', 'teacher_cache.top_k=all']
    return ['--cfg-options', *stated, 'teacher_cache.features=fp32']


def train(data, name, *arguments):
    """Train on two ranks; return the losses of the iterations and the output."""
    process = torchrun('train', data, '--work-dir', data / name, *arguments)
    output = output_of(process)
    last = torch.load(data / name / f'epoch_{EPOCHS}.pth', weights_only=True)
    scalars = last['message_hub']['log_scalars']
    losses = {k: v['log_history'] for k, v in scalars.items() if 'loss' in k}
    assert len(losses) >= 4
    return losses, output


def kill_in_the_middle(process, folder, rows):
    """Kill all processes once some rows are stored."""
    while not (folder / NAME).exists() or len(toy.stored(folder)) < rows:
        assert process.poll() is None, process.communicate()[0][-3000:]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_the_headline_config(headline):
    folder = headline / 'cache'
    filling = torchrun('cache_teacher', headline, *cache_options(folder))
    kill_in_the_middle(filling, folder, rows=10)
    before = toy.stored(folder)
    assert 10 <= len(before) < 2 * 24
    output = output_of(torchrun('cache_teacher', headline, *cache_options(folder)))
    assert f'{folder} is complete' in output
    after, header = toy.stored(folder), read_header(folder)
    assert {row: after[row] for row in before} == before
    assert (header.repeats, header.views, header.num_images) == (3, 2, 24)
    live, _ = train(headline, 'live')
    (headline / 'cait.pth').unlink()
    cached, output = train(headline, 'cached', *cache_options(folder))
    assert 'complete: the teacher is not built' in output
    for name, losses in live.items():
        torch.testing.assert_close(cached[name], losses, rtol=1e-6, atol=1e-6)

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
from mmvitkd.engine.runner import fill_cache
from mmvitkd.models.teachers import CachedTeacher
from mmvitkd.utils.folder_lock import folder_lock

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
    assert len(before) >= 10  # not all, unless the machine is so busy that this one sleeps
    output = output_of(torchrun('cache_teacher', headline, *cache_options(folder)))
    assert f'{folder} is complete' in output
    after, header = toy.stored(folder), read_header(folder)
    assert {row: after[row] for row in before} == before
    assert (header.repeats, header.views, header.num_images) == (3, 2, 24)
    live, _ = train(headline, 'live')
    (headline / 'cait.pth').unlink()
    cached, output = train(headline, 'cached', *cache_options(folder))
    assert 'complete: the training needs no teacher' in output
    for name, losses in live.items():
        torch.testing.assert_close(cached[name], losses, rtol=1e-6, atol=1e-6)


@pytest.fixture
def small(tmp_path):
    """The folder, and the file, of a small training with a cache."""
    root = toy.make_data(tmp_path / 'data')
    cfg = toy.config(root, dict(dir=str(tmp_path / 'cache')))
    cfg.env_cfg = dict(dist_cfg=dict(backend='gloo'))
    cfg.dump(tmp_path / 'config.py')
    return tmp_path


def exit_line(run_tool, folder, *arguments, options=()):
    """The line with which the tool exits; a line means exit code 1."""
    with pytest.raises(SystemExit) as found:
        run_tool('cache_teacher', folder / 'config.py', *arguments, options=options)
    line = found.value.code
    assert isinstance(line, str) and line.startswith('cache_teacher: ') and '\n' not in line
    return line


def test_a_training_reads_what_the_tool_filled(run_tool, small, capsys):
    run_tool('cache_teacher', small / 'config.py')
    assert 'is complete; this process stored 30 views' in capsys.readouterr().out
    (small / 'data' / 'teacher.pth').unlink()
    cfg = toy.config(small / 'data', str(small / 'cache'))
    runner, losses = toy.train(cfg, small / 'work')
    assert runner.model.teacher.live is None and len(losses) == 9
    run_tool('cache_teacher', small / 'config.py')
    assert 'is complete; this process stored 0 views' in capsys.readouterr().out


def test_the_tool_stores_what_a_training_would(run_tool, small):
    run_tool('cache_teacher', small / 'config.py')
    toy.train(toy.config(small / 'data', str(small / 'through')), small / 'work')
    tool, training = toy.stored(small / 'cache'), toy.stored(small / 'through')
    assert tool.keys() == training.keys()


@pytest.mark.parametrize('stated', ['a folder', 'options', 'nothing'])
def test_another_folder(run_tool, small, stated):
    given = dict(options=dict(dir='of the config', views=2), nothing=None).get(stated, 'folder')
    toy.config(small / 'data', given).dump(small / 'config.py')
    run_tool('cache_teacher', small / 'config.py', '--dir', small / 'named')
    assert len(toy.stored(small / 'named')) == (20 if stated == 'options' else 30)


def test_no_folder(run_tool, small):
    toy.config(small / 'data').dump(small / 'config.py')
    assert 'teacher_cache' in exit_line(run_tool, small)


def test_no_seed(run_tool, small):
    line = exit_line(run_tool, small, options=['randomness.seed=None'])
    assert 'randomness.seed' in line


def test_a_full_disk(run_tool, small, monkeypatch):
    from mmvitkd.cache.shard_file import Shard

    write, written = Shard.write, []

    def full(self, row, data):
        if len(written) == 12:
            raise OSError(28, 'No space left on device', str(self.path))
        written.append(row)
        write(self, row, data)

    with monkeypatch.context() as patch:
        patch.setattr(Shard, 'write', full)
        line = exit_line(run_tool, small)
    assert str(small / 'cache') in line and 'No space left on device' in line
    assert 'same command' in line and '--resume' not in line
    before = toy.stored(small / 'cache')
    assert len(before) == 12
    run_tool('cache_teacher', small / 'config.py')
    after = toy.stored(small / 'cache')
    assert len(after) == 30
    assert {row: after[row] for row in before} == before


def test_a_training_that_fills_it_at_the_same_time(run_tool, small):
    run_tool('cache_teacher', small / 'config.py')
    forget(small / 'cache', 3)
    with folder_lock(small / 'cache', 'a training that fills it (run 1234)'):
        line = exit_line(run_tool, small)
        assert 'run 1234' in line and 'process' in line
        assert 'in use' in exit_line(run_tool, small, '--repair')
    assert len(toy.stored(small / 'cache')) == 29


def test_a_folder_that_cannot_be_created(run_tool, small):
    folder = small / 'config.py' / 'cache'
    line = exit_line(run_tool, small, '--dir', folder)
    assert 'Not a directory' in line and str(folder) in line


def test_a_cache_of_another_training(run_tool, small):
    run_tool('cache_teacher', small / 'config.py')
    line = exit_line(run_tool, small, options=['randomness.seed=7'])
    assert 'seed 0' in line and 'sample_seed=0' in line


def forget(folder, row):
    header = read_header(folder)
    numbers = header.num_rows, header.row_bytes
    with toy.RowStore.open(folder, *numbers, writable=True) as store:
        store.forget(toy.np.array([row]))


def test_another_machine_repairs_a_shared_folder(run_tool, small, monkeypatch):
    run_tool('cache_teacher', small / 'config.py')
    monkeypatch.setattr(fill_cache, 'lock_for_run', lambda *_: (False, None))
    monkeypatch.setattr(CachedTeacher, 'repair', lambda _: pytest.fail('repaired twice'))
    run_tool('cache_teacher', small / 'config.py', '--repair')


def test_repair(run_tool, small, capsys):
    run_tool('cache_teacher', small / 'config.py')
    before = toy.stored(small / 'cache')
    (path,) = (small / 'cache').glob('shard-*')
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # of the last row
    path.write_bytes(content)
    run_tool('cache_teacher', small / 'config.py', '--repair')
    assert 'this process stored 1 views' in capsys.readouterr().out
    after = toy.stored(small / 'cache')
    assert after.keys() == before.keys()
    assert [row for row in before if before[row] != after[row]] in ([], [29])
    path.unlink()
    run_tool('cache_teacher', small / 'config.py', '--repair')
    assert toy.stored(small / 'cache').keys() == before.keys()

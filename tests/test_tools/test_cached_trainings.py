"""Trainings with a teacher cache, as a user runs them: two ranks, a suite, test and export."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import cached_training as toy
import pytest
import torch
from tool_modules import load_tool

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path):
    """The folder of a small training with a cache; `config.py` is its config."""
    root = toy.make_data(tmp_path / 'data')
    write_config(tmp_path, toy.config(root, dict(dir=str(tmp_path / 'cache'), **toy.EXACT)))
    return tmp_path


def write_config(folder, cfg, name='config.py'):
    loader = {**cfg.train_dataloader, 'sampler': dict(type='DefaultSampler', shuffle=False)}
    loader['dataset'] = {**loader['dataset'], 'split': 'val'}
    evaluator = dict(type='mmvitkd.Accuracy', topk=(1,))
    cfg.merge_from_dict(
        dict(
            env_cfg=dict(dist_cfg=dict(backend='gloo')),
            val_cfg=dict(),
            val_dataloader=loader,
            val_evaluator=evaluator,
            test_cfg=dict(),
            test_dataloader=loader,
            test_evaluator=evaluator,
        )
    )
    cfg.dump(folder / name)


def train_on_two(small, work_dir, *arguments, imports=()):
    """Train on two ranks; return the exit code and the output."""
    config = small / f'{work_dir}.py'
    config.write_text(
        f"_base_ = './config.py'\ncustom_imports = dict(imports={list(imports)})\n"
        'default_hooks = dict(checkpoint=dict(by_epoch=False))\n' + '\n'.join(arguments)
    )
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    command = ['bash', 'tools/dist_train.sh', config, '2', '--resume']
    done = subprocess.run(
        list(map(str, [*command, '--work-dir', small / work_dir])),
        env=dict(
            os.environ,
            PORT=port,
            PYTHON=sys.executable,
            PYTHONPATH=f'{ROOT}:{Path(__file__).parent}',
        ),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout


def test_two_ranks_are_killed_while_they_fill_it(small):
    """Two iterations an epoch, of 4 and 1 images on each rank."""
    code, output = train_on_two(small, 'live', 'teacher_cache = None')
    assert code == 0, output[-3000:]
    hook = "custom_hooks = [dict(type='mmengine.KillHook', what='rank', rank=1, iteration=3)]"
    code, output = train_on_two(small, 'work', hook, imports=['kill_hook'])
    assert code != 0
    before = toy.stored(small / 'cache')
    assert len(before) >= 10  # an epoch
    code, output = train_on_two(small, 'work')
    assert code == 0, output[-3000:]
    after = toy.stored(small / 'cache')
    assert len(after) == 30
    assert {row: after[row] for row in before} == before
    live, work = (
        torch.load(small / name / 'iter_6.pth', weights_only=True)['state_dict']
        for name in ('live', 'work')
    )
    for key, value in live.items():
        assert torch.equal(value, work[key]), key


def test_one_line_for_two_ranks(small):
    toy.train(toy.Config.fromfile(small / 'config.py'), small / 'filling')
    code, output = train_on_two(small, 'work', 'randomness = dict(seed=1)')
    assert code != 0
    lines = [line for line in output.splitlines() if 'train: teacher_cache' in line]
    assert any('seed 0' in line and 'sample_seed=0' in line for line in lines)
    assert 'mmvitkd/engine/runner/open_teacher_cache.py' not in output  # no traceback


def test_test_and_export_need_neither_cache_nor_teacher(run_tool, small):
    toy.train(toy.Config.fromfile(small / 'config.py'), small / 'work')
    (dumped,) = (small / 'work').glob('*.py')
    checkpoint = small / 'work' / 'epoch_3.pth'
    (small / 'cache').rename(small / 'gone')
    (small / 'data' / 'teacher.pth').unlink()
    metrics = small / 'metrics.json'
    where = ['--work-dir', small / 'test', '--out', metrics, '--out-item', 'metrics']
    run_tool('test', dumped, checkpoint, *where)
    assert 0 <= json.loads(metrics.read_text())['accuracy/top1'] <= 100
    out = small / 'exported'
    export = load_tool('model_converters/export_student')
    with pytest.MonkeyPatch.context() as patch:
        arguments = [dumped, checkpoint, '--out', out]
        patch.setattr(sys, 'argv', ['export_student', *map(str, arguments)])
        export.main()
    assert out.is_dir() and list(out.rglob('*.safetensors'))
    assert not (small / 'cache').exists()


def test_the_cost_is_that_of_the_student(small, capsys):
    tool = load_tool('analysis_tools/get_cost')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['get_cost', str(small / 'config.py')])
        tool.main()
    assert '(cached)' in capsys.readouterr().out
    assert not (small / 'cache').exists()


def test_a_suite_of_two_students_shares_a_cache(small, monkeypatch):
    """The second needs no teacher: each view is computed once."""
    cfg = toy.Config.fromfile(small / 'config.py')
    cfg.sample_seed = 0
    cfg.teacher_cache.full_features = True
    write_config(small, cfg, 'wide.py')
    arch = dict(embed_dims=8, num_layers=3, num_heads=2, feedforward_channels=16)
    cfg.model.architecture.backbone.arch = arch
    cfg.model.architecture.head.in_channels = 8
    write_config(small, cfg, 'narrow.py')
    (small / 'suite.yml').write_text(
        'metric: accuracy/top1\nreference: wide\nruns: {wide: wide.py, narrow: narrow.py}\n'
    )
    monkeypatch.chdir(small)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    handler = signal.getsignal(signal.SIGTERM)
    given = ['run_experiments', 'suite.yml', '--out', 'out', '--seeds', '0', '1']
    monkeypatch.setattr(sys, 'argv', given)
    load_tool('run_experiments').main()
    signal.signal(signal.SIGTERM, handler)
    assert len(toy.stored(small / 'cache')) == 30
    assert len(json.loads((small / 'out' / 'results.json').read_text())['runs']) == 2


def test_fast(small):
    cfg = toy.Config.fromfile(small / 'config.py')
    cfg.fast = True
    cfg.model.compile_student = False
    options = dict(precision='fp32', compile=False, cuda_stream=False)
    cfg.model.teacher_options = options
    _, filling = toy.train(cfg, small / 'filling')
    cfg.model.teacher_ckpt = 'gone.pth'
    runner, reading = toy.train(cfg, small / 'reading')
    assert runner.model.teacher.live is None and runner.model._channels_last
    assert toy.same(filling, reading)

"""tools/train.py and dist_train.sh when they are asked to stop: they save, leave, and go on."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from image_folders import write_folder

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/mnist5k/vit_32.py'
OPTIONS = [
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=1',
    'val_dataloader.num_workers=1',
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=1',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
]


@pytest.fixture(autouse=True)
def interruptible():
    """A shell that starts the tests in the background has them ignore Ctrl-C."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp('digits'), 10, 10, 2, (28, 28), 'png')


@pytest.fixture
def train(tmp_path, digits):
    """Train in some processes; return their exit codes, and the output of the first."""

    def run(folder, ranks=1, signals='', base=CONFIG, model=''):
        options = [f'{s}_dataloader.dataset.data_root={digits}' for s in ('train', 'val')]
        config = tmp_path / f'{folder}.py'
        config.write_text(
            f"_base_ = '{ROOT / base}'\n"
            f'model = dict({model})\n'
            "custom_imports = dict(imports=['signal_hook'])\n"
            f'custom_hooks = [{signals}]\n'
        )
        command = [sys.executable, ROOT / 'tools/train.py', config, '--resume']
        command += ['--work-dir', tmp_path / folder]
        command += ['--launcher', 'none' if ranks == 1 else 'pytorch']
        command += ['--cfg-options', *OPTIONS, *options]
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        path = f'{ROOT}:{Path(__file__).parent}'
        environment = dict(os.environ, MASTER_PORT=port, PYTHONPATH=path)
        environment |= dict(MASTER_ADDR='127.0.0.1', WORLD_SIZE=str(ranks))
        started = [
            subprocess.Popen(
                [str(part) for part in command],
                env=dict(environment, RANK=str(rank), LOCAL_RANK=str(rank)),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # a group of its own
            )
            for rank in range(ranks)
        ]
        outputs = [process.communicate(timeout=240)[0] for process in started]
        return [process.returncode for process in started], outputs[0]

    return run


def end_of(folder):
    """The weights, optimizer and losses of a run."""
    found = torch.load(folder / 'epoch_2.pth', weights_only=True)
    scalars = found['message_hub']['log_scalars']
    names = [name for name in scalars if 'loss' in name or 'top1' in name]
    return [found['state_dict'], found['optimizer'], [scalars[name] for name in names]]


@pytest.mark.parametrize(
    ('ranks', 'number', 'stops_after'),
    [(1, signal.SIGTERM, 7), (2, signal.SIGUSR1, 8)],
    ids=['one', 'two'],
)
def test_it_leaves_with_75_and_goes_on(train, tmp_path, ranks, number, stops_after):
    """Two ranks, of which one gets the signal, stop one step later, together."""
    codes, output = train('whole', ranks)
    assert codes == [0] * ranks, output
    hook = f"dict(type='mmengine.SignalHook', number={int(number)}, iteration=7)"
    codes, output = train('stopped', ranks, hook)
    assert codes == [75] * ranks, output
    assert f'stopped after iteration {stops_after} of' in output and '--resume' in output
    assert [p.name for p in (tmp_path / 'stopped').glob('*.pth')] == [f'iter_{stops_after}.pth']
    codes, output = train('stopped', ranks, hook)
    assert codes == [0] * ranks, output
    assert_equal(end_of(tmp_path / 'stopped'), end_of(tmp_path / 'whole'))


def assert_equal(one, other):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_the_workers_of_a_distillation_get_it_too(train, tmp_path, number):
    """Those of the validation, too, which start when the teacher's accuracy is measured."""
    hook = f"dict(type='mmengine.SignalHook', number={int(number)}, iteration=7, group=True)"
    base, model = 'configs/mnist5k/vit_32_feature_kd.py', 'allow_random_teacher=True, '
    codes, output = train('stopped', 1, hook, base, model + 'teacher_ckpt=None')
    assert codes == [75], output
    assert [p.name for p in (tmp_path / 'stopped').glob('*.pth')] == ['iter_7.pth']


def test_a_second_ctrl_c_leaves_at_once_with_a_line(train):
    sent = f'number={int(signal.SIGINT)}, iteration=7, times=3'
    codes, output = train('stopped', 1, f"dict(type='mmengine.SignalHook', {sent})")
    assert codes == [130], output
    assert output.splitlines()[-1].startswith('train: interrupted')
    assert 'Traceback' not in output


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_ctrl_c_before_the_first_step_is_a_line(tool, tmp_path):
    """Also while packages are imported, and more than once."""
    arguments = [CONFIG, 'none.pth'] if tool == 'test' else [CONFIG]
    process = subprocess.Popen(
        [sys.executable, '-X', 'importtime', ROOT / f'tools/{tool}.py', *arguments],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = iter(process.stdout.readline, '')
    next(line for line in lines if 'torch.version' in line)  # it is being imported
    process.send_signal(signal.SIGINT)
    rest = [line for line in lines if not line.startswith('import time:')]
    assert process.wait(60) == 130
    assert len(rest) == 1 and rest[0].startswith(f'{tool}: interrupted')

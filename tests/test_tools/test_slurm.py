"""The Slurm scripts, with stand-ins for Slurm's commands that print what they were asked."""

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'
SRUN = """#!/usr/bin/env bash
printf '%s\\n' "$PYTHONPATH" "$OMP_NUM_THREADS" "$MASTER_PORT" "$@"
exit ${CODE:-0}
"""
SQUEUE = """#!/usr/bin/env bash
echo $STATE
"""
SCONTROL = """#!/usr/bin/env bash
echo scontrol "$@" >&2
"""


@pytest.fixture
def slurm(tmp_path):
    """Run a script; return its environment's part for the job, srun's arguments, the job's."""
    for name, text in dict(srun=SRUN, squeue=SQUEUE, scontrol=SCONTROL).items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'

    def run(script, *args, code=0, **environment):
        done = subprocess.run(
            ['bash', str(TOOLS / script), *args],
            env=dict(PATH=path, CODE=str(code), **environment),
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        run.errors = done.stderr
        lines = done.stdout.splitlines()
        start = next(i for i, line in enumerate(lines) if line.endswith('python'))
        return lines[:3], lines[3:start], lines[start:]

    return run


def test_train_asks_for_eight_gpus_on_one_machine(slurm):
    environment, asked, job = slurm('slurm_train.sh', 'gpu', 'kd', 'c.py', 'work dir')
    assert asked == [
        '--partition=gpu',
        '--job-name=kd',
        '--gres=gpu:8',
        '--ntasks=8',
        '--ntasks-per-node=8',
        '--cpus-per-task=8',
        '--kill-on-bad-exit=1',
        '--signal=USR1@120',
    ]
    wanted = ['python', '-u', str(TOOLS / 'train.py'), 'c.py', '--launcher', 'slurm']
    assert job == [*wanted, '--work-dir', 'work dir']
    assert environment == [f'{TOOLS}/..', '1', '29500']


def test_test_gets_its_checkpoint_and_options(slurm):
    _, _, job = slurm('slurm_test.sh', 'gpu', 'kd', 'c.py', 'e 1.pth', '--out', 'a b')
    wanted = ['python', '-u', str(TOOLS / 'test.py'), 'c.py', 'e 1.pth', '--launcher', 'slurm']
    assert job == [*wanted, '--out', 'a b']


@pytest.mark.parametrize(
    ('args', 'options'),
    [
        ([], []),
        (['--resume', '--amp'], ['--resume', '--amp']),
        (['here'], ['--work-dir', 'here']),
        (['here', '--resume'], ['--work-dir', 'here', '--resume']),
    ],
    ids=str,
)
def test_the_work_dir_may_be_left_out(slurm, args, options):
    _, _, job = slurm('slurm_train.sh', 'gpu', 'kd', 'c.py', *args)
    assert job[6:] == options


@pytest.mark.parametrize('script', ['slurm_train.sh', 'slurm_test.sh'])
def test_the_environment_decides_the_rest(slurm, script):
    environment, asked, job = slurm(
        script,
        *['gpu', 'kd', 'c.py', 'x'],
        GPUS='16',
        GPUS_PER_NODE='4',
        CPUS_PER_TASK='3',
        SRUN_ARGS='--quotatype=auto -w node1',
        PORT='29511',
        PYTHON='/opt/python',
        PYTHONPATH='/mine',
        OMP_NUM_THREADS='2',
    )
    assert asked[2:6] == [
        '--gres=gpu:4',
        '--ntasks=16',
        '--ntasks-per-node=4',
        '--cpus-per-task=3',
    ]
    assert asked[-3:] == ['--quotatype=auto', '-w', 'node1']
    assert job[0] == '/opt/python'
    assert environment == [f'{TOOLS}/..:/mine', '2', '29511']


def test_fewer_gpus_than_a_machine_has(slurm):
    _, asked, _ = slurm('slurm_train.sh', 'gpu', 'kd', 'c.py', GPUS='2')
    assert asked[2:5] == ['--gres=gpu:2', '--ntasks=2', '--ntasks-per-node=2']


def test_the_signal_before_the_end_can_be_chosen(slurm):
    _, asked, _ = slurm('slurm_train.sh', 'gpu', 'kd', 'c.py', SIGNAL='TERM@600')
    assert asked[-1] == '--signal=TERM@600'


JOB = ['slurm_train.sh', 'gpu', 'kd', 'c.py', '--resume']


@pytest.mark.parametrize(
    ('code', 'state', 'again'),
    [
        (75, 'RUNNING', ['scontrol requeue 12']),
        (75, 'COMPLETING', []),  # it was cancelled, or Slurm queues it again
        (0, 'RUNNING', []),
        (70, 'RUNNING', []),
    ],
)
def test_a_training_that_was_asked_to_stop_is_queued_again(slurm, code, state, again):
    slurm(*JOB, code=code, STATE=state, SLURM_JOB_ID='12', REQUEUE='1')
    assert slurm.errors.splitlines() == again


def test_a_job_is_not_queued_again_unless_asked(slurm):
    slurm(*JOB, code=75, STATE='RUNNING', SLURM_JOB_ID='12')
    assert slurm.errors == ''


@pytest.mark.parametrize(
    ('args', 'job'), [(['--resume'], {}), ([], dict(SLURM_JOB_ID='12'))], ids=str
)
def test_a_job_is_queued_again_only_by_sbatch_and_to_resume(args, job):
    done = subprocess.run(
        ['bash', TOOLS / 'slurm_train.sh', 'gpu', 'kd', 'c.py', 'here', *args],
        env=dict(PATH=os.environ['PATH'], REQUEUE='1', **job),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and 'REQUEUE=1' in done.stderr and '--resume' in done.stderr


@pytest.mark.parametrize(
    ('script', 'args', 'wanted'),
    [
        ('slurm_train.sh', ['gpu', 'kd'], 'PARTITION JOB_NAME CONFIG [WORK_DIR] [options'),
        ('slurm_test.sh', ['gpu', 'kd', 'c.py'], 'PARTITION JOB_NAME CONFIG CHECKPOINT ['),
    ],
)
def test_too_few_arguments_are_an_error_that_says_which(script, args, wanted):
    done = subprocess.run(['bash', TOOLS / script, *args], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f'usage: bash {TOOLS / script} {wanted}')
    assert done.stdout == ''

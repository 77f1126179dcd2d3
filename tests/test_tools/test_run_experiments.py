"""tools/run_experiments.py: with a script in place of training, and with the real one."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.launch import INTERRUPTED, PREEMPTED
from mmvitkd.experiments import feature_scores, scheduler
from mmvitkd.experiments.run import Run
from mmvitkd.experiments.statistics import summarize
from mmvitkd.utils import collect_env
from mmvitkd.utils.folder_lock import folder_lock

import pytest
import torch
from image_folders import write_folder
from tool_modules import load_tool

ROOT = Path(__file__).parents[2]
TOP1 = 'val/accuracy/top1'
SUITE = """
metric: accuracy/top1
reference: plain
once: {teacher: big.py}
runs:
  plain: plain.py
  taught: {config: taught.py, needs: {teacher_ckpt: teacher}}
"""
# Notes that it ran, then leaves a checkpoint that was made before, or ends otherwise.
TRAINING = """
import os, pathlib, shutil, sys
config, _, folder = sys.argv[1:4]
here = pathlib.Path(__file__).parent
resumed = '--resume' in sys.argv
given = dict(option.split('=') for option in sys.argv[5:] if '=' in option)
name = pathlib.Path(config).stem + given.get('randomness.seed', '')
with open(here / 'ran.txt', 'a') as file:
    file.write(name + '+' * resumed + '\\n')
if 'teacher_ckpt' in given:
    assert pathlib.Path(given['teacher_ckpt']).is_file()
if (here / (name + '.end')).exists():
    print('cut short', flush=True)
    status = int((here / (name + '.end')).read_text())
    os.kill(os.getpid(), -status) if status < 0 else sys.exit(status)
if not (here / (name + '.pth')).exists():
    sys.exit('no luck with ' + name)
print('Epoch(train) [2][1/1]')
shutil.copy(here / (name + '.pth'), folder + '/epoch_2.pth')
pathlib.Path(folder, 'last_checkpoint').write_text('epoch_2.pth')
"""


def leave(folder, name, score):
    """A checkpoint as the training above will leave it."""
    scalars = {'val/accuracy/top1': dict(log_history=torch.tensor([1.0, score]))}
    content = dict(state_dict={}, meta=dict(epoch=2), message_hub=dict(log_scalars=scalars))
    torch.save(content, folder / f'{name}.pth')


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Run the tool on the suite above; every cell but `taught`, seed 1, succeeds."""
    for name in ('big', 'plain', 'taught'):
        (tmp_path / f'{name}.py').write_text('train_cfg = dict(max_epochs=2)\n')
    for name, score in (('big', 95.0), ('plain0', 90.0), ('plain1', 92.0), ('taught0', 91.5)):
        leave(tmp_path, name, score)
    (tmp_path / 'suite.yml').write_text(SUITE)
    (tmp_path / 'training.py').write_text(TRAINING)
    monkeypatch.chdir(tmp_path)
    tool = load_tool('run_experiments')
    monkeypatch.setattr(tool, 'TRAIN', tmp_path / 'training.py')
    monkeypatch.setattr(scheduler, 'POLL_INTERVAL', 0.02)
    monkeypatch.setattr(collect_env, 'commit_of', lambda folder: 'one')  # without changes
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments, suite='suite.yml', seeds=(0, 1)):
        given = [suite, '--seeds', *map(str, seeds), '--out', 'out', *arguments]
        monkeypatch.setattr(sys, 'argv', ['tools/run_experiments.py', *given])
        (tmp_path / 'ran.txt').write_text('')
        try:
            tool.main()
            error = ''
        except SystemExit as end:
            error = end.code
        ran = (tmp_path / 'ran.txt').read_text().split()
        return sorted(ran), error

    yield run
    signal.signal(signal.SIGTERM, handler)


def results():
    return json.loads(Path('out/results.json').read_text())


def test_a_failed_run_is_reported_and_the_others_go_on(experiment, capsys):
    ran, error = experiment('--jobs', '2')
    assert ran == ['big', 'plain0', 'plain1', 'taught0', 'taught1']
    assert error.startswith('run_experiments: 1 not done\ntaught, seed 1: exit status 1')
    assert 'no luck with taught1' in error
    content = results()
    assert content['runs']['plain']['scores'] == {'0': 90.0, '1': 92.0}
    assert content['runs']['taught']['scores'] == {'0': 91.5}
    assert content['runs']['taught']['difference']['mean'] == 1.5
    assert list(content['failed']) == ['taught, seed 1']
    table = Path('out/table.md').read_text()
    assert '| plain | 2 | 91.00 | ± 12.71 | 1.41 |  |  |' in table
    assert '| taught | 1 | 91.50 |  |  | +1.50 |  |' in table
    assert 'plain' in capsys.readouterr().out
    assert Path('out/scores.png').stat().st_size > 10_000


def test_features_are_reported_too(experiment, tmp_path, monkeypatch):
    """Of what can be evaluated; the reason why another cannot is a failure."""

    def scores(run):
        if run.name == 'plain, seed 1':
            raise ValueError('no images')
        compared = dict(pair_0=dict(rel_error=0.25, mean_token=0.5, r2=0.5, readout_r2=0.75))
        classified = dict(student=dict(knn=40.0 + run.seed))
        return dict(compared=compared, classified=classified, training=dict(pair_0=0.125))

    monkeypatch.setattr(feature_scores, 'feature_scores', scores)
    leave(tmp_path, 'taught1', 93.0)
    (tmp_path / 'suite.yml').write_text(f'{SUITE}\nevaluate_features: true\n')
    _, error = experiment()
    assert error.endswith('features of plain, seed 1: no images')
    numbers = results()['runs']['taught']['features']
    assert numbers['1']['classified']['student']['knn'] == 41.0
    assert numbers['1']['training'] == {'pair_0': 0.125}
    table = Path('out/table.md').read_text()
    cells = [
        'taught',
        '2',
        '0.1250 (0.0000)',
        '0.2500 (0.0000)',
        '',
        '0.5000 (0.0000)',
        '0.5000 (0.0000)',
    ]
    assert f'| {" | ".join(cells)} | 0.7500' in table and '| 40.50 (0.71) |' in table


def test_what_is_done_is_not_run_again(experiment, tmp_path):
    experiment()
    leave(tmp_path, 'taught1', 93.0)
    leave(tmp_path, 'plain0', 11.0)  # what a second run would say
    assert experiment() == (['taught1'], '')
    assert experiment() == ([], '')
    content = results()
    assert content['runs']['plain']['scores'] == {'0': 90.0, '1': 92.0}
    gaps = content['runs']['taught']['difference']
    assert gaps['mean'] == 1.25
    assert gaps['interval'] == pytest.approx(summarize([1.5, 1.0]).interval)


def test_a_changed_config_is_run_again_with_what_needs_it(experiment, tmp_path):
    leave(tmp_path, 'taught1', 93.0)
    assert experiment()[1] == ''
    (tmp_path / 'plain.py').write_text('train_cfg = dict(max_epochs=2)  # a comment\n')
    assert experiment() == ([], '')
    (tmp_path / 'plain.py').write_text('train_cfg = dict(max_epochs=3)\n')
    assert experiment() == (['plain0', 'plain1'], '')
    (tmp_path / 'big.py').write_text('train_cfg = dict(max_epochs=3)\n')
    assert experiment() == (['big', 'taught0', 'taught1'], '')
    assert len(experiment('--cfg-options', 'a=1')[0]) == 5


@pytest.mark.parametrize('left', ['{"fingerprint"', '[]', '{}', 'null'])
def test_nothing_half_written_counts(experiment, tmp_path, left):
    experiment(seeds=[0])
    Path('out/runs/plain/seed_0/result.json').write_text(left)
    assert experiment(seeds=[0]) == (['plain0'], '')
    Path('out/runs/plain/seed_0/epoch_2.pth').unlink()
    assert experiment(seeds=[0]) == (['plain0'], '')


@pytest.mark.parametrize('status', [-signal.SIGKILL, PREEMPTED, INTERRUPTED])
def test_a_run_that_was_cut_short_is_resumed(experiment, tmp_path, status):
    end = tmp_path / 'plain0.end'
    end.write_text(str(int(status)))
    assert f'plain, seed 0: exit status {int(status)}' in experiment(seeds=[0])[1]
    end.unlink()
    assert experiment(seeds=[0]) == (['plain0+'], '')
    assert Path('out/runs/plain/seed_0/output.log').read_text().startswith('cut short\nEpoch')
    assert results()['trainings']['plain, seed 0']['command'][-1] == 'randomness.seed=0'
    assert experiment(seeds=[0]) == ([], '')


def test_a_training_goes_on_where_its_result_could_not_be_written(experiment, monkeypatch):
    def full_disk(path):
        raise OSError(f'{path.name}: no space left')

    with monkeypatch.context() as full:
        full.setattr(Run, 'record', lambda self, *_: full_disk(self.folder / 'result.json'))
        assert 'plain, seed 0: result.json: no space left' in experiment(seeds=[0])[1]
    assert experiment(seeds=[0]) == (['big+', 'plain0+', 'taught0'], '')


@pytest.mark.parametrize('change', ['config', 'commit', 'local', 'packages', 'failed', 'note'])
def test_a_run_that_cannot_go_on_starts_anew(experiment, tmp_path, monkeypatch, change):
    if change == 'local':
        monkeypatch.setattr(collect_env, 'commit_of', lambda folder: 'one with local changes')
    end = tmp_path / 'plain0.end'
    end.write_text('1' if change == 'failed' else str(PREEMPTED))
    experiment(seeds=[0])
    end.unlink()
    old = Path('out/runs/plain/seed_0/epoch_1.pth')
    old.touch()
    if change == 'config':
        (tmp_path / 'plain.py').write_text('train_cfg = dict(max_epochs=3)\n')
    elif change == 'commit':
        monkeypatch.setattr(collect_env, 'commit_of', lambda folder: 'another')
    elif change == 'packages':
        monkeypatch.setattr('mmvitkd.experiments.run.versions', dict)
    elif change == 'note':
        old.with_name('started.json').write_text('{"fing')
    assert experiment(seeds=[0]) == (['plain0'], '')
    assert not old.exists()


def test_what_needs_a_failed_run_is_not_run(experiment, tmp_path):
    (tmp_path / 'big.pth').unlink()
    ran, error = experiment(seeds=[0])
    assert ran == ['big', 'plain0']
    assert 'taught, seed 0: not run: it needs teacher' in error


def test_a_training_without_the_metric_has_failed(experiment, tmp_path):
    text = SUITE.replace('top1', 'top5')
    (tmp_path / 'suite.yml').write_text(text)
    _, error = experiment(seeds=[0])
    assert "metric 'accuracy/top5': found None, wanted a number" in error
    assert 'the validation has accuracy/top1' in error
    assert experiment(seeds=[0])[0] == ['plain0', 'taught0']


def test_a_report_says_what_it_ran_with(experiment):
    experiment('--reference', 'taught', seeds=[0])
    content = results()
    assert content['command'] == (
        'python tools/run_experiments.py suite.yml --seeds 0 --out out --reference taught'
    )
    assert content['reference'] == 'taught'
    assert content['versions']['torch'] == torch.__version__
    assert content['hardware']['cores'] == os.cpu_count()
    taught = content['trainings']['taught, seed 0']
    assert taught['command'] == [
        *('python', 'training.py', 'taught.py', '--work-dir', 'out/runs/taught/seed_0'),
        *('--cfg-options', 'randomness.seed=0'),
        'teacher_ckpt=out/runs/teacher/once/epoch_2.pth',
    ]
    assert taught['source'] == 'the validation of epoch 2'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--jobs', '0'], '--jobs: found 0'),
        (['--cfg-options', 'a'], "--cfg-options: found 'a', wanted KEY=VALUE"),
        (['--cfg-options', 'randomness.seed=1'], 'every run has its own'),
        (['--seeds', '1', '1'], 'wanted different numbers'),
    ],
)
def test_bad_arguments_are_refused(experiment, capsys, arguments, message):
    assert experiment(*arguments) == ([], 2)
    assert message in capsys.readouterr().err


def test_a_bad_suite_is_refused_before_anything_runs(experiment, tmp_path):
    ran, error = experiment('--reference', 'plan')
    assert ran == [] and 'did you mean plain?' in error
    (tmp_path / 'taught.py').write_text('syntax error\n')
    ran, error = experiment()
    assert ran == [] and 'taught.py' in error
    assert not Path('out').exists()


def test_a_second_one_in_the_same_folder_is_refused(experiment):
    with folder_lock('out', 'run_experiments'):
        ran, error = experiment()
    assert ran == [] and f'process {os.getpid()}' in error
    assert error.startswith('run_experiments: --out: out is in use') and '\n' not in error
    assert len(experiment()[0]) == 5


def test_the_folder_of_a_training_that_runs_is_not_removed(experiment):
    folder = Path('out/runs/plain/seed_0')
    with folder_lock(folder, 'a training'):
        (folder / 'epoch_1.pth').touch()
        ran, error = experiment(seeds=[0])
        assert (folder / 'epoch_1.pth').exists()
    assert ran == ['big', 'taught0']
    assert f'plain, seed 0: not run: {folder} is in use by a training' in error


@pytest.fixture
def heeds_ctrl_c():
    """A shell that starts a job in the background has it ignore SIGINT."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures('heeds_ctrl_c')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_trainings_end_with_the_tool(experiment, tmp_path, monkeypatch, number):
    (tmp_path / 'training.py').write_text(
        'import os, time; open("pid", "w").write(str(os.getpid())); time.sleep(60)'
    )
    sleep, pid = time.sleep, tmp_path / 'pid'

    def interrupt(seconds):
        while not (pid.exists() and pid.read_text()):
            sleep(seconds)
        monkeypatch.setattr(scheduler.time, 'sleep', sleep)  # once: waiting sleeps, too
        signal.raise_signal(number)

    monkeypatch.setattr(scheduler.time, 'sleep', interrupt)
    error = experiment()[1]
    assert error == 143 if number == signal.SIGTERM else 'stopped' in error
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.fixture
def digits_suite(tmp_path, monkeypatch):
    """Run the tool with the real training: a student for an epoch on a few digits."""
    digits = write_folder(tmp_path / 'digits', 10, 4, 20, (28, 28), 'png')
    options = [f'{s}_dataloader.dataset.data_root={digits}' for s in ('train', 'val', 'test')]
    options += ['train_cfg.max_epochs=1', 'param_scheduler.0.end=1']
    options += ['param_scheduler.1.begin=0', 'default_hooks.logger.interval=1']
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def run(config, *more):
        (tmp_path / 'suite.yml').write_text(
            f'metric: accuracy/top1\nreference: plain\nruns: {{plain: {config}}}\n'
        )
        given = [*options, *more]
        command = ['run', 'suite.yml', '--out', 'out', '--seeds', '4', '--cfg-options', *given]
        monkeypatch.setattr(sys, 'argv', command)
        load_tool('run_experiments').main()
        return given

    yield run
    signal.signal(signal.SIGTERM, handler)


def logged(folder):
    """The losses and the score of a training."""
    content = torch.load(f'{folder}/epoch_1.pth', weights_only=True)
    scalars = content['message_hub']['log_scalars']
    return [scalars[name]['log_history'].tolist() for name in ('train/loss', TOP1)]


def test_a_recorded_command_gives_its_number_again(digits_suite, run_tool):
    options = digits_suite(ROOT / 'configs/mnist5k/vit_32.py')
    found = results()
    _, script, *arguments = found['trainings']['plain, seed 4']['command']
    assert script == str(ROOT / 'tools/train.py')
    place = arguments.index('--cfg-options')
    recorded = arguments[place + 1 :]
    assert recorded == ['randomness.seed=4', *options]
    histories = {'out/runs/plain/seed_4': None, 'again': recorded}
    histories['other'] = ['randomness.seed=3', *recorded[1:]]
    for folder, given in histories.items():
        if given is not None:
            run_tool('train', arguments[0], '--work-dir', folder, options=given)
        histories[folder] = logged(folder)
    first, again, other = histories.values()
    assert first == again
    assert first[0] != other[0]
    assert found['runs']['plain']['scores']['4'] == first[1][-1]


def test_a_training_that_was_cut_short_ends_as_if_it_had_not_been(
    digits_suite, tmp_path, monkeypatch
):
    here = Path(__file__).parent
    monkeypatch.setenv('PYTHONPATH', f'{ROOT}:{here}')
    monkeypatch.setattr(collect_env, 'commit_of', lambda folder: 'one')
    hook = "dict(type='mmengine.SignalHook', iteration=2, number={})"
    ends = []
    for number in (0, signal.SIGTERM):  # 0: no signal
        config = tmp_path / f'signal_{int(number)}.py'
        config.write_text(
            f"_base_ = '{ROOT / 'configs/mnist5k/vit_32.py'}'\n"
            "custom_imports = dict(imports=['signal_hook'])\n"
            f'custom_hooks = [{hook.format(int(number))}]\n'
        )
        more = 'train_dataloader.batch_size=8', 'train_dataloader.num_workers=0'
        if number:
            with pytest.raises(SystemExit, match=f'exit status {PREEMPTED}'):
                digits_suite(config, *more)
            assert Path('out/runs/plain/seed_4/iter_2.pth').exists()
        digits_suite(config, *more)
        ends.append(logged('out/runs/plain/seed_4'))
    assert len(ends[0][0]) == 5 and ends[0] == ends[1]

"""The average of the student: its formula, and that it never replaces the student."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.read import student_weights

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'
EMA = dict(type='mmvitkd.StudentEMAHook')


class Trajectory(Hook):
    """Keeps the student's weights after every step."""

    priority = 'VERY_HIGH'

    def __init__(self):
        self.weights = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        student = getattr(runner.model, 'student', runner.model)
        self.weights.append({k: v.detach().clone() for k, v in student.named_parameters()})


def _train(runner):
    runner.register_hook(trajectory := Trajectory())
    runner.train()
    return trajectory.weights


def _averages(path) -> dict[str, torch.Tensor]:
    """What a checkpoint holds of the average, without the count of its steps."""
    ema = torch.load(path, weights_only=True)['ema_state_dict']
    return {k: v for k, v in ema.items() if k != 'steps'}


# The average --------------------------------------------------------------------------


@pytest.mark.parametrize(('momentum', 'gamma'), [(4e-5, 10), (0.3, 1), (0.1, 1000)], ids=str)
def test_the_formula(make_runner, momentum, gamma):
    runner = make_runner(custom_hooks=[dict(momentum=momentum, gamma=gamma, **EMA)])
    steps = _train(runner)
    assert len(steps) == 12
    wanted = steps[0]
    for t, weights in enumerate(steps[1:], start=1):
        share = max(momentum, gamma / (gamma + t))
        wanted = {k: (1 - share) * v + share * weights[k] for k, v in wanted.items()}
    found = student_weights(f'{runner.work_dir}/epoch_3.pth', ema=True)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)
        assert not torch.allclose(value, steps[-1][name])


def test_it_counts_steps_of_the_optimizer(make_runner):
    """Twelve iterations whose gradients are accumulated by three: four steps."""
    wrapper = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=3)
    hook = dict(momentum=0.3, gamma=1, **EMA)
    runner = make_runner(custom_hooks=[hook], optim_wrapper=wrapper)
    wanted, *steps = _train(runner)[2::3]
    for t, weights in enumerate(steps, start=1):
        share = max(0.3, 1 / (1 + t))
        wanted = {k: (1 - share) * v + share * weights[k] for k, v in wanted.items()}
    found = student_weights(f'{runner.work_dir}/epoch_3.pth', ema=True)
    assert len(steps) == 3
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


def test_its_defaults_are_the_published_decay_annealed(make_runner):
    runners = [
        make_runner('default', custom_hooks=[EMA]),
        make_runner('given', custom_hooks=[dict(momentum=1 - 0.99996, gamma=10, **EMA)]),
    ]
    for runner in runners:
        runner.train()
    default, given = (_averages(f'{r.work_dir}/epoch_3.pth') for r in runners)
    for name, value in given.items():
        assert torch.equal(default[name], value)


def test_only_the_student_is_averaged(make_runner):
    runner = make_runner(model='ToyDistillation', custom_hooks=[EMA])
    runner.train()
    path = f'{runner.work_dir}/epoch_3.pth'
    assert _averages(path).keys() == {'module.fc.weight', 'module.fc.bias', 'module.calls'}
    student = MODELS.build(dict(type='ToyStudent'))
    student.load_state_dict(student_weights(path, ema=True), strict=True)
    student.load_state_dict(student_weights(path), strict=True)


def test_buffers_are_the_students(make_runner):
    runner = make_runner(custom_hooks=[EMA])
    runner.train()
    assert _averages(f'{runner.work_dir}/epoch_3.pth')['module.calls'] == 12


def test_training_and_state_dict_keep_the_raw_weights(make_runner):
    plain, averaged = make_runner('plain'), make_runner('ema', custom_hooks=[EMA])
    wanted, found = _train(plain), _train(averaged)
    for ours, theirs in zip(found, wanted, strict=True):
        for name, value in theirs.items():
            assert torch.equal(ours[name], value)
    state = torch.load(f'{averaged.work_dir}/epoch_3.pth', weights_only=True)['state_dict']
    for name, value in wanted[-1].items():
        assert torch.equal(state[name], value)
        assert not torch.equal(
            _averages(f'{averaged.work_dir}/epoch_3.pth')[f'module.{name}'], value
        )


def test_it_is_off_by_default(make_runner):
    runtime = Config.fromfile(CONFIGS / '_base_' / 'default_runtime.py')
    assert 'EMA' not in runtime.pretty_text
    runner = make_runner()
    runner.train()
    path = f'{runner.work_dir}/epoch_3.pth'
    assert 'ema_state_dict' not in torch.load(path, weights_only=True)
    with pytest.raises(ValueError, match='holds no EMA weights'):
        student_weights(path, ema=True)


# Validation ---------------------------------------------------------------------------


def _accuracy(weights) -> float:
    """Of the validation data, in per cent, counted by hand."""
    student = MODELS.build(dict(type='ToyStudent'))
    student.load_state_dict(weights, strict=True)
    points = DATASETS.build(dict(type='ToyPoints', size=30, shake=0.0))
    samples = [points[i] for i in range(30)]
    with torch.no_grad():
        logits = student.fc(torch.stack([s['inputs'] for s in samples]))
    right = logits.argmax(1) == torch.tensor([s['labels'] for s in samples])
    return 100 * right.double().mean().item()


@pytest.mark.parametrize('model', ['ToyStudent', 'ToyDistillation'])
def test_both_are_validated(make_runner, scalars, model):
    runner = make_runner(model=model, custom_hooks=[dict(momentum=0.02, gamma=1, **EMA)])
    runner.train()
    logged = scalars(runner)
    for name, ema in [('val/accuracy/top1', False), ('val/accuracy/top1_ema', True)]:
        wanted = [
            _accuracy(student_weights(f'{runner.work_dir}/epoch_{i}.pth', ema))
            for i in (1, 2, 3)
        ]
        assert logged[name] == pytest.approx(wanted)
    assert logged['val/accuracy/top1_ema'] != logged['val/accuracy/top1']


def test_metrics_that_are_not_scalars_are_kept_too(make_runner):
    runner = make_runner(custom_hooks=[EMA])
    runner.train()
    assert runner.message_hub.get_info('val/accuracy/by_class').shape == (3,)
    assert runner.message_hub.get_info('val/accuracy/by_class_ema').shape == (3,)


def test_both_are_in_the_log_line(make_runner):
    runner = make_runner(custom_hooks=[EMA], log_level='INFO')
    runner.train()
    text = next(Path(runner.log_dir).glob('*.log')).read_text()
    line = next(x for x in text.splitlines() if 'Epoch(val) [3][3/3]' in x)
    assert 'accuracy/top1: ' in line
    assert 'accuracy/top1_ema: ' in line


def test_the_best_average_can_be_kept(make_runner, scalars):
    runner = make_runner(
        custom_hooks=[EMA],
        checkpoint=dict(save_best='accuracy/top1_ema', rule='greater'),
    )
    runner.train()
    scores = scalars(runner)['val/accuracy/top1_ema']
    assert runner.message_hub.get_info('best_score') == max(scores)
    best = list(Path(runner.work_dir).glob('best_accuracy_top1_ema_epoch_*.pth'))
    assert [path.stem[-1] for path in best] == [str(1 + scores.index(max(scores)))]


def test_an_error_in_its_validation_leaves_the_raw_weights(make_runner):
    runner = make_runner(custom_hooks=[EMA], scores=[50.0])  # the second value is missing
    with pytest.raises(StopIteration):
        runner.train()
    path = f'{runner.work_dir}/epoch_1.pth'
    for name, value in student_weights(path).items():
        assert torch.equal(runner.model.state_dict()[name], value)


@pytest.mark.parametrize('trained_with', [[EMA], []], ids=['average', 'no average'])
def test_validation_alone_reads_the_average_of_the_file(make_runner, scalars, trained_with):
    trained = make_runner('trained', custom_hooks=trained_with)
    trained.train()
    path = f'{trained.work_dir}/epoch_2.pth'
    runner = make_runner('val', custom_hooks=[EMA], load_from=path)
    runner.val()
    assert scalars(runner) == {
        name: values[1:2]
        for name, values in scalars(trained).items()
        if name.startswith('val/')
    }


# Resuming -----------------------------------------------------------------------------


def test_a_resumed_average_continues(make_runner):
    hooks = [dict(momentum=0.1, gamma=2, **EMA)]
    whole = make_runner(model='ToyDistillation', custom_hooks=hooks)
    whole.train()
    wanted = _averages(f'{whole.work_dir}/epoch_3.pth')
    resumed = make_runner(
        'resumed',
        model='ToyDistillation',
        custom_hooks=hooks,
        resume=f'{whole.work_dir}/epoch_1.pth',
    )
    resumed.train()
    found = _averages(f'{resumed.work_dir}/epoch_3.pth')
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


def test_a_run_from_weights_starts_a_new_average(make_runner):
    first = make_runner('first', custom_hooks=[EMA])
    first.train()
    second = make_runner(
        'second', custom_hooks=[EMA], load_from=f'{first.work_dir}/epoch_3.pth', epochs=1
    )
    steps = _train(second)
    ema = torch.load(f'{second.work_dir}/epoch_1.pth', weights_only=True)['ema_state_dict']
    assert ema['steps'] == 4
    low, high = torch.stack([s['fc.weight'] for s in steps]).aminmax(dim=0)
    assert (ema['module.fc.weight'] >= low).all()
    assert (ema['module.fc.weight'] <= high).all()


def test_a_resumed_run_without_an_average_is_logged(make_runner, monkeypatch):
    first = make_runner('first')
    first.train()
    said = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, text, *args: said.append(text))
    second = make_runner('second', custom_hooks=[EMA], resume=f'{first.work_dir}/epoch_2.pth')
    second.train()
    assert 'The checkpoint holds no EMA: it starts anew from here.' in said
    ema = torch.load(f'{second.work_dir}/epoch_3.pth', weights_only=True)['ema_state_dict']
    assert ema['steps'] == 4

"""SEPHook: the right numbers in every backend, and the same training to the bit."""

import copy
import json
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner.layer_monitor import LayerMonitor
from mmvitkd.engine.hooks import SEPHook
from mmvitkd.models import BaseTeacher

import cv2
import mlflow
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy import MEAN, STD, vit
from toy_distillation import distillation, logits_and, noise

RUNS = count()
VALIDATION = 12
EMA = dict(type='mmvitkd.StudentEMAHook')


def loader(dataset, shuffle=False):
    return dict(
        batch_size=4,
        dataset=dataset,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type='default_collate'),
    )


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Builds a run of 4 iterations an epoch; `sep` are the hook's settings, None for none."""
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers
    monkeypatch.setattr('os.fsync', lambda file: None)  # seconds on a busy disk

    def build(sep=(), epochs=1, folder=None, **kwargs):
        hooks = dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='mmvitkd.CheckpointHook', interval=1),
            random_state=dict(type='mmvitkd.RandomStateHook'),
            finite_loss=dict(type='mmvitkd.FiniteLossHook'),
        )
        if sep is not None:
            settings = dict(interval=1, num_images=8, batch_size=3) | dict(sep)
            hooks['sep'] = dict(type='mmvitkd.SEPHook', **settings)
        config = dict(
            model=distillation(),
            work_dir=str(tmp_path / (folder or f'run_{next(RUNS)}')),
            train_dataloader=loader(noise(16), shuffle=True),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-2)),
            val_dataloader=loader(noise(VALIDATION, seed=1)),
            val_cfg=dict(),
            val_evaluator=dict(type='Accuracy', topk=1),
            custom_hooks=[EMA],
            default_hooks=hooks,
            default_scope='mmpretrain',
            experiment_name=f'sep_{next(RUNS)}',
            visualizer=dict(
                type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
            ),
            randomness=dict(seed=0),
        )
        return Runner(**copy.deepcopy({**config, **kwargs}))

    return build


def scalars(runner) -> dict[int, dict[str, float]]:
    """What the hook wrote into the local backend, by step."""
    with open(f'{runner.log_dir}/vis_data/scalars.json') as file:
        lines = [json.loads(line) for line in file]
    return {line['step']: line for line in lines if any('sep/' in key for key in line)}


def log(runner) -> str:
    with open(f'{runner.log_dir}/{runner.timestamp}.log') as file:
        return file.read()


# The numbers --------------------------------------------------------------------------


def tokens(model, layer, images):
    found = []
    handle = model.backbone.layers[layer].register_forward_hook(
        lambda module, inputs, output: found.append(output)
    )
    with torch.no_grad():
        model.eval()(images)
    handle.remove()
    return found[0][:, 1:].double().numpy()


def bandwidths(features, fold) -> dict[str, float]:
    curves = []
    for token in features.reshape(-1, features.shape[-1]):
        energy = np.abs(np.fft.fft(token)) ** 2
        if fold:
            half = len(energy) // 2
            energy = np.array([energy[0], *(2 * energy[1:half]), energy[half]])
        curves.append(np.cumsum(energy) / energy.sum())
    mean = np.mean(curves, axis=0)
    return {
        f'b{t}': (1 + int(np.argmax(mean >= t / 100 - 1e-9))) / len(mean)
        for t in (50, 60, 70, 80, 90)
    }


def by_hand(features) -> dict[str, float]:
    found = {
        f'{mode}_{key}': value
        for mode, fold in (('full', False), ('folded', True))
        for key, value in bandwidths(features, fold).items()
    }
    ranks, dimensions = [], []
    for image in features:
        values = np.linalg.svd(image, full_matrices=True)[1]
        shares = values / values.sum()
        ranks.append(np.exp(-(shares * np.log(shares)).sum()))
        energy = np.cumsum(values**2) / (values**2).sum()
        dimensions.append(1 + int(np.argmax(energy >= 0.99 - 1e-9)))
    return found | dict(
        effective_rank=np.mean(ranks),
        svd99=np.mean(dimensions),
        svd99_p99=np.percentile(dimensions, 99),
    )


def cka(x, y) -> float:
    x, y = (z.reshape(-1, z.shape[-1]) for z in (x, y))
    x, y = x - x.mean(0), y - y.mean(0)
    cross = np.linalg.norm(y.T @ x) ** 2
    return cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def test_the_numbers_are_those_of_the_final_weights(make):
    """Against images picked, normalised, run and measured by hand."""
    runner = make(dict(seed=5))
    runner.train()
    picked = torch.randperm(VALIDATION, generator=torch.Generator().manual_seed(5))[:8]
    data = noise(VALIDATION, seed=1)
    pixels = torch.stack([data[i]['inputs'] for i in sorted(picked.tolist())]).float()
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (MEAN, STD))
    images = (pixels.flip(1) - mean) / std
    student = tokens(runner.model.student, 2, images)
    teacher = tokens(runner.model.teacher.model, 3, images)
    wanted = {
        **by_hand(student),
        **{f'teacher_{key}': value for key, value in by_hand(teacher).items()},
        'cka': cka(student, teacher),
    }
    [(step, found)] = scalars(runner).items()
    assert step == 1
    for key, value in wanted.items():
        assert found[f'sep/pair_0/{key}'] == pytest.approx(value, rel=1e-4), key
    rest = {key for key in found if key not in {f'sep/pair_0/{k}' for k in wanted}}
    nulls = {
        f'sep/pair_0/null_{mode}_b{t}' for mode in ('full', 'folded') for t in range(50, 91, 10)
    }
    assert rest == {*nulls, 'sep/pair_0/cka_null', 'step'}
    assert found['sep/pair_0/null_full_b90'] == pytest.approx(0.9, abs=0.07)


def test_every_scalar_is_in_the_log_and_constants_only_once(make):
    runner = make(epochs=2)
    runner.train()
    text = log(runner)
    for step, found in scalars(runner).items():
        for key, value in found.items():
            constant = 'null_' in key.replace('cka_null', '') or 'teacher_' in key
            if key != 'step' and (step == 1 or not constant):
                assert f'{key}: {value:.4f}' in text
    assert text.count('sep/pair_0/teacher_full_b90: ') == 1
    assert text.count('sep/pair_0/null_full_b90: ') == 1
    assert text.count('sep/pair_0/full_b90: ') == text.count('Epoch(sep) [') / 2 - 0.5 == 2


# When ---------------------------------------------------------------------------------


def test_every_interval_and_at_the_last_epoch(make):
    runner = make(dict(interval=2), epochs=3)
    runner.train()
    assert list(scalars(runner)) == [2, 3]
    images = [f'{runner.log_dir}/vis_data/vis_image/sep_{step}.png' for step in (2, 3)]
    assert [cv2.imread(path).shape for path in images] == [(270, 720, 3)] * 2
    assert (cv2.imread(images[0]) != cv2.imread(images[1])).any()


def test_a_run_that_counts_iterations(make):
    loop = dict(by_epoch=False, max_iters=3, val_interval=3)
    runner = make(
        dict(interval=2, by_epoch=False),
        train_cfg=loop,
        custom_hooks=[],
        log_processor=dict(by_epoch=False),
    )
    runner.train()
    assert list(scalars(runner)) == [2, 3]
    with pytest.raises(ValueError, match='this run counts iterations: give by_epoch=False'):
        make(train_cfg=loop).train()


def test_iterations_of_a_run_that_counts_epochs(make):
    runner = make(dict(interval=3, by_epoch=False))
    runner.train()
    assert list(scalars(runner)) == [3, 4]


# The same training --------------------------------------------------------------------


class Losses(Hook):
    """Keeps every loss."""

    priority = 'VERY_HIGH'

    def __init__(self):
        self.values = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.values.append({key: value.item() for key, value in outputs.items()})


@pytest.mark.parametrize(
    ('model', 'deterministic'),
    [(distillation(), True), (distillation(), False), (vit(drop_rate=0.1), False)],
    ids=['deterministic', 'distillation', 'no teacher'],
)
def test_training_is_the_same_to_the_bit(make, model, deterministic):
    """Losses, weights, BatchNorm's statistics, EMA, and the random states that are saved."""
    losses, checkpoints = [], []
    for sep in ((), None):
        runner = make(
            sep, epochs=2, model=model, randomness=dict(seed=0, deterministic=deterministic)
        )
        runner.register_hook(kept := Losses())
        runner.train()
        losses.append(kept.values)
        path = f'{runner.work_dir}/epoch_2.pth'
        checkpoints.append(torch.load(path, weights_only=True))
        if sep is not None:
            assert list(scalars(runner)) == [1, 2]
    torch.use_deterministic_algorithms(False)
    assert losses[0] == losses[1] and len(losses[0]) == 8
    for key in ('state_dict', 'ema_state_dict'):
        ours, theirs = (checkpoint[key] for checkpoint in checkpoints)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    ours, theirs = (checkpoint['random_states'][0] for checkpoint in checkpoints)
    assert str(ours) == str(theirs) and torch.equal(ours['torch'], theirs['torch'])


def test_two_processes_of_which_the_first_measures(make, run_twice, distributed, tmp_path):
    """The same to the bit, and no process waits for the other."""

    def train(rank):
        measured = []
        measure = LayerMonitor.measure
        LayerMonitor.measure = lambda monitor: measured.append(rank) or measure(monitor)
        found = []
        for sep in ((), None):
            runner = make(sep, folder=f'two_{sep is None}', epochs=2, **distributed)
            runner.register_hook(kept := Losses())
            runner.train()
            found.append(dict(losses=kept.values, weights=runner.model.state_dict()))
        torch.save(dict(found=found, measured=measured), tmp_path / f'rank_{rank}.pth')

    assert run_twice(train) == [0, 0]
    for rank in range(2):
        content = torch.load(tmp_path / f'rank_{rank}.pth', weights_only=True)
        assert content['measured'] == ([0, 0] if rank == 0 else [])
        ours, theirs = content['found']
        assert ours['losses'] == theirs['losses'] and len(theirs['losses']) == 4
        weights = theirs['weights']
        assert all(torch.equal(ours['weights'][name], weights[name]) for name in weights)
    [file] = (tmp_path / 'two_False').glob('*/vis_data/scalars.json')
    assert file.read_text().count('sep/pair_0/cka"') == 2


def test_a_pipeline_that_draws_numbers_draws_the_same_and_disturbs_nothing(make):
    class Shaken(list):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            shift = int(np.random.randint(50)) + int(torch.randint(50, ()))
            return dict(sample, inputs=(sample['inputs'] + shift) % 256)

    runner = make(
        epochs=2,
        val_dataloader=loader(Shaken(noise(VALIDATION))),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
    )
    runner.train()
    first, second = scalars(runner).values()
    assert {**first, 'step': 0} == {**second, 'step': 0}


def test_a_resumed_run_measures_the_teacher_again(make):
    runner = make()
    runner.train()
    path = f'{runner.work_dir}/epoch_1.pth'
    again = make(epochs=2, resume=True, load_from=path)
    again.train()
    [(step, found)] = scalars(again).items()
    key = 'sep/pair_0/teacher_full_b90'
    assert step == 2 and found[key] == scalars(runner)[1][key]


# TensorBoard --------------------------------------------------------------------------

TENSORBOARD = dict(
    visualizer=dict(
        type='UniversalVisualizer',
        vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
    )
)


def test_tensorboards_own_files_have_scalars_and_images(make):
    runner = make(epochs=2, **TENSORBOARD)
    runner.train()
    events = EventAccumulator(f'{runner.log_dir}/vis_data')
    events.Reload()
    for step, found in scalars(runner).items():
        for key in set(found) - {'step'}:
            values = {event.step: event.value for event in events.Scalars(key)}
            assert values[step] == pytest.approx(found[key], rel=1e-6)
    assert [image.step for image in events.Images('sep')] == [1, 2]
    for image in events.Images('sep'):
        saved = cv2.imread(f'{runner.log_dir}/vis_data/vis_image/sep_{image.step}.png')
        drawn = np.frombuffer(image.encoded_image_string, np.uint8)
        assert np.array_equal(cv2.imdecode(drawn, cv2.IMREAD_COLOR), saved)


# MLflow -------------------------------------------------------------------------------


def test_mlflows_own_store_has_scalars_and_images(make, tmp_path):
    store = (tmp_path / 'mlruns').as_uri()
    backend = dict(type='MLflowVisBackend', tracking_uri=store, exp_name='digits')
    backends = [dict(type='LocalVisBackend'), backend]
    visualizer = dict(type='UniversalVisualizer', vis_backends=backends)
    runner = make(epochs=2, visualizer=visualizer)
    # As Runner.from_cfg does. The backend uploads the logs of this folder at the end.
    runner.visualizer.add_config(Config(dict(work_dir=runner.work_dir)))
    runner.train()
    client = mlflow.MlflowClient(store)
    [run] = client.search_runs([client.get_experiment_by_name('digits').experiment_id])
    for step, found in scalars(runner).items():
        for key in set(found) - {'step'}:
            history = client.get_metric_history(run.info.run_id, key)
            assert {metric.step: metric.value for metric in history}[step] == found[key]
    artifacts = Path(url2pathname(urlsplit(run.info.artifact_uri).path))
    for step in (1, 2):
        saved = cv2.imread(f'{runner.log_dir}/vis_data/vis_image/sep_{step}.png')
        assert np.array_equal(cv2.imread(str(artifacts / f'sep_{step}.png')), saved)


# What does not fit --------------------------------------------------------------------


@pytest.mark.parametrize('key', ['interval', 'num_images', 'batch_size', 'seed'])
def test_a_number_out_of_range(key):
    with pytest.raises(ValueError, match=rf'SEPHook\.{key}=-1: wanted'):
        SEPHook(**{key: -1})


@pytest.mark.parametrize(
    ('measures', 'reason'),
    [
        (['svd', 'seq'], "there is no 'seq'; did you mean sep"),
        (['gradient'], "'gradient' needs gradients"),
        ([], 'found none'),
    ],
)
def test_measures_that_cannot_be_followed(measures, reason):
    with pytest.raises(ValueError, match=rf'SEPHook\.measures: {reason}'):
        SEPHook(measures=measures)


def test_one_image_is_too_few():
    with pytest.raises(ValueError, match='num_images=1: wanted 2 or more'):
        SEPHook(num_images=1)


def test_a_run_without_validation_is_refused(make):
    without = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)
    with pytest.raises(ValueError, match='wanted a val_dataloader'):
        make(**without).train()


def test_a_layer_that_is_not_there_is_refused_before_the_first_step(make):
    with pytest.raises(
        ValueError, match=r'SEPHook.layers=\[40\]: .*has blocks or stages 0 to 2'
    ):
        make(dict(layers=[40])).train()


def test_a_failed_measurement_is_a_warning(make):
    class Blank(BaseTeacher):
        def forward(self, images, data_samples):
            return {'pair_0': torch.zeros(len(images), 17, 32)}

    model = distillation(teacher=Blank(), pairs=[('backbone.layers.2', 'any')])
    runner = make(model=model)
    runner.train()
    assert runner.iter == 4
    reason = 'teacher: block pair_0: sep: nothing measured'
    assert f'Epoch(sep) [1]  not measured: {reason}' in log(runner)
    assert scalars(runner) == {}


def test_pairs_of_logits_are_left_out_with_a_reason(make):
    model = distillation(
        pairs=None,
        pair_loss=None,
        pair_projector=None,
        distiller=logits_and('backbone.layers.1'),
    )
    runner = make(model=model)
    runner.train()
    assert (
        "SEPHook leaves kd out: blocks: found no patch tokens in the output of 'head'"
        in log(runner)
    )
    assert 'sep/first/cka' in scalars(runner)[1]

"""The floor of a projector's SubspaceLoss: measured once, logged next to the loss."""

from itertools import count

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.subspace_floor import SubspaceFloor
from mmvitkd.engine.hooks import SubspaceFloorHook
from mmvitkd.engine.runner import Runner

import pytest
import torch
from toy_distillation import distillation, loss_arguments, noise

RUNS = count()
LINEAR = dict(in_channels=16, out_channels=32, norm=None, bias=True)
FORCED = dict(subspace=dict(type='mmvitkd.SubspaceLoss', d=6, loss_weight=3.0))


def runner(folder, hook=True, losses=FORCED, projector=LINEAR, **kwargs):
    model = distillation(pair_projector=projector, pair_extra_losses=losses)
    hooks = [dict(type='mmvitkd.SubspaceFloorHook', **kwargs)] if hook else []
    return Runner(
        model=model,
        work_dir=str(folder / f'run_{next(RUNS)}'),
        train_dataloader=dict(
            dataset=noise(8),
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        custom_hooks=hooks,
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        experiment_name=f'subspace_floor_{next(RUNS)}',
        log_level='ERROR',
    )


def floors_of(run):
    scalars = run.message_hub.log_scalars
    return {k: float(v.current()) for k, v in scalars.items() if k.endswith('/floor')}


def test_the_floor_is_that_of_the_teachers_tokens(tmp_path):
    run = runner(tmp_path)
    run.train()
    model, images = run.model, torch.stack([each['inputs'] for each in noise(8)])
    data = model.data_preprocessor(dict(inputs=images), False)
    floor = SubspaceFloor(6)
    floor.update(loss_arguments(model, data['inputs'])['preds_T'].tokens)
    wanted = floor.result()['floor'][17]  # 16 channels and a bias
    assert floors_of(run) == {
        'train/feature/pair_0_subspace/floor': pytest.approx(wanted, abs=1e-5)
    }


def test_the_log_says_of_what_it_is(tmp_path, monkeypatch):
    run, lines = runner(tmp_path, num_images=6), []
    monkeypatch.setattr(run.logger, 'info', lambda text, *_: lines.append(str(text)))
    run.train()
    [line] = [line for line in lines if line.startswith('Floor of loss_pair_0_subspace: ')]
    assert '6 directions of 6 training views (seed 0)' in line
    assert 'spans 17 of 32 dimensions' in line


def test_the_training_is_that_without_the_hook(tmp_path):
    weights = []
    for hook in (False, True):
        run = runner(tmp_path, hook)
        run.train()
        weights.append(run.model.state_dict())
    plain, measured = weights
    assert all(torch.equal(plain[name], measured[name]) for name in plain)


@pytest.mark.parametrize(
    'options',
    [dict(losses=None), dict(projector=None)],
)
def test_without_a_projector_or_the_loss_there_is_no_floor(tmp_path, options):
    run = runner(tmp_path, **options)
    run.train()
    assert not floors_of(run)


@pytest.mark.parametrize('options', [dict(num_images=0), dict(seed=-1)])
def test_wrong_options(options):
    [(key, value)] = options.items()
    with pytest.raises(ValueError, match=f'{key}={value}: '):
        SubspaceFloorHook(**options)

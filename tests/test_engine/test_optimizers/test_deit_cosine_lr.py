"""The released schedule: timm's own, stepped after an epoch with that epoch's number."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.optimizers.deit_cosine_lr import DeiTCosineLR

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from timm.scheduler import CosineLRScheduler

SCHEDULES = Path(__file__).parents[3] / 'configs' / '_base_' / 'schedules'


def optimizer_of(*rates):
    groups = [dict(params=[torch.zeros(1, requires_grad=True)], lr=rate) for rate in rates]
    return torch.optim.AdamW(groups)


def rates_of(schedulers, optimizer, steps):
    """The rates of the parameter groups in each epoch, or iteration, (steps, groups)."""
    found = []
    for _ in range(steps):
        found.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return torch.tensor(found, dtype=torch.float64)


def timms(optimizer, epochs, **settings):
    """The same from timm, in the loop of the released code."""
    scheduler = CosineLRScheduler(optimizer, t_initial=epochs, **settings)
    found = []
    for epoch in range(epochs):
        found.append([group['lr'] for group in optimizer.param_groups])
        scheduler.step(epoch)
    return torch.tensor(found, dtype=torch.float64)


def built(name, optimizer, epochs, length=1):
    """The schedulers of a config in configs/_base_/schedules, as a runner builds them."""
    parts = Config.fromfile(SCHEDULES / name).param_scheduler
    defaults = dict(optimizer=optimizer, epoch_length=length, end=epochs)
    return [PARAM_SCHEDULERS.build(part, default_args=defaults) for part in parts]


@pytest.mark.parametrize('epochs', [300, 500])
def test_it_is_timms_in_every_epoch(epochs):
    name = 'imagenet_bs2048_300e_released.py'
    ours, theirs = optimizer_of(2e-3, 5e-4), optimizer_of(2e-3, 5e-4)
    found = rates_of(built(name, ours, epochs), ours, epochs)
    wanted = timms(theirs, epochs, lr_min=1e-5, warmup_t=5, warmup_lr_init=1e-6)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
    assert found[:2, 0].tolist() == [1e-6, 1e-6]


def test_beyond_its_length_it_stays_at_the_end_as_timms():
    ours, theirs = optimizer_of(2e-3), optimizer_of(2e-3)
    found = rates_of([DeiTCosineLR(ours, T_max=10, warmup_epochs=2)], ours, 25)
    scheduler = CosineLRScheduler(theirs, 10, lr_min=1e-5, warmup_t=2, warmup_lr_init=1e-6)
    wanted = [scheduler._get_lr(max(epoch - 1, 0)) for epoch in range(25)]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))
    assert found[-1].item() == 1e-5


def test_it_is_the_rate_in_the_logs():
    """`train_lr` of the released logs of arXiv 2511.06848, by epoch."""
    logged = {
        0: 1e-06,
        1: 1e-06,
        2: 0.0004008,
        5: 0.0016002,
        6: 0.0019986363870807757,
        50: 0.0018718577420645882,
        229: 0.00027967621571569945,
        260: 0.00010031007149816745,
        274: 4.950778275144143e-05,
    }
    optimizer = optimizer_of(2e-3)
    found = rates_of(built('imagenet_bs2048_300e_released.py', optimizer, 300), optimizer, 300)
    for epoch, rate in logged.items():
        assert found[epoch].item() == pytest.approx(rate, rel=1e-11)


def test_other_settings_are_timms_too():
    ours, theirs = optimizer_of(5e-4), optimizer_of(5e-4)
    found = DeiTCosineLR(ours, eta_min=1e-6, warmup_epochs=20, warmup_lr=1e-7, end=90)
    wanted = timms(theirs, 90, lr_min=1e-6, warmup_t=20, warmup_lr_init=1e-7)
    torch.testing.assert_close(rates_of([found], ours, 90), wanted, rtol=1e-12, atol=0)


def test_ours_differs_as_the_document_says():
    """docs/training.md: by how much the schedule by iteration departs from the released one."""
    first, second, length = optimizer_of(2e-3), optimizer_of(2e-3), 10
    released = rates_of(built('imagenet_bs2048_300e_released.py', first, 300), first, 300)
    warm_up, cosine = built('imagenet_bs2048_300e.py', second, 300, length)
    ours = []
    for _ in range(300):
        epoch = rates_of([warm_up], second, length)
        cosine.step()
        ours.append(epoch.mean(0))
    ours = torch.stack(ours)
    assert released[1].item() == 1e-6 and 5e-4 < ours[1].item() < 7e-4
    relative = (ours / released - 1).flatten()
    assert relative[150].item() == pytest.approx(0.016, abs=5e-4)
    assert relative[290].item() == pytest.approx(-0.058, abs=5e-4)
    assert (ours.sum() / released.sum()).item() == pytest.approx(1.020, abs=5e-4)


def test_it_goes_on_from_a_checkpoint():
    whole, first, second = (optimizer_of(2e-3) for _ in range(3))
    wanted = rates_of([DeiTCosineLR(whole, end=30)], whole, 30)
    stopped = DeiTCosineLR(first, end=30)
    rates_of([stopped], first, 12)
    resumed = DeiTCosineLR(second, end=30)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(stopped.state_dict())
    assert torch.equal(rates_of([resumed], second, 18), wanted[12:])


@pytest.mark.parametrize('setting', [dict(by_epoch=False), dict(convert_to_iter_based=True)])
def test_a_schedule_by_iteration_is_refused(setting):
    config = dict(type='mmvitkd.DeiTCosineLR', end=30, **setting)
    with pytest.raises(ValueError, match='by_epoch=False'):
        PARAM_SCHEDULERS.build(
            config, default_args=dict(optimizer=optimizer_of(1), epoch_length=4)
        )

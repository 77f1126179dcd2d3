"""A toy run that hangs: `hanging_run.py WORK_DIR HOW RANK`, in RANK's second iteration.

HOW: 'stopped' stops the process, 'loader' sleeps in the data loader's worker, 'step' in the
step; 'raises' is an error, after which the process goes on for longer than the timeout.
"""

import os
import signal
import sys
import time

import mmvitkd  # noqa: F401
from mmvitkd.engine import WatchdogHook
from mmvitkd.engine.runner import launch

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner

WORK_DIR, HOW, RANK = sys.argv[1], sys.argv[2], int(sys.argv[3])
TIMEOUT = 4.0


def hang(where):
    """Hang here, if it is the place."""
    if where != HOW or int(os.environ.get('RANK', '0')) != RANK:
        return
    if HOW == 'raises':
        raise ValueError('as asked')
    if HOW == 'stopped':
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)


class Model(BaseModel):
    """Hangs in the step."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, mode):
        if inputs[0] >= 2:
            for where in ('stopped', 'step', 'raises'):
                hang(where)
        return dict(loss=(self.weight * inputs).sum())


class Data(torch.utils.data.Dataset):
    """Hangs in the loader."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index >= 2:
            hang('loader')
        return dict(inputs=float(index))


cfg = Config(dict(launcher='pytorch' if 'RANK' in os.environ else 'none'))
launch.init_distributed(cfg)
runner = Runner(
    Model(),
    WORK_DIR,
    train_dataloader=dict(
        dataset=Data(),
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_size=1,
        num_workers=1,
        collate_fn=dict(type='default_collate'),
    ),
    train_cfg=dict(by_epoch=True, max_epochs=1),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
    custom_hooks=[WatchdogHook(timeout=TIMEOUT)],
    launcher=cfg.launcher,
    cfg=cfg,
)
try:
    runner.train()
except ValueError:
    time.sleep(2 * TIMEOUT)
    print('went on')
launch.cleanup()

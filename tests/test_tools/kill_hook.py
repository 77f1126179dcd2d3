"""A hook that kills a process of a training, once."""

import os
import os.path as osp
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """Kills a rank, or the launcher (`what='launcher'`), after an iteration of that rank."""

    def __init__(self, what, rank, iteration):
        self.what, self.rank, self.iteration = what, rank, iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        mark = osp.join(runner.work_dir, 'killed')
        if (runner.rank, runner.iter + 1) != (self.rank, self.iteration) or osp.exists(mark):
            return
        open(mark, 'w').close()
        victim = os.getppid() if self.what == 'launcher' else os.getpid()
        os.kill(victim, signal.SIGKILL)

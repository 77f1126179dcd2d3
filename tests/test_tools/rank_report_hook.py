"""A hook that writes what each rank holds when training ends."""

import hashlib
import json
import os.path as osp

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class RankReportHook(Hook):
    """Writes `ranks.json`: hashes of each rank's weights, and DDP's setting."""

    def after_train(self, runner):
        weights = {
            k: hashlib.sha256(v.numpy().tobytes()).hexdigest()
            for k, v in runner.model.state_dict().items()
        }
        report = dict(
            weights=weights,
            iteration=runner.iter,
            find_unused_parameters=runner.model.find_unused_parameters,
        )
        reports = all_gather_object(report)
        if is_main_process():
            with open(osp.join(runner.work_dir, 'ranks.json'), 'w') as file:
                json.dump(reports, file)

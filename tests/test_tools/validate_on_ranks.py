"""Validate a label-free distillation, on as many processes as are started: prints JSON."""

import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `import toy`

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner import Runner, launch

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from toy_distillation import encoder, noise


@DATASETS.register_module()
def noise_of(count):
    """The data set, as a config names it."""
    return noise(count)


cfg = Config(
    dict(
        model=encoder(),
        work_dir=tempfile.mkdtemp(),
        # On two processes, one of them sees an image twice.
        val_dataloader=dict(
            batch_size=4,
            dataset=dict(type='noise_of', count=11),
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        val_cfg=dict(),
        val_evaluator=dict(type='mmvitkd.KNNAccuracy', k=3),
        default_scope='mmpretrain',
        launcher='pytorch' if 'RANK' in os.environ else 'none',
        log_level='ERROR',
        randomness=dict(seed=0),
    )
)
launch.init_distributed(cfg)
runner = Runner.from_cfg(cfg)
generator = torch.Generator().manual_seed(0)
model = getattr(runner.model, 'module', runner.model)
for parameter in (*model.parameters(), *model.teacher.model.parameters()):
    parameter.data.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
metrics = runner.val()
print(json.dumps(metrics), file=sys.stderr if runner.rank else sys.stdout)
launch.cleanup()

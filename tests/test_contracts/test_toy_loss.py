"""A new loss: one class, named in a config."""

import mmvitkd  # noqa: F401
from mmvitkd.models.losses import align
from mmvitkd.registry import MODELS

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.optim import OptimWrapper
from torch import nn
from toy import WIDE_ARCH, vit
from toy_distillation import noise


@MODELS.register_module()
class ToyLoss(nn.Module):
    """The mean absolute difference of the tokens."""

    def __init__(self, loss_weight=1.0):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, preds_S, preds_T):
        student, teacher = align(preds_S, preds_T)
        return self.loss_weight * (student.tokens - teacher.tokens).abs().mean()


def test_it_trains_from_a_config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f"""
model = dict(
    type='mmvitkd.FeatureDistill',
    architecture={vit()},
    teacher={vit(WIDE_ARCH)},
    allow_random_teacher=True,
    pairs=[(0, 1), (2, 3)],
    pair_loss=dict(type='mmvitkd.ToyLoss', loss_weight=3.0),
)
""")
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(path).model).train()
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
    losses = [model.train_step(default_collate(noise(8)), wrapper) for _ in range(20)]
    for name in ('distill.loss_pair_0', 'distill.loss_pair_1'):
        assert 0 < losses[-1][name] < losses[0][name]

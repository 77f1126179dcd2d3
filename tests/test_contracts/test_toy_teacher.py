"""A new kind of teacher: one class, named in a config."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis import Cost, distillation_cost_of
from mmvitkd.models.teachers import BaseTeacher
from mmvitkd.registry import MODELS

import pytest
import torch
from mmengine.runner import Runner
from toy import vit
from toy_distillation import noise


@MODELS.register_module()
class ToyTeacher(BaseTeacher):
    """Looks tokens up by the sample, and knows its label."""

    blocks = ('first', 'second')
    grids = ((4, 4), (4, 4))
    num_extra_tokens = 1
    num_classes = 5

    def __init__(self, width=32):
        self.width, self.seen = width, []

    def prepare(self, recorders, data_preprocessor=None):
        self.sources = {name: r.source for name, r in recorders.recorders.items()}

    def forward(self, images, data_samples):
        self.seen += [int(sample.gt_label) for sample in data_samples]
        return self._tokens(images, float(len(self.sources)))

    def dry_run(self, images):  # there is nothing to look up
        return self._tokens(images, 0.0)

    def logits(self, images, data_samples=None):
        labels = torch.cat([sample.gt_label for sample in data_samples])
        return torch.nn.functional.one_hot(labels, 5).float()

    def cost(self, images):
        return Cost(parameters=0, macs=7)

    def _tokens(self, images, value):
        return {name: torch.full((len(images), 17, self.width), value) for name in self.sources}


def model(**teacher):
    return dict(
        type='mmvitkd.FeatureDistill',
        architecture=vit(),
        teacher=dict(type='mmvitkd.ToyTeacher', **teacher),
        pairs=[(2, 1)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss'),
    )


def test_it_passes_the_dry_run_and_learns_what_is_wanted():
    teacher = MODELS.build(model()).teacher
    assert teacher.sources == dict(pair_0='second')
    assert teacher.seen == []


def test_a_distillation_of_it_is_counted():
    cost = distillation_cost_of(MODELS.build(model()), (32, 32))
    assert cost.teacher == (0, 7)
    assert cost.share == pytest.approx(7 / (3 * cost.student.macs))


def test_a_run_distils_it_and_logs_its_accuracy(tmp_path):
    loader = dict(
        batch_size=4,
        num_workers=0,
        dataset=noise(40),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )
    runner = Runner(
        model=model(width=16),
        default_scope='mmpretrain',
        work_dir=str(tmp_path),
        experiment_name='toy_teacher',
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_dataloader=loader,
        val_cfg=dict(),
        val_evaluator=dict(type='Accuracy', topk=1),
        custom_hooks=[dict(type='mmvitkd.TeacherAccuracyHook')],
    )
    runner.train()
    assert runner.model.teacher.seen == [i % 5 for i in range(40)]
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'validation top-1: 100.00 % of 40 images' in log
    assert 'distill.loss_pair_0' in log

"""The teacher's accuracy: the right number, the reason for none, and no other effect."""

import copy
from itertools import count

import mmvitkd  # noqa: F401
from mmvitkd.engine.hooks import TeacherAccuracyHook
from mmvitkd.models import BaseTeacher

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from toy import PREPROCESSOR, WIDE_ARCH, timm_vit, vit

RUNS = count()
IMAGES = 40


def data(labels):
    """Noise images whose labels are the argmax of the teacher's logits."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (len(labels), 3, 32, 32), generator=generator)
    return [
        dict(inputs=image, data_samples=DataSample().set_gt_label(label))
        for image, label in zip(pixels, labels, strict=True)
    ]


def loader(dataset, shuffle=False):
    return dict(
        batch_size=8,
        dataset=dataset,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type='default_collate'),
    )


class Names(BaseTeacher):
    """Gives each image the class of its sample; `wrong` of them another."""

    def __init__(self, wrong=0, outputs=5):
        self.wrong, self.outputs, self.asked = wrong, outputs, 0

    def forward(self, images, data_samples):
        return {'pair_0': torch.zeros(len(images), 17, 32)}

    def logits(self, images, data_samples=None):
        torch.rand(1)  # a teacher may draw numbers, as a loader's workers do
        scores = torch.zeros(len(images), self.outputs)
        for i, sample in enumerate(data_samples):
            label = int(sample.gt_label)
            scores[i, (label + 1) % 5 if self.asked + i < self.wrong else label] = 1
        self.asked += len(images)
        return scores


def runner(tmp_path, teacher, hook=True, val=None, student=None, source=None, **kwargs):
    model = dict(
        type='mmvitkd.FeatureDistill',
        architecture=student or vit(),
        teacher=teacher,
        pairs=[(source or 'backbone.layers.2', 'any')],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
    )
    if isinstance(teacher, dict):
        model.update(pairs=[(2, 3)], allow_random_teacher=True)
    hooks = [TeacherAccuracyHook()] if hook else []
    config = dict(
        model=model,
        work_dir=str(tmp_path / f'run_{next(RUNS)}'),
        train_dataloader=loader(data([i % 5 for i in range(16)]), shuffle=True),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_dataloader=loader(val or data([i % 5 for i in range(IMAGES)])),
        val_cfg=dict(),
        val_evaluator=dict(type='Accuracy', topk=1),
        custom_hooks=hooks,
        default_hooks=dict(checkpoint=dict(type='mmvitkd.CheckpointHook')),
        default_scope='mmpretrain',
        experiment_name=f'teacher_accuracy_{next(RUNS)}',
        randomness=dict(seed=0),
    )
    return Runner(**{**config, **kwargs})


@pytest.fixture
def said(monkeypatch):
    """What the hook logs: (level, text)."""
    lines = []

    def listen(run):
        for level in ('info', 'warning'):
            monkeypatch.setattr(
                run.logger,
                level,
                lambda text, *_, level=level: lines.append((level, str(text))),
            )
        return run

    lines_of = lambda: [x for x in lines if 'top-1' in x[1]]  # noqa: E731
    return listen, lines_of


@pytest.mark.parametrize('wrong', [0, 3, 11])
def test_the_number_is_right(wrong, tmp_path, said):
    listen, lines = said
    listen(runner(tmp_path, Names(wrong))).train()
    [(level, text)] = lines()
    assert level == 'info'
    assert f'{100 * (IMAGES - wrong) / IMAGES:.2f} % of 40 images (chance: 20.00 %)' in text


def test_few_images_give_a_short_warning(tmp_path, said):
    """Of 4 images at 20 %, three standard deviations would be 80 % right."""
    listen, lines = said
    listen(runner(tmp_path, Names(), val=data(range(4)))).train()
    assert lines()[0][0] == 'info'
    listen(runner(tmp_path, Names(wrong=3), val=data(range(4)))).train()
    level, text = lines()[1]
    assert level == 'warning'
    assert text.endswith('Too few images to tell it from chance.')


def test_a_timm_student_states_its_classes_too(tmp_path, said):
    listen, lines = said
    student = timm_vit(data_preprocessor=dict(PREPROCESSOR))
    run = runner(tmp_path, Names(), student=student, source='model.blocks.2')
    listen(run).train()
    assert '100.00 % of 40 images' in lines()[0][1]


def test_chance_level_cannot_be_missed(tmp_path, said):
    listen, lines = said
    listen(runner(tmp_path, Names(wrong=30))).train()
    [(level, text)] = lines()
    assert level == 'warning'
    assert '25.00 %' in text
    assert 'THE TEACHER IS AT CHANCE LEVEL' in text


def test_a_real_teacher_gets_its_own_input(tmp_path, said):
    """Against the teacher run by hand on the same images, normalised its way."""
    listen, lines = said
    config = vit(WIDE_ARCH)
    config['data_preprocessor'].update(mean=[127.5] * 3, std=[127.5] * 3)
    model = MODELS.build(copy.deepcopy(config)).eval()
    torch.nn.init.normal_(model.head.layers.head.weight)
    images = torch.stack([s['inputs'] for s in data([0] * IMAGES)]).float()
    with torch.no_grad():
        labels = model((images.flip(1) - 127.5) / 127.5).argmax(1).tolist()
    labels[:4] = [(x + 1) % 5 for x in labels[:4]]
    run = listen(runner(tmp_path, config, val=data(labels)))
    run.model.teacher.model.load_state_dict(model.state_dict())
    run.train()
    [(_, text)] = lines()
    assert '90.00 % of 40 images' in text


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda t: setattr(t, 'outputs', 7), 'it has 7 outputs for 5 classes'),
        (lambda t: setattr(t, 'logits', lambda x, s: (x, x)), 'a Names gives no logits'),
        (lambda t: setattr(t, 'logits', lambda x, s: x), 'a Names gives no logits'),
        (lambda t: setattr(t, 'logits', lambda x, s: None), 'a Names gives no logits'),
    ],
)
def test_the_reason_for_none(change, reason, tmp_path, said):
    listen, lines = said
    teacher = Names()
    change(teacher)
    listen(runner(tmp_path, teacher)).train()
    assert lines() == [('info', f"The teacher's own validation top-1: none, {reason}.")]


def test_a_run_without_validation(tmp_path, said):
    listen, lines = said
    without = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)
    listen(runner(tmp_path, Names(), **without)).train()
    assert 'this run does not validate' in lines()[0][1]


def test_training_is_the_same_to_the_bit(tmp_path):
    weights = []
    for hook in (True, False):
        run = runner(tmp_path, Names(), hook)
        run.train()
        weights.append(run.model.state_dict())
    ours, theirs = weights
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize('why', ['disabled', 'no teacher', 'resumed'])
def test_it_can_be_left_out(why, tmp_path, said):
    listen, lines = said
    hooks = dict(custom_hooks=[TeacherAccuracyHook(enable=why != 'disabled')])
    if why == 'no teacher':
        hooks['model'] = vit()
    if why == 'resumed':
        run = runner(tmp_path, Names(), hook=False)
        run.train()
        hooks.update(resume=True, load_from=f'{run.work_dir}/epoch_1.pth')
        hooks['train_cfg'] = dict(by_epoch=True, max_epochs=2)
    listen(runner(tmp_path, Names(), **hooks)).train()
    assert lines() == []

"""The samples of a run have views that other seeds, loaders and resumes do not change."""

from hashlib import sha256

import mmvitkd
from mmvitkd.engine import Runner

import pytest
import torch
from folders import write_noise
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import MODELS

PIPELINE = [
    dict(type='mmvitkd.LoadRandomResizedCrop', scale=8),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]


@MODELS.register_module()
class ToyPixelStudent(BaseModel):
    """A linear model of images."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(192, 2)

    def forward(self, inputs, data_samples, mode='tensor'):
        labels = torch.cat([sample.gt_label for sample in data_samples])
        logits = self.fc(inputs.flatten(1) / 255)
        return dict(loss=torch.nn.functional.cross_entropy(logits, labels))


class Sees(Hook):
    """Keep the SHA-256 of every view that is trained on, in their order."""

    def __init__(self):
        self.views = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for pixels, sample in zip(*data_batch.values(), strict=True):
            digest = sha256(pixels.numpy().tobytes()).hexdigest()
            self.views.append((sample.sample_view, digest))


@pytest.fixture
def see(make_runner, tmp_path):
    """Train on twelve images for two epochs of four batches, and return what is seen."""
    names = [f'images/{name}/{i}.png' for name in ('cat', 'dog') for i in range(7)]
    write_noise(tmp_path, *names, size=(24, 24, 3))

    def see(
        folder='run', seed=0, epochs=2, workers=0, sampler='DefaultSampler', resume=None, **cfg
    ):
        dataset = dict(
            type='mmvitkd.ImageFolder', data_root=str(tmp_path / 'images'), pipeline=PIPELINE
        )
        runner = make_runner(
            folder,
            model='ToyPixelStudent',
            epochs=epochs,
            validate=False,
            randomness=dict(seed=seed),
            checkpoint=dict(interval=3, by_epoch=False),
            resume=resume and str(tmp_path / resume),
            cfg=cfg,
            train_dataloader=dict(
                dataset=dataset,
                sampler=dict(type=sampler, shuffle=True),
                collate_fn=dict(type='default_collate'),
                batch_size=3,
                num_workers=workers,
            ),
        )
        runner.register_hook(hook := Sees())
        runner.train()
        return hook.views

    return see


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'mmvitkd.RepeatAugSampler'])
@pytest.mark.parametrize('cfg', [{}, dict(sample_views=1), dict(sample_seed=7)], ids=str)
@pytest.mark.parametrize('workers', [0, 1])
def test_a_run_resumed_in_an_epoch_sees_what_is_left(see, sampler, cfg, workers):
    """Also if it starts with another seed, and reads its own from the checkpoint."""
    whole = see('whole', sampler=sampler, **cfg)
    assert len(whole) == 24
    resumed = see('rest', 9, sampler=sampler, workers=workers, resume='whole/iter_3.pth', **cfg)
    assert resumed == whole[9:]


def test_the_seed_of_the_run_is_that_of_its_views(see):
    assert see('one') == see('same')
    assert not set(see('one')) & set(see('other', seed=1))


def test_runs_with_other_seeds_may_share_their_views(see):
    one, other = see('one', sample_seed=7), see('other', seed=1, sample_seed=7)
    assert one != other
    assert set(one) == set(other)
    assert set(one) == set(see('seven', seed=7))


def test_two_views_come_in_turn(see):
    views = dict(see(epochs=4, sample_views=2))
    assert sorted(views) == [(index, view, 0) for index in range(12) for view in (0, 1)]


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (dict(sample_seed=-1), 'sample_seed=-1'),
        (dict(sample_views='many'), "sample_views='many'"),
        (dict(sample_seeds=7), 'sample_seeds=7: wanted True or False'),
        (dict(sample_seeds=False, sample_seed=7), 'sample_seed=7 has no effect'),
    ],
)
def test_wrong_keys_are_named(see, cfg, message):
    with pytest.raises(ValueError, match=message):
        see(**cfg)


@pytest.mark.parametrize(('accumulated', 'rate'), [(1, 0.025), (4, 0.1), (8, 0.2)])
def test_the_learning_rate_scales_with_accumulated_batches(make_runner, accumulated, rate):
    """Batches of 2 images, at a base of 8."""
    wrapper = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=accumulated)
    scale = dict(enable=True, base_batch_size=8)
    runner = make_runner(optim_wrapper=wrapper, auto_scale_lr=scale, param_scheduler=None)
    runner.train()
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(rate)]


@pytest.mark.parametrize('read', [Config.fromfile, mmvitkd.load_config])
def test_a_config_is_completed_like_a_tools(read, tmp_path):
    """The keys at its top apply, also those that are set after it was read."""
    path = tmp_path / 'own.py'
    path.write_text(f"_base_ = 'mmvitkd::mnist5k/vit_32.py'\nwork_dir = '{tmp_path}'\n")
    cfg = read(str(path))
    cfg.num_classes, cfg.data_root = 7, 'elsewhere'
    runner = Runner.from_cfg(cfg)
    assert runner.model.head.layers.head.out_features == 7
    assert runner._train_dataloader['dataset']['data_root'] == 'elsewhere'
    assert cfg.model.head.num_classes == 10  # the copy is completed


def test_a_wrong_key_at_the_top_is_refused(tmp_path):
    cfg = mmvitkd.load_config('mmvitkd::mnist5k/vit_32.py', {'work_dir': str(tmp_path)})
    cfg.num_classes = 'seven'
    with pytest.raises(ValueError, match="num_classes='seven'"):
        Runner.from_cfg(cfg)

"""FeatureError: exact over the validation images, whatever the batches, without a head."""

import copy
import json
from itertools import count

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner import Runner
from mmvitkd.metrics import FeatureError

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from toy import ARCH, PREPROCESSOR, WIDE_ARCH, vit
from toy_distillation import distillation, logits_and, noise

RUNS = count()


def encoder(**kwargs):
    """A label-free student that is distilled in embedding and tokens, with projectors."""
    student = dict(
        type='mmvitkd.ImageEncoder',
        data_preprocessor=dict(PREPROCESSOR),
        backbone=dict(
            type='mmvitkd.VisionTransformer',
            arch=ARCH,
            img_size=32,
            patch_size=8,
            out_type='raw',
        ),
    )
    defaults = dict(
        type='mmvitkd.FeatureDistill',
        architecture=student,
        teacher=dict(vit(WIDE_ARCH), data_preprocessor=dict(PREPROCESSOR)),
        allow_random_teacher=True,
        pairs=[('tokens', 3), ('embedding', 'embedding')],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
        pair_projector=dict(in_channels=16, out_channels=32, norm='LN'),
    )
    return {**defaults, **kwargs}


def build(**kwargs):
    model = MODELS.build(encoder(**kwargs))
    for parameter in model.student.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def batch_of(images):
    return dict(
        inputs=[image['inputs'] for image in images],
        data_samples=[DataSample() for _ in images],
    )


def measure(model, images, size=None, batch=4):
    metric = FeatureError()
    metric.bind(model)
    for start in range(0, len(images), batch):
        metric.process(batch_of(images[start : start + batch]), [])
    return metric.evaluate(size or len(images))


def by_hand(model, images):
    """Tokens of both, and the projector, written out; in numpy."""
    inputs = model.data_preprocessor(batch_of(images), False)['inputs']
    recorded = {}
    block = model.teacher.model.backbone.layers[3]
    hook = block.register_forward_hook(lambda *args: recorded.update(block=args[2]))
    with torch.no_grad():
        model.teacher.model(inputs)
        projector = model.distiller.connectors['pair_0_S']
        student = projector(model.student.extract_feat(inputs)[-1]).flatten(2).transpose(1, 2)
    hook.remove()
    return student.double().numpy(), recorded['block'][:, 1:].double().numpy()


def test_it_equals_the_formulas_by_hand():
    model, images = build(), noise(7)
    found = measure(model, images)
    s, t = by_hand(model, images)
    error, spread = ((s - t) ** 2).sum(), ((t - t.mean((0, 1))) ** 2).sum()
    assert found['feature/pair_0/rel_error'] == pytest.approx(error / (t**2).sum(), rel=1e-5)
    assert found['feature/pair_0/mean_token'] == pytest.approx(spread / (t**2).sum(), rel=1e-5)
    assert found['feature/pair_0/r2'] == pytest.approx(1 - error / spread, rel=1e-5)
    cosine = (s * t).sum(2) / np.linalg.norm(s, axis=2) / np.linalg.norm(t, axis=2)
    assert found['feature/pair_0/cosine'] == pytest.approx(cosine.mean(), rel=1e-5)


def test_the_means_are_those_of_the_pairs():
    found = measure(build(), noise(5))
    for key in ('rel_error', 'r2'):
        both = [found[f'feature/pair_{i}/{key}'] for i in (0, 1)]
        assert found[f'feature/{key}'] == pytest.approx(sum(both) / 2)


def test_batches_and_padding_change_nothing():
    """In several processes MMEngine's sampler repeats one image in some of them."""
    model, images = build(), noise(7)
    wanted = measure(model, images, batch=7)
    assert measure(model, images, batch=2) == pytest.approx(wanted, rel=1e-6)
    assert measure(model, [*images, images[0]], size=7) == pytest.approx(wanted, rel=1e-6)


def test_it_starts_anew_each_time():
    model, metric = build(), FeatureError()
    metric.bind(model)
    found = []
    for _ in range(2):
        metric.process(batch_of(noise(4)), [])
        found.append(metric.evaluate(4))
    assert found[0] == found[1]


def test_a_classifier_needs_no_labels_either():
    """Its own loss, which is computed on the way, does not count."""
    model = build(architecture=vit(), pairs=[(2, 3)])
    assert 'feature/pair_0/r2' in measure(model, noise(4))


def test_logits_are_no_features():
    settings = dict(pairs=None, pair_loss=None, pair_projector=None)
    config = distillation(distiller=logits_and('backbone.layers.2'), **settings)
    names = {name.split('/')[1] for name in measure(MODELS.build(config).eval(), noise(4))}
    assert names == {'rel_error', 'r2', 'first', 'second'}


def test_a_teacher_that_is_the_same_everywhere_has_no_value():
    model = build()
    with torch.no_grad():
        for parameter in model.teacher.model.backbone.parameters():
            parameter.zero_()
    found = measure(model, noise(4))
    assert np.isnan(found['feature/pair_0/r2'])


def test_without_a_teacher_nothing_is_measured():
    model = MODELS.build(encoder(teacher=None))
    assert measure(model, noise(4)) == {}


def test_without_a_model_it_says_what_to_do():
    with pytest.raises(ValueError, match='bind'):
        Evaluator(FeatureError()).process(data_samples=[], data_batch={})


def loader(dataset, shuffle=False):
    return dict(
        batch_size=4,
        dataset=dataset,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type='pseudo_collate'),
    )


@pytest.mark.parametrize('best', ['knn/top1', 'feature/r2', 'feature/rel_error'])
def test_it_keeps_the_best_checkpoint_of_a_training_without_labels(tmp_path, monkeypatch, best):
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers
    runner = Runner(
        **copy.deepcopy(
            dict(
                model=encoder(),
                work_dir=str(tmp_path),
                train_dataloader=loader(noise(8), shuffle=True),
                train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=1),
                optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
                val_dataloader=loader(noise(10, seed=1)),
                val_cfg=dict(),
                val_evaluator=[
                    dict(type='mmvitkd.KNNAccuracy'),
                    dict(type='mmvitkd.FeatureError'),
                ],
                custom_hooks=[dict(type='mmvitkd.StudentEMAHook')],
                default_hooks=dict(
                    checkpoint=dict(type='mmvitkd.CheckpointHook', save_best=best)
                ),
                default_scope='mmpretrain',
                experiment_name=f'feature_error_{next(RUNS)}',
                randomness=dict(seed=0),
            )
        )
    )
    runner.train()
    [log] = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    curve = [line[best] for line in lines if best in line]
    assert len(curve) == 3
    wanted = min(curve) if best.endswith('error') else max(curve)
    [file] = tmp_path.glob('best_*.pth')
    assert file.stem.endswith(f'_epoch_{curve.index(wanted) + 1}')
    assert f'{best}_ema' in next(line for line in lines if best in line)

"""Statistics of targets: the naive float64 formula, from images, ranks and a cache."""

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner import target_statistics
from mmvitkd.engine.runner.target_statistics import first_views, measure_targets

import pytest
import torch
from mmengine.registry import MODELS
from torch.utils.data import DataLoader, default_collate
from toy_distillation import distillation, noise


def collate(samples):
    return dict(
        inputs=default_collate([sample['inputs'] for sample in samples]),
        data_samples=[sample['data_samples'] for sample in samples],
    )


def measured(count=24, num_views=4096, target='standardised', change=lambda model: None):
    model = MODELS.build(distillation(pair_projector=None, pair_target=target))
    change(model)
    loader = DataLoader(noise(count), batch_size=5, collate_fn=collate)
    lines = measure_targets(model.eval(), loader, 1, num_views, seed=0)
    return model, model.distiller.connectors['pair_0_T'], lines


def teacher_tokens(model, images):
    inputs = model.data_preprocessor(dict(inputs=images))['inputs']
    return model.teacher(inputs)['pair_0'][:, 1:].double().flatten(0, 1)


def test_the_naive_formula():
    model, target, [line] = measured()
    images = torch.stack([sample['inputs'] for sample in noise(24)])
    tokens = teacher_tokens(model, images)
    torch.testing.assert_close(target.mean.double(), tokens.mean(0), rtol=1e-5, atol=1e-6)
    expected = tokens.std(0, unbiased=False)
    torch.testing.assert_close(target.std.double(), expected, rtol=1e-5, atol=1e-6)
    assert int(target.count) == 24 * 16
    share = 100 * tokens.mean(0).square().sum() / tokens.square().sum(1).mean()
    assert f'{share:.1f} % of the energy' in line
    assert '384 tokens of 24 training views' in line


def test_the_first_images_of_a_seeded_order():
    model, target, _ = measured(num_views=7)
    loader = DataLoader(noise(24), batch_size=5, collate_fn=collate)
    views = first_views(loader, 1, 7, seed=0)
    assert views == first_views(loader, 1, 24, seed=0)[:7]
    assert views != first_views(loader, 1, 7, seed=1)
    images = torch.stack([noise(24)[view]['inputs'] for view in views])
    expected = teacher_tokens(model, images).mean(0)
    torch.testing.assert_close(target.mean.double(), expected, rtol=1e-5, atol=1e-6)


def test_ranks_share_the_batches_and_find_the_same(monkeypatch):
    """Two ranks in turn, whose parts are exchanged as they would be."""
    _, whole, _ = measured()
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr(target_statistics, 'get_dist_info', lambda rank=rank: (rank, 2))
        monkeypatch.setattr(
            target_statistics, 'all_gather_object', lambda mine: parts.append(mine) or [mine]
        )
        measured()
    assert [part['pair_0_T'].count for part in parts] == [14 * 16, 10 * 16]
    monkeypatch.setattr(target_statistics, 'all_gather_object', lambda mine: parts)
    _, target, _ = measured()
    torch.testing.assert_close(target.mean, whole.mean)
    torch.testing.assert_close(target.std, whole.std)


def test_constant_channels_are_named_in_the_log():
    def change(model):
        teacher = model.teacher
        start = teacher.start

        def changed(*args):
            outputs = start(*args)()
            outputs['pair_0'] = outputs['pair_0'].clone()
            outputs['pair_0'][..., 5] = 3
            return lambda: outputs

        teacher.start = changed

    _, target, [line] = measured(change=change)
    assert 'Constant: channel 5' in line
    assert float(target.std[5]) == 0


def test_a_constant_teacher_is_refused():
    def change(model):
        model.teacher.start = lambda images, samples: (
            lambda: {'pair_0': torch.ones(len(images), 17, 32)}
        )

    with pytest.raises(ValueError, match=r'pair_target.*pair_0.*all 32 channels are constant'):
        measured(change=change)

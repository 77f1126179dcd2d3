"""CachedTeacher: what the losses read from disk is what the teacher computed."""

import copy
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.models.algorithms import FeatureDistill
from mmvitkd.models.teachers import CachedTeacher, cached_teacher

import cached_training as toy
import pytest
import torch
from live_bytes import LiveBytes
from mmengine.registry import MODELS
from toy import vit
from toy_students import student

MSE = dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0)
PROJECTOR = dict(in_channels=16, out_channels=32)
SWIN_TEACHER = dict(
    type='mmpretrain.TimmClassifier',
    model_name='swin_tiny_patch4_window7_224',
    img_size=32,
    patch_size=2,
    window_size=4,
    embed_dim=16,
    depths=(1, 2, 1),
    num_heads=(1, 2, 4),
    num_classes=5,
)
KINDS = {
    'mean squared error': dict(),
    'spectra': dict(pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=1.0)),
    'logits alone': dict(pairs=None, pair_loss=None),
    'features alone': dict(distiller=None),
    'projected, batch norm': dict(pair_projector=PROJECTOR),
    'projected, layer norm': dict(pair_projector=dict(PROJECTOR, norm='LN')),
    'two pairs': dict(pairs=[(1, 1), (2, 3)]),
    'a student of a wider last block': dict(architecture=student('widelast')),
    'swin': dict(
        teacher=SWIN_TEACHER,
        teacher_ckpt=None,
        allow_random_teacher=True,
        architecture=student('swin'),
        pairs=[(1, 1)],
    ),
}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return toy.make_data(tmp_path_factory.mktemp('data'))


def cached(tmp_path, **options):
    return dict(dir=str(tmp_path / 'cache'), **options)


@pytest.mark.parametrize('kind', KINDS)
def test_losses_of_stored_floats_are_the_live_ones_to_the_bit(kind, root, tmp_path):
    runs = {
        name: toy.train(toy.config(root, cache, epochs=2, **KINDS[kind]), tmp_path / name)
        for name, cache in (
            ('live', None),
            ('filling', cached(tmp_path, **toy.EXACT)),
            ('reading', cached(tmp_path, **toy.EXACT)),
        )
    }
    (_, live), (_, filling), (_, reading) = runs.values()
    assert toy.same(live, filling)
    assert toy.same(live, reading)


def test_what_is_used_is_what_is_stored_also_when_it_is_computed(root, tmp_path):
    """A run that fills the cache has the losses of one that reads it, in int8, too."""
    (_, filling), (_, reading) = (
        toy.train(toy.config(root, cached(tmp_path)), tmp_path / name) for name in 'ab'
    )
    assert toy.same(filling, reading)


@pytest.mark.parametrize('kind', ['live', 'new', 'complete', 'another', 'none'])
def test_a_student_starts_alike_with_any_teacher(kind, root, tmp_path):
    if kind == 'complete':
        toy.train(toy.config(root, cached(tmp_path)), tmp_path / 'filling')
    given = dict(
        live=dict(),
        new=dict(teacher_cache=cached(tmp_path)),
        complete=dict(teacher_cache=cached(tmp_path)),
        another=dict(teacher='timm:vit_tiny_patch16_224', allow_random_teacher=True)
        | dict(teacher_ckpt=None),
        none=dict(teacher=None, distiller=None, pairs=None, pair_loss=None),
    )[kind]
    if kind == 'another':
        given['teacher'] = dict(type='timm:vit_tiny_patch16_224', num_classes=5)
    starts = []
    for model in (toy.config(root).model, {**toy.config(root).model, **given}):
        torch.manual_seed(3)
        built = MODELS.build(copy.deepcopy(dict(model)))
        built.init_weights()
        starts.append(built.student.state_dict() | dict(next=torch.rand(1)))
    for key, value in starts[0].items():
        assert torch.equal(value, starts[1][key]), key


# Students that share a cache ----------------------------------------------------------------

NARROW = vit(dict(embed_dims=8, num_layers=3, num_heads=2, feedforward_channels=16))
# The first has a grid of 4 x 4 and a width of 16.


def test_another_student_is_refused_by_its_shapes(root, tmp_path):
    toy.train(toy.config(root, cached(tmp_path)), tmp_path / 'first')
    before = toy.stored(tmp_path / 'cache')
    with pytest.raises(ValueError, match='pair_0') as found:
        toy.build(toy.config(root, cached(tmp_path), architecture=NARROW), tmp_path / 'second')
    message = str(found.value)
    assert '4 x 4 x 16' in message and '4 x 4 x 8' in message
    assert 'teacher_cache.full_features=True' in message
    assert toy.stored(tmp_path / 'cache') == before


def test_full_features_serve_both(root, tmp_path):
    cache = cached(tmp_path, full_features=True, **toy.EXACT)
    toy.train(toy.config(root, cache), tmp_path / 'first')
    _, live = toy.train(toy.config(root, architecture=NARROW), tmp_path / 'live')
    runner, read = toy.train(
        toy.config(root, cache, architecture=NARROW, teacher_ckpt='gone.pth'),
        tmp_path / 'second',
    )
    assert runner.model.teacher.live is None
    for one, other in zip(live, read, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_a_student_that_reads_a_part_needs_no_teacher(root, tmp_path):
    toy.train(toy.config(root, cached(tmp_path)), tmp_path / 'first')
    cfg = toy.config(root, cached(tmp_path), pairs=None, pair_loss=None, teacher_ckpt='no.pth')
    runner, losses = toy.train(cfg, tmp_path / 'second')
    assert runner.model.teacher.live is None and 'distill.loss_kd' in losses[0]


def test_a_student_that_reads_a_part_stores_nothing(root, tmp_path):
    """It computes what is missing, but not all that a row holds."""
    cfg = toy.config(root, cached(tmp_path, views=3, **toy.EXACT))
    toy.train(cfg, tmp_path / 'first')
    header = toy.read_header(tmp_path / 'cache')
    numbers = header.num_rows, header.row_bytes
    with toy.RowStore.open(tmp_path / 'cache', *numbers, writable=True) as store:
        store.forget(toy.np.arange(5))
    before = toy.stored(tmp_path / 'cache')
    plain = dict(pairs=None, pair_loss=None)
    cfg = toy.config(root, cached(tmp_path, **toy.EXACT), **plain)
    cfg.log_level = 'INFO'
    runner, losses = toy.train(cfg, tmp_path / 'second')
    text = Path(runner._log_dir, f'{runner.timestamp}.log').read_text()
    assert "does not store them: it also holds 'pair_0'" in text
    assert toy.stored(tmp_path / 'cache') == before
    _, live = toy.train(toy.config(root, **plain), tmp_path / 'live')
    for one, other in zip(live, losses, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_a_student_that_reads_more_is_refused(root, tmp_path):
    plain = dict(pairs=None, pair_loss=None)
    toy.train(toy.config(root, cached(tmp_path), **plain), tmp_path / 'first')
    with pytest.raises(ValueError, match=r"has no 'pair_0'.*it has 'logits'"):
        toy.build(toy.config(root, cached(tmp_path)), tmp_path / 'second')


# Without its teacher ------------------------------------------------------------------------


@pytest.fixture
def complete(root, tmp_path):
    """A distillation whose teacher is read from a complete cache."""
    toy.train(toy.config(root, cached(tmp_path)), tmp_path / 'filling')
    cfg = toy.config(root, cached(tmp_path), teacher_ckpt='gone.pth')
    model = toy.build(cfg, tmp_path / 'work').model
    assert isinstance(model, FeatureDistill) and isinstance(model.teacher, CachedTeacher)
    return model


def test_it_costs_nothing(complete):
    assert complete.teacher.cost(torch.zeros(1, 3, 32, 32)) == (0, 0)


def test_it_has_the_name_and_the_shapes_of_the_teacher(complete, root):
    live = MODELS.build(toy.config(root).model).teacher
    for key in ('name', 'input_size', 'blocks', 'widths', 'grids', 'num_classes'):
        assert _plain(getattr(live, key)) == _plain(getattr(complete.teacher, key)), key


def _plain(value):
    return list(value) if isinstance(value, list | tuple) else value


def test_logits_are_read_without_the_features(root, tmp_path, monkeypatch):
    """A part of the rows at a time: features can be a thousand times as large."""
    monkeypatch.setattr(cached_teacher, 'CHUNK', 4)
    toy.train(toy.config(root, cached(tmp_path)), tmp_path / 'filling')
    runner = toy.build(toy.config(root, cached(tmp_path)), tmp_path / 'work')
    runner.call_hook('before_train')
    teacher, rows = runner.model.teacher, toy.np.arange(30)[::-1]
    whole = teacher.read(rows, torch.device('cpu'))
    with LiveBytes() as live:
        logits = teacher.stored_logits(rows)
    assert torch.equal(logits, whole['logits'])
    assert live.peak < 12 * teacher.row_bytes < whole['pair_0'].tokens.nbytes


def test_images_that_are_no_views_need_the_teacher(complete):
    with pytest.raises(ValueError, match=r'teacher_cache: .*no training views'):
        complete.teacher(torch.zeros(2, 3, 32, 32))
    assert complete.teacher.logits(torch.zeros(2, 3, 32, 32)) is None


def test_a_teacher_that_is_built_later_is_moved_like_the_model(root, tmp_path):
    toy.train(toy.config(root, cached(tmp_path)), tmp_path / 'filling')
    model = toy.build(toy.config(root, cached(tmp_path)), tmp_path / 'work').model
    model.double()
    assert model.teacher.live is None
    live = model.teacher.build_live()
    assert all(p.dtype == torch.float64 for p in live.model.parameters())


def test_a_teacher_that_is_built_later_is_moved_to_the_device_of_the_model(root, tmp_path):
    """The student's preprocessor, which it is normalised after, is on that device by then."""
    toy.train(toy.config(root, cached(tmp_path)), tmp_path / 'filling')
    model = toy.build(toy.config(root, cached(tmp_path)), tmp_path / 'work').model
    model.to('meta')
    live = model.teacher.build_live()
    assert all(p.is_meta for p in live.model.parameters())


def test_a_copy_of_the_model_shares_it(complete):
    assert copy.deepcopy(complete).teacher is complete.teacher


def test_other_image_sizes_are_refused(root, tmp_path):
    """A loss that reads all tokens of a teacher that takes any size."""
    runner = toy.build(toy.config(root, cached(tmp_path), pair_projector=PROJECTOR), tmp_path)
    teacher = runner.model.teacher
    outputs = {**teacher.dry_run(torch.zeros(1, 3, 32, 32)), 'logits': torch.ones(1, 4)}
    with pytest.raises(ValueError, match='wanted one image size'):
        teacher._outputs.encode(outputs)

"""Every config trains, and so do the configs in the documents."""

import re
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis import cost_of
from mmvitkd.config.load_config import load_config
from mmvitkd.config.shortcuts import apply_shortcuts
from mmvitkd.models.utils.adapters import input_size_of

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import DATASETS, MODELS
from mmpretrain.structures import DataSample

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]
SHOWN = [
    (document, block)
    for document in DOCUMENTS
    for block in re.findall(r'```python\n(_base_.*?)```', document.read_text(), re.DOTALL)
    if document.name != 'recommend.md'  # whose configs the tests of its tool train
]


# The user's own config that a document's example names.
MY_VIT_BASE = """
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VisionTransformer', arch='base'),
    head=dict(type='VisionTransformerClsHead', num_classes=1000, in_channels=768))
data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)
"""


TEACHERS = {
    'cait_s24_224': dict(embed_dim=48, num_heads=8),
    'deit_small_patch16_224': dict(embed_dim=48, num_heads=6),
    'deit3_small_patch16_224.fb_in22k_ft_in1k': dict(embed_dim=48, num_heads=6),
    'vit_base_patch16_224.mae': dict(embed_dim=96, num_heads=12),
    'swin_small_patch4_window7_224.ms_in1k': dict(embed_dim=12, window_size=2),
    'vit_small_patch14_dinov2.lvd142m': dict(embed_dim=48, num_heads=6),
    'vit_small_patch14_dinov2': dict(embed_dim=48, num_heads=6),
    'vit_base_patch14_dinov2.lvd142m': dict(embed_dim=96, num_heads=12),
    'vit_small_patch16_dinov3.lvd1689m': dict(embed_dim=48, num_heads=6),
    'vit_base_patch16_clip_224.openai': dict(embed_dim=96, num_heads=12),
    'vit_base_patch16_siglip_224.webli': dict(embed_dim=96, num_heads=12),
}
SWIN_TINY = dict(_delete_=True, embed_dims=12, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24])
WIDTHS = ('embed_dims', 'feedforward_channels', 'in_channels', 'out_channels', 'width')


def smaller(config):
    """Return options that make a config's models small: widths / 8, images of 4 x 4 patches."""
    if 'mnist5k' in config.filename:
        return {}
    options = dict(_smaller('model', config.model.to_dict()))
    # A training measures the statistics of other targets before its first step.
    return {**options, 'model.pair_target': 'raw'} if 'pair_target' in config.model else options


def _smaller(key, node):
    """Yield the `--cfg-options` for a part of a config."""
    name = key.rpartition('.')[2]
    if isinstance(node, dict):
        kind = str(node.get('type'))
        timm_name = node.get('model_name', kind.removeprefix('timm:'))
        if timm_name in TEACHERS:
            swin = 'swin' in timm_name
            node = dict(img_size=64, **({} if swin else dict(patch_size=16)))
            yield from ((f'{key}.{k}', v) for k, v in {**node, **TEACHERS[timm_name]}.items())
        elif kind == 'SwinTransformer':
            yield f'{key}.arch', SWIN_TINY
            yield f'{key}.img_size', 64
            yield f'{key}.window_size', 2
        else:
            if 'img_size' in node:
                patch = node.get('patch_size', 14 if 'patch14' in kind else 16)
                yield f'{key}.img_size', 4 * patch
            for child, value in node.items():
                yield from _smaller(f'{key}.{child}', value)
    elif name in WIDTHS and isinstance(node, int):
        yield key, node // 8 // 3 * 3  # three heads
    elif name == 'd':  # of SubspaceLoss
        yield key, node // 8


def build(config):
    """Build a config's model without the weights of its teacher."""
    model = config.model
    if 'teacher' in model:
        model.teacher_ckpt, model.allow_random_teacher = None, True
    for part in (model, model.get('teacher')):
        if isinstance(part, dict) and part.type == 'TimmClassifier':
            part.pretrained = False
    model.data_preprocessor = config.data_preprocessor
    return MODELS.build(model)


UNLABELLED = [
    *sorted((ROOT / 'configs' / 'foundation').glob('*.py')),
    *(p for p in CONFIGS if re.fullmatch('deit_small_deit_tiny(_lift|_widelast)?', p.stem)),
]


@pytest.mark.parametrize('path', UNLABELLED, ids=lambda p: p.stem)
def test_it_trains_one_step_without_labels(path):
    """Every parameter has a gradient, and every loss is one of features."""
    config = Config.fromfile(path)
    config.merge_from_dict(smaller(config) | dict(with_label=False))
    apply_shortcuts(config)
    model = build(config)
    model.init_weights()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    inputs = torch.randint(256, (2, 3, *input_size_of(model.student)), dtype=torch.uint8)
    samples = [DataSample() for _ in inputs]
    logged = model.train_step(dict(inputs=list(inputs), data_samples=samples), wrapper)
    assert set(logged) - {'loss'} == {
        f'distill.loss_pair_{i}' for i in range(len(config.model.pairs))
    }
    assert all(value.isfinite() for value in logged.values())
    assert all(parameter in wrapper.optimizer.state for parameter in model.parameters())


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_it_trains_one_step(path):
    """At a fraction of its width and image size, and at full depth."""
    config = Config.fromfile(path)
    config.merge_from_dict(smaller(config))
    model = build(config)
    model.init_weights()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    frozen = {n for n, _ in model.named_parameters()} - trained.keys()
    assert all(name.startswith('distiller.connectors.') for name in frozen)
    assert bool(frozen) == ('frozen' in path.stem)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    side = input_size_of(getattr(model, 'student', model))
    labels = [DataSample().set_gt_label(i) for i in range(2)]
    inputs = torch.randint(256, (2, 3, *side), dtype=torch.uint8)
    logged = model.train_step(dict(inputs=list(inputs), data_samples=labels), wrapper)
    assert all(value.isfinite() for value in logged.values())
    pairs = config.model.get('pairs') or []
    extra = [f'_{name}' for name in config.model.get('pair_extra_losses', {})]
    losses = {f'distill.loss_pair_{i}{x}' for i in range(len(pairs)) for x in ('', *extra)}
    assert losses == {name for name in logged if 'pair' in name}
    # AdamW has a state for what had a gradient, and for nothing else.
    stepped = {id(parameter) for parameter in wrapper.optimizer.state}
    assert {name for name, p in trained.items() if id(p) not in stepped} == set()


@pytest.mark.parametrize(
    ('name', 'decayed'),
    [
        ('deit/deit_tiny_300e', set()),
        ('deit/cait_s24_deit_tiny_softkd_projectorkd_300e', set()),
        ('deit/cait_s24_deit_small_softkd_spectralkd_eight_500e', set()),
        ('swin/swin_tiny_500e', set()),
        ('lift/deit_tiny_lift_300e', {'pos_embed', 'cls_token'}),
        ('cait_s24_deit_tiny_widelast', {'pos_embed', 'cls_token'}),
        ('controls/cait_s24_deit_tiny_w219_softkd_mse_300e', {'pos_embed', 'cls_token'}),
        ('controls/deit_tiny_w219_300e', {'pos_embed', 'cls_token'}),
    ],
)
def test_weight_decay_is_as_in_the_released_code(name, decayed):
    """Matrices are, 1-D parameters are not; tokens and positions of Lift and WideLast are."""
    config = Config.fromfile(ROOT / f'configs/{name}.py')
    config.merge_from_dict(smaller(config))
    model = build(config)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    decays = {id(p): g['weight_decay'] for g in wrapper.param_groups for p in g['params']}
    found = set()
    for key, parameter in model.named_parameters():
        decay, last = decays[id(parameter)], key.rpartition('.')[2]
        if last in ('pos_embed', 'cls_token', 'relative_position_bias_table'):
            found |= {last} if decay else set()
        else:
            assert decay == (0.05 if parameter.dim() > 1 else 0), key
    assert found == decayed


@pytest.mark.parametrize('name', ['deit/deit_tiny_300e', 'cait_s24_deit_tiny_widelast'])
def test_the_student_that_a_config_started_from_cannot_be_changed(name, tmp_path):
    """It would change nothing: only `model`, or its `architecture`, is read."""
    path = tmp_path / 'own.py'
    path.write_text(f"_base_ = '{ROOT}/configs/{name}.py'\nstudent = dict(neck=None)\n")
    with pytest.raises(ValueError, match=r'^student: .* model\.architecture'):
        load_config(str(path))


def test_no_config_is_more_than_three_files_deep():
    assert max(depth(path) for path in CONFIGS) == 3


def depth(path):
    """Return the number of files in a chain of bases, the first included."""
    found = Config._get_base_files(str(path))
    bases = [path.parent / b for b in found]
    return 1 + max(map(depth, bases), default=0)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_its_pipelines_build(path):
    config = Config.fromfile(path)
    for loader in (config.train_dataloader, config.val_dataloader):
        DATASETS.build(dict(loader.dataset, lazy_init=True))


@pytest.mark.parametrize(
    ('document', 'block'), SHOWN, ids=[f'{d.stem}-{i}' for i, (d, _) in enumerate(SHOWN)]
)
def test_a_new_pair_takes_at_most_15_lines(document, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'my_vit_base.py').write_text(MY_VIT_BASE)
    assert len([line for line in block.splitlines() if line.strip()]) <= 15
    path = tmp_path / 'own.py'
    path.write_text(block.replace("'./", f"'{ROOT}/configs/"))
    config = Config.fromfile(path)
    apply_shortcuts(config)
    losses = build(config).distiller.distill_losses
    assert set(losses) == {'loss_kd', 'loss_pair_0'}


def test_documents_show_pairs():
    assert len(SHOWN) == 4


@pytest.mark.parametrize(
    ('name', 'parameters', 'gflops'),
    [
        ('cait_s24_deit_tiny_lift', 5_983_528, 2.536),
        ('cait_s24_deit_tiny_widelast', 7_313_896, 3.089),
    ],
)
def test_headline_students_have_the_published_cost(name, parameters, gflops):
    student = MODELS.build(Config.fromfile(ROOT / f'configs/{name}.py').model.architecture)
    cost = cost_of(student, (224, 224))
    assert cost.parameters == parameters
    assert 2 * cost.macs / 1e9 == pytest.approx(gflops, rel=5e-3)


def test_headline_recipe():
    """The numbers of arXiv 2511.15572's recipe, where a config could drift from them."""
    config = Config.fromfile(ROOT / 'configs/cait_s24_deit_tiny_widelast.py')
    optimizer = config.optim_wrapper.optimizer
    assert optimizer.lr == 5e-4 * 2048 / 512
    assert (optimizer.weight_decay, optimizer.eps) == (0.05, 1e-8)
    assert 'clip_grad' not in config.optim_wrapper
    assert config.auto_scale_lr == dict(base_batch_size=2048, enable=True)
    warm_up, cosine = config.param_scheduler
    assert warm_up.start_factor * optimizer.lr == pytest.approx(1e-6)
    assert (warm_up.end, cosine.begin, cosine.eta_min) == (5, 5, 1e-5)
    assert config.train_cfg.max_epochs == 300
    model = config.model
    weights = (
        model.architecture.head.loss.loss_weight,
        model.distiller.distill_losses.loss_kd.loss_weight,
        model.pair_loss.loss_weight,
    )
    assert weights == (0.1, 0.9, 0.2)
    assert model.architecture.head.loss.label_smooth_val == 0.1
    assert config.train_dataloader.sampler == dict(type='RepeatAugSampler', num_repeats=3)
    assert config.train_dataloader.drop_last
    assert config.custom_hooks[0].momentum == pytest.approx(1 - 0.99996)


def test_demo_wide_last_is_at_most_1_6_times_the_plain_student():
    sizes = {}
    for name in ('vit_32', 'vit_32_widelast'):
        model = Config.fromfile(ROOT / f'configs/mnist5k/{name}.py').model
        student = MODELS.build(model.get('architecture', model))
        sizes[name] = cost_of(student, (28, 28)).parameters
        assert len(student.backbone.layers) >= 6
    assert sizes['vit_32_widelast'] <= 1.6 * sizes['vit_32']

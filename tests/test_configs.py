"""Every config builds, and so do the configs that the documents show."""

import re
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis import cost_of
from mmvitkd.engine.one_key import apply_one_keys

import pytest
from mmengine.config import Config
from mmpretrain.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]
SHOWN = [
    (document, block)
    for document in DOCUMENTS
    for block in re.findall(r'```python\n(_base_.*?)```', document.read_text(), re.DOTALL)
]


# The user's own config that a document's example names.
MY_VIT_BASE = """
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VisionTransformer', arch='base'),
    head=dict(type='VisionTransformerClsHead', num_classes=1000, in_channels=768))
data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)
"""


def build(config):
    """Build a config's model without the weights of its teacher, which are not here."""
    model = config.model
    if 'teacher' in model:
        model.teacher_ckpt, model.allow_random_teacher = None, True
    for part in (model, model.get('teacher')):
        if isinstance(part, dict) and part.type == 'TimmClassifier':
            part.pretrained = False
    model.data_preprocessor = config.data_preprocessor
    return MODELS.build(model)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_it_builds(path):
    model = build(Config.fromfile(path))
    assert all(p.requires_grad for p in model.parameters())


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
    apply_one_keys(config)
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
def test_headline_students_cost_what_is_published(name, parameters, gflops):
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

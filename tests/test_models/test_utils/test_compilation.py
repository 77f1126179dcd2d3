"""Compiled teachers: few graphs, no breaks, every recorder called, the same numbers."""

import sys

import mmvitkd  # noqa: F401
from mmvitkd.models import Teacher
from mmvitkd.models.utils.compilation import ISOLATED

import numpy as np
import pytest
import torch
from graph_counter import counted_graphs
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from toy import WIDE_ARCH, timm_vit, vit

SWIN = dict(
    type='mmpretrain.TimmClassifier',
    model_name='swin_tiny_patch4_window7_224',
    img_size=32,
    patch_size=2,
    window_size=4,
    embed_dim=16,
    depths=(1, 1),
    num_heads=(1, 2),
    num_classes=5,
)


@pytest.fixture
def graphs():
    with counted_graphs() as graphs:
        yield graphs


def pair(config, *sources, kind='ModuleOutputs', **options):
    """Two teachers of the same weights, the second one compiled."""
    models = [MODELS.build(dict(config)) for _ in range(2)]
    for parameter in models[0].parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    models[1].load_state_dict(models[0].state_dict())
    recorders = {s: dict(type=f'mmrazor.{kind}', source=s) for s in sources}
    return [
        Teacher(model, RecorderManager(recorders), compile=model is models[1], **options)
        for model in models
    ]


def same(eager, compiled, batch):
    images = torch.randn(batch, 3, 32, 32)
    torch.testing.assert_close(compiled(images), eager(images), rtol=1e-5, atol=1e-5)


def test_blocks_that_are_alike_are_compiled_once(graphs):
    eager, compiled = pair(timm_vit(), 'model.blocks.1', 'model.blocks.2')
    same(eager, compiled, 4)
    assert graphs.count == 0  # the first pass runs eagerly
    found = []
    for batch in (4, 4, 3, 4, 3, 1):
        same(eager, compiled, batch)
        found.append(graphs.count)
    assert found == [1, 1, 2, 2, 2, 3]
    assert graphs.breaks == {}


@pytest.mark.parametrize('stop_early', [True, False])
def test_recorders_within_blocks_are_called(graphs, stop_early):
    """Sharing a function, they would run what was compiled for the first block."""
    sources = 'model.blocks.1.attn', 'model.blocks.2.attn', 'model.blocks.0'
    eager, compiled = pair(timm_vit(), *sources, stop_early=stop_early)
    for batch in (4, 4, 4, 3):
        same(eager, compiled, batch)
    assert graphs.count == (3 if ISOLATED else 1) * 2  # see the test below
    assert graphs.breaks == {}


def test_before_torch_2_13_blocks_with_a_recorder_within_are_not_compiled(graphs, monkeypatch):
    monkeypatch.setattr(sys.modules['mmvitkd.models.utils.compilation'], 'ISOLATED', False)
    eager, compiled = pair(timm_vit(), 'model.blocks.1.attn', 'model.blocks.2')
    for batch in (4, 4, 3):
        same(eager, compiled, batch)
    assert graphs.count == 1 * 2
    assert graphs.breaks == {}


def test_it_stops_behind_the_block_that_has_what_is_recorded(graphs):
    _, compiled = pair(timm_vit(), 'model.blocks.1.attn')
    images = torch.randn(4, 3, 32, 32)
    compiled(images)
    names = []
    blocks = compiled.model.model.blocks
    for i, block in enumerate(blocks):
        block.register_forward_hook(lambda *_, i=i: names.append(i))
    for _ in range(2):
        compiled(images)
    # In a block that is compiled it stops behind the block, otherwise within.
    assert names == ([0, 1, 0, 1] if ISOLATED else [0, 0])
    assert graphs.breaks == {}


def test_drop_paths_neither_break_nor_multiply_the_graphs(graphs):
    """MMPretrain's have NumPy's floats, another one in each block."""
    config = vit(WIDE_ARCH, drop_path_rate=0.3, drop_rate=0.1)
    eager, compiled = pair(config, 'backbone.layers.3', 'head')
    rates = {float(layer.ffn.dropout_layer.drop_prob) for layer in eager.model.backbone.layers}
    assert len(rates) == 4
    for batch in (4, 4, 3):
        same(eager, compiled, batch)
    assert graphs.count == 2
    assert graphs.breaks == {}


def test_each_stage_has_its_own(graphs):
    eager, compiled = pair(SWIN, 'model.layers.1')
    for batch in (4, 4, 3, 4):
        same(eager, compiled, batch)
    assert graphs.count == 2 * 2
    assert graphs.breaks == {}


class Net(torch.nn.Sequential):
    """A model that says nothing about its blocks."""

    def forward(self, x, mode='tensor'):
        return super().forward(x.flatten(1))


def test_what_has_no_known_blocks_is_compiled_as_a_whole(graphs):
    layers = [torch.nn.Linear(48, 8), torch.nn.GELU(), torch.nn.Linear(8, 5)]
    teachers = [
        Teacher(
            Net(*layers),
            RecorderManager({'a': dict(type='mmrazor.ModuleOutputs', source='1')}),
            compile=compile,
        )
        for compile in (False, True)
    ]
    for batch in (4, 4, 3, 4):
        images = torch.randn(batch, 3, 4, 4)
        torch.testing.assert_close(teachers[1](images), teachers[0](images))
    assert graphs.count == 2
    assert graphs.breaks == {}


def test_reading_the_logits_compiles_nothing(graphs):
    eager, compiled = pair(timm_vit(), 'model.blocks.1')
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(compiled.logits(images), eager.logits(images))
    assert graphs.count == 0


@pytest.mark.parametrize(
    ('kind', 'source'),
    [
        ('MethodOutputs', 'timm.layers.Mlp.forward'),
        ('FunctionInputs', 'timm.layers.drop.drop_path'),
    ],
)
def test_recorders_that_replace_code_are_refused(kind, source):
    message = (
        rf"teacher_options\.compile=True: .*\['{source}'\]\.type='{kind}' replaces a function"
    )
    with pytest.raises(ValueError, match=message):
        pair(timm_vit(), source, kind=kind)


def test_mmpretrains_drop_path_rates_are_numpy_floats():
    """compile_student converts them to Python floats."""
    layers = MODELS.build(vit(drop_path_rate=0.3)).backbone.layers
    assert isinstance(layers[1].ffn.dropout_layer.drop_prob, np.floating)

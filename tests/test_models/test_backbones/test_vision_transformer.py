"""Our VisionTransformer: initialised as timm initialises DeiT, otherwise MMPretrain's."""

import mmvitkd  # noqa: F401
from mmvitkd.models.backbones import VisionTransformer

import timm
import torch
from mmpretrain.models.backbones import VisionTransformer as MMPretrainViT
from mmpretrain.registry import MODELS
from torch import nn

SMALL = dict(
    arch=dict(embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=64),
    img_size=32,
    patch_size=8,
)


def _std_by_group(model: nn.Module) -> dict[str, float]:
    """Standard deviation of the weights of each kind of layer, whatever their names."""
    groups: dict[str, list[torch.Tensor]] = {}
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            layer = 'linear' if isinstance(module, nn.Linear) else 'convolution'
            kind = f'{layer} {tuple(module.weight.shape)}'
            groups.setdefault(kind, []).append(module.weight.detach().flatten())
    return {kind: torch.cat(parts).std().item() for kind, parts in groups.items()}


def test_initialisation_is_timms():
    torch.manual_seed(0)
    ours = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='mmvitkd.VisionTransformer', arch='deit-tiny'),
            head=dict(
                type='VisionTransformerClsHead',
                num_classes=1000,
                in_channels=192,
                init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
            ),
        )
    )
    ours.init_weights()
    theirs = timm.create_model('deit_tiny_patch16_224')
    found, wanted = _std_by_group(ours), _std_by_group(theirs)
    assert found.keys() == wanted.keys()
    for kind, std in wanted.items():
        assert abs(found[kind] / std - 1) < 0.03, kind
    backbone = ours.backbone
    for name, parameter in backbone.named_parameters():
        if name.endswith('bias') and 'patch_embed' not in name:
            assert not parameter.any(), name
        if 'ln' in name and name.endswith('weight'):
            assert (parameter == 1).all(), name
    assert abs(backbone.pos_embed.std() / theirs.pos_embed.std() - 1) < 0.03
    assert 0 < backbone.cls_token.std() < 2e-6
    count = sum(p.numel() for p in ours.parameters())
    assert count == sum(p.numel() for p in theirs.parameters()) == 5_717_416


def test_the_rest_is_mmpretrains():
    torch.manual_seed(0)
    ours, theirs = VisionTransformer(**SMALL), MMPretrainViT(**SMALL)
    ours.init_weights()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(ours(x)[0], theirs(x)[0])


def test_registered_in_our_scope_only():
    assert type(MODELS.build(dict(type='VisionTransformer', **SMALL))) is MMPretrainViT
    assert isinstance(
        MODELS.build(dict(type='mmvitkd.VisionTransformer', **SMALL)), VisionTransformer
    )


def test_without_a_class_token():
    model = VisionTransformer(**SMALL, with_cls_token=False, out_type='raw')
    model.init_weights()
    assert model(torch.randn(2, 3, 32, 32))[0].shape == (2, 16, 32)


def test_an_init_cfg_runs_after_ours():
    init_cfg = dict(type='Constant', layer='Linear', val=0.5)
    model = VisionTransformer(**SMALL, init_cfg=init_cfg)
    model.init_weights()
    assert (model.layers[1].ffn.layers[1].weight == 0.5).all()
    assert 0.015 < model.pos_embed.std() < 0.025


def test_a_submodules_own_init_cfg_still_runs():
    patch_cfg = dict(init_cfg=dict(type='Constant', layer='Conv2d', val=0.25))
    model = VisionTransformer(**SMALL, patch_cfg=patch_cfg)
    model.init_weights()
    assert (model.patch_embed.projection.weight == 0.25).all()
    assert not model.layers[0].ffn.layers[1].bias.any()


def test_pretrained_weights_are_loaded_last(tmp_path):
    trained = VisionTransformer(**SMALL)
    for parameter in trained.parameters():
        nn.init.uniform_(parameter)
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
    for init_cfg in (pretrained, [pretrained, dict(type='Xavier', layer='Linear')]):
        model = VisionTransformer(**SMALL, init_cfg=init_cfg)
        model.init_weights()
        for name, value in model.state_dict().items():
            assert torch.equal(value, trained.state_dict()[name]), name


def test_train_and_eval_return_the_model():
    model = VisionTransformer(**SMALL)
    assert model.eval() is model
    assert not model.layers[0].training
    assert model.train() is model
    assert model.layers[0].training


def test_compiles_into_one_graph_with_drop_path():
    model = VisionTransformer(**SMALL, drop_path_rate=0.2)
    rates = [layer.ffn.dropout_layer.drop_prob for layer in model.layers]
    assert [type(rate) for rate in rates] == [float] * 3
    assert rates == [0.0, 0.1, 0.2]
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    assert compiled(torch.randn(2, 3, 32, 32))[0].shape == (2, 32)

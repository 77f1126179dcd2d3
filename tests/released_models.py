"""The released Lift and WideLast students, of timm's blocks, and our configs of the same.

Written from the paper's text and the list of the keys; nothing of ours is in them.
"""

import argparse
from copy import deepcopy
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

DIM, WIDE, DEPTH, CLASSES = 16, 32, 3, 5
SIZE = dict(img_size=32, patch_size=8)
NORM = partial(nn.LayerNorm, eps=1e-6)
ARCH = dict(embed_dims=DIM, num_layers=DEPTH, num_heads=2, feedforward_channels=4 * DIM)


class ReleasedLift(nn.Module):
    """A whole timm ViT, whose last norm and head are never used, and a projection."""

    def __init__(self):
        super().__init__()
        self.base_model = VisionTransformer(
            **SIZE, embed_dim=DIM, depth=DEPTH, num_heads=2, num_classes=CLASSES
        )
        last = str(DEPTH - 1)
        self.projections = nn.ModuleDict({last: nn.Linear(DIM, WIDE, bias=False)})
        self.layer_norms = nn.ModuleDict({last: nn.LayerNorm(WIDE)})
        self.head = nn.Linear(WIDE, CLASSES)

    def forward(self, x):
        base, last = self.base_model, str(DEPTH - 1)
        x = torch.cat([base.cls_token.expand(len(x), -1, -1), base.patch_embed(x)], 1)
        x = base.blocks(x + base.pos_embed)[:, 1:]
        return self.head(self.layer_norms[last](self.projections[last](x)).mean(1))


class ReleasedWideLast(nn.Module):
    """A ViT of timm's blocks, the last ones of which enter through a projection."""

    def __init__(self, widths=(DIM,) * (DEPTH - 1) + (WIDE,)):
        super().__init__()
        self.patch_embed = PatchEmbed(32, 8, 3, DIM)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, DIM))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, DIM))
        self.blocks = nn.ModuleList()
        before = DIM
        for width in widths:
            block = Block(width, width // 8, 4.0, qkv_bias=True, norm_layer=NORM)
            if width != before:
                block.proj_in = nn.Linear(before, width, bias=False)
                block.proj_norm = NORM(width)
            self.blocks.append(block)
            before = width
        self.norm = NORM(before)
        self.head = nn.Linear(before, CLASSES)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            if hasattr(block, 'proj_in'):
                x = block.proj_norm(F.linear(x, block.proj_in.weight))
            x = block(x)
        return self.head(self.norm(x)[:, 0])


RELEASED = dict(lift=ReleasedLift, widelast=ReleasedWideLast)
STUDENTS = dict(
    lift=dict(
        type='ImageClassifier',
        backbone=dict(
            type='mmvitkd.VisionTransformer',
            arch=ARCH,
            **SIZE,
            out_type='raw',
            final_norm=False,
        ),
        neck=dict(type='mmvitkd.LiftProjector', in_channels=DIM, out_channels=WIDE),
        head=dict(type='LinearClsHead', num_classes=CLASSES, in_channels=WIDE),
    ),
    widelast=dict(
        type='ImageClassifier',
        backbone=dict(
            type='mmvitkd.WideLast',
            base=dict(type='VisionTransformer', arch=ARCH, **SIZE),
            width=WIDE,
        ),
        head=dict(type='VisionTransformerClsHead', num_classes=CLASSES, in_channels=WIDE),
    ),
)


def shaken(model: nn.Module) -> nn.Module:
    """Move every parameter away from its initial value, so that each one matters."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.eval()  # MMPretrain's returns None
    return model


def released(name: str) -> nn.Module:
    """One of the two, in evaluation mode."""
    return shaken(RELEASED[name]())


def training_checkpoint(model: nn.Module) -> dict:
    """As a training saves itself, with an average that differs and a namespace."""
    twin = deepcopy(model)
    optimizer = torch.optim.AdamW(twin.parameters())
    sum(p.square().sum() for p in twin.parameters()).backward()
    optimizer.step()
    return dict(
        model=model.state_dict(),
        model_ema=twin.state_dict(),
        optimizer=optimizer.state_dict(),
        epoch=299,
        scaler={'scale': 65536.0},
        args=argparse.Namespace(lr=5e-4, output_dir=Path('out'), betas=(0.9, 0.999)),
    )

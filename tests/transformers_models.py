"""A ViT and a DINOv2 with the module names of transformers, written out plainly."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, DEPTH, PATCH, SIZE, CLASSES = 16, 2, 2, 4, 16, 5


def _named(**modules: nn.Module) -> nn.Module:
    """A container of modules, each called by its path."""
    container = nn.Module()
    for name, module in modules.items():
        container.add_module(name, module)
    return container


def _linear(inputs: int = WIDTH, outputs: int = WIDTH) -> nn.Module:
    return _named(dense=nn.Linear(inputs, outputs))


class LayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lambda1 = nn.Parameter(torch.rand(WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.lambda1


class Block(nn.Module):
    """A block of ViT (``dino=False``) or DINOv2."""

    def __init__(self, dino: bool) -> None:
        super().__init__()
        self.dino = dino
        parts = {name: nn.Linear(WIDTH, WIDTH) for name in ('query', 'key', 'value')}
        self.attention = _named(attention=_named(**parts), output=_linear())
        norms = ('norm1', 'norm2') if dino else ('layernorm_before', 'layernorm_after')
        for name in norms:
            self.add_module(name, nn.LayerNorm(WIDTH, eps=1e-6))
        if dino:
            self.mlp = _named(fc1=nn.Linear(WIDTH, 64), fc2=nn.Linear(64, WIDTH))
            self.layer_scale1, self.layer_scale2 = LayerScale(), LayerScale()
        else:
            self.intermediate, self.output = _linear(WIDTH, 64), _linear(64, WIDTH)

    def attend(self, tokens: Tensor) -> Tensor:
        split = (-1, tokens.shape[1], HEADS, WIDTH // HEADS)
        parts = self.attention.attention
        q, k, v = (
            part(tokens).view(split).transpose(1, 2)
            for part in (parts.query, parts.key, parts.value)
        )
        weights = (q @ k.transpose(2, 3) / (WIDTH // HEADS) ** 0.5).softmax(-1)
        return self.attention.output.dense((weights @ v).transpose(1, 2).flatten(2))

    def forward(self, tokens: Tensor) -> Tensor:
        if self.dino:
            tokens = tokens + self.layer_scale1(self.attend(self.norm1(tokens)))
            hidden = F.gelu(self.mlp.fc1(self.norm2(tokens)))
            return tokens + self.layer_scale2(self.mlp.fc2(hidden))
        tokens = tokens + self.attend(self.layernorm_before(tokens))
        hidden = F.gelu(self.intermediate.dense(self.layernorm_after(tokens)))
        return tokens + self.output.dense(hidden)


class Embeddings(nn.Module):
    """Images (B, 3, H, W) to tokens; DINOv2's positions are resized as transformers does."""

    def __init__(self, dino: bool, distilled: bool, registers: int) -> None:
        super().__init__()
        self.patch_embeddings = _named(projection=nn.Conv2d(3, WIDTH, PATCH, PATCH))
        number = 1 + distilled + (SIZE // PATCH) ** 2
        lengths = dict(
            cls_token=1,
            distillation_token=int(distilled),
            register_tokens=registers,
            mask_token=int(dino),
            position_embeddings=number,
        )
        for name, length in lengths.items():
            value = nn.Parameter(torch.randn(1, length, WIDTH)) if length else None
            setattr(self, name, value)
        self.dino = dino

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embeddings.projection(images).flatten(2).transpose(1, 2)
        extra = [self.cls_token, self.distillation_token]
        extra = [token.expand(len(images), -1, -1) for token in extra if token is not None]
        tokens = torch.cat([*extra, patches], 1)
        tokens = tokens + (
            self._resized(images, tokens) if self.dino else self.position_embeddings
        )
        if self.register_tokens is None:
            return tokens
        registers = self.register_tokens.expand(len(images), -1, -1)
        return torch.cat([tokens[:, :1], registers, tokens[:, 1:]], 1)

    def _resized(self, images: Tensor, tokens: Tensor) -> Tensor:
        positions, side, width = self.position_embeddings, SIZE // PATCH, tokens.shape[-1]
        grid = images.shape[-2] // PATCH, images.shape[-1] // PATCH
        square = positions[:, 1:].reshape(1, side, side, width).permute(0, 3, 1, 2)
        resized = F.interpolate(square, size=grid, mode='bicubic', align_corners=False)
        resized = resized.permute(0, 2, 3, 1).reshape(1, -1, width)
        return torch.cat([positions[:, :1], resized], 1)


class Encoder(nn.Module):
    def __init__(self, dino: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Block(dino) for _ in range(DEPTH))

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.layer:
            tokens = block(tokens)
        return tokens


class Trunk(nn.Module):
    """Images (B, 3, H, W) to tokens (B, N, C) after the final norm."""

    def __init__(self, dino: bool, distilled: bool = False, registers: int = 0) -> None:
        super().__init__()
        self.embeddings = Embeddings(dino, distilled, registers)
        self.encoder = Encoder(dino)
        self.layernorm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        return self.layernorm(self.encoder(self.embeddings(images)))


class WithHead(nn.Module):
    """A trunk under its name, and a head that is not a ViT's."""

    def __init__(self, name: str, trunk: Trunk) -> None:
        super().__init__()
        self.trunk_name = name
        self.add_module(name, trunk)
        self.decoder = nn.Linear(WIDTH, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(getattr(self, self.trunk_name)(images)).sigmoid()


def vit(head: bool = True, **options: bool) -> SimpleNamespace:
    """A ViT as of ``ViTForImageClassification``: its weights and its tokens."""
    trunk = Trunk(dino=False, **options).eval()
    weights = {f'vit.{key}': value for key, value in trunk.state_dict().items()}
    heads = ['cls_classifier', 'distillation_classifier'] if options else ['classifier']
    for name in heads if head else ():
        linear = nn.Linear(WIDTH, CLASSES)
        weights |= {f'{name}.{key}': value for key, value in linear.state_dict().items()}
    return SimpleNamespace(weights=weights, trunk=trunk)


def dinov2(**options: int) -> SimpleNamespace:
    """A DINOv2 as of ``Dinov2Model``, without a prefix: its weights and its tokens."""
    trunk = Trunk(dino=True, **options).eval()
    return SimpleNamespace(weights=trunk.state_dict(), trunk=trunk)


def export_onnx(model: nn.Module, example: Tensor, path: Path, **options: Any) -> None:
    """Export a model as ONNX without the exporter's warnings about itself."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(model, (example,), str(path), verbose=False, **options)


def write_onnx(path: Path, size: int = SIZE, dynamo: bool = False) -> WithHead:
    """Export a DINOv2 with a head of its own, for one size, by the old exporter or the new."""
    model = WithHead('backbone', Trunk(dino=True)).eval()
    with torch.no_grad():  # equal tensors would be stored once
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    old = dict(
        input_names=['input_image'],
        dynamic_axes={'input_image': {0: 'batch_size'}},
        opset_version=14,
    )
    options = {} if dynamo else old
    export_onnx(model, torch.zeros(1, 3, size, size), path, dynamo=dynamo, **options)
    return model

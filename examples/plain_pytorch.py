"""Distil with Lift and WideLast in a PyTorch loop of your own, without configs and runner.

    pip install -e ".[lite,demo]"  # in a clone
    python examples/plain_pytorch.py

The teacher and two of the students are timm's ViTs, WideLast is a backbone of this package; a
loss is an `nn.Module` that takes two maps of features. Here the models are tiny and see the
1,797 digits (8 x 8 pixels) of scikit-learn: half a minute on one CPU core.
"""

import argparse
from collections.abc import Callable
from math import ceil

import mmvitkd  # noqa: F401  first: it patches OpenMMLab's packages for a current PyTorch
from mmvitkd.models import FeatureMSELoss, LiftProjector, WideLast

import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from sklearn.datasets import load_digits
from timm.models import VisionTransformer
from torch import Tensor, nn

SIZE, PATCH, CLASSES = 8, 2, 10
GRID = (SIZE // PATCH, SIZE // PATCH)
NARROW, WIDE, DEPTH = 24, 48, 3
BATCH = 32


def timm_vit(width: int) -> VisionTransformer:
    """Build a tiny ViT; of a real teacher, ``timm.create_model(NAME, pretrained=True)``."""
    return VisionTransformer(
        SIZE, PATCH, embed_dim=width, depth=DEPTH, num_heads=width // 12, num_classes=CLASSES
    )


def to_map(tokens: Tensor) -> Tensor:
    """Lay patch tokens (B, N, C) out as a map (B, C, H, W), which the losses take."""
    return tokens.transpose(1, 2).unflatten(2, GRID)


class Plain(nn.Module):
    """A ViT: the teacher, or a narrow student, to whose width the loss pools the teacher's."""

    def __init__(self, width: int = NARROW) -> None:
        super().__init__()
        self.vit = timm_vit(width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and the map of the last block, before the final norm."""
        tokens, (feature,) = self.vit.forward_intermediates(images, indices=1)
        return self.vit.forward_head(tokens), feature


class Lift(nn.Module):
    """A narrow ViT whose tokens are projected to the teacher's width, also in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.vit = timm_vit(NARROW)
        self.lift = LiftProjector(in_channels=NARROW, out_channels=WIDE)
        self.head = nn.Linear(WIDE, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, of the mean of the projected tokens, and these as a map."""
        (feature,) = self.vit.forward_intermediates(images, indices=1, intermediates_only=True)
        tokens, pooled = self.lift((feature,))
        return self.head(pooled), to_map(tokens)


class Widened(nn.Module):
    """A narrow ViT whose last block is as wide as the teacher."""

    def __init__(self) -> None:
        super().__init__()
        arch = dict(
            embed_dims=NARROW,
            num_layers=DEPTH,
            num_heads=NARROW // 12,
            feedforward_channels=4 * NARROW,
        )
        base = dict(type='VisionTransformer', arch=arch, img_size=SIZE, patch_size=PATCH)
        self.vit = WideLast(dict(base, out_type='raw', final_norm=False), width=WIDE)
        MMLogger.get_current_instance().setLevel('WARNING')  # else it lists all parameters
        self.vit.init_weights()
        self.head = nn.Sequential(nn.LayerNorm(WIDE), nn.Linear(WIDE, CLASSES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, of the class token, and the patch tokens as a map."""
        (tokens,) = self.vit(images)
        return self.head(tokens[:, 0]), to_map(tokens[:, 1:])


def digits() -> tuple[Tensor, Tensor]:
    """Return the images (1797, 3, 8, 8), normalised, and their labels."""
    found = load_digits()
    images = torch.from_numpy(found.images).float().unsqueeze(1).expand(-1, 3, -1, -1)
    return (images - images.mean()) / images.std(), torch.from_numpy(found.target)


def train(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epochs: int,
    distil: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> None:
    """Train on labels, and on ``distil(images, feature)`` if there is one."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    steps = epochs * ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(BATCH):
            logits, feature = model(images[rows])
            loss = F.cross_entropy(logits, labels[rows])
            if distil is not None:
                loss = loss + distil(images[rows], feature)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the top-1 in percent."""
    logits, _ = model.eval()(images)
    return 100 * (logits.argmax(1) == labels).float().mean().item()


def main() -> None:
    """Train a teacher, then each student with and without it; print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--epochs', type=int, default=15, metavar='N', help='default: 15')
    epochs = parser.parse_args().epochs
    torch.manual_seed(0)
    images, labels = digits()
    training, held_out = (images[:1200], labels[:1200]), (images[1200:], labels[1200:])
    teacher = Plain(WIDE)
    train(teacher, *training, epochs)
    print(f'teacher: {accuracy(teacher, *held_out):.1f} %')
    feature_loss = FeatureMSELoss(loss_weight=1.0)

    def distil(images: Tensor, feature: Tensor) -> Tensor:
        with torch.no_grad():
            _, target = teacher(images)
        return feature_loss(feature, target)

    for build in (Plain, Lift, Widened):
        alone, distilled = build(), build()
        train(alone, *training, epochs)
        train(distilled, *training, epochs, distil)
        scores = (accuracy(model, *held_out) for model in (alone, distilled))
        print('{}: {:.1f} % by labels, {:.1f} % distilled'.format(build.__name__, *scores))


if __name__ == '__main__':
    main()

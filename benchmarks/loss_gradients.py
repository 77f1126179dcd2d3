"""Print the gradient of each loss of a distillation, to choose weights: CONFIG [CHECKPOINT].

The gradients are of the student's parameters, without the projector's and without the losses'
weights; norms are averaged over batches of held-out images. The losses are those of the config,
and SubspaceLoss and SEPLoss of its first pair.
"""

import argparse
from collections import defaultdict
from typing import Any

import mmvitkd  # noqa: F401
from mmvitkd.apis.load_distillation import load_distillation
from mmvitkd.config.data_config import datasets_of
from mmvitkd.config.load_config import load_config
from mmvitkd.datasets.image_batches import ImageBatches
from mmvitkd.datasets.train_val_lists import find_train_val
from mmvitkd.models import SEPLoss, SubspaceLoss
from mmvitkd.models.algorithms.loss_inputs import loss_inputs
from mmvitkd.utils.tables import markdown_table

import torch
from mmpretrain.structures import DataSample


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('config', help='config of a distillation')
    parser.add_argument('checkpoint', nargs='?', help='default: a student that is not trained')
    parser.add_argument('--d', type=int, default=10, help='directions of SubspaceLoss')
    parser.add_argument('--batches', type=int, default=4, help='number of batches (default: 4)')
    parser.add_argument('--batch-size', type=int, default=64)
    return parser.parse_args()


def losses_of(model: Any, d: int) -> dict[str, torch.Tensor]:
    """Return the losses that compare features of what was recorded, without their weights."""
    found = {}
    for each in loss_inputs(model.distiller):
        arguments = each.recorded(model.distiller)
        found[each.name] = each.loss(**arguments) / each.loss.loss_weight
        if each.name == 'pair_0':
            given = arguments[each.student], arguments[each.teacher]
            found['SubspaceLoss'] = SubspaceLoss(d)(*given)
            found['SEPLoss'] = SEPLoss(1.0)(*given)
    return found


def main() -> None:
    """Measure and print."""
    args = parse_args()
    cfg = load_config(args.config)
    is_random = args.checkpoint is None
    loaded = load_distillation(cfg, args.checkpoint, allow_random=is_random)
    model = loaded.model
    parameters = list(model.student.parameters())
    [root] = [d.data_root for split, d, _ in datasets_of(cfg) if split == 'train']
    images = find_train_val(root)[1]
    values, norms = defaultdict(list), defaultdict(list)
    batches = iter(ImageBatches(images, loaded.student.preprocess, args.batch_size, 0))
    for _, batch in zip(range(args.batches), batches, strict=False):
        samples = [DataSample().set_gt_label(int(label)) for label in batch.labels]
        with model.records(batch.images, samples) as student_losses:
            losses = {'labels': student_losses['loss'], **losses_of(model, args.d)}
            for name, loss in losses.items():
                found = torch.autograd.grad(
                    loss, parameters, retain_graph=True, allow_unused=True
                )
                squares = [g.square().sum() for g in found if g is not None]
                values[name].append(loss.item())
                norms[name].append(torch.stack(squares).sum().sqrt().item())
    rows = [[name, f'{mean(values[name]):.4g}', f'{mean(norms[name]):.4g}'] for name in values]
    print(markdown_table(['loss', 'value', 'norm of its gradient'], rows))


def mean(numbers: list[float]) -> float:
    """Return the mean."""
    return sum(numbers) / len(numbers)


if __name__ == '__main__':
    main()

"""Measure how far the students of a suite match their teacher: SUITE --out FOLDER --seeds 0 1.

Of the last checkpoint of every finished run, over its validation images: rotation and spectral
energy pattern (SEP) of what the losses compare, the floor of its projector, and the analyses of
the student's own tokens, before the projector. Writes JSON, which docs/forced.md reports.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import mmvitkd  # noqa: F401
from mmvitkd.analysis import PCADimensions, SecondMoment, SubspaceFloor, SubspaceRotation, sep
from mmvitkd.apis.load_distillation import load_distillation
from mmvitkd.config.data_config import datasets_of
from mmvitkd.config.load_config import load_config
from mmvitkd.datasets.image_batches import ImageBatches
from mmvitkd.datasets.train_val_lists import find_train_val
from mmvitkd.experiments import read_suite, runs_of
from mmvitkd.experiments.run import Run
from mmvitkd.models import ProjectorConnector, SubspaceLoss
from mmvitkd.models.algorithms.loss_inputs import loss_inputs
from mmvitkd.models.losses.sep_loss import sep_distances
from mmvitkd.models.utils.features import Features, to_features

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

PAIR = 'pair_0'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('suite', type=Path, help='YAML file of configs')
    parser.add_argument('--experiment', type=Path, help='default: work_dirs/experiments/SUITE')
    parser.add_argument('--seeds', type=int, nargs='+', required=True)
    parser.add_argument('--d', type=int, default=10, help='directions (default: 10)')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE')
    return parser.parse_args()


def features_of(run: Run) -> tuple[dict[str, Tensor], int | None]:
    """Return the tokens (images, N, D) of a run, and the rank of its projector if it has one.

    'own' are the student's, 'student' and 'teacher' those that its losses compare.
    """
    cfg = load_config(str(run.folder / run.entry.config.name))
    needed = {key: str(other.checkpoint) for key, other in run.needs.items()}
    teacher = needed.get('model.teacher_ckpt')
    loaded = load_distillation(cfg, str(run.checkpoint), teacher_checkpoint=teacher)
    model = loaded.model
    [each] = (found for found in loss_inputs(model.distiller) if found.name == PAIR)
    connector = model.distiller.connectors[each.records[each.student]['connector']]
    [root] = (data.data_root for split, data, _ in datasets_of(cfg) if split == 'train')
    found: dict[str, list[Tensor]] = {'own': [], 'student': [], 'teacher': []}
    for batch in ImageBatches(find_train_val(root)[1], loaded.student.preprocess, 100, 0):
        samples = [DataSample().set_gt_label(0) for _ in batch.images]
        with torch.no_grad(), model.records(batch.images, samples):
            own = model.distiller.get_record(PAIR, True)
            sides = each.compared(each.recorded(model.distiller))
        # Behind a projector or in a remedy, the tokens have the layout of what is compared.
        found['own'].append(_patches(own, sides[0].shape[1]))
        found['student'].append(sides[0])
        found['teacher'].append(sides[1])
    rank = connector.max_rank if isinstance(connector, ProjectorConnector) else None
    return {name: torch.cat(parts).double() for name, parts in found.items()}, rank


def _patches(output: Any, num_tokens: int) -> Tensor:
    extra = output.shape[1] - num_tokens if isinstance(output, Tensor) else None
    return to_features(output, num_extra_tokens=extra).tokens


def analyses(tokens: Tensor, d: int) -> dict[str, float]:
    """Return the numbers of the analyses that the encoding mismatch is read from.

    'overlap' of the d leading directions of two images, and 'to_dataset' with the data set's;
    'pca_99' and 'pca_90', the 99th percentile of the data set's directions that an image needs;
    'sep_b90', the share of the channels' frequencies that holds 90 % of the energy.
    """
    moment = SecondMoment()
    moment.update(tokens)
    basis = moment.basis()
    rotation = SubspaceRotation(len(tokens), basis, d)
    rotation.update(tokens, range(len(tokens)))
    pca = PCADimensions(basis)
    pca.update(tokens)
    dimensions, found = pca.result(), rotation.result()
    return {
        'width': tokens.shape[2],
        'overlap': found['pairs']['overlap']['mean'],
        'to_dataset': found['dataset']['overlap']['mean'],
        'random_overlap': found['null'],
        'pca_90': dimensions['0.90']['p99'],
        'pca_99': dimensions['0.99']['p99'],
        'sep_b90': sep(tokens)['bandwidth']['0.90'],
    }


def measure(run: Run, d: int) -> dict[str, Any]:
    """Return the numbers of a run."""
    tokens, rank = features_of(run)
    student, teacher = tokens['student'], tokens['teacher']
    one_row = (1, student.shape[1])
    sides = (Features(side, one_row) for side in (student, teacher))
    found: dict[str, Any] = {
        'rotation': SubspaceLoss(d)(*sides).item(),
        'sep_distance': sep_distances(student, teacher).item(),
        **{name: analyses(each, d) for name, each in tokens.items()},
    }
    if rank is not None:
        floor = SubspaceFloor(d)
        floor.update(teacher)
        curve = floor.result()['floor']
        found['rotation_floor'] = curve[min(rank, len(curve) - 1)]
    return found


def main() -> None:
    """Measure all finished runs."""
    args = parse_args()
    suite = read_suite(args.suite)
    folder = args.experiment or Path('work_dirs/experiments') / args.suite.stem
    found: dict[str, dict[str, Any]] = {}
    for run in runs_of(suite, args.seeds, folder):
        if run.seed is None or run.result() is None:
            continue
        found.setdefault(run.entry.name, {})[str(run.seed)] = measure(run, args.d)
        print(run.name)
    if not found:
        sys.exit(f'forced_match: {folder}: found no finished run.')
    content = {'suite': args.suite.name, 'd': args.d, 'runs': found}
    args.out.write_text(json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
    main()

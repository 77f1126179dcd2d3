"""Print what students and teachers cost: `get_cost.py CONFIG... [--json FILE]`.

Models are built with random weights: nothing is loaded or downloaded.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import mmvitkd  # first: it mends the packages below
from mmvitkd.analysis import Cost, cost_of, distillation_cost_of
from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend
from mmvitkd.compat import SUPPORTED, installed_version
from mmvitkd.config.load_config import load_config
from mmvitkd.config.provenance import provenance_of
from mmvitkd.export.image_input import image_input_of
from mmvitkd.models.algorithms import FeatureDistill
from mmvitkd.models.teachers.config import teacher_config
from mmvitkd.models.utils.adapters import input_size_of

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

# What names weights, and what costs nothing.
LEFT_OUT = (
    'pretrained',
    'checkpoint_path',
    'init_cfg',
    'teacher_ckpt',
    'student_ckpt',
    'data_preprocessor',
)
ARITHMETIC = (
    'For one image. MACs: of matrix products, attention included, and convolutions; GFLOPs = '
    '2 x MACs. A training step of the student alone is counted as 3 x its MACs (forward 1, '
    'backward 2). Distillation adds teacher / (3 x student), as the teacher runs forward only, '
    'and losses / student, as connectors and losses run backward too; what is element-wise in '
    'them, and Fourier transforms, is not counted.'
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'configs', nargs='+', metavar='CONFIG', help='config file, or mmpretrain::PATH'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here')
    return parser.parse_args()


def without_weights(node: Any) -> Any:
    """Return a config's model without the weights that it names."""
    if isinstance(node, dict):
        return {k: without_weights(v) for k, v in node.items() if k not in LEFT_OUT}
    if isinstance(node, list | tuple):
        return [without_weights(child) for child in node]
    return node


def build(model: dict[str, Any]) -> nn.Module:
    """Build a classifier or a distillation, with random weights.

    Raises:
        ValueError: If it is a distillation of another type than ours.
    """
    teacher = model.get('teacher')
    if teacher is not None:
        kind = MODELS.get(model['type'])
        if not (inspect.isclass(kind) and issubclass(kind, FeatureDistill)):
            raise ValueError(
                f"model.type={model['type']!r} has a teacher; wanted 'mmvitkd.FeatureDistill', "
                'or a classifier without one.'
            )
        teacher = teacher_config(teacher, allow_random=True)
        model = {**model, 'teacher': teacher, 'allow_random_teacher': True}
    return MODELS.build(without_weights(model))


def size_of(student: nn.Module, cfg: Config) -> tuple[int, int]:
    """Return (H, W) that a student states, or else that of its test pipeline's images.

    Raises:
        ValueError: If neither states it.
    """
    size = input_size_of(student)
    if size is not None:
        return size
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    return image_input_of(student, loader.get('dataset', {}).get('pipeline', [])).size


def measure(path: str) -> dict[str, Any]:
    """Count what a config's model costs.

    Returns:
        The numbers as they are written to JSON; ``teacher``, ``losses`` and ``added_share``
        are None where nothing is distilled, and the teacher's numbers where it has none.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it has no model, or its input size is not known.
    """
    cfg = load_config(path, measure=False)
    if not cfg.get('model'):
        raise ValueError('this config has no model.')
    model = cfg.to_dict()['model']
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpretrain'):
        built = build(model)
        teacher = losses = share = None
        if isinstance(built, FeatureDistill):
            size = size_of(built.student, cfg)
            student = cost_of(built.student, size)
        else:
            size = size_of(built, cfg)
            student = cost_of(built, size)
        if getattr(built, 'teacher', None) is not None:
            cost = distillation_cost_of(built, size)
            numbers = cost.teacher._asdict() if cost.teacher else dict.fromkeys(Cost._fields)
            teacher = dict(
                name=provenance_of(model).teacher, image_size=cost.teacher_size, **numbers
            )
            losses, share = cost.losses._asdict(), cost.share
    return dict(
        config=path,
        student=dict(image_size=size, **student._asdict()),
        teacher=teacher,
        losses=losses,
        added_share=share,
    )


def table_of(results: list[dict[str, Any]]) -> Table:
    """Return a table of the students, teachers and losses of all configs."""
    header = ('', 'image', 'parameters', 'MACs (M)', 'GFLOPs', 'added')
    table = Table(*header, box=None, header_style='bold', pad_edge=False)
    table.columns[0].overflow = 'fold'
    for column in table.columns[1:]:
        column.justify = 'right'
        column.no_wrap = True
    for result in results:
        table.add_row(Text(Path(result['config']).stem), style='bold')
        for role in ('student', 'teacher', 'losses'):
            part = result[role]
            if part is None:
                continue
            size, macs, parameters = (
                part.get(key) for key in ('image_size', 'macs', 'parameters')
            )
            table.add_row(
                Text(f'  {role} {part.get("name", "")}'),
                f'{size[0]} x {size[1]}' if size else '',
                '?' if parameters is None else f'{parameters:,}',
                '?' if macs is None else f'{macs / 1e6:,.2f}',
                '?' if macs is None else f'{2 * macs / 1e9:.3f}',
            )
        if result['added_share'] is not None:
            table.add_row('  to a training step', *[''] * 4, f'+{result["added_share"]:.1%}')
    return table


def write_json(results: list[dict[str, Any]], path: Path) -> None:
    """Write the numbers, with their arithmetic and the versions."""
    versions = {package.module: installed_version(package) for package in SUPPORTED}
    content = dict(
        arithmetic=ARITHMETIC,
        versions=dict(mmvitkd=mmvitkd.__version__, **versions),
        models=results,
    )
    AtomicLocalBackend().put((json.dumps(content, indent=1) + '\n').encode(), path)


def main() -> None:
    """Count, print and write, or exit with one line that says what is wrong."""
    args = parse_args()
    MMLogger.get_current_instance().setLevel('WARNING')
    results = []
    for path in args.configs:
        try:
            results.append(measure(path))
        except Exception as error:
            sys.exit(f'get_cost: {path}: {error}')
    if args.json is not None:
        write_json(results, args.json)
    Console().print(table_of(results), '', ARITHMETIC, sep='\n', highlight=False)


if __name__ == '__main__':
    main()

"""Measure what a teacher cache loses: `stored_outputs.py CONFIG`, with the teacher's weights.

For each way to store them: bytes a view, the error of the features, and the divergence of the
logits, on training images.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import Codec, Floats, Int8Tokens, LowRankTokens, TopKLogits
from mmvitkd.cache.row_layout import RowLayout
from mmvitkd.config.load_config import load_config
from mmvitkd.models.algorithms.teacher_reads import teacher_reads
from mmvitkd.models.utils.features import Features
from mmvitkd.utils.config_options import read_options

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table
from torch import Tensor

RANKS = (4, 8, 16, 32, 61, 128)
TOP_K = (1, 5, 10, 20, 50)
TEMPERATURES = (1, 2, 4)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('config', help='config of a distillation')
    parser.add_argument('--images', type=int, default=1000, help='training images (1000)')
    parser.add_argument('--cfg-options', nargs='+', action='extend', help='key=value')
    return parser.parse_args()


def teacher_outputs(cfg: Config, count: int) -> dict[str, Tensor]:
    """Return what the losses read of the teacher, for the first images of the training."""
    loader = Runner.build_dataloader(
        {**cfg.train_dataloader, 'sampler': dict(type='DefaultSampler', shuffle=False)}
    )
    model_cfg = {'data_preprocessor': cfg.data_preprocessor, **cfg.model}
    model_cfg.pop('teacher_cache', None)
    model = MODELS.build(model_cfg).eval()
    found: dict[str, list[Tensor]] = {}
    done = 0
    for batch in loader:
        data = model.data_preprocessor(batch, False)
        with torch.no_grad(), model.records(data['inputs'], data['data_samples']):
            for name, read in teacher_reads(model.distiller).items():
                part = read.of(model.distiller.teacher_tensors[name])
                tensor = part.tokens if isinstance(part, Features) else part
                found.setdefault(name, []).append(tensor.clone())
        done += len(data['inputs'])
        if done >= count:
            break
    return {name: torch.cat(parts)[:count] for name, parts in found.items()}


def candidates(shape: Sequence[int]) -> Iterator[tuple[str, Codec]]:
    """Yield the ways to store a tensor of a shape, with their settings."""
    if len(shape) == 1:
        for k in (k for k in TOP_K if k < shape[0]):
            yield f'top_k={k}', TopKLogits(shape[0], k)
        return
    yield "features='int8'", Int8Tokens(tuple(shape))
    yield "features='fp16'", Floats(tuple(shape), 'float16')
    for rank in (rank for rank in RANKS if rank < min(shape)):
        yield f'rank={rank}', LowRankTokens((shape[0], shape[1]), rank)


def losses_of(tensor: Tensor, codec: Codec) -> list[str]:
    """Return the error, the mean and the lowest cosine, and divergences, as text."""
    restored = codec.decode(codec.encode(tensor))
    error = float((tensor - restored).norm() / tensor.norm())
    if tensor.dim() == 2:
        means = [divergence(tensor / t, restored / t) for t in TEMPERATURES]
        return [f'{error:.4f}', '', '', *(f'{mean:.1e}' for mean in means)]
    tokens, others = tensor.flatten(0, -2), restored.flatten(0, -2)
    cosine = F.cosine_similarity(tokens, others, dim=1)
    return [f'{error:.4f}', f'{cosine.mean():.6f}', f'{cosine.min():.6f}', *[''] * 3]


def divergence(logits: Tensor, restored: Tensor) -> float:
    """Return the mean KL divergence of the restored from the true distribution, in nats."""
    inputs = restored.log_softmax(1), logits.log_softmax(1)
    return float(F.kl_div(*inputs, reduction='batchmean', log_target=True))


def table_of(outputs: dict[str, Tensor]) -> Table:
    """Return a table with a row for each way to store each output."""
    columns = ('', 'bytes', 'error', 'cosine', 'lowest', *(f'KL, T={t}' for t in TEMPERATURES))
    table = Table(*columns, box=None, header_style='bold', pad_edge=False)
    for column in table.columns[1:]:
        column.justify = 'right'
    for name, tensor in outputs.items():
        table.add_row(f'{name} {tuple(tensor.shape)}', style='bold')
        for label, codec in candidates(tensor.shape[1:]):
            size = RowLayout({name: codec}).row_bytes
            table.add_row(f'  {label}', f'{size:,}', *losses_of(tensor, codec))
    return table


def main() -> None:
    """Measure and print."""
    args = parse_args()
    MMLogger.get_instance('stored_outputs', log_level='WARNING')
    cfg: Any = load_config(args.config, read_options(args.cfg_options))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpretrain'):
        outputs = teacher_outputs(cfg, args.images)
    Console(width=110).print(table_of(outputs), highlight=False)


if __name__ == '__main__':
    main()

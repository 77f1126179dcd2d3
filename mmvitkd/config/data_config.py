"""Find the data sets of a config."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

SPLITS = ('train', 'val', 'test')


def datasets_of(
    cfg: Config, splits: Sequence[str] = SPLITS
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the data sets of a config, the innermost of wrapped ones, each with its split."""
    for split in splits:
        loader = cfg.get(f'{split}_dataloader') or {}
        pending = [loader['dataset']] if 'dataset' in loader else []
        while pending:
            dataset = pending.pop()
            inner = [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets')
            if inner:
                pending += inner
            else:
                yield split, dataset

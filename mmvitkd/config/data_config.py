"""Find the data sets of a config."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from ..datasets.dataset_names import innermost


def datasets_of(cfg: Config) -> Iterator[tuple[str, Any, str]]:
    """Yield the data sets of a config, the innermost of wrapped ones, with split and key."""
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader') or {}
        if 'dataset' in loader:
            for dataset, key in innermost(loader['dataset'], f'{split}_dataloader.dataset'):
                yield split, dataset, key

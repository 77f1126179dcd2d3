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


def split_of(cfg: Config) -> dict[str, Any]:
    """Return how a training holds images out, as ``find_train_val`` takes it.

    What the config does not state, or states differently in several data sets, is left out.
    """
    sets = [dataset for split, dataset, _ in datasets_of(cfg) if split != 'test']
    found = {}
    for key, name in (('val_ratio',) * 2, ('split_seed',) * 2, ('with_label', 'by_class')):
        stated = [dataset[key] for dataset in sets if key in dataset]
        if stated and stated == stated[:1] * len(stated):
            found[name] = stated[0]
    return found

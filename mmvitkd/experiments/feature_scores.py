"""Evaluate the features of a finished run: against its teacher, by k-NN and by linear probe."""

import json
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..apis.evaluate_features import FeatureModels, evaluate_features
from ..checkpoint.read import read_checkpoint
from ..config.data_config import datasets_of, split_of
from ..config.load_config import load_config
from ..datasets.image_list import ImageList
from ..datasets.train_val_lists import find_train_val
from ..utils.atomic_file import atomic_file
from ..utils.plain_values import plain_values
from .run import Run

FILE = 'features.json'
LOGGED_ERROR = re.compile(r'train/feature/(.+)/rel_error')
EMBEDDING = 'embedding'


def feature_scores(run: Run) -> dict[str, Any]:
    """Return the result of ``evaluate_features`` for a run's last checkpoint.

    The images are those of its ``train_dataloader``, and what is held out there. With them,
    'training' has the relative errors that the training logged last, by the names of the
    pairs. A result in the run's folder is read instead: a new training empties it.

    Args:
        run: A finished run.

    Raises:
        OSError: If a file is missing.
        ValueError: If the student cannot be evaluated.
    """
    file = run.folder / FILE
    if file.is_file():
        stored: dict[str, Any] = json.loads(file.read_text(encoding='utf-8'))
        return stored
    config = str(run.folder / run.entry.config.name)
    lists = _train_val(load_config(config))
    models = FeatureModels(config, str(run.checkpoint))
    found: dict[str, Any] = plain_values(evaluate_features(models, *lists, num_workers=0))
    found['training'] = _training_errors(str(run.checkpoint))
    with atomic_file(file) as temporary:
        Path(temporary).write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    return found


def _training_errors(checkpoint: str) -> dict[str, float]:
    """Return the relative errors that a training logged last, by the names of the pairs."""
    scalars = (read_checkpoint(checkpoint).get('message_hub') or {}).get('log_scalars') or {}
    found = {}
    for name, history in scalars.items():
        match = LOGGED_ERROR.fullmatch(name)
        if match is not None and len(history['log_history']):
            found[match[1]] = float(history['log_history'][-1])
    return found


def _train_val(cfg: Config) -> tuple[ImageList, ImageList]:
    """Return the images of a training and what it held out, with their classes if possible."""
    sets = [dataset for split, dataset, _ in datasets_of(cfg) if split == 'train']
    if len(sets) != 1 or not str(sets[0].get('type')).endswith('ImageFolder'):
        raise ValueError(
            f'{cfg.filename}: train_dataloader.dataset: wanted one mmvitkd.ImageFolder, '
            'whose features can be evaluated.'
        )
    return find_train_val(sets[0].data_root, **split_of(cfg))


def token_scores(found: dict[str, Any]) -> dict[str, float]:
    """Return the scores of the first pair of patch tokens, or else of the embedding.

    Args:
        found: The result of ``evaluate_features``.

    Returns:
        'rel_error', 'floor', 'mean_token', 'r2', 'readout_r2' and 'cka' against the teacher,
        as far as they were measured, and 'train_rel_error'; 'knn' and 'probe' of the student,
        in percent, if there are classes.
    """
    names = sorted(found['compared'], key=lambda name: name == EMBEDDING)
    compared = found['compared'][names[0]] if names else {}
    keys = ('rel_error', 'floor', 'mean_token', 'r2', 'readout_r2', 'cka')
    scores = {key: compared.get(key) for key in keys}
    scores['train_rel_error'] = next(reversed(found.get('training', {}).values()), None)
    classified = found['classified'].get('student', {})
    scores |= {key: classified.get(key) for key in ('knn', 'probe')}
    return {key: value for key, value in scores.items() if value is not None}

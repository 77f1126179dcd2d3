"""Read a student's folder of the Hugging Face hub. Nothing in it is executed."""

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpretrain.models import TimmClassifier
from torch import nn

from ..checkpoint.converters.vit import timm_to_mmpretrain
from ..checkpoint.load_strict import load_strict
from ..checkpoint.read import read_checkpoint
from .hub_check import checked

CONFIG, WEIGHTS = 'config.json', 'model.safetensors'
KEY, VERSION = 'mmvitkd', 1
TIMM, MMPRETRAIN = 'timm', 'mmpretrain'  # whose names the weights have


def is_hub_folder(folder: Path) -> bool:
    """Return whether a folder has a config of the hub."""
    return (folder / CONFIG).is_file()


def hub_config(folder: Path) -> Config:
    """Return the config of a student in a folder of ``export_student.py --formats hub``.

    Raises:
        ValueError: If the folder is of another kind or a newer version, or the config could
            execute or download something.
    """
    return Config(_about(folder)['config'])


def load_hub_weights(model: nn.Module, folder: Path) -> None:
    """Load the weights of such a folder into the model of its config, and its class names.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If they do not fit.
    """
    about, file = _about(folder), str(folder / WEIGHTS)
    content = read_checkpoint(file)
    weights = content.get('state_dict', content)
    if about['layout'] == TIMM and isinstance(model, TimmClassifier):
        weights = {f'model.{key}': value for key, value in weights.items()}
    elif about['layout'] == TIMM:
        weights = timm_to_mmpretrain(weights)
    load_strict(model, weights, 'checkpoint', file)
    classes = about['classes']
    model._dataset_meta = {} if classes is None else {'classes': tuple(classes)}


def _about(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    try:
        about = json.loads(file.read_text(encoding='utf-8'))[KEY]
        version = int(about['version'])
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f'{str(file)!r}: wanted a config of export_student.py --formats hub, with the key '
            f'{KEY!r}. A model of timm is opened by timm.create_model.'
        ) from None
    if version > VERSION:
        raise ValueError(
            f'{str(file)!r}: its format has version {version}, and this mmvitkd reads up to '
            f'{VERSION}: update mmvitkd.'
        )
    try:
        return {**about, 'config': checked(about['config'])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{str(file)!r}: {error}.') from None

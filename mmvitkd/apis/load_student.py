"""Load a student that tools/model_converters/export_student.py wrote."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.models import ImageClassifier
from torch import nn

from ..checkpoint.checksums import log_if_changed
from ..checkpoint.load_strict import load_student as load_weights
from ..checkpoint.read import read_checkpoint
from ..config.student_config import ENCODER
from ..export.hub_reader import hub_config, is_hub_folder, load_hub_weights
from ..export.mmpretrain_files import CHECKPOINT, CONFIG
from .hub_student import HUB, download

CLASSIFIER = (ImageClassifier, 'ImageClassifier', 'mmpretrain.ImageClassifier')


def load_student(path: str | Path, device: str | torch.device = 'cpu') -> nn.Module:
    """Load an exported student, ready for :func:`predict` or :func:`embed`.

    Args:
        path: The folder of an export, or a config file with its checkpoint next to it:
            ``student.py`` and ``student.pth``; a folder of the format ``hub``; or
            'hf-hub:OWNER/NAME' to download such a folder.
        device: The device of the model.

    Returns:
        A classifier of MMPretrain in eval mode, as ``mmpretrain.get_model`` returns it:
        MMPretrain's inferencers find its config and its class names in it. Called with
        normalised images (B, 3, H, W), it gives logits (B, classes). A student without a head
        is a ``mmvitkd.ImageEncoder``, and gives the embedding (B, C) and the patch tokens
        (B, N, C).

    Raises:
        FileNotFoundError: If there is no such folder, config or checkpoint.
        OSError: If it cannot be downloaded.
        ValueError: If the checkpoint cannot be read or does not fit the config.

    Example:
        >>> import mmvitkd, tempfile, torch
        >>> from mmpretrain import get_model
        >>> from mmvitkd.apis import load_student
        >>> folder = tempfile.mkdtemp()  # stands for the folder of an export
        >>> model = get_model('deit-tiny_4xb256_in1k')
        >>> torch.save(model.state_dict(), f'{folder}/student.pth')
        >>> model._config.dump(f'{folder}/student.py')
        >>> student = load_student(folder)
        >>> student(torch.zeros(1, 3, 224, 224)).shape
        torch.Size([1, 1000])
    """
    folder = download(str(path)) if str(path).startswith(HUB) else Path(path).expanduser()
    if is_hub_folder(folder):
        model = _build(hub_config(folder), device)
        load_hub_weights(model, folder)
        return model
    config, checkpoint = _files(folder)
    log_if_changed(config)
    model = _build(Config.fromfile(config), device)
    load_weights(model, str(checkpoint))
    meta = read_checkpoint(str(checkpoint)).get('meta') or {}
    # get_model sets this when it loads a checkpoint, but would load one that does not fit.
    model._dataset_meta = meta.get('dataset_meta') or {}
    return model


def _build(cfg: Config, device: str | torch.device) -> nn.Module:
    if _is_headless(cfg.model):
        cfg.model.type = f'mmvitkd.{ENCODER}'
    model: nn.Module = get_model(cfg, device=device)
    return model


def _is_headless(model: Any) -> bool:
    """Return whether a model is MMPretrain's ``ImageClassifier`` without a head."""
    return model.get('head') is None and model['type'] in CLASSIFIER


def _files(path: Path) -> tuple[Path, Path]:
    """Return the config and the checkpoint of an export."""
    if path.suffix == '.py':
        config, checkpoint = path, path.with_suffix('.pth')
    else:
        config, checkpoint = path / CONFIG, path / CHECKPOINT
    for file in (config, checkpoint):
        if not file.is_file():
            raise FileNotFoundError(
                f'{str(path)!r} is not an exported student: there is no {str(file)!r}. Wanted '
                f'a folder with {CONFIG} and {CHECKPOINT}, which export_student.py writes with '
                'the format mmpretrain, or such a config with its checkpoint next to it.'
            )
    return config, checkpoint

"""Load any model for the analyses, with the transform of its evaluation."""

from logging import WARNING
from pathlib import Path
from typing import Any

import timm
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmpretrain.models import TimmClassifier
from mmpretrain.registry import MODELS

from ..analysis.features.loaded_model import LoadedModel
from ..checkpoint.load_strict import load_student as load_weights
from ..checkpoint.read import read_checkpoint
from ..config.load_config import load_config
from ..config.provenance import provenance_of
from ..export.eval_transform import PipelineTransform, TimmTransform
from ..export.plain_config import bare_student
from ..models.teachers import build_teacher
from ..models.teachers.config import TIMM, is_random_teacher
from ..models.utils.normalization import normalization_by
from ..utils.errors import KeyedError, KeyedValueError
from .hub_student import HUB
from .load_student import load_student

RANDOM = 'random weights'
# Arguments of load_model, by what the settings of a teacher are called in a config.
ARGUMENTS = {'teacher_ckpt': 'checkpoint', 'allow_random_teacher': 'allow_random'}


def load_model(
    model: str,
    checkpoint: str | None = None,
    *,
    teacher: bool = False,
    ema: bool = False,
    img_size: int | None = None,
    allow_random: bool = False,
) -> LoadedModel:
    """Load a model strictly: every weight must be present and fit.

    Args:
        model: ``'timm:NAME'``; the folder of an exported student, or ``'hf-hub:OWNER/NAME'``;
            or a config file, also ``'mmvitkd::PATH'`` or ``'mmpretrain::PATH'``, of a
            distillation or a classifier.
        checkpoint: A local file of weights. Without it timm's own are downloaded for
            ``timm:NAME``, and a teacher has those that its config names.
        teacher: Whether to take the teacher of a distillation's config, not the student.
        ema: Whether to take the moving average of a student's weights in the checkpoint.
        img_size: Image side in pixels that a timm model is built for instead of its own, such
            as 224 for DINOv2.
        allow_random: Whether a model may have random weights, newly drawn from torch's
            generator, if no file is given. timm's are not downloaded then.

    Raises:
        FileNotFoundError: If a file or folder does not exist.
        ValueError: If an argument does not go with the model, something does not fit, or
            nothing would be loaded.
    """
    is_timm = model.startswith(TIMM)
    is_export = model.startswith(HUB) or Path(model).expanduser().is_dir()
    is_config = not is_timm and not is_export
    for key, given, fits, wanted in (
        ('checkpoint', checkpoint, is_timm or is_config, 'timm:NAME or a config'),
        ('teacher', teacher, is_config, 'the config of a distillation'),
        ('ema', ema, is_config and checkpoint and not teacher, 'a config with a checkpoint'),
        ('img_size', img_size, is_timm, 'timm:NAME'),
    ):
        if given and not fits:
            message = f'{{{key}}}={given!r} is for {wanted}, not for {{model}}={model!r}.'
            raise KeyedValueError(message, key, 'model')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        if is_timm:
            loaded = _timm_model(model, checkpoint, img_size, allow_random)
        elif is_export:
            loaded = _export(model)
        elif teacher:
            loaded = _teacher(model, checkpoint, allow_random)
        else:
            loaded = _student(model, checkpoint, ema, allow_random)
    if loaded.is_random:
        if not isinstance(loaded.model, TimmClassifier):  # timm has initialised its own
            loaded.model.init_weights()
        print_log(f'RANDOM WEIGHTS: nothing was loaded into {model}.', 'current', WARNING)
    loaded.model.eval()
    return loaded


def _timm_model(
    name: str, checkpoint: str | None, img_size: int | None, allow_random: bool
) -> LoadedModel:
    config = dict(type=name) if img_size is None else dict(type=name, img_size=img_size)
    try:
        model = build_teacher(config, checkpoint, allow_random)
    except KeyedError as error:
        names = {'teacher': 'model', 'teacher.img_size': 'img_size', **ARGUMENTS}
        raise error.renamed(names) from error
    except TypeError as error:
        if 'img_size' not in str(error):
            raise
        message = f'{{img_size}}={img_size}: {name} is made for any size.'
        raise KeyedValueError(message, 'img_size') from None
    is_random = allow_random and checkpoint is None
    weights = RANDOM if is_random else f'weights of {checkpoint or "timm"}'
    transform = TimmTransform(model, img_size)
    return LoadedModel(model, transform, f'{name}, {weights}', is_random)


def _export(folder: str) -> LoadedModel:
    model = load_student(folder)
    transform = PipelineTransform(model._config, model)
    return LoadedModel(model, transform, f'exported student {folder}')


def _student(path: str, checkpoint: str | None, ema: bool, allow_random: bool) -> LoadedModel:
    cfg = _config_of(path)
    if checkpoint is None and not allow_random:
        raise KeyedValueError(
            f'{{checkpoint}}: none is given for {path!r}, its weights would be random. Give a '
            'file, or set {allow_random}=True if that is what you want.',
            'checkpoint',
            'allow_random',
        )
    model = MODELS.build(bare_student(cfg))
    weights = RANDOM
    if checkpoint is not None:
        load_weights(model, checkpoint, ema)
        meta = read_checkpoint(checkpoint).get('meta') or {}
        model._dataset_meta = meta.get('dataset_meta') or {}  # where MMPretrain looks for it
        weights = f'{"EMA " if ema else ""}weights of {checkpoint}'
    transform = PipelineTransform(cfg, model)
    return LoadedModel(model, transform, f'{path}, {weights}', checkpoint is None)


def _teacher(path: str, checkpoint: str | None, allow_random: bool) -> LoadedModel:
    cfg = _config_of(path)
    distillation = cfg.to_dict().get('model') or {}
    given = distillation.get('teacher')
    if given is None:
        raise KeyedValueError(
            f'{{teacher}}=True: {path!r} is not a distillation: it has no teacher.', 'teacher'
        )
    names = ARGUMENTS if checkpoint else {}  # otherwise the config names the file
    checkpoint = checkpoint or distillation.get('teacher_ckpt')
    try:
        model = build_teacher(given, checkpoint, allow_random)
    except KeyedError as error:
        raise error.renamed(names) from error
    is_random = is_random_teacher(given, checkpoint, allow_random)
    weights = RANDOM if is_random else f'weights of {checkpoint or "its config"}'
    name = provenance_of(distillation).teacher
    transform = _transform_of_teacher(given, model, cfg)
    return LoadedModel(model, transform, f'teacher of {path}, {name}, {weights}', is_random)


def _transform_of_teacher(
    given: Any, model: Any, cfg: Config
) -> PipelineTransform | TimmTransform:
    """Return the transform of the teacher's own config, timm's, or the distillation's."""
    if isinstance(given, str) and not given.startswith(TIMM):
        return PipelineTransform(_config_of(given), model)
    if normalization_by(model.data_preprocessor) is not None:
        return PipelineTransform(cfg, model, resize=True)
    if isinstance(model, TimmClassifier):
        return TimmTransform(model)
    student = MODELS.build(bare_student(cfg))
    return PipelineTransform(cfg, model, True, student.data_preprocessor)


def _config_of(path: str) -> Config:
    """Load the config that a model is given by."""
    if not path.endswith('.py'):
        close = f"; did you mean '{TIMM}{path}'?" if timm.is_model(path.split('.')[0]) else '.'
        raise KeyedValueError(
            f"{{model}}={path!r}: wanted 'timm:NAME', the folder of an exported student, a "
            f"config file (.py), 'mmvitkd::PATH' or 'mmpretrain::PATH'{close}",
            'model',
        )
    return load_config(path, check=False)  # of a model, by whatever package

"""Read the ``teacher`` of a config: `timm:NAME`, a config file, or a config."""

from collections.abc import Mapping
from typing import Any

import timm

from ...config.load_config import load_config
from ...config.student_config import student_config
from ...suggestions import close_names
from ...utils.errors import KeyedValueError

TIMM = 'timm:'
# Prefixes of models that timm loads from elsewhere.
ELSEWHERE = ('hf-hub:', 'hf_hub:', 'local-dir:')


def teacher_config(teacher: str | Mapping[str, Any], allow_random: bool) -> dict[str, Any]:
    """Return the config of a teacher, or of the model that becomes one.

    Args:
        teacher: ``'timm:NAME'``, also as the type of a dict with further arguments of
            ``timm.create_model``; the path of a config file, or ``'mmpretrain::PATH'``,
            whose model is used (of a distillation, its student); or the config of a model or
            of any registered teacher.
        allow_random: Whether ``timm:NAME`` is left without weights unless ``pretrained`` is
            given.

    Raises:
        ValueError: If it is none of these, or timm has no model of that name.
        FileNotFoundError: If there is no such config file.
    """
    if isinstance(teacher, str):
        teacher = {'type': teacher} if teacher.startswith(TIMM) else _model_of(teacher)
    config = dict(teacher)
    kind = str(config.get('type'))
    if kind.startswith(TIMM):
        config.update(type='mmpretrain.TimmClassifier', model_name=kind.removeprefix(TIMM))
        config.setdefault('pretrained', not allow_random)
    if config.get('type') in ('TimmClassifier', 'mmpretrain.TimmClassifier'):
        check_timm_name(config.get('model_name'))
    return config


def is_random_teacher(
    teacher: str | Mapping[str, Any], checkpoint: str | None, allow_random: bool
) -> bool:
    """Return whether nothing is loaded into a model that becomes a teacher.

    Args:
        teacher: See :func:`teacher_config`.
        checkpoint: The file of its weights.
        allow_random: See :func:`teacher_config`.
    """
    config = teacher_config(teacher, allow_random)
    own = config.get('pretrained') or 'Pretrained' in str(config.get('init_cfg'))
    return not checkpoint and not own


def _model_of(path: str) -> dict[str, Any]:
    """Return the model in a config file, with the preprocessor that the file states."""
    if not path.endswith('.py'):
        raise KeyedValueError(
            f"{{teacher}}={path!r}: wanted 'timm:NAME', the path of a config file (.py), "
            "'mmpretrain::PATH', or the config of a model.",
            'teacher',
        )
    content = load_config(path, check=False).to_dict()
    if 'model' not in content:
        raise KeyedValueError(f'{{teacher}}={path!r}: this config has no model.', 'teacher')
    model = dict(student_config(content['model']))
    if 'data_preprocessor' in content:
        model.setdefault('data_preprocessor', content['data_preprocessor'])
    return model


def check_timm_name(name: Any, key: str = 'teacher', prefix: str = TIMM) -> None:
    """Check that timm has a model, and weights if the name has a tag.

    Args:
        name: The name in timm.
        key: The setting that it is in, for the message.
        prefix: What precedes it there.

    Raises:
        KeyedValueError: If it has not; the message lists the names that come close.
    """
    if str(name).startswith(ELSEWHERE):
        return
    architecture, _, tag = str(name).partition('.')
    if timm.is_model(architecture):
        tagged = timm.list_models(f'{architecture}.*', pretrained=True)
        if not tag or name in tagged:
            return
        raise KeyedValueError(
            f"{{{key}}}='{prefix}{name}': timm {timm.__version__} has no weights "
            f'{name!r}. It has: '
            f'{", ".join(tagged) or "none of this model"}.',
            key,
        )
    # Compare beginnings of the same length: users leave out long endings of names.
    beginnings = {model[: len(str(name))]: model for model in reversed(timm.list_models())}
    close = [beginnings[x] for x in close_names(name, beginnings, cutoff=0.6)]
    raise KeyedValueError(
        f"{{{key}}}='{prefix}{name}': timm {timm.__version__} has no model "
        f'{name!r}. Similar names: '
        f'{", ".join(close) or "none"}.',
        key,
    )

"""Check the config of a student that MMPretrain wraps: a model of timm or transformers."""

from collections.abc import Mapping
from typing import Any

from ...utils.errors import KeyedValueError
from ..teachers.config import check_timm_name

WRAPPERS = ('TimmClassifier', 'HuggingFaceClassifier')
PARTS = ('backbone', 'neck', 'head')


def check_wrapped(architecture: Any) -> None:
    """Check a student's config, if it is a ``TimmClassifier`` or ``HuggingFaceClassifier``.

    Raises:
        KeyedValueError: If it has a part of an ``ImageClassifier``, such as Lift as its neck,
            or if timm has no model of its name.
    """
    kind = str(architecture.get('type')) if isinstance(architecture, Mapping) else ''
    kind = kind.rpartition('.')[2]
    if kind not in WRAPPERS:
        return
    for part in PARTS:
        if architecture.get(part) is not None:
            key = f'architecture.{part}'
            raise KeyedValueError(
                f'{{{key}}}: a {kind} is a whole model and takes no {part}. Lift and WideLast '
                "need architecture=dict(type='ImageClassifier', backbone=dict(type="
                "'mmvitkd.VisionTransformer', ...), ...), which {student_ckpt} starts from "
                "timm's or transformers' weights.",
                key,
                'student_ckpt',
            )
    if kind == 'TimmClassifier':
        check_timm_name(architecture.get('model_name'), 'architecture.model_name', '')

"""Find the student's part of a config, and whether it has a head."""

from collections.abc import Mapping
from typing import Any

ENCODER = 'ImageEncoder'


def student_config(model: dict[str, Any]) -> dict[str, Any]:
    """Return the student's config from that of a distillation or of a plain model."""
    student: dict[str, Any] = model.get('architecture', model)
    return student


def is_encoder(student: Mapping[str, Any]) -> bool:
    """Return whether a student's config is that of a ``mmvitkd.ImageEncoder``."""
    return str(student.get('type')).rpartition('.')[2] == ENCODER

"""Find the student's part of a config."""

from typing import Any


def student_config(model: dict[str, Any]) -> dict[str, Any]:
    """Return the student's config from that of a distillation or of a plain model."""
    student: dict[str, Any] = model.get('architecture', model)
    return student

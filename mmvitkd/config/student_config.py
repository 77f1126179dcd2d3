"""Find the student's part of a config."""

from typing import Any


def student_config(model: dict[str, Any]) -> dict[str, Any]:
    """Return the config of the student in a distillation's config, or of a plain model."""
    student: dict[str, Any] = model.get('architecture', model)
    return student

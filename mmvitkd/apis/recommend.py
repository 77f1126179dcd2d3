"""Recommend how to distil a teacher: measure it, decide, count what each remedy costs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..analysis.functional.width_floor import common_widths
from ..analysis.layer_selection import choose_layers
from ..analysis.recommendation import (
    LIFT,
    PROJECTOR,
    WIDELAST,
    Recommendation,
    TeacherNumbers,
    recommend,
)
from ..utils.errors import KeyedValueError
from .count_cost import count_cost
from .layer_floors import FINAL, MeasuredTeacher
from .plain_student import PlainStudent
from .recommended_config import GivenData, GivenTeacher, Remedied, config_text


def check_student(student: PlainStudent, width: int) -> None:
    """Check that a student is at most as wide as a teacher.

    Raises:
        KeyedValueError: If it is not; its key is 'student'.
    """
    if student.width > width:
        raise KeyedValueError(
            f'{{student}}={student.name!r} is {student.width} wide, and the teacher {width}: '
            f'a wider student has no floor; wanted at most {width}, such as the config of a '
            'narrower plain ViT.',
            'student',
        )


def pool_widths(student: PlainStudent, width: int) -> list[int]:
    """Return the widths whose pooling is measured: common ones, and the student's."""
    return sorted({*common_widths(width), student.width})


def recommendation_of(
    measured: MeasuredTeacher,
    teacher: GivenTeacher,
    student: PlainStudent,
    data: GivenData,
    wide_output: bool = False,
) -> dict[str, Any]:
    """Decide how to distil a teacher.

    Args:
        measured: What was measured of it, with the student's width among the pooled ones.
        teacher: The teacher.
        student: The student, at most as wide.
        data: The images to train on.
        wide_output: Whether what the student returns must be as wide as the teacher.

    Returns:
        'decisions', a list with the values, reasons and what supports them; 'spectral', the
        pairs of layers by SpectralKD's rule; 'config', the text of a config; and 'costs', of
        the students with each remedy, by name: 'parameters', 'macs' and 'added_share' of a
        training step.

    Raises:
        ValueError: If the config does not fit; see :func:`~mmvitkd.apis.count_cost`.
    """
    numbers = TeacherNumbers(
        measured.layers[str(measured.depth - 1)], measured.layers.get(FINAL)
    )
    spectral = choose_layers(measured.intensities, student.depth)
    advice = recommend(numbers, student.width, spectral, student.head_size, wide_output)
    texts = {
        name: config_text(teacher, measured.width, measured.depth, student, data, remedied)
        for name, remedied in _candidates(advice, student, measured.width).items()
    }
    return {
        'decisions': [decision.as_dict() for decision in advice.decisions],
        'spectral': spectral.pairs,
        'config': texts['recommended'],
        'costs': _costs(texts),
    }


def _candidates(
    advice: Recommendation, student: PlainStudent, width: int
) -> Mapping[str, Remedied]:
    """Return the recommended student, and those with the other remedies."""
    own = Remedied(
        advice.remedy.value,
        int(advice.width.value),
        advice.target.value,
        advice.norm_from_target,
    )
    plain = replace(own, width=student.width, norm_from_target=False)
    others = {
        'a projector alone': replace(plain, remedy=PROJECTOR),
        f'Lift to {width}': replace(plain, remedy=LIFT),
        f'WideLast {width}': replace(plain, remedy=WIDELAST, width=width),
    }
    return {'recommended': own, **(others if student.width < width else {})}


def _costs(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Count the cost of students by the texts of their configs."""
    counted: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        for text in texts.values():
            if text not in counted:
                file = Path(folder, 'config.py')
                file.write_text(text, encoding='utf-8')
                found = count_cost(str(file))
                numbers = {key: found['student'][key] for key in ('parameters', 'macs')}
                counted[text] = dict(**numbers, added_share=found['added_share'])
    return {name: counted[text] for name, text in texts.items()}

"""Check options against deliveries, which pass a function's output between the models."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ..utils.compilation import check_recorders_compile, compile_student


def options_with_deliveries(
    distiller: Mapping[str, Any] | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the live teacher's options, without ``stop_early`` if there are deliveries.

    A delivered output may be computed after everything that is recorded.

    Args:
        distiller: The config of a ``ConfigurableDistiller``.
        options: The options of a :class:`~mmvitkd.models.teachers.Teacher`.

    Raises:
        ValueError: If there are deliveries, and the options compile the teacher.
    """
    deliveries = (distiller or {}).get('distill_deliveries')
    if not deliveries:
        return options
    if options.get('compile'):
        _refuse(deliveries, 'teacher_options.compile')
    return {**options, 'stop_early': False}


def compile_student_of(distiller: Any, student: nn.Module) -> None:
    """Compile a student whose recorders are registered.

    Args:
        distiller: MMRazor's ``ConfigurableDistiller``, built.
        student: The student.

    Raises:
        ValueError: If there are deliveries, recorders of functions or methods, or no part
            of the student that can be compiled.
    """
    if distiller.deliveries.deliveries:
        _refuse(distiller.deliveries.deliveries, 'compile_student')
    recorders = distiller.student_recorders.recorders
    check_recorders_compile(recorders, 'student_recorders', 'compile_student')
    compile_student(student)


def _refuse(deliveries: Mapping[str, Any], option: str) -> None:
    name = next(iter(deliveries))
    raise ValueError(
        f"{option}=True: distiller.distill_deliveries['{name}'] replaces a function in each "
        'step, and its callers would be compiled again each time; wanted no deliveries.'
    )

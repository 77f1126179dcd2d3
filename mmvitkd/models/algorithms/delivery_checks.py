"""What a distiller's deliveries rule out: they carry a function's output across models."""

from typing import Any

from torch import nn

from ..utils.compilation import check_recorders_compile, compile_student


def options_beside(distiller: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The teacher's options, given the distiller.

    With deliveries the teacher does not stop early: what is delivered may come after all
    that is recorded.

    Args:
        distiller: MMRazor's ``ConfigurableDistiller``, built.
        options: As of :class:`~mmvitkd.models.teachers.Teacher`.

    Raises:
        ValueError: If there are deliveries, and the teacher is to be compiled.
    """
    if not distiller.deliveries.deliveries:
        return options
    if options.get('compile'):
        _refuse(distiller, 'teacher_options.compile')
    return {**options, 'stop_early': False}


def compile_student_of(distiller: Any, student: nn.Module) -> None:
    """Compile a student whose recorders are registered.

    Raises:
        ValueError: If there are deliveries, recorders of functions or methods, or no part
            of the student that can be compiled.
    """
    if distiller.deliveries.deliveries:
        _refuse(distiller, 'compile_student')
    recorders = distiller.student_recorders.recorders
    check_recorders_compile(recorders, 'student_recorders', 'compile_student')
    compile_student(student)


def _refuse(distiller: Any, option: str) -> None:
    name = next(iter(distiller.deliveries.deliveries))
    raise ValueError(
        f"{option}=True: distiller.distill_deliveries['{name}'] replaces code while it runs, "
        'which would be compiled again in each step; wanted no deliveries.'
    )

"""Write a student as a program of ``torch.export``, which needs none of its Python code."""

from pathlib import Path

import torch

from .onnx_file import ANY_BATCH, BATCH_SIZES, TOLERANCE
from .parity import check_outputs
from .student import FormatUnavailableError, Student


def write_pt2(student: Student, file: Path) -> None:
    """Write the student for any batch size, load it again and compare the outputs.

    Args:
        student: The student.
        file: Where to write: ``torch.export.load(file).module()`` takes normalised images.

    Raises:
        FormatUnavailableError: If torch cannot export the model.
        ValueError: If the outputs differ.
    """
    try:
        program = torch.export.export(
            student.model,
            (student.images(2),),
            dynamic_shapes=ANY_BATCH,
            strict=False,  # torch 2.6: True by default
        )
    except Exception as error:  # the exporter raises all kinds
        raise FormatUnavailableError(
            f'torch.export cannot export this {type(student.model).__name__}: '
            f'{type(error).__name__}: {str(error).splitlines()[0]}'
        ) from error
    for node in program.graph.nodes:
        node.meta.pop('stack_trace', None)  # names files of this machine
    torch.export.save(program, file)
    check_outputs(student, load_pt2(file), TOLERANCE, file.name, BATCH_SIZES)


def load_pt2(file: Path) -> torch.nn.Module:
    """Return the module of a file."""
    module: torch.nn.Module = torch.export.load(file).module()
    return module

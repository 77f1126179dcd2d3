"""Write a student's compact files, and keep those that are close to the student."""

import tempfile
from pathlib import Path

from ..utils.errors import KeyedValueError
from .compact_onnx import write_fp16, write_int8
from .fidelity import MAX_ERROR, MIN_AGREEMENT, Fidelity, Run, measure_fidelity
from .onnx_file import run_onnx, write_onnx
from .parity import as_list
from .program_file import load_pt2, write_pt2
from .sample_images import SampleImages
from .student import Student

ONNX = 'student.onnx'
COMPACT = {
    'onnx-fp16': 'student.fp16.onnx',
    'onnx-int8': 'student.int8.onnx',
    'pt2': 'student.pt2',
}


def write_compact(student: Student, folder: Path, name: str, samples: SampleImages) -> None:
    """Write a compact file.

    Args:
        student: The student.
        folder: The folder of its export.
        name: A format of ``COMPACT``.
        samples: Real images, for the calibration.

    Raises:
        FormatUnavailableError: If a package is missing, or torch cannot export the model.
    """
    file = folder / COMPACT[name]
    if name == 'pt2':
        write_pt2(student, file)
        return
    with tempfile.TemporaryDirectory() as temporary:
        source = folder / ONNX
        if not source.exists():
            source = Path(temporary) / ONNX
            write_onnx(student, source)
        if name == 'onnx-fp16':
            write_fp16(source, file)
        else:
            write_int8(source, file, samples.calibration)


def compare_files(
    student: Student, folder: Path, samples: SampleImages, force: bool = False
) -> dict[str, Fidelity]:
    """Compare the files of a folder, ``student.onnx`` included, with the student.

    Args:
        student: The student.
        folder: The folder of its export.
        samples: Real images.
        force: Whether to accept a file that loses more than ``MAX_ERROR`` or
            ``MIN_AGREEMENT`` say.

    Returns:
        What was measured, by the name of the file.

    Raises:
        ValueError: If a file loses too much.
    """
    files = [folder / name for name in (ONNX, *COMPACT.values())]
    runs = {file: _runner(file) for file in files if file.exists()}
    found = measure_fidelity(student, runs, samples)
    for file, fidelity in found.items():
        if not fidelity.is_close and not force:
            raise KeyedValueError(f'{file.name}: {_loss(fidelity)}', 'force')
    return {file.name: fidelity for file, fidelity in found.items()}


def _runner(file: Path) -> Run:
    if file.suffix == '.onnx':
        return run_onnx(file)
    module = load_pt2(file)
    return lambda images: as_list(module(images))


def _loss(fidelity: Fidelity) -> str:
    """Say what is lost, and what to do."""
    agreement = ''
    if fidelity.agreement is not None:
        agreement = (
            f', and {fidelity.agreement:.1f} % of the images get the same class, wanted '
            f'{MIN_AGREEMENT:g} % or more'
        )
    return (
        f'its error is {fidelity.error:.2g} of the variance of the output, wanted '
        f'{MAX_ERROR:g} or less{agreement}. Give images like those that it will see, '
        'or keep it with {force}=True.'
    )

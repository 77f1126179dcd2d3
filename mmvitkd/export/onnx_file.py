"""Write a student as one ONNX file for any batch size, checked with onnxruntime."""

import importlib.util
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .encoding import encoding_of
from .onnx_patches import patch_swin_windows
from .parity import check_outputs
from .student import FormatUnavailableError, Student

PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
TOLERANCE = 1e-4
BATCH_SIZES = (1, 3, 8)
# Without a maximum, torch 2.6 refuses the batch size 2^63 - 1, and exports no other than ours.
ANY_BATCH = ({0: torch.export.Dim('batch', max=2**31 - 1)},)


def require_onnx() -> None:
    """Check that the packages of the extra ``onnx`` are installed.

    Raises:
        FormatUnavailableError: If one is not; the message names it and the pip line for all.
    """
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise FormatUnavailableError(f'{name} is not installed: pip install mmvitkd[onnx]')


def write_onnx(student: Student, file: Path) -> None:
    """Write the student as ONNX, run it with onnxruntime and compare the outputs.

    The graph takes ``images`` (B, 3, H, W), float32 and normalised, and gives ``logits``
    (B, classes), or without a head ``embedding`` (B, C) and ``features`` (B, N, C). What
    normalises them is in the file's metadata: ``mean`` and ``std`` for pixels in [0, 255],
    ``input_size``, ``channel_order``, ``interpolation``, ``crop_pct``, ``crop_mode`` and
    ``classes``, or the ``grid`` (H, W) of the features, each as JSON.

    Args:
        student: The student.
        file: Where to write. The weights are inside it, unless they need 2 GB or more.

    Raises:
        FormatUnavailableError: If a package is missing, or torch cannot export the model.
        ValueError: If the outputs differ from torch's.
    """
    require_onnx()
    with quiet(), patch_swin_windows():
        program = _export(student)
    _strip_sources(program.model)
    program.model.metadata_props.update(metadata(student))
    program.save(file)
    _drop_shapes(file)
    check_outputs(student, run_onnx(file), TOLERANCE, file.name, BATCH_SIZES)


def _export(student: Student) -> Any:
    """Export the student with torch, for any batch size."""
    try:
        return torch.onnx.export(
            student.model,
            (student.images(2),),
            dynamo=True,
            verbose=False,
            input_names=['images'],
            output_names=list(student.outputs),
            dynamic_shapes=ANY_BATCH,
        )
    except Exception as error:  # the exporter raises all kinds
        raise FormatUnavailableError(
            f'torch.onnx cannot export this {type(student.model).__name__}: '
            f'{type(error).__name__}: {str(error).splitlines()[0]}'
        ) from error


def metadata(student: Student) -> dict[str, str]:
    """Return the metadata that a user of the file needs, each value as JSON."""
    wanted = student.image_input
    values = dict(
        mean=wanted.mean,
        std=wanted.std,
        input_size=wanted.size,
        channel_order=wanted.channel_order,
        interpolation=wanted.interpolation,
        crop_pct=wanted.crop_pct,
        crop_mode=wanted.crop_mode,
        classes=student.classes,
        grid=None if student.num_classes else encoding_of(student).grid,
    )
    texts = {k: json.dumps(v, ensure_ascii=False) for k, v in values.items() if v is not None}
    # Undecodable bytes of a folder's name become JSON's escapes.
    return {k: text.encode('utf-8', 'backslashreplace').decode() for k, text in texts.items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what torch and onnxruntime log about their own passes."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(disabled)


def _strip_sources(model: Any) -> None:
    """Drop the exporter's metadata about source code, such as file paths."""
    graph = model.graph
    graph.metadata_props.clear()
    values = [*graph.inputs, *graph.initializers.values()]
    for node in graph.all_nodes():
        node.metadata_props.clear()
        values += node.outputs
    for value in values:
        value.metadata_props.clear()


def _drop_shapes(file: Path) -> None:
    """Drop the shapes of all but inputs and outputs.

    onnxruntime's quantization transposes weights under their old names, and would then refuse
    the file, whose shapes differ from its own.
    """
    import onnx

    model = onnx.load(file, load_external_data=False)
    del model.graph.value_info[:]
    onnx.save(model, file)


def run_onnx(file: Path) -> Callable[[Tensor], list[Tensor]]:
    """Return what runs a file with onnxruntime: normalised images to its outputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    return lambda images: [
        torch.from_numpy(output) for output in session.run(None, {'images': images.numpy()})
    ]

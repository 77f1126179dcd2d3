"""Export a student in several formats, checked against the model of its training."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..checkpoint.checksums import SUMS, write_checksums
from ..checkpoint.read import read_checkpoint
from ..config.load_config import load_config
from ..config.provenance import provenance_of
from ..models.utils.cost import cost_of
from ..utils.errors import KeyedValueError
from .card_words import FILES
from .compact_files import COMPACT, ONNX, compare_files, write_compact
from .export_dir import CARD, check_target, new_folder
from .hub_folder import front_matter, write_hub
from .mmpretrain_files import write_mmpretrain
from .model_card import DIFFERS, Facts, model_card
from .onnx_file import write_onnx
from .run_match import is_of_another_run
from .sample_images import SampleImages, read_samples
from .score import given_score, recorded_score
from .student import FormatUnavailableError, Student, read_student
from .timm_folder import write_timm

FORMATS = ('mmpretrain', 'timm', 'onnx')  # by default
ADVICE = (
    'If the run had --cfg-options, export with the config in its work dir '
    '(work_dirs/NAME/NAME.py).'
)


def export_student(
    config: str,
    checkpoint: str,
    out: Path,
    *,
    ema: bool = False,
    formats: Sequence[str] | None = None,
    images: str | None = None,
    force: bool = False,
    score: Path | None = None,
    overwrite: bool = False,
    options: dict[str, Any] | None = None,
) -> list[str]:
    """Write a student into a folder, whole or not at all; print what is left out.

    Args:
        config: The config of the training.
        checkpoint: A checkpoint of the training.
        out: The folder to create.
        ema: Whether to export the moving average of the weights.
        formats: Some of ``FORMATS``, ``COMPACT`` and 'hub'; by default all of the first that
            are possible, and of the second if ``images`` are given.
        images: A folder of images like those that the student will see; the compact files are
            calibrated on some of them, and compared with the student on others.
        force: Whether to keep compact files that lose more than stated.
        score: A JSON file with metrics for the model card; by default the last validation in
            the checkpoint.
        overwrite: Whether to replace an existing export.
        options: Settings that override the config's.

    Returns:
        The names of the files and folders written, the checksums and the model card last.

    Raises:
        FileExistsError: If ``out`` is in use.
        FileNotFoundError: If a file does not exist.
        ValueError: If config and checkpoint do not fit each other, a requested format is not
            possible, or a compact file loses too much.
    """
    out = out.expanduser()
    check_target(out, overwrite)
    _check_images(formats, images)
    cfg = load_config(config, options)
    given = given_score(score) if score is not None else None
    content = read_checkpoint(checkpoint)
    student = _read_fitting_student(cfg, checkpoint, ema)
    name, differs = Path(config).name, is_of_another_run(cfg, content)
    if differs:
        print(f'{CARD}: {DIFFERS.format(config=name)}')
    samples = read_samples(student, cfg, images) if images is not None else None
    with new_folder(out, overwrite) as folder:
        written = _write_formats(student, folder, formats, samples)
        fidelity = compare_files(student, folder, samples, force) if samples else {}
        facts = Facts(
            name=out.resolve().name,
            config=name,
            differs=differs,
            ema=ema,
            cost=cost_of(student.model, student.image_input.size),
            provenance=provenance_of(cfg.model),
            score=given or recorded_score(content, cfg, ema),
            formats=written,
            fidelity=fidelity,
        )
        (folder / CARD).write_text(model_card(student, facts, folder), encoding='utf-8')
        if 'hub' in written:
            hub = folder / 'hub'
            card = model_card(student, facts._replace(formats=['mmvitkd'], fidelity={}), hub)
            (hub / CARD).write_text(front_matter(student, hub) + card, encoding='utf-8')
        write_checksums(folder)
        return [*(file for file in FILES if (folder / file).exists()), SUMS, CARD]


def _read_fitting_student(cfg: Config, checkpoint: str, ema: bool) -> Student:
    """Read the student; if the checkpoint does not fit, add the usual reason to the error.

    Raises:
        ValueError: If config and checkpoint do not fit each other.
    """
    try:
        return read_student(cfg, checkpoint, ema)
    except ValueError as error:
        if 'does not fit the model' not in str(error):
            raise
        raise ValueError(f'{error}\n{ADVICE}') from None


def _write_formats(
    student: Student, folder: Path, formats: Sequence[str] | None, samples: SampleImages | None
) -> list[str]:
    """Write the requested formats, or all that are possible, and return their names."""
    writers: dict[str, Callable[[], None]] = dict(
        mmpretrain=lambda: write_mmpretrain(student, folder),
        timm=lambda: write_timm(student, folder / 'timm'),
        onnx=lambda: write_onnx(student, folder / ONNX),
        hub=lambda: write_hub(student, folder / 'hub'),
    )
    if samples is not None:
        writers |= {
            name: partial(write_compact, student, folder, name, samples) for name in COMPACT
        }
    written = []
    for name, write in writers.items():
        if name not in (formats or (*FORMATS, *COMPACT)):
            continue
        try:
            write()
        except FormatUnavailableError as error:
            if formats:
                raise FormatUnavailableError(f'--formats {name}: {error}') from None
            print(f'{name}: skipped, {error}')
        else:
            written.append(name)
    return written


def _check_images(formats: Sequence[str] | None, images: str | None) -> None:
    """Check that there are images for the compact files that are asked for."""
    wanted = [name for name in formats or () if name in COMPACT]
    if wanted and images is None:
        raise KeyedValueError(
            f'{{images}}: none are given for {", ".join(wanted)}; wanted a folder of real '
            'images, to calibrate and compare the files on.',
            'images',
        )

"""Write a student as a folder for the Hugging Face hub: weights, config and card."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import save_file

from ..checkpoint.integrity import seal
from ..models.students.image_encoder import encode
from .hub_reader import (
    CONFIG,
    KEY,
    MMPRETRAIN,
    TIMM,
    VERSION,
    WEIGHTS,
    hub_config,
    load_hub_weights,
)
from .parity import check_outputs
from .student import FormatUnavailableError, Student, build_plain
from .timm_folder import write_timm


def write_hub(student: Student, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors``, read them back and compare the outputs.

    Where timm has the architecture, they are timm's, and ``timm.create_model`` opens
    the folder. Under 'mmvitkd', ``config.json`` always has what
    :func:`~mmvitkd.apis.load_student` builds the student from.

    Raises:
        FormatUnavailableError: If building it needs the user's own code, or another package's,
            or what is read back is refused or does not give equal outputs.
    """
    if student.config['model']['type'].endswith('HuggingFaceClassifier'):
        raise FormatUnavailableError(
            'it is a model of transformers, which save_pretrained writes'
        )
    if 'custom_imports' in student.config and set(
        student.config['custom_imports']['imports']
    ) - {'mmvitkd'}:
        raise FormatUnavailableError(
            'its config imports modules of yours (custom_imports), which a folder of the hub '
            'does not hold'
        )
    try:
        write_timm(student, folder)
        content, layout = json.loads((folder / CONFIG).read_text('utf-8')), TIMM
    except FormatUnavailableError:
        folder.mkdir(exist_ok=True)
        content, layout = {}, MMPRETRAIN
        weights = {k: v.detach().contiguous() for k, v in student.model.state_dict().items()}
        save_file(weights, folder / WEIGHTS, {'format': 'pt'})
        seal(folder / WEIGHTS)
    content[KEY] = dict(
        version=VERSION,
        layout=layout,
        classes=student.classes,
        config=dict(
            model=_without_initialization(student.config['model']),
            test_pipeline=student.config['test_pipeline'],
        ),
    )
    (folder / CONFIG).write_text(json.dumps(content, indent=2))
    try:
        _read_back(student, folder)
    except ValueError as error:
        shutil.rmtree(folder)
        raise FormatUnavailableError(f'load_student would not give it back: {error}') from None


def _read_back(student: Student, folder: Path) -> None:
    """Raise ValueError if the folder cannot be read, or gives other outputs."""
    model = build_plain(hub_config(folder))
    load_hub_weights(model, folder)
    run = model if student.num_classes else partial(encode, model)
    check_outputs(student, run, 0, 'the model of load_student')


def _without_initialization(value: Any) -> Any:
    """Drop ``init_cfg`` at any depth: the folder has the weights, and readers refuse it."""
    if isinstance(value, list | tuple):
        return [_without_initialization(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: _without_initialization(v) for k, v in value.items() if k != 'init_cfg'}


def front_matter(student: Student, folder: Path) -> str:
    """Return the YAML that a card for the hub begins with."""
    is_timm = 'architecture' in json.loads((folder / CONFIG).read_text('utf-8'))
    task = 'image-classification' if student.num_classes else 'image-feature-extraction'
    about: dict[str, Any] = dict(
        library_name='timm' if is_timm else 'mmvitkd',
        pipeline_tag=task,
        tags=['mmvitkd', 'knowledge-distillation', 'vision-transformer'],
        license='other',
    )
    return f'---\n{yaml.safe_dump(about, sort_keys=False)}---\n\n'

"""Write the model card of an exported student: what it is, its cost, score and use."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import mmpretrain
import timm
import torch

from ..analysis import Cost
from ..config.provenance import Provenance
from ..utils.markdown import code_span, escape
from ..utils.tables import markdown_table
from ..version import __version__
from .card_words import Words, words_for
from .encoder_snippets import encoder_usage
from .export_dir import MARK
from .fidelity import Fidelity
from .fidelity_text import fidelity_text
from .preprocessing_text import in_words
from .score import Score
from .score_text import closeness, score_text
from .snippets import BEFORE, classifier_usage
from .student import Student

TERMS = (
    "The weights inherit the terms of what they were made from: the training images', the "
    "teacher's and those of any weights they started from. mmvitkd's license covers none of "
    'these; nobody has checked them here.'
)
DIFFERS = (
    "The run's model config differs from {config}: the teacher and losses given here may be "
    'wrong; export with the config in the work dir of the run.'
)


class Facts(NamedTuple):
    """What a card says in addition to the student itself.

    Attributes:
        name: The name of the export.
        config: The name of the training's config file.
        differs: Whether the run's model was not that of this config.
        ema: Whether the weights are the exponential moving average.
        cost: Its parameters and multiply-accumulates.
        provenance: Its teacher and losses.
        score: Its metrics, if they are known.
        formats: Which formats were written.
        fidelity: What compact files change, by their names.
    """

    name: str
    config: str
    differs: bool
    ema: bool
    cost: Cost
    provenance: Provenance
    score: Score | None
    formats: Sequence[str]
    fidelity: Mapping[str, Fidelity] = MappingProxyType({})


def model_card(student: Student, facts: Facts, folder: Path) -> str:
    """Return the text of the card, in Markdown.

    Args:
        student: The student.
        facts: Everything else on the card.
        folder: The folder with its files.
    """
    usage = classifier_usage if student.num_classes else encoder_usage
    words = words_for(student)
    sections = [
        MARK,
        f'# {escape(facts.name)}',
        _summary(student, facts, words),
        markdown_table(['', ''], _properties(student, facts, words), 2),
        *closeness(facts.score, facts.provenance.pairs),
        '## How it was trained',
        _training(facts),
        '## Files',
        markdown_table(['file', 'what it is', 'size'], _files(folder, words), 3),
        *fidelity_text(facts.fidelity),
        '## How to use it',
        BEFORE,
        *usage(student, facts.formats),
        '## Terms',
        TERMS,
        f'Exported with {_versions(facts.formats)}.',
    ]
    return '\n\n'.join(sections) + '\n'


def _summary(student: Student, facts: Facts, words: Words) -> str:
    model = student.config['model']
    parts = [model[name]['type'] for name in ('backbone', 'neck') if model.get(name)]
    kind = ' and '.join(str(part).split('.')[-1] for part in parts or [model['type']])
    by = escape(facts.provenance.teacher or '')
    how = f'distilled from {by}' if by else 'trained without a teacher'
    return f'An {words.kind} ({kind}) {words.with_head}, {how}.'


def _properties(student: Student, facts: Facts, words: Words) -> list[list[str]]:
    wanted = student.image_input
    height, width = wanted.size
    return [
        ['parameters', f'{facts.cost.parameters:,}'],
        ['MACs', _count(facts.cost.macs)],
        ['GFLOPs (2 x MACs)', f'{2 * facts.cost.macs / 1e9:.4g}'],
        ['score', score_text(facts.score)],
        ['weights', 'exponential moving average' if facts.ema else 'as trained, not averaged'],
        ['input', f'{height} x {width} (H x W), {wanted.channel_order}'],
        ['mean, std of pixels in [0, 255]', f'{list(wanted.mean)}, {list(wanted.std)}'],
        ['resizing', in_words(wanted)],
        *words.rows,
    ]


def _count(number: int) -> str:
    """Format a number with an SI prefix: 1.254 G, 352.2 k."""
    for letter, unit in (('G', 1e9), ('M', 1e6)):
        if number >= unit:
            return f'{number / unit:.4g} {letter}'
    return f'{number / 1e3:.4g} k'


def _training(facts: Facts) -> str:
    teacher, weights, losses, start, _ = facts.provenance
    if teacher is None:
        who = 'Teacher: none.'
    else:
        who = f'Teacher: {escape(teacher)}'
        who += f', weights from {escape(weights)}.' if weights else '.'
    if start is not None:
        who += f' The student started from {escape(start)}.'
    config = code_span(facts.config)
    lines = [f'Config: {config}. {who} Losses:', '']
    text = '\n'.join([*lines, *(f'- {loss}' for loss in losses)])
    warning = DIFFERS.format(config=config)
    return f'{warning}\n\n{text}' if facts.differs else text


def _files(folder: Path, words: Words) -> list[list[str]]:
    rows = []
    for name, what in words.files.items():
        path = folder / name
        files = [p for p in (path, *path.rglob('*')) if p.is_file()]
        if files:
            size = sum(p.stat().st_size for p in files)
            rows.append([f'`{name}`', what, f'{_count(size)}B'])
    return rows


def _versions(formats: Sequence[str]) -> str:
    versions = dict(
        mmvitkd=__version__,
        torch=torch.__version__,
        mmpretrain=mmpretrain.__version__,
        timm=timm.__version__,
    )
    if any('onnx' in name for name in formats):
        versions |= {name: metadata.version(name) for name in ('onnx', 'onnxruntime')}
    return ', '.join(f'{name} {version}' for name, version in versions.items())

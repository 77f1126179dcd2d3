"""Say on a model card what a student returns: logits, or an embedding and features."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..utils.markdown import escape
from ..utils.tables import markdown_table
from .encoding import encoding_of
from .score import Score
from .student import Student

NAMED = 5
FILES = {
    'student.py': "MMPretrain's config: the model and how to test it",
    'student.pth': 'its weights and class names; loads with `weights_only=True`',
    'timm/': "timm's `local-dir` layout",
    'student.onnx': 'ONNX: normalised `images` (B, 3, H, W) to `logits` (B, classes)',
}
ENCODER_FILES = FILES | {
    'student.py': "MMPretrain's config: the model and how images are read for it",
    'student.pth': 'its weights; loads with `weights_only=True`',
    'student.onnx': 'ONNX: normalised `images` (B, 3, H, W) to `embedding` (B, C) and '
    '`features` (B, N, C)',
}
FEATURE_ERROR = re.compile(r'feature/(.+)/val_(rel_error|mean_token|r2)')
CLOSENESS = (
    'On the images of {source}, as the loss compares them: through the projector of the '
    'training, if it had one. The relative error is the squared error over the squared length '
    "of the target; next to it is that of always predicting the teacher's mean token. R2 is 1 "
    'for equal features and 0 for the mean token.'
)


class Words(NamedTuple):
    """What a card says about a student's outputs.

    Attributes:
        kind: What it is, after "An".
        with_head: Of how many classes it is, to follow that.
        score: Its metrics, and where they come from.
        rows: The last rows of the table of its properties.
        sections: Further sections of the card.
        files: What each file of an export is, by its name.
    """

    kind: str
    with_head: str
    score: str
    rows: list[list[str]]
    sections: list[str]
    files: dict[str, str]


def words_for(student: Student, score: Score | None, pairs: Sequence[str]) -> Words:
    """Return the words for a student.

    Args:
        student: The student.
        score: Its metrics, if they are known.
        pairs: What its training compared as ``pair_0``, ``pair_1`` and so on.
    """
    if student.num_classes:
        return Words(
            kind='image classifier',
            with_head=f'of {student.num_classes} classes',
            score=_in_words(score),
            rows=[['classes', _classes(student)]],
            sections=[],
            files=FILES,
        )
    encoding = encoding_of(student)
    grid = f' of a {encoding.grid[0]} x {encoding.grid[1]} grid' if encoding.grid else ''
    size = f'{encoding.num_tokens} x {encoding.width}'
    others, errors = _without_feature_errors(score)
    return Words(
        kind='image encoder',
        with_head='without a head',
        score=_in_words(others),
        rows=[
            ['`embedding`', f'{encoding.width} numbers: {encoding.embedding}'],
            ['`features`', f'{size}: {encoding.features}, row by row{grid}'],
        ],
        sections=_closeness(errors, score.source, pairs) if score and errors else [],
        files=ENCODER_FILES,
    )


def _in_words(score: Score | None) -> str:
    if score is None:
        return 'not measured'
    metrics = ', '.join(_metric(k, v) for k, v in score.metrics.items())
    return f'{metrics} ({score.source})'


def _metric(name: str, value: float) -> str:
    """Format a metric; MMPretrain's ``accuracy/top1`` is in percent."""
    accuracy = re.fullmatch(r'accuracy/top(\d+)', name)
    return f'top-{accuracy[1]} {value:.2f} %' if accuracy else f'{escape(name)} {value:.2f}'


def _classes(student: Student) -> str:
    if student.classes is None:
        return f'{student.num_classes}, names not known'
    more = '; ...' if len(student.classes) > NAMED else ''
    return f'{student.num_classes}: {"; ".join(map(escape, student.classes[:NAMED]))}{more}'


def _without_feature_errors(
    score: Score | None,
) -> tuple[Score | None, dict[str, dict[str, float]]]:
    """Return the other metrics, and what ``FeatureErrorHook`` found for each loss."""
    errors: dict[str, dict[str, float]] = {}
    others = {}
    for name, value in (score.metrics if score else {}).items():
        if found := FEATURE_ERROR.fullmatch(name):
            errors.setdefault(found[1], {})[found[2]] = value
        else:
            others[name] = value
    return (score._replace(metrics=others) if score and others else None), errors


def _closeness(
    errors: dict[str, dict[str, float]], source: str, pairs: Sequence[str]
) -> list[str]:
    """Return the section about the errors of the features."""
    names = {f'pair_{index}': what for index, what in enumerate(pairs)}
    columns = ('rel_error', 'mean_token', 'r2')
    rows = [
        [escape(names.get(name, name)), *(f'{found[c]:.4f}' for c in columns if c in found)]
        for name, found in errors.items()
    ]
    header = ['', 'relative error', 'of the mean token', 'R2']
    return [
        '## How close it is to its teacher',
        CLOSENESS.format(source=source),
        markdown_table(header, rows, 1),
    ]

"""Say on a model card what a student returns: logits, or an embedding and features."""

from typing import NamedTuple

from ..utils.markdown import escape
from .encoding import encoding_of
from .student import Student

NAMED = 5
FILES = {
    'student.py': "MMPretrain's config: the model and how to test it",
    'student.pth': 'its weights and class names; loads with `weights_only=True`',
    'timm/': "timm's `local-dir` layout",
    'student.onnx': 'ONNX: normalised `images` (B, 3, H, W) to `logits` (B, classes)',
    'student.fp16.onnx': 'the same in half precision; its inputs and outputs are float32',
    'student.int8.onnx': 'the same, with layers in 8 bits',
    'student.pt2': 'the same for `torch.export.load(file).module()`',
    'hub/': 'a folder for the Hugging Face hub',
    'config.json': 'how the model is built and images are read, and the class names',
    'model.safetensors': 'its weights',
}
ENCODER_FILES = FILES | {
    'student.py': "MMPretrain's config: the model and how images are read for it",
    'student.pth': 'its weights; loads with `weights_only=True`',
    'student.onnx': 'ONNX: normalised `images` (B, 3, H, W) to `embedding` (B, C) and '
    '`features` (B, N, C)',
}


class Words(NamedTuple):
    """What a card says about a student's outputs.

    Attributes:
        kind: What it is, after "An".
        with_head: Of how many classes it is, to follow that.
        rows: The last rows of the table of its properties.
        files: What each file of an export is, by its name.
    """

    kind: str
    with_head: str
    rows: list[list[str]]
    files: dict[str, str]


def words_for(student: Student) -> Words:
    """Return the words for a student."""
    if student.num_classes:
        rule = student.label_rule
        several = ', of which an image may have several' if rule else ''
        return Words(
            kind='image classifier',
            with_head=f'of {student.num_classes} classes{several}',
            rows=[
                ['classes', _classes(student)],
                *([['an image has', f'{rule}: the sigmoid of each logit']] if rule else []),
            ],
            files=FILES,
        )
    found = encoding_of(student)
    grid = ' on a grid of {} x {}'.format(*found.grid) if found.grid else ''
    features = f'{found.num_tokens} x {found.width}: {found.features}, row by row{grid}'
    return Words(
        kind='image encoder',
        with_head='without a head',
        rows=[
            ['`embedding`', f'{found.width} numbers: {found.embedding}'],
            ['`features`', features],
        ],
        files=ENCODER_FILES,
    )


def _classes(student: Student) -> str:
    if student.classes is None:
        return f'{student.num_classes}, names not known'
    more = '; ...' if len(student.classes) > NAMED else ''
    return f'{student.num_classes}: {"; ".join(map(escape, student.classes[:NAMED]))}{more}'

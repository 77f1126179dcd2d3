"""Show how to classify images with an exported student, in a few lines for each format."""

from collections.abc import Sequence

from .preprocessing_text import in_code
from .student import Student

BEFORE = (
    'Run these in this folder. With a CPU build of torch and a CUDA build of torchvision, '
    '`import mmvitkd` first.'
)
# As mmvitkd.LoadImage does. Pillow itself makes 16-bit grey white.
READ = """\
image = ImageOps.exif_transpose(Image.open('image.png'))
if image.mode[0] == 'I':  # 16-bit grey
    image = Image.fromarray(numpy.uint8(numpy.asarray(image) >> 8))
image = image.convert('RGB')"""


def classifier_usage(student: Student, formats: Sequence[str]) -> list[str]:
    """Return a Markdown snippet of Python for each format, to run in the export's folder.

    Args:
        student: A student with a head.
        formats: Those that were written, of 'mmpretrain', 'timm', 'onnx'; or 'mmvitkd' for a
            folder of the hub.
    """
    several = student.label_rule is not None
    shown = ', return_datasamples=True)[0].pred_label' if several else ')[0]'
    with_mmvitkd = """\
With mmvitkd:

```python
from mmvitkd.apis import load_student, predict

model = load_student('.')
print(predict(model, 'image.png')[0])
```"""
    snippets = {
        'mmvitkd': with_mmvitkd,
        'mmpretrain': f"""\
{with_mmvitkd}

With MMPretrain{needs(student)}:

```python
from mmpretrain import ImageClassificationInferencer

classify = ImageClassificationInferencer('student.py', pretrained='student.pth')
print(classify('image.png'{shown})
```""",
        'timm': f"""\
With timm:

```python
import numpy, timm
from PIL import Image, ImageOps

{READ}
model = timm.create_model('local-dir:timm', pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
print(model(transform(image)[None]).{'sigmoid()' if several else 'softmax(1)'})
```""",
        'onnx': f"""\
With onnxruntime:

```python
import json, numpy, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession('student.onnx')
about = {{k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}}
{image_lines(student)}
pixels = (numpy.float32(image){reverse(student)} - about['mean']) / about['std']
images = numpy.float32(pixels.transpose(2, 0, 1)[None])
(logits,) = session.run(['logits'], {{'images': images}})[0]
{_result_lines(student)}
```""",
    }
    return [snippets[name] for name in formats if name in snippets]


def needs(student: Student) -> str:
    """Return what MMPretrain needs to build the student, to follow its name."""
    imports = (student.config.get('custom_imports') or {}).get('imports')
    return f' ({" and ".join(imports)} must be installed)' if imports else ' alone'


def image_lines(student: Student) -> str:
    """Return the lines that read and resize the file 'image.png' as a PIL ``image``."""
    return '\n'.join([READ, *in_code(student.image_input)])


def reverse(student: Student) -> str:
    """Return what turns the channels of RGB pixels round for a student that takes BGR."""
    return '' if student.image_input.channel_order == 'RGB' else '[..., ::-1]'


def _result_lines(student: Student) -> str:
    """Return the lines that print the class of an image, or all that it has."""
    rule = student.label_rule
    if rule is None:
        return f"""\
scores = numpy.exp(logits - logits.max())
scores /= scores.sum()
print({_named(student, 'scores.argmax()')}, scores.max())"""
    has = (
        f'numpy.flatnonzero(scores >= {rule.threshold})'
        if rule.threshold is not None
        else f'numpy.argsort(-scores)[:{rule.top}]'
    )
    return f"""\
scores = 1 / (1 + numpy.exp(-logits))
print([({_named(student, 'i')}, scores[i]) for i in {has}])"""


def _named(student: Student, index: str) -> str:
    """Return the code of a class's name, or of its index if names are not known."""
    return index if student.classes is None else f"about['classes'][{index}]"

"""How to use an exported student, in a few lines of Python for each format."""

from collections.abc import Sequence

from .student import Student


def usage(student: Student, formats: Sequence[str]) -> list[str]:
    """A snippet of Python for each format, in Markdown, to be run in the export's folder.

    Args:
        student: The student.
        formats: Which of 'mmpretrain', 'timm', 'onnx' there are.
    """
    height, width = student.image_input.size
    snippets = {
        'mmpretrain': f"""\
With mmvitkd:

```python
from mmvitkd.apis import load_student, predict

model = load_student('.')
print(predict(model, 'image.png')[0])
```

With MMPretrain alone{_needs(student)}:

```python
from mmpretrain import ImageClassificationInferencer

classify = ImageClassificationInferencer('student.py', pretrained='student.pth')
print(classify('image.png')[0])
```""",
        'timm': """\
With timm:

```python
import timm
from PIL import Image

model = timm.create_model('local-dir:timm', pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
print(model(transform(Image.open('image.png').convert('RGB'))[None]).softmax(1))
```""",
        'onnx': f"""\
With onnxruntime:

```python
import json, numpy, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession('student.onnx')
about = session.get_modelmeta().custom_metadata_map
mean, std = (numpy.float32(json.loads(about[key])) for key in ('mean', 'std'))
image = ImageOps.fit(Image.open('image.png').convert('RGB'), ({width}, {height}))
pixels = (numpy.float32(image){_reverse(student)} - mean) / std
print(session.run(None, {{'images': pixels.transpose(2, 0, 1)[None]}})[0])
```""",
    }
    return [snippets[name] for name in formats]


def _needs(student: Student) -> str:
    imports = (student.config.get('custom_imports') or {}).get('imports')
    return f' (the config imports {", ".join(imports)})' if imports else ''


def _reverse(student: Student) -> str:
    return '' if student.image_input.channel_order == 'RGB' else '[..., ::-1]'

"""Show how to embed images with an exported student, in a few lines for each format."""

from collections.abc import Sequence
from textwrap import indent

from ..models.utils.adapters import adapter_for
from .snippets import READ, image_lines, needs, reverse
from .student import Student


def encoder_usage(student: Student, formats: Sequence[str]) -> list[str]:
    """Return a Markdown snippet of Python for each format, to run in the export's folder.

    Each embeds two images and prints the cosine of their embeddings.

    Args:
        student: A student without a head.
        formats: Those that were written, of 'mmpretrain', 'timm', 'onnx'; or 'mmvitkd' for a
            folder of the hub.
    """
    with_mmvitkd = """\
With mmvitkd, a list of images or a folder:

```python
import numpy
from mmvitkd.apis import embed

one, two = embed('.', ['image.png', 'other.png']).embeddings
print(one @ two / numpy.linalg.norm(one) / numpy.linalg.norm(two))
```"""
    snippets = {
        'mmvitkd': with_mmvitkd,
        'mmpretrain': f"""\
{with_mmvitkd}

With MMPretrain{needs(student)}:

```python
import torch
from mmpretrain import FeatureExtractor

extract = FeatureExtractor('student.py', pretrained='student.pth')
embeddings = []
for outputs in extract(['image.png', 'other.png']):
{indent(_from_outputs(student), '    ')}
    embeddings.append(embedding)
print(torch.cosine_similarity(*embeddings, dim=0).item())
```""",
        'timm': f"""\
With timm:

```python
import numpy, timm, torch
from PIL import Image, ImageOps

model = timm.create_model('local-dir:timm', pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))

def read(file):
{_function(READ)}
    return transform(image)

images = torch.stack([read('image.png'), read('other.png')])
embeddings = model(images)
features = model.forward_features(images)[:, model.num_prefix_tokens:]
print(torch.cosine_similarity(*embeddings, dim=0).item())
```""",
        'onnx': f"""\
With onnxruntime:

```python
import json, numpy, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession('student.onnx')
about = {{k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}}

def read(file):
{_function(image_lines(student))}
    pixels = (numpy.float32(image){reverse(student)} - about['mean']) / about['std']
    return numpy.float32(pixels.transpose(2, 0, 1))

images = numpy.stack([read('image.png'), read('other.png')])
embeddings, features = session.run(['embedding', 'features'], {{'images': images}})
one, two = embeddings
print(one @ two / numpy.linalg.norm(one) / numpy.linalg.norm(two))
```""",
    }
    return [snippets[name] for name in formats if name in snippets]


def _function(lines: str) -> str:
    """Return the lines about 'image.png' as those of a function of a ``file``."""
    return indent(lines.replace("'image.png'", 'file'), '    ')


def _from_outputs(student: Student) -> str:
    """Return the lines that read what MMPretrain's model makes of one image."""
    _, extra, pool, _ = adapter_for(student.model).features['embedding']
    if student.model.neck is not None:
        return 'features, embedding = outputs'
    if extra is None:  # a map (C, H, W)
        return 'features = outputs[-1].flatten(1).T\nembedding = features.mean(0)'
    if pool == 'cls':
        return f'embedding, features = outputs[-1][0], outputs[-1][{extra}:]'
    return f'features = outputs[-1][{extra}:]\nembedding = features.mean(0)'

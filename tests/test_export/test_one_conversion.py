"""Every route from a file to pixels converts images alike: training, evaluation, exports."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import load_student, predict
from mmvitkd.datasets import LoadImage, LoadRandomResizedCrop
from mmvitkd.datasets.transforms.load_image import to_rgb
from mmvitkd.export.eval_transform import PipelineTransform, TimmTransform
from mmvitkd.export.image_reader import ImageReader
from mmvitkd.export.mmpretrain_files import write_mmpretrain
from mmvitkd.export.plain_config import plain_config
from mmvitkd.export.snippets import READ
from mmvitkd.export.student import read_student

import mmcv
import numpy as np
import pytest
import torch
from mmpretrain import ImageClassificationInferencer
from mmpretrain.models import TimmClassifier
from mmpretrain.registry import TRANSFORMS
from PIL import Image, ImageOps
from toy_students import save_training, training

SIZE = (40, 36)
COLOURS = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, SIZE, dtype=np.uint16)
TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.fixture(params=['16 bits', '16 bits turned', 'LA', 'RGBA', 'P', 'L', '1', 'RGB'])
def file(request, tmp_path):
    """A PNG of each kind."""
    kind, exif = request.param, None
    if kind.startswith('16'):
        image = Image.fromarray(DEEP)
        exif = TURNED if 'turned' in kind else None
    elif kind == 'LA':
        image = Image.fromarray(COLOURS[..., :2])
    elif kind == 'RGBA':
        image = Image.fromarray(np.dstack([COLOURS, COLOURS[::-1, :, 0]]))
    else:
        image = Image.fromarray(COLOURS).convert(kind)
    options = dict(transparency=3) if kind == 'P' else {}
    path = tmp_path / 'image.png'
    image.save(path, **options, **(dict(exif=exif) if exif else {}))
    return str(path)


def snippet(path):
    """What the lines of the card make of a file."""
    names = dict(Image=Image, ImageOps=ImageOps, numpy=np)
    exec(READ.replace("'image.png'", repr(path)), names)
    return names['image']


def test_pixels_are_equal_to_the_bit(file):
    wanted = LoadImage()(dict(img_path=file))['img']
    height, width = wanted.shape[:2]
    crop = LoadRandomResizedCrop((height, width), (1, 1), (width / height,) * 2)
    exported = TRANSFORMS.build(plain_config(training('ours'))['test_pipeline'][0])
    found = {
        'training': crop(dict(img_path=file))['img'],
        'exported config': exported(dict(img_path=file))['img'],
        "MMPretrain's inferencers": mmcv.imread(file),
        'analyses, predict': ImageReader(dict(type='LoadImageFromFile'))(file)['img'],
        'a PIL image': to_rgb(Image.open(file))[..., ::-1],
        'the snippets': np.asarray(snippet(file))[..., ::-1],
    }
    for name, pixels in found.items():
        assert np.array_equal(pixels, wanted), name
    assert wanted.std() > 40  # neither white nor black


def test_models_of_timm_get_the_same_pixels(file):
    size = dict(img_size=32, patch_size=8, embed_dim=16, depth=1, num_heads=2)
    model = TimmClassifier(model_name='vit_tiny_patch16_224', **size)
    transform = TimmTransform(model)
    assert torch.equal(transform(file), transform._transform(snippet(file)))


def test_exports_predict_the_same(file, tmp_path):
    """16-bit images were white to exported students."""
    cfg = training('lift')
    save_training(cfg, tmp_path / 'training.pth')
    student = read_student(cfg, str(tmp_path / 'training.pth'))
    write_mmpretrain(student, tmp_path)
    with torch.no_grad():
        wanted = student.model(PipelineTransform(cfg, student.model)(file)[None]).softmax(1)[0]
    (ours,) = predict(load_student(tmp_path), file)
    theirs = ImageClassificationInferencer(
        str(tmp_path / 'student.py'), str(tmp_path / 'student.pth'), device='cpu'
    )(file)[0]
    for found in (ours['scores'], theirs['pred_scores']):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)

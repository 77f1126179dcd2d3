"""CKA between models that see the same images, each through its own transform."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner.model_cka import JointPreprocess, cka_matrix
from mmvitkd.apis.load_model import LoadedModel
from mmvitkd.datasets.image_list import find_images
from mmvitkd.datasets.transforms.load_image import UnreadableImageError

import numpy as np
import pytest
import torch
from folders import touch
from mmengine.registry import MODELS
from PIL import Image
from smooth_image import smooth_image
from torchvision.transforms.functional import resize, to_tensor
from toy import timm_vit, vit
from toy_students import student

NAMES = [f'{label}/{i}.png' for label in 'ab' for i in range(4)]


class Preprocess:
    """Reads an image at a size of its own, and the empty file not at all."""

    def __init__(self, side, brightness=1.0):
        self.size = (side, side)
        self.brightness = brightness

    def __call__(self, path):
        try:
            image = Image.open(path).convert('RGB')
        except OSError as error:
            raise UnreadableImageError(path, 'it is empty') from error
        return self.brightness * resize(to_tensor(image), list(self.size))


@pytest.fixture
def images(tmp_path):
    for seed, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        smooth_image(40, 40, seed).save(tmp_path / name)
    return find_images(str(tmp_path))


def loaded(config, side=32, brightness=1.0):
    model = MODELS.build(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return LoadedModel(model.eval(), Preprocess(side, brightness), 'made up')


def naive_cka(first, second):
    """Of two (rows, D): from Gram matrices, where the package sums D x D products."""
    first, second = (x - x.mean(0) for x in (first, second))
    grams = first @ first.T, second @ second.T
    return (grams[0] * grams[1]).sum() / np.prod([np.linalg.norm(gram) for gram in grams])


@torch.no_grad()
def tokens_of(model, images):
    """The last block's patch tokens, by a forward pass of the backbone alone."""
    stacked = torch.stack([model.preprocess(images.file(i)) for i in range(len(images))])
    backbone = getattr(model.model, 'backbone', None)
    if backbone is None:  # timm's
        maps = model.model.model.forward_intermediates(
            stacked, norm=False, intermediates_only=True
        )
        return maps[-1].flatten(2).transpose(1, 2).double().numpy()
    backbone.out_type, backbone.final_norm = 'raw', False
    tokens = backbone(stacked)[-1]
    if getattr(model.model, 'neck', None) is not None:
        return model.model.neck((tokens,))[0].double().numpy()
    return tokens[:, 1:].double().numpy()


def test_models_of_one_grid_are_compared_token_by_token(images):
    models = {
        'ours': loaded(vit()),
        'dimmed': loaded(vit(), brightness=0.5),
        'timm': loaded(timm_vit()),
    }
    result = cka_matrix(models, images, batch_size=3)
    rows = [tokens_of(model, images).reshape(8 * 16, -1) for model in models.values()]
    wanted = [[naive_cka(first, second) for second in rows] for first in rows]
    np.testing.assert_allclose(result['matrix'], wanted, rtol=1e-5)
    assert (result['rows'], result['num_rows'], result['num_images']) == ('tokens', 128, 8)
    assert result['labels'] == list(models)
    assert result['blocks'] == ['2', '2', '3']
    assert result['unreadable'] == {}
    assert 'cka' not in result


def test_models_of_other_grids_are_compared_by_their_means(images):
    larger = vit()
    larger['backbone']['img_size'] = 48
    models = {'16 tokens': loaded(vit()), '36 tokens': loaded(larger, 48)}
    result = cka_matrix(models, images, batch_size=5)
    means = [tokens_of(model, images).mean(1) for model in models.values()]
    assert result['rows'] == 'images' and result['num_rows'] == 8
    assert result['matrix'][0][1] == pytest.approx(naive_cka(*means), rel=1e-5)


def test_the_last_block_of_lift_is_its_projector(images):
    models = {'plain': loaded(vit()), 'lift': loaded(student('lift'))}
    result = cka_matrix(models, images)
    rows = [tokens_of(model, images).reshape(8 * 16, -1) for model in models.values()]
    assert result['blocks'] == ['2', 'neck']
    assert result['matrix'][0][1] == pytest.approx(naive_cka(*rows), rel=1e-5)
    inner = cka_matrix(models, images, block=-1)
    assert inner['blocks'] == ['2', '2']
    assert inner['matrix'][0][1] != pytest.approx(result['matrix'][0][1], rel=1e-3)


def test_an_image_that_one_model_cannot_read_is_left_out_for_all(images, tmp_path):
    whole = cka_matrix({'a': loaded(vit()), 'b': loaded(timm_vit())}, images)
    models = {'a': loaded(vit()), 'b': loaded(timm_vit())}
    touch(tmp_path, 'a/broken.png')
    result = cka_matrix(models, find_images(str(tmp_path)), batch_size=1)
    assert result['unreadable'] == {'a/broken.png': 'it is empty'}
    assert result['num_images'] == whole['num_images'] == 8


def test_inputs_go_to_their_models():
    models = [LoadedModel(None, Preprocess(side), '') for side in (4, 8)]
    inputs = JointPreprocess(models)
    rows = torch.randn(2, 3 * 16 + 3 * 64)
    first, second = inputs.split(rows)
    assert torch.equal(first, rows[:, :48].reshape(2, 3, 4, 4))
    assert torch.equal(second, rows[:, 48:].reshape(2, 3, 8, 8))


def test_what_cannot_be_compared(images, tmp_path):
    model = loaded(vit())
    with pytest.raises(ValueError, match=r'^models: found 1, wanted two or more'):
        cka_matrix({'a': model}, images)
    with pytest.raises(ValueError, match=r'^b: blocks: there is no 3: .* 0 to 2'):
        cka_matrix({'a': loaded(timm_vit()), 'b': model}, images, block=3)
    broken = loaded(vit())
    torch.nn.init.constant_(broken.model.backbone.pos_embed, torch.nan)
    with pytest.raises(ValueError, match=r'^b: NaN or infinite features of a/0\.png'):
        cka_matrix({'a': model, 'b': broken}, images)
    flat = loaded(vit())
    for parameter in flat.model.parameters():
        torch.nn.init.zeros_(parameter)
    with pytest.raises(ValueError, match=r'^cka of a, b \(sources from 0\): source 1 has'):
        cka_matrix({'a': model, 'b': flat}, images)
    empty = touch(tmp_path / 'empty', 'a.png', 'b.png')
    with pytest.raises(ValueError, match='none of the 2 images can be read'):
        cka_matrix({'a': model, 'b': model}, find_images(str(empty)))


def test_every_batch_is_watched(images):
    seen = []

    def watch(batches, name):
        for batch in batches:
            seen.append((name, len(batch.indices)))
            yield batch

    cka_matrix({'a': loaded(vit()), 'b': loaded(vit())}, images, batch_size=5, watch=watch)
    assert seen == [('images', 5), ('images', 3)]

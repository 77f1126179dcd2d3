"""An image size that a config states is a multiple of the patches."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import load_model
from mmvitkd.models.teachers import build_teacher
from mmvitkd.models.utils.whole_patches import check_patches
from mmvitkd.utils.errors import KeyedValueError

import pytest
from mmpretrain.registry import MODELS

TIMM = dict(type='timm:vit_tiny_patch16_224', embed_dim=24, depth=1, num_heads=2)
ARCH = dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=24)
VIT = dict(type='ImageClassifier', backbone=dict(type='VisionTransformer', arch=ARCH))


@pytest.mark.parametrize(
    ('size', 'patch', 'wanted'),
    [(100, 14, '98'), (28, 16, '32'), (9, 14, '14'), ((32, 60), 16, r'\(32, 64\)')],
)
def test_another_size_is_refused_with_the_nearest(size, patch, wanted):
    config = dict(TIMM, img_size=size, patch_size=patch)
    with pytest.raises(KeyedValueError, match=rf'teacher\.img_size=.*such as {wanted}\.'):
        build_teacher(config, allow_random=True)


def test_of_mmpretrain_too():
    config = dict(VIT, backbone=dict(VIT['backbone'], img_size=30, patch_size=7))
    with pytest.raises(KeyedValueError, match=r'architecture\.backbone\.img_size=30: .*28'):
        check_patches(MODELS.build(config), config, 'architecture')


def test_the_options_of_a_tool_are_named():
    with pytest.raises(KeyedValueError, match=r'img_size=100: .* 96') as caught:
        load_model('timm:vit_tiny_patch16_224', img_size=100, allow_random=True)
    assert caught.value.worded({'img_size': '--img-size'}).startswith('--img-size=100')


@pytest.mark.parametrize('config', [dict(img_size=96), dict(img_size=None), {}])
def test_what_fits_and_what_is_left_to_the_model_pass(config):
    build_teacher(dict(TIMM, **config), allow_random=True)


def test_weights_for_a_size_that_is_no_multiple_are_used_as_they_were_trained():
    """timm's SigLIP has such, in patches of 14 pixels."""
    model = build_teacher(dict(TIMM, img_size=96, patch_size=16), allow_random=True)
    model.model.patch_embed.img_size = (100, 100)
    check_patches(model, TIMM, 'teacher')

"""Hold the published dimensions of pretrained models (arXiv 2511.15572)."""

from typing import NamedTuple


class Published(NamedTuple):
    """What is published of a model's last block, over the first images of ImageNet's classes.

    Attributes:
        name: Its name in timm, as in the released code.
        model: Its name in the paper.
        embed_dims: D.
        svd: Directions for 80, 90, 95 and 99 % of an image's energy, 99th percentile.
        pca: The same of directions of the data set.
        sep: Frequencies for 50, 60, 70, 80 and 90 % of a token's energy, on the mean curve of
            the full spectrum.
    """

    name: str
    model: str
    embed_dims: int
    svd: tuple[int, ...]
    pca: tuple[int, ...]
    sep: tuple[int, ...]


MODELS = (
    Published(
        'vit_tiny_patch16_224.augreg_in21k_ft_in1k',
        'ViT-Tiny',
        192,
        svd=(1, 2, 7, 52),
        pca=(1, 17, 71, 154),
        sep=(97, 116, 135, 153, 173),
    ),
    Published(
        'cait_s24_224',
        'CaiT-S24',
        384,
        svd=(14, 34, 61, 121),
        pca=(167, 247, 302, 359),
        sep=(192, 230, 270, 309, 346),
    ),
    Published(
        'deit_small_patch16_224',
        'DeiT-Small',
        384,
        svd=(30, 59, 89, 146),
        pca=(205, 278, 324, 369),
        sep=(193, 231, 269, 306, 346),
    ),
    Published(
        'swin_small_patch4_window7_224.ms_in1k',
        'Swin-Small',
        768,
        svd=(3, 7, 15, 33),
        pca=(129, 336, 495, 691),
        sep=(385, 460, 538, 614, 692),
    ),
    Published(
        'vit_large_patch16_224.augreg_in21k_ft_in1k',
        'ViT-Large',
        1024,
        svd=(5, 16, 39, 115),
        pca=(255, 498, 694, 933),
        sep=(512, 613, 717, 820, 921),
    ),
    Published(
        'vit_huge_patch14_224.mae',
        'ViT-Huge (MAE)',
        1280,
        svd=(1, 15, 58, 164),
        pca=(1, 83, 371, 977),
        sep=(632, 759, 889, 1024, 1153),
    ),
    Published(
        'vit_base_patch14_dinov2.lvd142m',
        'ViT-Base (DINOv2)',
        768,
        svd=(19, 39, 67, 146),
        pca=(384, 519, 606, 704),
        sep=(384, 461, 539, 616, 691),
    ),
    Published(
        'vit_large_patch14_dinov2.lvd142m',
        'ViT-Large (DINOv2)',
        1024,
        svd=(30, 58, 93, 173),
        pca=(525, 696, 813, 940),
        sep=(509, 614, 716, 818, 921),
    ),
    Published(
        'vit_base_patch16_224.dino',
        'ViT-Base (DINO)',
        768,
        svd=(39, 75, 109, 165),
        pca=(382, 529, 624, 731),
        sep=(381, 459, 538, 613, 692),
    ),
    Published(
        'vit_small_patch16_224.dino',
        'ViT-Small (DINO)',
        384,
        svd=(41, 72, 101, 152),
        pca=(232, 297, 336, 373),
        sep=(183, 224, 265, 304, 344),
    ),
    Published(
        'vit_base_patch16_224.mae',
        'ViT-Base (MAE)',
        768,
        svd=(1, 7, 34, 113),
        pca=(1, 58, 235, 585),
        sep=(379, 452, 526, 606, 688),  # of one image only
    ),
    Published(
        'vit_large_patch16_224.mae',
        'ViT-Large (MAE)',
        1024,
        svd=(1, 9, 38, 120),
        pca=(1, 49, 268, 765),
        sep=(512, 611, 714, 817, 922),
    ),
    Published(
        'vit_base_patch16_clip_224.openai',
        'ViT-Base (CLIP)',
        768,
        svd=(6, 27, 60, 135),
        pca=(129, 340, 502, 704),
        sep=(384, 458, 536, 618, 692),
    ),
    Published(
        'vit_large_patch14_clip_224.openai',
        'ViT-Large (CLIP)',
        1024,
        svd=(15, 46, 89, 181),
        pca=(230, 506, 713, 945),
        sep=(511, 616, 713, 821, 922),
    ),
)
# By what `analyze_representation.py` calls them.
PUBLISHED = {f'timm:{each.name}': each for each in MODELS}
# (H, W) in pixels of the images, also of DINOv2, whose own are larger.
IMAGE_SIZE = [224, 224]

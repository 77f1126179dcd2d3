"""Hold the published dimensions of pretrained models (arXiv 2511.15572)."""

from typing import NamedTuple


class Published(NamedTuple):
    """What is published of a model's last block, over the first images of ImageNet's classes.

    Attributes:
        model: Its name in the paper.
        embed_dims: D.
        svd: Directions for 80, 90, 95 and 99 % of an image's energy, 99th percentile.
        pca: The same of directions of the data set.
        sep: Frequencies for 50, 60, 70, 80 and 90 % of a token's energy, on the mean curve of
            the full spectrum.
    """

    model: str
    embed_dims: int
    svd: tuple[int, ...]
    pca: tuple[int, ...]
    sep: tuple[int, ...]


# By the models' names in the released code; DINOv2 was run at 224 px.
PUBLISHED = {
    f'timm:{name}': Published(*values)
    for name, *values in (
        (
            *('vit_tiny_patch16_224.augreg_in21k_ft_in1k', 'ViT-Tiny', 192),
            *((1, 2, 7, 52), (1, 17, 71, 154), (97, 116, 135, 153, 173)),
        ),
        (
            *('cait_s24_224', 'CaiT-S24', 384),
            *((14, 34, 61, 121), (167, 247, 302, 359), (192, 230, 270, 309, 346)),
        ),
        (
            *('deit_small_patch16_224', 'DeiT-Small', 384),
            *((30, 59, 89, 146), (205, 278, 324, 369), (193, 231, 269, 306, 346)),
        ),
        (
            *('swin_small_patch4_window7_224.ms_in1k', 'Swin-Small', 768),
            *((3, 7, 15, 33), (129, 336, 495, 691), (385, 460, 538, 614, 692)),
        ),
        (
            *('vit_large_patch16_224.augreg_in21k_ft_in1k', 'ViT-Large', 1024),
            *((5, 16, 39, 115), (255, 498, 694, 933), (512, 613, 717, 820, 921)),
        ),
        (
            *('vit_huge_patch14_224.mae', 'ViT-Huge (MAE)', 1280),
            *((1, 15, 58, 164), (1, 83, 371, 977), (632, 759, 889, 1024, 1153)),
        ),
        (
            *('vit_base_patch14_dinov2.lvd142m', 'ViT-Base (DINOv2)', 768),
            *((19, 39, 67, 146), (384, 519, 606, 704), (384, 461, 539, 616, 691)),
        ),
        (
            *('vit_large_patch14_dinov2.lvd142m', 'ViT-Large (DINOv2)', 1024),
            *((30, 58, 93, 173), (525, 696, 813, 940), (509, 614, 716, 818, 921)),
        ),
        (
            *('vit_base_patch16_224.dino', 'ViT-Base (DINO)', 768),
            *((39, 75, 109, 165), (382, 529, 624, 731), (381, 459, 538, 613, 692)),
        ),
        (
            *('vit_small_patch16_224.dino', 'ViT-Small (DINO)', 384),
            *((41, 72, 101, 152), (232, 297, 336, 373), (183, 224, 265, 304, 344)),
        ),
        (
            # Its SEP is of one image only.
            *('vit_base_patch16_224.mae', 'ViT-Base (MAE)', 768),
            *((1, 7, 34, 113), (1, 58, 235, 585), (379, 452, 526, 606, 688)),
        ),
        (
            *('vit_large_patch16_224.mae', 'ViT-Large (MAE)', 1024),
            *((1, 9, 38, 120), (1, 49, 268, 765), (512, 611, 714, 817, 922)),
        ),
        (
            *('vit_base_patch16_clip_224.openai', 'ViT-Base (CLIP)', 768),
            *((6, 27, 60, 135), (129, 340, 502, 704), (384, 458, 536, 618, 692)),
        ),
        (
            *('vit_large_patch14_clip_224.openai', 'ViT-Large (CLIP)', 1024),
            *((15, 46, 89, 181), (230, 506, 713, 945), (511, 616, 713, 821, 922)),
        ),
    )
}

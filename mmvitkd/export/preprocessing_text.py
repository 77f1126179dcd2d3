"""Describe how an image is resized for a model: in words, and as lines of Python for PIL."""

from .image_input import ImageInput

# PIL's names are MMCV's in capitals, except for OpenCV's `area`.
PIL_NAMES = {'area': 'BOX'}


def in_words(wanted: ImageInput) -> str:
    """Describe it in words, such as 'short edge to 256 (bicubic), centre crop 224 x 224'.

    Sizes are H x W in pixels.
    """
    height, width = wanted.size
    crop = f'centre crop {height} x {width}' if wanted.crops else 'no crop'
    if not wanted.resizes:
        return f'none, {crop}' if wanted.crops else f'none: images must be {height} x {width}'
    full_height, full_width = _before_crop(wanted)
    if wanted.crop_mode == 'squash':
        what = f'the whole image to {full_height} x {full_width}'
    else:
        what = f'short edge to {min(full_height, full_width)}'
    return f'{what} ({wanted.interpolation}), {crop}'


def in_code(wanted: ImageInput) -> list[str]:
    """Return lines of Python that resize a PIL ``image`` to the input's size.

    They round as MMPretrain's transforms do. Where these resize with Pillow, as all of
    mmvitkd's configs do, the pixels are equal; OpenCV's differ.
    """
    height, width = wanted.size
    full_height, full_width = _before_crop(wanted)
    name = PIL_NAMES.get(wanted.interpolation, wanted.interpolation.upper())
    lines = []
    if wanted.resizes and wanted.crop_mode == 'squash':
        lines.append(f'image = image.resize(({full_width}, {full_height}), Image.{name})')
    elif wanted.resizes:
        edge = min(full_height, full_width)
        lines += [
            f'size = tuple({edge} * length // min(image.size) for length in image.size)',
            f'image = image.resize(size, Image.{name})',
        ]
    if wanted.crops:
        lines += [
            f'left, top = round((image.width - {width}) / 2), '
            f'round((image.height - {height}) / 2)',
            f'image = image.crop((left, top, left + {width}, top + {height}))',
        ]
    return lines


def _before_crop(wanted: ImageInput) -> tuple[int, int]:
    """Return (H, W) in pixels before the crop."""
    height, width = (round(edge / wanted.crop_pct) for edge in wanted.size)
    return height, width

"""Check that a model is built for images that are a whole number of patches."""

from collections.abc import Mapping
from typing import Any

from ...config.schema.values import settings_of
from ...utils.errors import KeyedValueError
from .adapters import adapter_for

IMG_SIZE = 'img_size'


def check_patches(model: Any, config: Mapping[str, Any], key: str) -> None:
    """Check the image size that a config states against the patches of its model.

    timm cuts off what remains of an image, and MMPretrain fills it up. A size that the config
    leaves to the model is what its weights were trained with, and passes.

    Args:
        model: The model that was built.
        config: Its config.
        key: The setting that holds the config.

    Raises:
        KeyedValueError: If the size is not a multiple of the patches.
    """
    adapter = adapter_for(model)
    size, patch = adapter.input_size, adapter.patch_size
    places = [place for place, value in settings_of(config) if value is not None]
    stated = [place for place in places if place.rpartition('.')[2] == IMG_SIZE]
    if not stated or size is None or patch is None:
        return
    if all(side % each == 0 for side, each in zip(size, patch, strict=True)):
        return
    fits = [max(round(side / each), 1) * each for side, each in zip(size, patch, strict=True)]
    name = f'{key}.{stated[0]}'
    raise KeyedValueError(
        f'{{{name}}}={size[0] if size[0] == size[1] else size}: the patches have {patch[0]} x '
        f'{patch[1]} pixels; wanted a multiple, such as '
        f'{fits[0] if fits[0] == fits[1] else tuple(fits)}.',
        name,
    )

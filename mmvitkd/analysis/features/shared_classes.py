"""Compare the classes of a model with those of images."""

from torch import nn

from ...datasets.image_list import ImageList


def class_names(model: nn.Module) -> tuple[str, ...] | None:
    """Return the names of a classifier's classes; None if its weights came without."""
    names = (getattr(model, '_dataset_meta', None) or {}).get('classes')
    return None if names is None else tuple(names)


def shared_classes(model: nn.Module, images: ImageList) -> int | None:
    """Return how many classes images have whose labels a model may be scored by.

    Args:
        model: A classifier.
        images: The images.

    Returns:
        None for images without classes, and for those of other names than the model's.
        Classes of a model without names count as the same.
    """
    if images.classes is None or class_names(model) not in (None, images.classes):
        return None
    return len(images.classes)

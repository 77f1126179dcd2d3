"""Read images with the loader of a test pipeline, converted as in training."""

from typing import Any

from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS

from ..datasets.transforms.load_image import LoadImage, UnreadableImageError, check_image

# Arguments of MMPretrain's loader with which LoadImage does the same.
SHARED = {'type', 'imdecode_backend', 'backend_args'}


class ImageReader:
    """Read a file as the first transform of a pipeline does.

    ``mmvitkd.LoadImage`` takes the place of MMPretrain's ``LoadImageFromFile``, unless that has
    arguments such as ``color_type``: OpenCV and Pillow convert some images in other ways.

    Args:
        loader: The config of the transform.
    """

    def __init__(self, loader: dict[str, Any]) -> None:
        kind = str(loader['type']).split('.')[-1]
        if kind == 'LoadImageFromFile' and SHARED.issuperset(loader):
            self._load: Any = LoadImage(loader.get('backend_args'))
            return
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self._load = TRANSFORMS.build(dict(loader))

    def __call__(self, path: str) -> dict[str, Any]:
        """Return what the transform does: ``img``, (H, W, 3), uint8, BGR, and its shape.

        Raises:
            UnreadableImageError: If the file cannot be read.
        """
        if not isinstance(self._load, LoadImage):
            check_image(path)
        try:
            results: dict[str, Any] | None = self._load({'img_path': path})
        except UnreadableImageError:
            raise
        except Exception as error:  # each decoder raises its own kind
            reason = str(error).replace(path, 'it') or type(error).__name__
            raise UnreadableImageError(path, reason) from error
        if results is None:  # MMPretrain's loader with ignore_empty=True
            raise UnreadableImageError(path, 'it cannot be decoded')
        return results

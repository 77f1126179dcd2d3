"""Load images from class folders; replace those that cannot be read."""

import os.path as osp
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset

from ..registry import DATASETS
from ..utils.deprecation import renamed_arguments
from .folder_layout import EXTENSIONS, SplitFiles, find_files, named
from .transforms.load_image import UnreadableImageError


@DATASETS.register_module()
class ImageFolder(BaseDataset):  # type: ignore[misc]  # MMPretrain is untyped
    """Images in `{train,val,test}/<class>/**`, `train/<class>/**` or `<class>/**`.

    The classes are the training folders in sorted order. Without a `val` folder, a seeded share
    of each class is held out. Without a `test` folder, the test split is the validation split.

    An image that ``mmvitkd.LoadImage`` or ``mmvitkd.LoadRandomResizedCrop`` cannot read is
    replaced: in training by another image drawn at random; in validation and test by a black
    image of the size of another one, with the true label. The data sample then has
    ``unreadable``, a dict of paths and reasons, which ``mmvitkd.UnreadableImagesHook`` and
    ``mmvitkd.Accuracy`` count.

    Args:
        data_root: The folder.
        split: 'train', 'val' or 'test'.
        val_ratio: The share of each class to hold out if there is no `val` folder.
        split_seed: Decides which images are held out.
        extensions: File name extensions of images, case-insensitive; others are ignored.
        test_mode: Whether an unreadable image keeps its index; by default in 'val' and 'test'.
        classes: The names of the class folders, or a file that lists them, in the order of
            the labels; by default sorted.
        kwargs: Further arguments of MMPretrain's ``BaseDataset``.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folders or the classes are not as above.
    """

    @renamed_arguments(val_share='val_ratio')
    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        val_ratio: float = 0.1,
        split_seed: int = 0,
        extensions: Sequence[str] = EXTENSIONS,
        test_mode: bool | None = None,
        classes: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.split = split
        self.val_ratio = val_ratio
        self.split_seed = split_seed
        self.extensions = extensions
        super().__init__(
            ann_file='',
            data_root=data_root,
            test_mode=split != 'train' if test_mode is None else test_mode,
            classes=classes,
            **kwargs,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images with their labels, sorted by class folder and path."""
        found = find_files(
            self.data_root, self.split, self.val_ratio, self.split_seed, self.extensions
        )
        classes = tuple(self.CLASSES or found.files)
        if sorted(classes) != list(found.files):
            raise ValueError(
                f'classes: found {named(classes)}; wanted the names of the class folders of '
                f'{self.data_root!r} in any order: {named(found.files)}.'
            )
        self._metainfo['classes'] = classes
        self._log_files(found)
        return [
            dict(img_path=osp.join(found.folder, path), gt_label=label)
            for label, name in sorted(enumerate(classes), key=itemgetter(1))
            for path in found.files[name]
        ]

    def _log_files(self, found: SplitFiles) -> None:
        logger = MMLogger.get_current_instance()
        number = sum(map(len, found.files.values()))
        held = f'{100 * self.val_ratio:g}% of each class are held out for validation'
        seeded = f'; {held}, seed {self.split_seed}' if found.seeded else ''
        logger.info(
            f'{self.split}: {number} images of {len(found.files)} classes in '
            f'{found.folder!r}{seeded}'
        )
        if found.ignored:
            logger.info(
                f'{self.split}: ignored {len(found.ignored)} files that are not images or not '
                f'in a class folder ({named(found.ignored, 3)})'
            )
        if empty := [name for name, paths in found.files.items() if not paths]:
            logger.warning(
                f'{self.split}: {found.folder!r} has no image of the classes {named(empty)}'
            )

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Return a sample after the pipeline, which must end with ``PackInputs`` or the like.

        Raises:
            RuntimeError: If ``max_refetch`` images in a row cannot be read.
        """
        unreadable: dict[str, str] = {}
        info = self.get_data_info(idx)
        for attempt in range(1, self.max_refetch + 2):
            try:
                data: dict[str, Any] | None = self.pipeline(info)
                if data is None:  # MMPretrain's loader with ignore_empty=True
                    raise UnreadableImageError(info['img_path'], 'the pipeline returned None')
            except UnreadableImageError as error:
                unreadable[error.path] = error.reason
                info = self._replacement(idx, attempt)
            else:
                return _mark(data, unreadable)
        path, reason = unreadable.popitem()
        raise RuntimeError(
            f'data_root={self.data_root!r}, split={self.split!r}: none of '
            f'{self.max_refetch + 1} images in a row can be read. The last: {path}: {reason}.'
        )

    def _replacement(self, idx: int, attempt: int) -> dict[str, Any]:
        """Return the input of the pipeline that replaces an unreadable image."""
        if not self.test_mode:
            another: dict[str, Any] = self.get_data_info(self._rand_another())
            return another
        # Without a resize, the black image needs the size of the others to fit in a batch.
        other = self.get_data_info((idx + attempt) % len(self))
        return dict(self.get_data_info(idx), blank_like=other['img_path'])


def _mark(data: dict[str, Any], unreadable: dict[str, str]) -> dict[str, Any]:
    """Record in a sample the unreadable images that it replaces."""
    if unreadable:
        samples = data['data_samples']
        for sample in samples if isinstance(samples, list) else [samples]:  # a list: TTA
            sample.set_field(unreadable, 'unreadable', field_type='metainfo')
    return data

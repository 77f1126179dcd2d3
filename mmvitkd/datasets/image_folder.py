"""A user's own folder of images, in which some files may be broken."""

import os.path as osp
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset

from ..registry import DATASETS
from .folder_layout import EXTENSIONS, SplitFiles, find_files, named
from .transforms.load_image import UnreadableImageError


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """Images in `{train,val,test}/<class>/**`, `train/<class>/**` or `<class>/**`.

    The classes are training's folders in sorted order. Where there is no `val`, a seeded
    share of each class is held out for it. Where there is no `test`, it is `val`.

    An image that ``mmvitkd.LoadImage`` or ``mmvitkd.LoadRandomResizedCrop`` cannot read is
    replaced: in training by another one, drawn at random; in validation and test by a black one
    of the size of another image, with the true label. The data sample then has ``unreadable``,
    a dict of paths and reasons, which ``mmvitkd.UnreadableImagesHook`` and ``mmvitkd.Accuracy``
    count.

    Args:
        data_root: The folder.
        split: 'train', 'val' or 'test'.
        val_share: The share of each class that is held out where there is no `val`.
        split_seed: Decides which images are held out.
        extensions: Endings of image files, in any case; other files are ignored.
        test_mode: Whether to keep the place of unreadable images; by default in 'val' and
            'test'.
        classes: The names of the class folders, or a file that lists them, in the order of
            the labels; by default sorted.
        kwargs: What MMPretrain's ``BaseDataset`` takes besides.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folders or the classes are not as above.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        val_share: float = 0.1,
        split_seed: int = 0,
        extensions: Sequence[str] = EXTENSIONS,
        test_mode: bool | None = None,
        classes: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.split = split
        self.val_share = val_share
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
            self.data_root, self.split, self.val_share, self.split_seed, self.extensions
        )
        classes = tuple(self.CLASSES or found.files)
        if sorted(classes) != list(found.files):
            raise ValueError(
                f'classes: found {named(classes)}; wanted the names of the class folders of '
                f'{self.data_root!r} in any order: {named(found.files)}.'
            )
        self._metainfo['classes'] = classes
        self._log(found)
        return [
            dict(img_path=osp.join(found.folder, path), gt_label=label)
            for label, name in sorted(enumerate(classes), key=itemgetter(1))
            for path in found.files[name]
        ]

    def _log(self, found: SplitFiles) -> None:
        logger = MMLogger.get_current_instance()
        number = sum(map(len, found.files.values()))
        held = f'{100 * self.val_share:g}% of each class are held out for validation'
        seeded = f'; {held}, seed {self.split_seed}' if found.seeded else ''
        logger.info(
            f'{self.split}: {number} images of {len(found.files)} classes in '
            f'{found.folder!r}{seeded}'
        )
        if found.ignored:
            logger.info(
                f'{self.split}: files ignored, not images or in no class folder: '
                f'{len(found.ignored)} ({named(found.ignored, 3)})'
            )
        if empty := [name for name, paths in found.files.items() if not paths]:
            logger.warning(
                f'{self.split}: {found.folder!r} has no image of the classes {named(empty)}'
            )

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """A sample after the pipeline, which must end with one that packs.

        Raises:
            RuntimeError: If ``max_refetch`` images in a row cannot be read.
        """
        unreadable: dict[str, str] = {}
        info = self.get_data_info(idx)
        for attempt in range(1, self.max_refetch + 2):
            try:
                data = self.pipeline(info)
                if data is None:  # MMPretrain's loader with ignore_empty=True
                    raise UnreadableImageError(info['img_path'], 'the pipeline returned None')
            except UnreadableImageError as error:
                unreadable[error.path] = error.reason
                info = self._instead(idx, attempt)
            else:
                return _marked(data, unreadable)
        path, reason = unreadable.popitem()
        raise RuntimeError(
            f'data_root={self.data_root!r}, split={self.split!r}: none of '
            f'{self.max_refetch + 1} images in a row can be read. The last: {path}: {reason}.'
        )

    def _instead(self, idx: int, attempt: int) -> dict[str, Any]:
        """What goes into the pipeline instead of an unreadable image."""
        if not self.test_mode:
            return self.get_data_info(self._rand_another())
        # A pipeline that does not resize needs the other images' size.
        other = self.get_data_info((idx + attempt) % len(self))
        return dict(self.get_data_info(idx), blank_like=other['img_path'])


def _marked(data: dict[str, Any], unreadable: dict[str, str]) -> dict[str, Any]:
    """Name in a sample the images that could not be read on the way to it."""
    if unreadable:
        samples = data['data_samples']
        for sample in samples if isinstance(samples, list) else [samples]:  # a list: TTA
            sample.set_field(unreadable, 'unreadable', field_type='metainfo')
    return data

"""Load images from folders, with or without classes; replace those that cannot be read."""

import os.path as osp
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset

from ..registry import DATASETS
from ..utils.deprecation import renamed_arguments
from .folder_layout import EXTENSIONS, find_files, named
from .transforms.load_image import UnreadableImageError
from .unlabelled_files import find_unlabelled_files


@DATASETS.register_module()
class ImageFolder(BaseDataset):  # type: ignore[misc]  # MMPretrain is untyped
    """Images in `{train,val,test}/<class>/**`, `train/<class>/**` or `<class>/**`.

    The classes are the training folders in sorted order. Without a `val` folder, a seeded share
    of each class is held out. Without a `test` folder, the test split is the validation split.

    With ``with_label=False`` there are no classes: the images are all that lie in
    `{train,val,test}/**` or below `data_root`, which may also be a text file with one path a
    line. A seeded share of all is held out, and no sample has a ``gt_label``.

    An image that ``mmvitkd.LoadImage`` or ``mmvitkd.LoadRandomResizedCrop`` cannot read is
    replaced: in training by another image drawn at random; in validation and test by a black
    image of the size of another one, with the true label. The data sample then has
    ``unreadable``, a dict of paths and reasons, which ``mmvitkd.UnreadableImagesHook`` and
    ``mmvitkd.Accuracy`` count.

    Args:
        data_root: The folder, or a list of paths.
        split: 'train', 'val' or 'test'.
        val_ratio: The share to hold out if there is no `val` folder.
        split_seed: Decides which images are held out.
        extensions: File name extensions of images, case-insensitive; others are ignored.
        test_mode: Whether an unreadable image keeps its index; by default in 'val' and 'test'.
        classes: The names of the class folders, or a file that lists them, in the order of
            the labels; by default sorted.
        with_label: Whether the folders are classes.
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
        with_label: bool = True,
        **kwargs: Any,
    ) -> None:
        if classes is not None and not with_label:
            raise ValueError(f'classes={classes!r}: with_label=False has none; leave one out.')
        self.split = split
        self.val_ratio = val_ratio
        self.split_seed = split_seed
        self.extensions = extensions
        self.with_label = with_label
        super().__init__(
            ann_file='',
            data_root=data_root,
            test_mode=split != 'train' if test_mode is None else test_mode,
            classes=classes,
            **kwargs,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images, with their labels if they have any, by class folder and path."""
        which = self.data_root, self.split, self.val_ratio, self.split_seed, self.extensions
        if not self.with_label:
            images = find_unlabelled_files(*which)
            number = f'{len(images.paths)} images without labels'
            self._log_files(number, images.folder, '', images.seeded, images.ignored)
            return [dict(img_path=osp.join(images.folder, path)) for path in images.paths]
        found = find_files(*which)
        classes = tuple(self.CLASSES or found.files)
        if sorted(classes) != list(found.files):
            raise ValueError(
                f'classes: found {named(classes)}; wanted the names of the class folders of '
                f'{self.data_root!r} in any order: {named(found.files)}.'
            )
        self._metainfo['classes'] = classes
        number = f'{sum(map(len, found.files.values()))} images of {len(classes)} classes'
        self._log_files(number, found.folder, ' of each class', found.seeded, found.ignored)
        if empty := [name for name, paths in found.files.items() if not paths]:
            MMLogger.get_current_instance().warning(
                f'{self.split}: {found.folder!r} has no image of the classes {named(empty)}'
            )
        return [
            dict(img_path=osp.join(found.folder, path), gt_label=label)
            for label, name in sorted(enumerate(classes), key=itemgetter(1))
            for path in found.files[name]
        ]

    def _log_files(
        self, number: str, folder: str, share: str, seeded: bool, ignored: Sequence[str]
    ) -> None:
        logger = MMLogger.get_current_instance()
        held = f'{100 * self.val_ratio:g}%{share} are held out for validation'
        split = f'; {held}, seed {self.split_seed}' if seeded else ''
        logger.info(f'{self.split}: {number} in {folder!r}{split}')
        if ignored:
            place = ' or not in a class folder' if self.with_label else ''
            logger.info(
                f'{self.split}: ignored {len(ignored)} files that are not images{place} '
                f'({named(ignored, 3)})'
            )

    def get_gt_labels(self) -> Any:
        """Return the labels of all images.

        Raises:
            ValueError: If they have none.
        """
        if not self.with_label:
            raise ValueError(
                f'data_root={self.data_root!r}, split={self.split!r}: with_label=False: these '
                'images have no labels.'
            )
        return super().get_gt_labels()

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

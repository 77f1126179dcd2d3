"""Build the training pipelines that `data_pipeline.py` compares, and time their stages."""

import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from mmvitkd.datasets import LoadRandomResizedCrop

from mmengine.registry import FUNCTIONS, DefaultScope
from mmpretrain.registry import DATASETS
from timm.data import create_transform
from torch.utils.data import Dataset, default_collate
from torchvision.datasets import ImageFolder

LOAD = 'mmvitkd.LoadRandomResizedCrop'
STAGES = ('decode', 'resize', 'augment', 'pack')
STAGE_OF = {
    'LoadImageFromFile': 'decode',
    'LoadRandomResizedCrop': 'decode',
    'RandomResizedCrop': 'resize',
    'RandomResizedCropAndInterpolation': 'resize',
    'PackInputs': 'pack',
    'MaybeToTensor': 'pack',
    'MaybePILToTensor': 'pack',
    'Normalize': 'pack',
}  # all others augment


class Pipeline(NamedTuple):
    """A candidate.

    Attributes:
        dataset: The images after the pipeline.
        collate: Makes a batch of them.
        differs: How its work differs from ours.
    """

    dataset: Dataset
    collate: Callable[[list[Any]], Any]
    differs: str


def pipelines_of(
    train_pipeline: list[dict[str, Any]], folder: Path, collate: str = 'default_collate'
) -> dict[str, Pipeline]:
    """Build ours, ours with each switch, one of MMPretrain's transforms, and timm's.

    Args:
        train_pipeline: From our config.
        folder: Class folders of images.
        collate: The name of MMEngine's function that makes batches of ours.
    """
    load = dict(train_pipeline[0])
    if load['type'] != LOAD:
        raise ValueError(f'train_pipeline.0.type={load["type"]!r}: wanted {LOAD!r}.')
    crop = dict(type='RandomResizedCrop', backend='pillow', scale=load['scale'])
    theirs = [dict(type='LoadImageFromFile'), dict(crop, interpolation='bicubic')]
    starts = {
        'ours': ([load], ''),
        'ours, draft_decode=False': ([dict(load, draft_decode=False)], ''),
        "ours, backend='pillow'": ([dict(load, backend='pillow')], ''),
        'MMPretrain load and crop': (theirs, 'OpenCV decodes, Pillow resizes'),
    }
    found = {
        name: Pipeline(
            _with(start + train_pipeline[1:], folder), FUNCTIONS.get(collate), differs
        )
        for name, (start, differs) in starts.items()
    }
    for name, settings, differs in (
        ('timm', {}, 'normalises to float32; erases after that'),
        ('timm, uint8', dict(use_prefetcher=True), 'no erasing: its prefetcher does it later'),
    ):
        transform = create_transform(
            load['scale'],
            is_training=True,
            auto_augment=_of(train_pipeline, 'mmvitkd.TimmRandAugment')['policy'],
            interpolation='bicubic',
            re_prob=_of(train_pipeline, 'RandomErasing')['erase_prob'],
            re_mode='pixel',
            **settings,
        )
        found[name] = Pipeline(ImageFolder(folder, transform), default_collate, differs)
    return found


class Stopwatch:
    """Measures processor seconds by stage, of steps that may be nested.

    Attributes:
        seconds: Seconds of each stage, without nested ones.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._open: list[str] = []

    def timed(self, stage: str, step: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a step so that it adds its time to a stage."""

        def call(*arguments: Any) -> Any:
            self._open.append(stage)
            start = time.process_time()
            result = step(*arguments)
            seconds = time.process_time() - start
            self._open.pop()
            self.seconds[stage] += seconds
            if self._open:
                self.seconds[self._open[-1]] -= seconds
            return result

        return call


def stage_seconds(dataset: Any, images: int) -> dict[str, float]:
    """Measure the processor seconds of each stage per image, on a copy of the data set."""
    dataset, watch = deepcopy(dataset), Stopwatch()
    if isinstance(dataset, ImageFolder):
        dataset.loader = watch.timed('decode', dataset.loader)
    steps = dataset.transform if isinstance(dataset, ImageFolder) else dataset.pipeline
    for index, step in enumerate(steps.transforms):
        if isinstance(step, LoadRandomResizedCrop):
            step.resize = watch.timed('resize', step.resize)
        stage = STAGE_OF.get(type(step).__name__, 'augment')
        steps.transforms[index] = watch.timed(stage, step)
    for index in range(images):
        dataset[index % len(dataset)]
    return {stage: seconds / images for stage, seconds in watch.seconds.items()}


def _with(pipeline: list[dict[str, Any]], folder: Path) -> Dataset:
    settings = dict(data_root=str(folder), pipeline=deepcopy(pipeline), serialize_data=False)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build(dict(settings, type='CustomDataset'))


def _of(pipeline: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (step,) = (step for step in pipeline if step['type'] == kind)
    return step

"""Take training steps with MMEngine's Runner and all hooks: ours and MMRazor's."""

from collections.abc import Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar

from mmvitkd.config.shortcuts import apply_shortcuts

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.models import TimmClassifier
from mmpretrain.registry import MODELS
from torch import nn
from torch.utils.data import DataLoader, Dataset
from training_pair import TrainingPair

EPOCH = 1000  # iterations, so that no epoch ends while the clock runs
BF16 = dict(type='mmvitkd.BF16OptimWrapper')  # ours, on a GPU
STOCK_HOOKS = ('logger', 'param_scheduler')  # the others are MMEngine's by default


class Noise(Dataset):
    """A data set whose length alone is used, for the schedule."""

    metainfo: ClassVar[dict[str, Any]] = {}

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:
        return index


class PausedLoop(EpochBasedTrainLoop):
    """Stop before the first iteration: the benchmark calls ``run_iter``."""

    def run(self) -> None:
        """Do what precedes the iterations of an epoch."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()


class BF16AnywhereOptimWrapper(OptimWrapper):
    """Runs bfloat16 autocast on the CPU too, for which MMEngine and mmvitkd have no wrapper."""

    @contextmanager
    def optim_context(self, model: Any):
        """Return the context of a forward pass."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


class RunnerStep:
    """``runner.train_loop.run_iter`` on a fixed batch.

    Args:
        pair: The pair to train.
        name: The name of the experiment, which must be unique.
        cfg: The config of the run without the model.
        model: The algorithm; its student gets the pair's weights.
        bf16: The config of the optimizer wrapper for bfloat16 on a GPU.
    """

    def __init__(
        self, pair: TrainingPair, name: str, cfg: Config, model: Any, bf16: dict[str, Any]
    ) -> None:
        self.pair = pair
        self.runner = _start(pair, name, cfg, model, _optim_wrapper(pair, cfg, bf16))
        model.student.load_state_dict(pair.weights)
        self._iteration = 0

    def batch(self) -> dict[str, Any]:
        """Return a batch as the loader does."""
        return self.pair.packed_batch()

    def step(self, batch: dict[str, Any]) -> None:
        """Train on a batch."""
        self.runner.train_loop.run_iter(self._iteration, batch)
        self._iteration += 1

    def loss(self) -> float:
        """Return the loss of the batch, without a step."""
        model: Any = self.runner.model
        with self.runner.optim_wrapper.optim_context(model):
            data = model.data_preprocessor(self.batch(), True)
            losses = model(**data, mode='loss')
        return model.parse_losses(losses)[0].item()


def ours(pair: TrainingPair, name: str, options: dict[str, Any]) -> RunnerStep:
    """Build a step of FeatureDistill from its config.

    Args:
        pair: The pair to train.
        name: The candidate's name.
        options: See :func:`configured`.
    """
    cfg = configured(pair, options)
    return RunnerStep(pair, name, cfg, feature_distill(cfg, pair.teacher()), BF16)


def configured(pair: TrainingPair, options: Mapping[str, Any]) -> Config:
    """Return the config of a pair with changes.

    Args:
        pair: The pair to train.
        options: Changes of the config, with dots in their keys. ``average`` keeps the
            moving average of the weights, which no other candidate has.
    """
    cfg, options = deepcopy(pair.cfg), dict(options)
    if not options.pop('average', False):
        hooks = cfg.get('custom_hooks') or []
        cfg.custom_hooks = [hook for hook in hooks if 'EMA' not in str(hook['type'])]
    cfg.merge_from_dict(options)
    apply_shortcuts(cfg)
    return cfg


def feature_distill(cfg: Config, teacher: nn.Module, **more: Any) -> Any:
    """Build the model of a config.

    Args:
        cfg: The config of the run.
        teacher: The teacher.
        more: Further arguments of FeatureDistill.
    """
    model = cfg.model.to_dict()
    model.update(teacher=teacher, data_preprocessor=_preprocessor(cfg), **more)
    return MODELS.build(model)


def mmrazor(pair: TrainingPair, name: str) -> RunnerStep:
    """Build a step of MMRazor's SingleTeacherDistill, with MMEngine's hooks and wrapper.

    Connector and feature loss are ours: MMRazor has none for the tokens of a ViT.
    """
    cfg = deepcopy(pair.cfg)
    cfg.custom_hooks = []
    cfg.default_hooks = {k: v for k, v in cfg.default_hooks.items() if k in STOCK_HOOKS}
    cfg.optim_wrapper.pop('constructor', None)
    cfg.optim_wrapper.optimizer.pop('fused', None)
    cfg.optim_wrapper.type = 'OptimWrapper'
    # MMPretrain's types: ours compute the same, but without synchronising with a GPU.
    preprocessor, loss = _preprocessor(cfg), cfg.model.architecture.head.get('loss') or {}
    for part in (preprocessor, loss):
        if 'type' in part:
            part['type'] = part['type'].removeprefix('mmvitkd.')
    distiller, teacher = deepcopy(pair.distiller), pair.teacher()
    for recorder in distiller['teacher_recorders'].values():
        if recorder['source'] == '':
            # MMRazor asks the teacher for its loss, so its output is not the logits.
            recorder['source'] = 'model' if isinstance(teacher, TimmClassifier) else 'head'
    model = MODELS.build(
        dict(
            type='mmrazor.SingleTeacherDistill',
            architecture=cfg.model.architecture.to_dict(),
            teacher=teacher,
            distiller={'_scope_': 'mmrazor', 'type': 'ConfigurableDistiller', **distiller},
            data_preprocessor=preprocessor,
        )
    )
    bf16 = dict(type='AmpOptimWrapper', dtype='bfloat16')
    step = RunnerStep(pair, name, cfg, model, bf16)
    # The runner has initialised its weights again.
    model.teacher.load_state_dict(pair.first_teacher.state_dict())
    return step


def _preprocessor(cfg: Config) -> dict[str, Any]:
    return {'type': 'ClsDataPreprocessor', **cfg.data_preprocessor}


def _start(
    pair: TrainingPair, name: str, cfg: Config, model: Any, optim_wrapper: dict[str, Any]
) -> Runner:
    """Return a runner that has done all of ``Runner.train`` except the iterations."""
    size = len(pair.images)
    runner = Runner(
        model=model,
        work_dir=str(pair.work_dir / name),
        train_dataloader=DataLoader(Noise(EPOCH * size), size, drop_last=True),
        train_cfg=dict(type=PausedLoop, max_epochs=cfg.train_cfg.max_epochs),
        optim_wrapper=optim_wrapper,
        param_scheduler=cfg.get('param_scheduler'),
        default_hooks=cfg.default_hooks,
        custom_hooks=cfg.get('custom_hooks'),
        default_scope=cfg.default_scope,
        randomness=cfg.get('randomness', dict(seed=0)),
        experiment_name=f'{name}_{pair.work_dir.name}',
        log_level='ERROR',
    )
    runner.model.to(pair.device)  # MMEngine takes a GPU wherever there is one
    runner.train()
    return runner


def _optim_wrapper(pair: TrainingPair, cfg: Config, bf16: dict[str, Any]) -> dict[str, Any]:
    """Return the config's wrapper in the requested precision; without CUDA ours is float32."""
    wrapper = cfg.optim_wrapper.to_dict()
    if pair.dtype == 'bf16':
        cpu = dict(type=BF16AnywhereOptimWrapper)
        return {**wrapper, **(cpu if pair.device.type == 'cpu' else bf16)}
    return wrapper if pair.device.type == 'cpu' else {**wrapper, 'type': 'OptimWrapper'}

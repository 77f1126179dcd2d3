"""Distil a student from a frozen teacher, with MMRazor's distiller."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any

import torch
from mmpretrain.structures import DataSample
from mmrazor.models.algorithms import BaseAlgorithm
from mmrazor.models.utils import add_prefix
from torch import Tensor, nn

from ...checkpoint.read import STUDENT_PREFIX
from ...registry import MODELS
from ...suggestions import did_you_mean
from ...utils.errors import KeyedValueError
from ..students import Initialization, check_round_trip, check_wrapped, narrow_start
from ..teachers import BaseTeacher, CachedTeacher, make_teacher
from ..teachers.base_teacher import check_names
from ..teachers.options import check_options
from ..utils.adapters import adapter_for
from ..utils.distiller_checks import (
    check_connectors,
    check_extra_tokens,
    check_is_dict,
    check_losses,
    check_mappings,
    check_sources,
)
from ..utils.whole_patches import check_patches
from .delivery_checks import compile_student_of, options_with_deliveries
from .distiller import build_distiller
from .dry_run import dry_run
from .pair_config import Pair, expand_pairs
from .target_norms import TargetNorm, target_norms


@MODELS.register_module()
class FeatureDistill(BaseAlgorithm):  # type: ignore[misc]  # MMRazor is untyped
    """A single-teacher distillation: the student's own loss plus the distiller's.

    Unlike in ``mmrazor.SingleTeacherDistill``, the teacher is not part of the module tree, is
    always in eval mode, is loaded strictly and computes no loss; and recorded features are
    released after every step, so that the model can be copied at any time.

    Args:
        architecture: The student: an MMPretrain classifier or its config.
        teacher: The teacher: ``'timm:NAME'``, a config file, a config
            (:func:`~mmvitkd.models.teachers.config.teacher_config`), a model, which becomes
            a live :class:`~mmvitkd.models.teachers.Teacher`, or a
            :class:`~mmvitkd.models.teachers.BaseTeacher` of any type. None for a model that
            is only evaluated.
        distiller: The config of MMRazor's ``ConfigurableDistiller``.
        teacher_ckpt: A local file with the teacher's weights.
        allow_random_teacher: Whether a teacher that nothing was loaded into is accepted.
        student_ckpt: A local file with a pretrained narrow model, which initialises all of
            the student that was not widened; see :func:`~mmvitkd.models.students.narrow_start`.
        pairs: Shorthand: (student layer, teacher layer) pairs, distilled by ``pair_loss``, each
            a block, a module, ``'tokens'`` or ``'embedding'``; see
            :func:`~mmvitkd.models.algorithms.pair_config.expand_pairs`.
        pair_loss: The config of the loss of ``pairs``, e.g.
            ``dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2)``.
        pair_extra_losses: The configs of further losses of ``pairs``, by name; each gets what
            ``pair_loss`` gets.
        pair_projector: The config of a projector for the student's side of ``pairs``, e.g.
            ``dict(in_channels=192, out_channels=384)``; see
            :class:`~mmvitkd.models.connectors.ProjectorConnector`.
        pair_target: What the teacher's side of ``pairs`` is: 'raw', as published; 'centred' or
            'standardised' by the mean and standard deviation of each channel over the training
            images, see :class:`~mmvitkd.models.connectors.TargetTokens`; or 'final_norm', the
            output of the teacher's final norm in place of its last block.
        norm_from_target: Whether the LayerNorm at the end of the student's side of each pair
            (``'neck.norm'`` of Lift, or a projector's with ``norm='LN'``) starts with the
            target's standard deviation as scale and its mean as shift.
        data_preprocessor: The config of the student's data preprocessor.
        init_cfg: MMEngine's initialisation config of the whole model.
        teacher_options: How a live teacher computes: ``stop_early``, ``precision``,
            ``compile`` and ``cuda_stream`` of :class:`~mmvitkd.models.teachers.Teacher`.
        compile_student: Whether the student's backbone is compiled for training; see
            :func:`~mmvitkd.models.utils.compilation.compile_student`.
        channels_last: Whether both models and their images are laid out in memory with their
            channels last.
        teacher_cache: The arguments ``dir`` and ``storage`` of a
            :class:`~mmvitkd.models.teachers.CachedTeacher`, which takes the teacher's place;
            ``teacher_cache`` at the top of a config sets it.
        unknown: Refused, each by its name.

    Raises:
        FileNotFoundError: If ``teacher_ckpt`` or ``student_ckpt`` does not exist.
        ValueError: If one of them does not fit, or a recorder, mapping, pair, loss or
            option does not fit the two models, which a dry run with one image finds out.
    """

    def __init__(
        self,
        architecture: dict[str, Any] | nn.Module,
        teacher: str | dict[str, Any] | nn.Module | BaseTeacher | None,
        distiller: dict[str, Any] | None = None,
        teacher_ckpt: str | None = None,
        allow_random_teacher: bool = False,
        student_ckpt: str | None = None,
        pairs: Sequence[Pair] | None = None,
        pair_loss: dict[str, Any] | None = None,
        pair_extra_losses: dict[str, dict[str, Any]] | None = None,
        pair_projector: dict[str, Any] | None = None,
        pair_target: str = 'raw',
        norm_from_target: bool = False,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        init_cfg: dict[str, Any] | None = None,
        teacher_options: dict[str, Any] | None = None,
        compile_student: bool = False,
        channels_last: bool = False,
        teacher_cache: dict[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        _refuse_unknown(unknown)
        check_wrapped(architecture)
        if isinstance(architecture, dict) and data_preprocessor is not None:
            # The student owns the preprocessor, and the algorithm shares it.
            architecture = {'data_preprocessor': data_preprocessor, **architecture}
            data_preprocessor = None
        super().__init__(architecture, data_preprocessor, init_cfg)
        options = check_options(teacher_options, 'teacher_options.')
        _check_switches(
            compile_student=compile_student,
            channels_last=channels_last,
            norm_from_target=norm_from_target,
        )
        check_round_trip(self.student)
        if isinstance(architecture, dict):
            check_patches(self.student, architecture, 'architecture')
        self.distillation_stopped = False  # set by MMRazor's StopDistillHook
        self._start: Initialization | None = None
        if student_ckpt is not None:
            self._start = narrow_start(self.student, student_ckpt)
        self._channels_last = False
        self.teacher: BaseTeacher | None = None
        self.target_norms: list[TargetNorm] = []
        if teacher is None:
            return
        _check_pair_arguments(pairs, pair_loss, pair_projector, pair_extra_losses)
        _check_pair_targets(pairs, pair_target, norm_from_target)
        check_is_dict(distiller)
        options = options_with_deliveries(distiller, options)
        given = (teacher, teacher_ckpt, allow_random_teacher, options)
        made = (
            make_teacher(*given)
            if teacher_cache is None
            else CachedTeacher(*given, **teacher_cache)
        )
        if pairs and pair_loss:
            layers = adapter_for(self.student)
            distiller = expand_pairs(
                distiller,
                pairs,
                pair_loss,
                layers,
                made,
                pair_projector,
                pair_target,
                norm_from_target,
                pair_extra_losses,
            )
        if distiller is None:
            raise ValueError('distiller: nothing to distil; give distiller or pairs.')
        check_mappings(distiller)
        check_losses(distiller)
        check_connectors(distiller)
        check_extra_tokens(self.student)
        self.distiller = build_distiller(distiller)
        check_sources(
            self.distiller.student_recorders, self.student, 'student_recorders', 'student'
        )
        self.distiller.prepare_from_student(self.student)

        self._tensor_names = list(self.distiller.teacher_recorders.recorders)
        made.prepare(self.distiller.teacher_recorders, self.data_preprocessor)
        self.teacher = made
        with torch.compiler.set_stance('force_eager'):
            dry_run(self)
        if norm_from_target:
            self.target_norms = target_norms(self.distiller, self.student)
        if channels_last:
            self._channels_last = True
            self.to(memory_format=torch.channels_last)
        if compile_student:
            compile_student_of(self.distiller, self.student)

    @property
    def student(self) -> nn.Module:
        """The student, MMRazor's ``architecture``."""
        architecture: nn.Module = self.architecture
        return architecture

    def init_weights(self) -> None:
        """Initialise the student, then load the weights of ``student_ckpt``."""
        super().init_weights()
        if self._start is not None:
            self._start.load(self.student)
            self._start = None  # the tensors would be copied with the model

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Run one of MMEngine's modes: 'loss', 'predict' or 'tensor'."""
        if self._channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return super().forward(inputs, data_samples, mode)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Compute the student's losses and the distillation losses of a batch.

        Args:
            inputs: (B, 3, H, W), normalised for the student.
            data_samples: The data samples of the images, with their labels.

        Returns:
            ``student.*`` and ``distill.*``; MMEngine sums those whose key has "loss".
        """
        if self.teacher is None:
            raise RuntimeError('This model was built with teacher=None: it cannot train.')
        losses: dict[str, Tensor]
        if self.distillation_stopped:
            return self._own_losses(inputs, data_samples)
        with self.records(inputs, data_samples) as student_losses:
            losses = add_prefix(student_losses, 'student')
            losses.update(add_prefix(self.distiller.compute_distill_losses(), 'distill'))
        return losses

    def _own_losses(
        self, inputs: Tensor, data_samples: list[DataSample] | None
    ) -> dict[str, Tensor]:
        """Return the student's losses alone, once distillation has been stopped."""
        losses: dict[str, Tensor] = self.student(inputs, data_samples, mode='loss')
        if not losses:
            raise ValueError(
                'StopDistillHook: the student has no loss of its own, so nothing would be '
                'trained after the stop. Leave the hook out.'
            )
        losses = add_prefix(losses, 'student')
        trained = [p.sum() for p in self.distiller.parameters() if p.requires_grad]
        if trained:  # DDP waits for the gradients of projectors, too
            losses['distill.loss_stopped'] = 0 * torch.stack(trained).sum()
        return losses

    @contextmanager
    def records(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None,
        dry_run: bool = False,
    ) -> Iterator[dict[str, Tensor]]:
        """Run both models; within this context the distiller has their tensors.

        Args:
            inputs: (B, 3, H, W), normalised for the student.
            data_samples: The data samples of the images.
            dry_run: Whether the images are from no data set; see ``BaseTeacher.dry_run``.

        Yields:
            The student's losses.
        """
        teacher, distiller = self.teacher, self.distiller
        assert teacher is not None
        try:
            distiller.set_deliveries_override(False)
            with distiller.deliveries:
                wait: Callable[[], Any] = (
                    partial(dict, teacher.dry_run(inputs))
                    if dry_run
                    else teacher.start(inputs, data_samples)
                )
            distiller.set_deliveries_override(True)
            with distiller.student_recorders, distiller.deliveries:
                student_losses = self.student(inputs, data_samples, mode='loss')
            distiller.teacher_tensors = wait()
            check_names(teacher, distiller.teacher_tensors, self._tensor_names)
            yield student_losses
        finally:
            # They hold the activations and their graph, which would live on until the next
            # step and cannot be deep-copied.
            distiller.teacher_tensors = {}
            for recorder in distiller.student_recorders.recorders.values():
                recorder.reset_data_buffer()

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """Return a parameter's depth and the number of depths, for layer-wise decay.

        Parameters outside the student count as part of its head.
        """
        student: Any = self.student
        if param_name.startswith(STUDENT_PREFIX):
            depth: tuple[int, int] = student.get_layer_depth(
                param_name.removeprefix(STUDENT_PREFIX)
            )
            return depth
        _, depths = student.get_layer_depth('head')
        return depths - 1, depths

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'FeatureDistill':
        """Apply a function to the teacher too, which is not in the module tree."""
        super()._apply(fn, recurse)
        if self.teacher is not None:
            self.teacher.apply(fn)
        return self


def _refuse_unknown(arguments: Mapping[str, Any]) -> None:
    for name in arguments:
        close = did_you_mean(name, signature(FeatureDistill).parameters)
        message = f'{{model.{name}}}: FeatureDistill takes no such argument{close}'
        raise KeyedValueError(message, f'model.{name}')


def _check_pair_arguments(
    pairs: Any, pair_loss: Any, pair_projector: Any, extra_losses: Any
) -> None:
    if bool(pairs) != bool(pair_loss):
        raise ValueError(f'pairs={pairs!r} and pair_loss={pair_loss!r}: give both or neither.')
    if pair_projector and not pairs:
        raise ValueError(f'pair_projector={pair_projector!r} needs pairs, found {pairs!r}.')
    if extra_losses and not pairs:
        raise ValueError(f'pair_extra_losses={extra_losses!r} needs pairs, found {pairs!r}.')


def _check_pair_targets(pairs: Any, target: str, norm_from_target: bool) -> None:
    if not pairs and (target != 'raw' or norm_from_target):
        raise KeyedValueError(
            f'{{pair_target}}={target!r}, {{norm_from_target}}={norm_from_target}: they need '
            f'pairs, found {pairs!r}.',
            'pair_target',
            'norm_from_target',
        )


def _check_switches(**switches: Any) -> None:
    for key, value in switches.items():
        if not isinstance(value, bool):
            raise ValueError(f'{key}={value!r}: wanted True or False.')

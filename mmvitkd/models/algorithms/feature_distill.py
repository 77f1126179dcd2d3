"""Distillation of a student from a frozen teacher, with MMRazor's distiller."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.structures import DataSample
from mmrazor.models.algorithms import BaseAlgorithm
from mmrazor.models.utils import add_prefix
from torch import Tensor, nn

from ...engine.checkpoint import STUDENT_PREFIX
from ...registry import MODELS
from ..checks import build_distiller, check_extra_tokens, check_mappings, check_sources
from ..teachers import Teacher
from .given_records import GivenRecords
from .pairs import Pair, expand_pairs


@MODELS.register_module()
class FeatureDistill(BaseAlgorithm):
    """A single-teacher distillation: the student's own loss plus the distiller's.

    Unlike ``mmrazor.SingleTeacherDistill``, the teacher is not part of the module tree, is
    always in eval mode, is loaded strictly and computes no loss; and records are released
    after every step, so that the model can be copied at any time.

    Args:
        architecture: The student: an MMPretrain classifier or its config.
        teacher: The config of the teacher model, a built model, or anything that works
            like a :class:`~mmvitkd.models.teachers.Teacher`. None for a model that is only
            to be evaluated.
        distiller: The config of MMRazor's ``ConfigurableDistiller``.
        teacher_ckpt: A local file with the teacher's weights.
        allow_random_teacher: Whether a teacher that nothing was loaded into is accepted.
        pairs: Shorthand: (student layer, teacher layer) pairs, distilled by ``pair_loss``;
            see :func:`~mmvitkd.models.algorithms.pairs.expand_pairs`.
        pair_loss: The config of the loss of ``pairs``, e.g.
            ``dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2)``.
        data_preprocessor: The config of the student's data preprocessor.
        init_cfg: The weight initialisation of the whole.

    Raises:
        FileNotFoundError: If ``teacher_ckpt`` does not exist.
        ValueError: If the teacher does not load, or a recorder, mapping, pair or loss does
            not fit the two models. One image is sent through both to find out.
    """

    def __init__(
        self,
        architecture: dict | nn.Module,
        teacher: dict | nn.Module | Callable[[Tensor], Mapping[str, Any]] | None,
        distiller: dict | None = None,
        teacher_ckpt: str | None = None,
        allow_random_teacher: bool = False,
        pairs: Sequence[Pair] | None = None,
        pair_loss: dict | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if isinstance(architecture, dict) and data_preprocessor is not None:
            # The student gets it, and lends it to the algorithm: there is only one.
            architecture = {'data_preprocessor': data_preprocessor, **architecture}
            data_preprocessor = None
        super().__init__(architecture, data_preprocessor, init_cfg)
        self.distillation_stopped = False  # what MMRazor's StopDistillHook sets
        self.teacher: Any = None
        if teacher is None:
            return
        if (pairs is None) != (pair_loss is None):
            raise ValueError(
                f'pairs={pairs!r} and pair_loss={pair_loss!r}: give both or neither.'
            )
        if pairs is not None and pair_loss is not None:
            types = _type_name(architecture), _type_name(teacher)
            distiller = expand_pairs(distiller, pairs, pair_loss, *types)
        if distiller is None:
            raise ValueError('distiller: nothing to distil; give distiller or pairs.')
        check_mappings(distiller)
        check_extra_tokens(self.student)
        self.distiller = build_distiller(distiller)
        check_sources(
            self.distiller.student_recorders, self.student, 'student_recorders', 'student'
        )
        self.distiller.prepare_from_student(self.student)

        recorders = self.distiller.teacher_recorders
        self.distiller.teacher_recorders = GivenRecords(list(recorders.recorders))
        if isinstance(teacher, dict | nn.Module):
            teacher = Teacher(
                teacher,
                recorders,
                teacher_ckpt,
                allow_random_teacher,
                self.data_preprocessor,
            )
        self.teacher = teacher
        self._rehearse()

    @property
    def student(self) -> nn.Module:
        """The student, MMRazor's ``architecture``."""
        return self.architecture

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Compute the student's losses and the distillation losses of a batch.

        Args:
            inputs: (B, 3, H, W), normalised for the student.
            data_samples: The labels.

        Returns:
            ``student.*`` and ``distill.*``; MMEngine sums those whose key has "loss".
        """
        if self.teacher is None:
            raise RuntimeError('This model was built with teacher=None: it cannot train.')
        if self.distillation_stopped:
            return add_prefix(self.student(inputs, data_samples, mode='loss'), 'student')
        with self._records(inputs, data_samples) as student_losses:
            losses = add_prefix(student_losses, 'student')
            losses.update(add_prefix(self.distiller.compute_distill_losses(), 'distill'))
        return losses

    @contextmanager
    def _records(self, inputs: Tensor, data_samples: list[DataSample] | None):
        """Run both models; within it the distiller has its records, after it none."""
        distiller = self.distiller
        try:
            distiller.set_deliveries_override(False)
            with distiller.deliveries:
                distiller.teacher_recorders.give(self.teacher(inputs))
            distiller.set_deliveries_override(True)
            with distiller.student_recorders, distiller.deliveries:
                student_losses = self.student(inputs, data_samples, mode='loss')
            yield student_losses
        finally:
            # They hold the activations and their graph, which would live on until the next
            # step and cannot be deep-copied.
            distiller.teacher_recorders.reset()
            for recorder in distiller.student_recorders.recorders.values():
                recorder.reset_data_buffer()

    def _rehearse(self) -> None:
        """Compute every loss once on a blank image, so that a misfit fails here.

        In eval mode, without gradient: no random number is drawn, no statistic changed.
        """
        size = getattr(getattr(self.student, 'backbone', None), 'img_size', None)
        if size is None:
            print_log(
                'The student does not say its input size (backbone.img_size): whether the '
                'losses fit both models shows in the first iteration.',
                logger='current',
            )
            return
        blank = torch.zeros(1, 3, *size)
        sample = DataSample().set_gt_label(0)
        try:
            self.teacher(blank)
        except Exception as error:
            raise ValueError(
                f"teacher: it cannot take the student's input, {size[0]} x {size[1]} in "
                f'{blank.dtype}: {error}'
            ) from error
        training = self.training
        self.eval()
        with torch.no_grad(), self._records(blank, [sample]):
            for name, mapping in self.distiller.loss_forward_mappings.items():
                try:
                    arguments = {k: self.distiller.get_record(**r) for k, r in mapping.items()}
                    self.distiller.distill_losses[name](**arguments)
                except Exception as error:
                    raise ValueError(
                        f"distiller.loss_forward_mappings['{name}'] does not work for one "
                        f'image of {size[0]} x {size[1]}: {error}'
                    ) from error
        self.train(training)

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """The depth of a parameter for layer-wise learning rate decay, and the depths.

        The student's own; what is not the student's counts as its head.
        """
        if param_name.startswith(STUDENT_PREFIX):
            return self.student.get_layer_depth(param_name.removeprefix(STUDENT_PREFIX))
        _, depths = self.student.get_layer_depth('head')
        return depths - 1, depths

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True):
        """Move the teacher too, which is not in the module tree."""
        super()._apply(fn, recurse)
        if self.teacher is not None:
            self.teacher.apply(fn)
        return self


def _type_name(model: Any) -> str:
    """The type of a model or of its config."""
    return str(model['type']) if isinstance(model, dict) else type(model).__name__

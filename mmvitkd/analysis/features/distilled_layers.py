"""Extract the patch tokens of the distilled layers of a student and its teacher."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...models.algorithms.layer_pairs import LayerPair, layer_pairs
from ...models.teachers import BaseTeacher, CachedTeacher
from .extractor import FeatureExtractor, find_blocks
from .patch_tokens import patch_features


class DistilledLayers:
    """Extracts the patch tokens of a student's and a teacher's layers.

    For a distillation, these are the pairs of layers whose tokens a loss compares, before any
    connector. For any other model, or a distillation that compares no tokens, it is the
    student's last block.

    Args:
        model: The model that is trained.
        images: One image or more, (B, 3, H, W), normalised for the student: a forward pass
            shows which layers return patch tokens.
        layers: Layers to measure instead, without a teacher: blocks of the student by index,
            modules by name, or 'last' or 'all'.

    Attributes:
        modules: The names of the student's modules, by the names of the layers.
        left_out: The reason why a pair, or the teacher, is left out, by its name.

    Raises:
        ValueError: If a layer does not exist, or does not return patch tokens.
    """

    def __init__(
        self, model: Any, images: Tensor, layers: str | Sequence[int | str] | None = None
    ) -> None:
        self.left_out: dict[str, str] = {}
        self._student = getattr(model, 'student', model)
        self._teacher: Any = None
        self._records: dict[str, str] = {}  # names of the teacher's outputs, by layer
        pairs = [] if layers is not None else self._pairs(model, images)
        self.modules = {pair.name: pair.student for pair in pairs}
        if pairs and isinstance(model.teacher, CachedTeacher) and model.teacher.live is None:
            self.left_out['teacher'] = 'it is read from a cache, which has no validation images'
        elif pairs:
            self._teacher = model.teacher
            self._records = {pair.name: pair.teacher for pair in pairs}
        if not pairs:
            found = find_blocks(self._student, 'last' if layers is None else layers)
            self.modules = {
                f'block_{key}' if isinstance(key, int) else key: name
                for key, name in found.items()
            }
            self.student_tokens(images)

    def student_tokens(self, images: Tensor) -> dict[str, Tensor]:
        """Return the student's patch tokens (B, N, D) by the names of the layers."""
        source = FeatureExtractor(self._student, list(self.modules.values()))
        features = source(images)
        keys = {module: key for key, module in source.names.items()}
        return {name: features[keys[module]] for name, module in self.modules.items()}

    def teacher_tokens(
        self, images: Tensor, data_samples: Sequence[Any] | None = None
    ) -> dict[str, Tensor]:
        """Return the teacher's patch tokens likewise; empty if no pairs are measured."""
        if self._teacher is None:
            return {}
        outputs = self._teacher(images, data_samples)
        return {
            name: _teacher_tokens(self._teacher, outputs[record], images)
            for name, record in self._records.items()
        }

    def _pairs(self, model: Any, images: Tensor) -> list[LayerPair]:
        """Return the pairs that compare patch tokens; fill ``left_out`` with the others."""
        teacher, distiller = getattr(model, 'teacher', None), getattr(model, 'distiller', None)
        if distiller is None or not isinstance(teacher, BaseTeacher):
            return []
        pairs, outputs = [], teacher.dry_run(images)
        for pair in layer_pairs(distiller):
            try:
                FeatureExtractor(self._student, [pair.student])(images)
                _teacher_tokens(teacher, outputs[pair.teacher], images)
            except ValueError as error:
                self.left_out[pair.name] = str(error)
            else:
                pairs.append(pair)
        return pairs


def _teacher_tokens(teacher: BaseTeacher, output: Any, images: Tensor) -> Tensor:
    """Return the patch tokens of a teacher's output, which is of images of its own size."""
    size = teacher.input_size or images.shape[2:]
    return patch_features(output, (*images.shape[:2], *size), teacher.token_grid).tokens

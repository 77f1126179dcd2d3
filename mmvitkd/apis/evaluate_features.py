"""Evaluate a model's features without its head, against a teacher's and by their classes."""

from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from ..analysis.features.extractor import Key
from ..analysis.features.image_features import ImageFeatureReader
from ..analysis.features.loaded_model import LoadedModel
from ..analysis.runner.feature_evaluation import (
    EMBEDDING,
    Compare,
    Evaluated,
    FeatureEvaluation,
)
from ..analysis.runner.measure_runner import Watch
from ..config.load_config import load_config
from ..datasets.image_batches import ImageBatches
from ..datasets.image_list import ImageList
from ..models.algorithms.compared_features import compared_features
from ..models.algorithms.layer_pairs import embedding_pairs, layer_pairs
from ..models.teachers import Teacher
from ..models.utils.adapters import adapter_for
from ..models.utils.normalization import Renormalize
from ..utils.errors import KeyedError, KeyedValueError
from .load_distillation import LoadedDistillation, load_distillation
from .load_model import load_model

LAST = 'last'
FEATURES = (EMBEDDING, 'tokens')


class FeatureModels:
    """A student, and perhaps a teacher, loaded and ready to be evaluated.

    Args:
        model: See :func:`~mmvitkd.apis.load_model`. The config of a distillation is loaded with
            its teacher, and its layers are those that it distils.
        checkpoint: The same.
        ema: The same.
        img_size: The same.
        allow_random: The same, for both models.
        teacher: Another teacher, as ``model``; for 'none', none.
        teacher_checkpoint: The teacher's weights, also of the teacher of a distillation.
        teacher_img_size: Image side in pixels that a teacher ``timm:NAME`` is built for.
        layer: The student's layer to compare: 'last', an index of a block or the name of a
            module. Not for the teacher of a distillation.
        teacher_layer: That of the teacher.

    Attributes:
        student: The student, with its preprocessing.
        teacher: What the teacher is, in words; None without one.
        random_teacher: Whether no weights were loaded into the teacher.
        layers: The names of the modules of student and teacher, by the names of the layers.
        left_out: Why a layer is not compared, by its name.

    Raises:
        FileNotFoundError: If a file or folder does not exist.
        ValueError: If an argument does not fit, or a layer of a model has no token map.
    """

    def __init__(
        self,
        model: str,
        checkpoint: str | None = None,
        *,
        ema: bool = False,
        img_size: int | None = None,
        allow_random: bool = False,
        teacher: str | None = None,
        teacher_checkpoint: str | None = None,
        teacher_img_size: int | None = None,
        layer: Key = LAST,
        teacher_layer: Key = LAST,
    ) -> None:
        self.left_out: dict[str, str] = {}
        self.teacher: str | None = None
        self.random_teacher = False
        self._live: Teacher | None = None
        self._compare: Compare | None = None
        cfg = _distillation(model) if teacher is None else None
        if cfg is not None and (checkpoint or allow_random):
            loaded = load_distillation(cfg, checkpoint, ema, allow_random, teacher_checkpoint)
            self.student = loaded.student
            self._take_distillation(model, loaded, _feature_names(cfg.model.get('pairs')))
            return
        self.student = load_model(
            model, checkpoint, ema=ema, img_size=img_size, allow_random=allow_random
        )
        self._whole = self.student.model
        self._layers = ({LAST: layer}, {LAST: teacher_layer})
        if teacher not in (None, 'none'):
            given = (teacher, teacher_checkpoint, teacher_img_size, allow_random)
            self._take_teacher(_load_teacher(*given))
        self._check_layers()

    @property
    def layers(self) -> dict[str, list[str]]:
        """The modules of student and teacher, by the names of the layers."""
        readers = [reader for reader in self._readers if reader is not None]
        return {name: [r.modules[name] for r in readers] for name in readers[0].modules}

    def evaluated(self, device: str) -> Evaluated:
        """Return the models on a device, as :class:`.FeatureEvaluation` takes them."""
        self._whole.to(device)
        student, teacher = self._readers
        if self._live is None:
            return Evaluated(student)
        self._live.apply(lambda tensor: tensor.to(device))
        widths = adapter_for(self.student.model).widths
        return Evaluated(student, teacher, self._live.inputs, self._compare, widths)

    def _take_distillation(
        self, path: str, loaded: LoadedDistillation, names: dict[str, str]
    ) -> None:
        distiller, teacher = loaded.model.distiller, loaded.model.teacher
        assert teacher is not None
        self.teacher = f'teacher of {path}, {loaded.teacher}'
        self.random_teacher = loaded.random_teacher
        if not isinstance(teacher, Teacher):
            raise KeyedValueError(
                f'{{teacher}}: {teacher.name} is not a model, so it has no features of other '
                "images; give another, or 'none'.",
                'teacher',
            )
        self._live = teacher
        recorders = distiller.teacher_recorders.recorders
        pairs = layer_pairs(distiller)
        self._layers = (
            {names.get(pair.name, pair.name): pair.student for pair in pairs},
            {names.get(p.name, p.name): recorders[p.teacher].source for p in pairs},
        )
        if loaded.has_connectors:
            self._compare = partial(_compare, loaded.model, names)
        self._whole = loaded.model
        self._check_layers()

    def _take_teacher(self, loaded: LoadedModel) -> None:
        self.teacher, self.random_teacher = loaded.provenance, loaded.is_random
        live = Teacher(loaded.model)
        source = adapter_for(self.student.model).normalization
        live.renormalize = Renormalize.between(source, live.normalization)
        self._live = live

    def _check_layers(self) -> None:
        """Leave out the pairs without a token map; raise if that is all there is."""
        blank = torch.zeros(1, 3, *self.student.preprocess.size)
        names = list(self._layers[0])
        for name in names:
            try:
                ImageFeatureReader(self.student.model, {name: self._layers[0][name]})(blank)
                if self._live is not None:
                    of_teacher = {name: self._layers[1][name]}
                    ImageFeatureReader(self._live.model, of_teacher)(self._live.inputs(blank))
            except ValueError as error:
                self.left_out[name] = str(error)
        if names and len(self.left_out) == len(names) and self._compare is None:
            raise ValueError(next(iter(self.left_out.values())))
        kept = [
            {name: layer for name, layer in layers.items() if name not in self.left_out}
            for layers in self._layers
        ]
        live = None if self._live is None else ImageFeatureReader(self._live.model, kept[1])
        self._readers = ImageFeatureReader(self.student.model, kept[0]), live


def evaluate_features(
    models: FeatureModels,
    train: ImageList,
    held_out: ImageList,
    *,
    k: int = 20,
    temperature: float = 0.07,
    device: str = 'cpu',
    batch_size: int = 32,
    num_workers: int = 0,
    watch: Watch = lambda batches, name: batches,
) -> dict[str, Any]:
    """Evaluate features on held-out images.

    Args:
        models: The models.
        train: The images that the readout, the k-NN and the probe are fitted on.
        held_out: Other images; of the same classes, if both have labels.
        k: Neighbours of the k-NN.
        temperature: Its temperature.
        device: Where the models run.
        batch_size: Images per batch.
        num_workers: Processes that read images.
        watch: Wraps the batches, with a name for them.

    Returns:
        The fields of :class:`~mmvitkd.analysis.runner.feature_evaluation.FeatureScores`;
        'student', 'teacher' and 'layers', what was evaluated; 'random_weights', whether
        none were loaded into the student; 'random_teacher', the same of the teacher; 'classes',
        how many; 'unreadable', the reasons why images were left out, by path.

    Raises:
        ValueError: If there is neither a teacher nor a class, no held-out image can be read,
            or a feature is not finite.
    """
    batches = [
        ImageBatches(images, models.student.preprocess, batch_size, num_workers)
        for images in (train, held_out)
    ]
    if models.teacher is None and len(held_out.classes or ()) < 2:
        raise KeyedValueError(
            f'{{teacher}}: found none, and no class folders in {held_out.folder!r}, so that '
            'there is nothing to measure; wanted a teacher or two classes.',
            'teacher',
        )
    evaluation = FeatureEvaluation(
        models.evaluated(device), device, held_out.classes, k, temperature
    )
    scores = evaluation.run(batches[0], batches[1], watch)
    scores.left_out = {**models.left_out, **scores.left_out}
    return {
        'student': models.student.provenance,
        'teacher': models.teacher,
        'random_weights': models.student.is_random,
        'random_teacher': models.random_teacher,
        'layers': models.layers,
        'classes': None if held_out.classes is None else len(held_out.classes),
        **asdict(scores),
        'unreadable': batches[0].unreadable | batches[1].unreadable,
    }


def _feature_names(pairs: Any) -> dict[str, str]:
    """Return the names of the pairs of named features, as 'tokens', by those of the losses."""
    names: dict[str, str] = {}
    for index, (student, _) in enumerate(pairs or ()):
        if student in FEATURES and student not in names.values():
            names[f'pair_{index}'] = student
    return names


def _compare(
    model: Any, names: dict[str, str], images: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what the losses compare, the pairs of named features by their names."""
    names = names | dict.fromkeys(embedding_pairs(model.distiller), EMBEDDING)
    compared = compared_features(model, images)
    return {names.get(name, name): rows for name, rows in compared.items()}


def _distillation(path: str) -> Config | None:
    """Return the config of a distillation; None if ``path`` is another model."""
    if not path.endswith('.py'):
        return None
    cfg = load_config(path)
    return cfg if (cfg.get('model') or {}).get('teacher') is not None else None


def _load_teacher(
    teacher: str, checkpoint: str | None, img_size: int | None, allow_random: bool
) -> LoadedModel:
    """Load a teacher; errors name its own arguments."""
    names = {key: f'teacher_{key}' for key in ('checkpoint', 'img_size')} | {'model': 'teacher'}
    try:
        return load_model(teacher, checkpoint, img_size=img_size, allow_random=allow_random)
    except KeyedError as error:
        raise error.renamed(names) from error

"""Apply ``with_label=False``: images without labels, and a student that needs none."""

from typing import Any, NoReturn

from mmengine.config import Config
from mmpretrain.registry import MODELS

from ..utils.errors import KeyedValueError
from .data_config import datasets_of
from .student_config import is_encoder, student_config

KEY = 'with_label'
EMBEDDING = ('embedding', 'embedding')
DATASETS = ('ImageFolder', 'CustomDataset')  # those that have such an argument
# Metrics that compare predictions with labels.
LABEL_METRICS = (
    *('Accuracy', 'SingleLabelMetric', 'ConfusionMatrix', 'MultiLabelMetric'),
    *('AveragePrecision', 'MultiTasksMetric', 'KNNAccuracy'),
)


def apply_with_label(cfg: Config) -> None:
    """Set ``with_label`` of the data sets; without labels, adapt the student and the metrics.

    Without labels, an ``ImageClassifier`` becomes a ``mmvitkd.ImageEncoder``: its head goes,
    its backbone returns all tokens, and unless a neck pools them, its embedding is distilled
    too. Metrics that need labels go.

    Args:
        cfg: The config of a run, changed in place.

    Raises:
        ValueError: If it is not a bool, or something in the config needs labels.
    """
    if cfg.get(KEY) is None:
        return
    if not isinstance(cfg.with_label, bool):
        _refuse(f'{{{KEY}}}={cfg.with_label!r}: wanted True or False.')
    for split, dataset, _ in datasets_of(cfg):
        if _name(dataset) in DATASETS:
            dataset[KEY] = cfg.with_label
        elif not cfg.with_label:
            _refuse(
                f'{{{KEY}}}=False: {split}_dataloader has a {_name(dataset)}, which has '
                'labels; wanted mmvitkd.ImageFolder.'
            )
    if not cfg.with_label:
        _check(cfg)
        _remove_head(cfg.model)
        _remove_metrics(cfg)


def _check(cfg: Config) -> None:
    """Raise ValueError if something needs labels."""
    model = cfg.get('model') or {}
    if cfg.get('num_classes') is not None:
        _refuse(
            f'{{{KEY}}}=False: there are no classes; wanted no num_classes, found '
            f'{cfg.num_classes}.'
        )
    if not model.get('teacher'):
        _refuse(f'{{{KEY}}}=False: this config has no teacher, and nothing else to learn from.')
    recorders = (model.get('distiller') or {}).get('student_recorders') or {}
    for name, recorder in recorders.items():
        if str(recorder.get('source')).partition('.')[0] in ('', 'head'):
            _refuse(
                f"{{{KEY}}}=False: distiller.student_recorders['{name}'] records the head, "
                'which a student without labels has not; wanted features only: pairs without '
                'a distiller.'
            )
    for part in (cfg.get('data_preprocessor'), student_config(model).get('data_preprocessor')):
        if (part or {}).get('batch_augments'):
            _refuse(
                f'{{{KEY}}}=False: data_preprocessor.batch_augments mixes labels; leave it out.'
            )
    best = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    if any(metric in str(best) for metric in ('accuracy', 'knn')):
        _refuse(f'{{{KEY}}}=False: save_best={best!r} needs labels.')


def _remove_head(model: Any) -> None:
    """Make an ImageEncoder of an ImageClassifier."""
    student = student_config(model)
    if is_encoder(student):
        return
    if _name(student) != 'ImageClassifier':
        _refuse(
            f'{{{KEY}}}=False: the student is a {_name(student)}; wanted an ImageClassifier or '
            'a mmvitkd.ImageEncoder.'
        )
    student['type'] = 'mmvitkd.ImageEncoder'
    for key in ('head', 'train_cfg', 'pretrained'):
        student.pop(key, None)
    if 'LiftProjector' in str((student.get('neck') or {}).get('type')):
        return
    student.pop('neck', None)  # a pooling, which the encoder does itself
    backbone = student['backbone'].get('base', student['backbone'])
    if hasattr(MODELS.get(backbone['type']), 'OUT_TYPES'):  # a ViT
        backbone['out_type'] = 'raw'
    pairs = [tuple(pair) for pair in model.get('pairs') or ()]
    if pairs and not any(pair[0] == 'embedding' for pair in pairs):
        model['pairs'] = [*pairs, EMBEDDING]


def _remove_metrics(cfg: Config) -> None:
    """Leave out metrics that need labels; ``FeatureErrorHook`` needs none."""
    for split in ('val', 'test'):
        given = cfg.get(f'{split}_evaluator') or []
        metrics = given if isinstance(given, list | tuple) else [given]
        if 'KNNAccuracy' in map(_name, metrics):  # which no config of ours has
            _refuse(f'{{{KEY}}}=False: {split}_evaluator: KNNAccuracy needs labels.')
        cfg[f'{split}_evaluator'] = [m for m in metrics if _name(m) not in LABEL_METRICS]


def _name(config: dict[str, Any]) -> str:
    return str(config.get('type')).rpartition('.')[2]


def _refuse(message: str) -> NoReturn:
    raise KeyedValueError(message, KEY)

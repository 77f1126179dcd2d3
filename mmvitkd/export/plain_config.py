"""Extract the config of the student alone: how to build it and how to test it."""

import os.path as osp
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any
from uuid import uuid4

from mmengine.config import Config
from mmengine.fileio import list_dir_or_file
from mmengine.registry import Registry

from ..config.env_values import replace_values, secrets
from ..config.student_config import is_encoder, student_config
from ..datasets.dataset_names import innermost, pipeline_of
from ..datasets.folder_layout import EXTENSIONS
from ..registry import METRICS, MODELS, TRANSFORMS

OURS = 'mmvitkd.'
# The data set's folder, where it was an absolute path.
IMAGES = 'path/to/images'
# Keys that name the weights before training.
START = ('pretrained', 'checkpoint_path', 'init_cfg')
# What `--show` and `--show-dir` of MMPretrain's tools/test.py need.
SHOW = dict(
    default_hooks=dict(visualization=dict(type='VisualizationHook', enable=False)),
    visualizer=dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
)


def plain_config(cfg: Config, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """Extract the student's part of a training config, with MMPretrain's types where possible.

    The model keeps its data preprocessor, without what only training needs: its loss, its
    batch augmentation, and its initial weights.

    Args:
        cfg: The config of a distillation, or of a plain model; it is not changed.
        classes: The names of the classes, in the order of the logits, if they are known.

    Returns:
        ``custom_imports`` if something needs it, ``data_root`` if there is one,
        ``default_scope``, ``model``, ``test_pipeline``, ``test_dataloader``, and, of a student
        with a head, ``test_evaluator``, ``test_cfg`` and the settings that show images. The
        pipeline of the data set equals ``test_pipeline``. Absolute paths are replaced by
        relative ones, and secrets by the names of their environment variables.

    Raises:
        ValueError: If the config has no student, neither a test nor a validation set, or no
            pipeline in it.
    """
    model = _plain_student(cfg)
    encodes = is_encoder(student_config(cfg.model))
    split, whole = _split(cfg), cfg.to_dict()
    loader = deepcopy(whole[f'{split}_dataloader'])
    key = f'{split}_dataloader.dataset'
    if pipeline_of(loader['dataset'], key) is None:
        raise ValueError(
            f'{key} ({loader["dataset"].get("type")}) has no pipeline, '
            'which is needed to prepare images.'
        )
    convert = _unlabelled if encodes else partial(_labelled, classes=classes)
    loader['dataset'] = _converted(loader['dataset'], convert)
    datasets = [dataset for dataset, _ in innermost(loader['dataset'], key)]
    for dataset in datasets:
        dataset['pipeline'] = _replace(dataset['pipeline'], TRANSFORMS)
    roots = {dataset.get('data_root') for dataset in datasets}
    root = roots.pop() if len(roots) == 1 else None
    if root:
        root = IMAGES if _is_absolute(root) else root
        for dataset in datasets:
            dataset['data_root'] = root
    parts = dict(
        **(dict(data_root=root) if root else {}),
        default_scope='mmpretrain',
        model=model,
        test_pipeline=datasets[0]['pipeline'],
        test_dataloader=loader,
        **({} if encodes else _test(whole.get(f'{split}_evaluator'))),
    )
    imports = _imports(whole, model)
    parts = dict(custom_imports=imports, **parts) if imports else parts
    hidden = {value: f'${name}' for value, name in secrets().items()}
    portable: dict[str, Any] = _portable(replace_values(parts, hidden))
    return portable


def _is_absolute(path: str) -> bool:
    return path.removeprefix('file://').startswith(('/', '~'))


def _portable(value: Any) -> Any:
    """Replace, at any depth, absolute paths, which exist on one machine and name its user."""
    if isinstance(value, str):
        name = osp.basename(value.rstrip('/'))
        return f'path/to/{name}' if _is_absolute(value) else value
    if isinstance(value, dict):
        classes = {k: v for k, v in value.items() if k == 'classes' and not isinstance(v, str)}
        return {_portable(k): _portable(v) for k, v in value.items()} | classes
    return type(value)(map(_portable, value)) if isinstance(value, list | tuple) else value


def _split(cfg: Config) -> str:
    """Return the split whose data tell how images are prepared, one with metrics if there is.

    Raises:
        ValueError: If there is none.
    """
    for parts in (('dataloader', 'evaluator'), ('dataloader',)):
        for split in ('test', 'val'):
            if all(cfg.get(f'{split}_{part}') for part in parts):
                return split
    raise ValueError(
        f'{cfg.filename}: this config has neither a test_dataloader nor a val_dataloader; '
        'its pipeline is needed to prepare images.'
    )


def _test(evaluator: Any) -> dict[str, Any]:
    """Return the settings of a test, with the metrics that MMPretrain has."""
    metrics = _replace(deepcopy(evaluator or []), METRICS)
    if isinstance(metrics, list):
        metrics = [metric for metric in metrics if not _is_ours(metric)]
    elif _is_ours(metrics):
        metrics = []
    return dict(test_evaluator=metrics, test_cfg={}, **deepcopy(SHOW))


def _is_ours(config: Any) -> bool:
    return str(config['type']).startswith(OURS)


def bare_student(cfg: Config) -> dict[str, Any]:
    """Return the student as the runner builds it, without its initial weights.

    Raises:
        ValueError: If the config has no student.
    """
    if not cfg.get('model'):
        raise ValueError(f'{cfg.filename}: this config has no model, so no student.')
    whole = cfg.to_dict()
    student: dict[str, Any] = _without_start(deepcopy(student_config(whole['model'])))
    given = whole['model'].get('data_preprocessor') or whole.get('data_preprocessor')
    if student.get('data_preprocessor') is None and given is not None:
        student['data_preprocessor'] = deepcopy(given)
    return student


def _plain_student(cfg: Config) -> dict[str, Any]:
    """Return the student with MMPretrain's types, without what only training needs."""
    model: dict[str, Any] = _replace(bare_student(cfg), MODELS)
    model.pop('train_cfg', None)
    preprocessor = model.get('data_preprocessor') or {}
    preprocessor.pop('batch_augments', None)
    if is_encoder(student_config(cfg.model)):
        preprocessor.pop('num_classes', None)
    for part in (model, model.get('head') or {}):
        part.pop('loss', None)
    return model


def _without_start(value: Any) -> Any:
    """Drop, at any depth, the keys that name initial weights."""
    if isinstance(value, list | tuple):
        return type(value)(_without_start(v) for v in value)
    if not isinstance(value, dict):
        return value
    return {
        k: _without_start(v)
        for k, v in value.items()
        if k not in START or (k == 'init_cfg' and 'Pretrained' not in str(v))
    }


def _replace(value: Any, registry: Registry) -> Any:
    """Replace, at any depth, our types by their equivalents in MMPretrain.

    A class of ours names its equivalent in ``mmpretrain_equivalent``: a part of a config that
    builds the same function, or the same on readable images; and in ``mmpretrain_lacks`` the
    arguments that MMPretrain does not have. Subclasses do not inherit them.
    """
    if isinstance(value, list | tuple):
        return type(value)(_replace(v, registry) for v in value)
    if not isinstance(value, dict):
        return value
    value = {k: _replace(v, registry) for k, v in value.items()}
    name = str(value.get('type'))
    kind = registry.get(name) if name.startswith(OURS) else None
    ours = vars(kind) if kind else {}
    if 'mmpretrain_equivalent' not in ours:
        return value
    lacks = ours.get('mmpretrain_lacks', ())
    kept = {k: v for k, v in value.items() if k not in lacks}
    return {**kept, **ours['mmpretrain_equivalent']}


def _converted(
    dataset: dict[str, Any], convert: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Convert a data set, or those that it wraps.

    Those of folds stay: the order of the images, which decides a fold, is that of their type.
    """
    if str(dataset.get('type')).endswith('KFoldDataset'):
        return dataset
    if isinstance(dataset.get('dataset'), dict):
        return {**dataset, 'dataset': _converted(dataset['dataset'], convert)}
    if 'datasets' in dataset:
        return {**dataset, 'datasets': [_converted(d, convert) for d in dataset['datasets']]}
    return convert(dataset)


def _unlabelled(dataset: dict[str, Any]) -> dict[str, Any]:
    """Return MMPretrain's data set of all images below a folder."""
    if dataset['type'] != 'mmvitkd.ImageFolder':
        return dataset
    return _custom_dataset(dataset, data_root=IMAGES, with_label=False)


def _labelled(dataset: dict[str, Any], classes: Sequence[str] | None) -> dict[str, Any]:
    """Return MMPretrain's data set if it finds the same classes in the folders."""
    if dataset['type'] != 'mmvitkd.ImageFolder' or classes is None:
        return dataset
    if isinstance(dataset.get('classes'), str):  # a file
        dataset['classes'] = list(classes)
    root, folder = osp.expanduser(dataset['data_root']), dataset.get('split', 'train')
    if folder == 'test' and not osp.isdir(osp.join(root, folder)):
        folder = 'val'  # as ImageFolder does
    found = osp.join(root, folder)
    # MMPretrain numbers the folders it finds: one more or less would shift the labels.
    if not osp.isdir(found) or sorted(list_dir_or_file(found, list_file=False)) != list(
        classes
    ):
        return dataset
    return _custom_dataset(
        dataset, data_root=dataset['data_root'], data_prefix=folder, classes=list(classes)
    )


def _custom_dataset(dataset: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return the config of MMPretrain's data set that reads the files of an ImageFolder."""
    return dict(
        type='CustomDataset',
        **settings,
        extensions=list(dataset.get('extensions', EXTENSIONS)),
        pipeline=dataset['pipeline'],
    )


def _imports(cfg: dict[str, Any], model: dict[str, Any]) -> dict[str, Any] | None:
    """Return the ``custom_imports`` that the model needs: the user's, and mmvitkd's.

    mmvitkd is named although MMEngine would find it by its prefix: importing it also patches
    what keeps MMPretrain from being imported on some builds of torch.
    """
    given = (cfg.get('custom_imports') or {}).get('imports') or []
    names = [given] if isinstance(given, str) else list(given)
    names = [n for n in names if n != 'mmvitkd']
    if f"'{OURS}" in str(model):
        names.insert(0, 'mmvitkd')
    return dict(imports=names, allow_failed_imports=False) if names else None


def config_text(parts: dict[str, Any]) -> str:
    """Return the text of a config file; the data sets refer to other parts by name."""
    names = {
        'pipeline': 'test_pipeline',
        **({'data_root': 'data_root'} if 'data_root' in parts else {}),
    }
    marks = {key: uuid4().hex for key in names}  # which no class is named
    loader = deepcopy(parts['test_dataloader'])
    for dataset, _ in innermost(loader['dataset'], ''):
        dataset.update(marks)
    sections = {**parts, 'test_dataloader': loader}
    text = '\n'.join(Config({k: v}).pretty_text for k, v in sections.items())
    # MMEngine replaces {{$NAME:}} and the like when it reads the text, also in a class's name.
    text = text.replace('{{', r'{\x7b')
    for key, name in names.items():
        text = text.replace(f"'{marks[key]}'", name)
    return text

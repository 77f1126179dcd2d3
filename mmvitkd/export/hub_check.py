"""Refuse what a config from the hub could execute or download."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from mmpretrain.registry import TRANSFORMS as MMPRETRAIN_TRANSFORMS

from ..registry import MODELS, TRANSFORMS

# What write_hub writes; others, such as HuggingFaceClassifier, load code or weights themselves.
STUDENTS = {
    'ImageClassifier',
    'TimmClassifier',
    'mmpretrain.ImageClassifier',
    'mmpretrain.TimmClassifier',
    'mmvitkd.ImageEncoder',
}
# Where the classes are that students and pipelines are made of. Others read files or configs,
# such as teachers, or download, such as the models of several modalities.
MODEL_PARTS = (
    'mmcv.cnn.bricks.',
    'mmengine.model.base_model.',
    'mmengine.utils.dl_utils.',  # SyncBN
    *(f'mmpretrain.models.{part}.' for part in ('backbones', 'heads', 'losses')),
    *(f'mmpretrain.models.{part}.' for part in ('necks', 'utils')),
    *(f'mmvitkd.models.{part}.' for part in ('backbones', 'necks', 'utils')),
    'torch.nn.modules.',
)
TRANSFORM_PARTS = (
    'mmcv.transforms.',
    'mmpretrain.datasets.transforms.',
    'mmvitkd.datasets.transforms.',
)
# Keys that import, download or read something.
REFUSED = (
    '_scope_',
    'answer_list_path',
    'augments',
    'backend_args',
    'batch_augments',
    'checkpoint_path',
    'custom_imports',
    'file_client_args',
    'init_cfg',
    'norm_layer',
    'trust_remote_code',
)
# A word, or an arch such as '1024/20'. No path, URL or call: MMPretrain evaluates the dtype of
# torchvision's transforms.
WORD = re.compile(r'[\w.+*-]*|\d+/\d+')
PARTS = ('model', 'test_pipeline')


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a config that a student is built from, and nothing else.

    Args:
        config: As ``write_hub`` writes it.

    Returns:
        The model, and the test pipeline, which is also that of a plain data set: of the one in
        the config, MMPretrain would import the type.

    Raises:
        ValueError: If it lacks one; if a type is not of a student or its pipeline, or in no
            registry, where MMEngine would look for it in Python's path; or if a value could
            import, download or read something.
    """
    parts = {part: config[part] for part in PARTS if part in config}
    if len(parts) < len(PARTS) or not isinstance(parts['model'], dict):
        raise ValueError(
            f'config: found {", ".join(parts) or "nothing"}, wanted {", ".join(PARTS)}'
        )
    _check_type('model.type', parts['model'].get('type'), STUDENTS)
    known = STUDENTS | _names(MODELS, MMPRETRAIN_MODELS, MODEL_PARTS)
    _check('model', parts['model'], known)
    known = _names(TRANSFORMS, MMPRETRAIN_TRANSFORMS, TRANSFORM_PARTS)
    _check('pipeline', parts['test_pipeline'], known)
    dataset = dict(type='CustomDataset', pipeline=parts['test_pipeline'])
    return dict(parts, test_dataloader=dict(dataset=dataset), default_scope='mmpretrain')


def _check(place: str, value: Any, known: set[str]) -> None:
    """Check a value of a config, and all that is in it."""
    if isinstance(value, str) and not WORD.fullmatch(value):
        raise ValueError(f'{place}={value!r}: wanted a word, no path, URL or expression')
    if isinstance(value, Mapping):
        _check_node(place, value, known)
        for key, each in value.items():
            if key != 'type':
                _check(f'{place}.{key}', each, known)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _check(f'{place}.{index}', each, known)


def _check_node(place: str, node: Mapping[str, Any], known: set[str]) -> None:
    for key in REFUSED:
        if node.get(key) is not None:
            raise ValueError(f'{place}.{key}={node[key]!r}: refused in a folder of the hub')
    if node.get('pretrained'):
        raise ValueError(f'{place}.pretrained: wanted False, as the folder has the weights')
    if 'type' in node:
        _check_type(f'{place}.type', node['type'], known)


def _check_type(place: str, name: Any, known: set[str]) -> None:
    if not isinstance(name, str) or name not in known:
        raise ValueError(
            f'{place}={name!r}: wanted a name in the registries of MMPretrain or mmvitkd, of a '
            'part of a student; nothing else is built from a folder of the hub'
        )


def _names(ours: Registry, mmpretrain: Registry, modules: tuple[str, ...]) -> set[str]:
    """Return the names by which MMEngine finds the classes of modules, without importing."""
    names = set()
    for registry, prefixes in (
        (ours, ['mmvitkd.']),
        (mmpretrain, ['', 'mmpretrain.']),
        (mmpretrain.parent, ['']),
    ):
        registry.import_from_location()
        for name, kind in registry.module_dict.items():
            kind = getattr(kind, 'func', kind)  # of torchvision's transforms, a partial
            if inspect.isclass(kind) and f'{kind.__module__}.'.startswith(modules):
                names |= {prefix + name for prefix in prefixes}
    return names

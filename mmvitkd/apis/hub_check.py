"""Refuse what a config from the hub could execute or download."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.registry import Registry
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from mmpretrain.registry import TRANSFORMS as MMPRETRAIN_TRANSFORMS

from ..registry import MODELS, TRANSFORMS

# What write_hub writes; others, such as HuggingFaceClassifier, load code or weights themselves.
STUDENTS = ('ImageClassifier', 'ImageEncoder', 'TimmClassifier')
SCOPE = re.compile(r'(mmpretrain|mmvitkd)\.')
# Keys that import, download or read something.
REFUSED = (
    '_scope_',
    'backend_args',
    'checkpoint_path',
    'custom_imports',
    'file_client_args',
    'init_cfg',
    'trust_remote_code',
)
PARTS = ('model', 'test_pipeline', 'test_dataloader')


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a config that a student is built from.

    Args:
        config: As ``write_hub`` writes it.

    Raises:
        ValueError: If it lacks one; if a type is in no registry, which MMEngine would look for
            in Python's path; or if a key could import, download or read something.
    """
    parts = {part: config[part] for part in PARTS if part in config}
    if len(parts) < len(PARTS) or not isinstance(parts['model'], dict):
        raise ValueError(
            f'config: found {", ".join(parts) or "nothing"}, wanted {", ".join(PARTS)}'
        )
    _check_type('model.type', parts['model'].get('type'), set(STUDENTS))
    known = _registered(MODELS, MMPRETRAIN_MODELS)
    for place, node in _nodes('model', parts['model']):
        _check_node(place, node, known)
    known = _registered(TRANSFORMS, MMPRETRAIN_TRANSFORMS)
    pipelines = [parts['test_pipeline'], _dataset(parts['test_dataloader']).get('pipeline', [])]
    for pipeline in pipelines:
        for place, node in _nodes('pipeline', pipeline):
            _check_node(place, node, known)
    return {**parts, 'default_scope': 'mmpretrain'}


def _dataset(loader: Any) -> Any:
    """Return the data set of a loader, or the one that others wrap."""
    dataset = loader['dataset']
    while 'pipeline' not in dataset and isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']
    return dataset


def _check_node(place: str, node: Mapping[str, Any], known: set[str]) -> None:
    for key in REFUSED:
        if node.get(key) is not None:
            raise ValueError(f'{place}.{key}={node[key]!r}: refused in a folder of the hub')
    if node.get('pretrained'):
        raise ValueError(f'{place}.pretrained: wanted False, as the folder has the weights')
    if re.search('[:/]', str(node.get('model_name', ''))):
        raise ValueError(f'{place}.model_name={node["model_name"]!r}: wanted a name of timm')
    if 'type' in node:
        _check_type(f'{place}.type', node['type'], known)


def _check_type(place: str, name: Any, known: set[str]) -> None:
    if not isinstance(name, str) or SCOPE.sub('', name, count=1) not in known:
        raise ValueError(
            f'{place}={name!r}: wanted a name in the registries of MMPretrain or mmvitkd; '
            'nothing else is built from a folder of the hub'
        )


def _registered(*registries: Registry) -> set[str]:
    """Return the names in registries and their parents."""
    names: set[str] = set()
    for registry in registries:
        registry.import_from_location()
        names |= set(registry.module_dict)
        if registry.parent is not None:
            names |= set(registry.parent.module_dict)
    return names


def _nodes(place: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the dicts in a config at any depth, with their places."""
    if isinstance(value, Mapping):
        yield place, value
        for key, each in value.items():
            yield from _nodes(f'{place}.{key}', each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _nodes(f'{place}.{index}', each)

"""Find what a config builds: each part with the class or function that takes its arguments."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from mmengine import registry as root
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import LogProcessor, TestLoop, ValLoop, set_random_seed
from torch.nn import Module
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from ...utils.errors import KeyedValueError
from ..type_checks import registered_type

PREPROCESSOR = 'ClsDataPreprocessor'  # MMPretrain's, where a config names none
# Settings of a model that are models too; others with a type may be built in other ways.
MODELS = (
    *('model', 'architecture', 'teacher', 'backbone', 'base', 'neck', 'head', 'loss'),
    *('pair_loss', 'distiller', 'data_preprocessor', 'init_cfg'),
)
# Of these, those that are a dict or nothing.
DICTS = ('architecture', 'backbone', 'base', 'head', 'loss', 'pair_loss', 'distiller')
LISTED = ('distill_losses', 'connectors', 'pair_extra_losses')  # these hold some


class Part(NamedTuple):
    """A part of a config that builds something.

    Attributes:
        key: Its place in the config.
        settings: The part itself.
        call: What takes the arguments.
        supplied: Arguments that the caller adds.
        extra: Settings that the caller reads itself.
    """

    key: str
    settings: Mapping[str, Any]
    call: Callable[..., Any]
    supplied: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def parts_of(cfg: Config) -> Iterator[Part]:
    """Yield the parts of a config, the outer ones first.

    Raises:
        KeyedValueError: If a part is no dict, or its type is not registered.
    """
    scope = cfg.get('default_scope') or 'mmpretrain'  # as a teacher's own config
    yield from _model(cfg, scope)
    for split in ('train', 'val', 'test'):
        yield from _loader(cfg.get(f'{split}_dataloader'), f'{split}_dataloader', scope)
    yield from _optimizer(cfg.get('optim_wrapper'), scope)
    yield from _each(
        cfg.get('param_scheduler'),
        'param_scheduler',
        root.PARAM_SCHEDULERS,
        scope,
        supplied=('optimizer',),
        extra=('convert_to_iter_based',),
    )
    yield from _loops(cfg, scope)
    for split in ('val', 'test'):
        key = f'{split}_evaluator'
        given = cfg.get(key)
        if isinstance(given, Mapping) and 'metrics' in given:  # an Evaluator
            call = registered_type({'type': 'Evaluator', **given}, key, scope, root.EVALUATOR)
            yield Part(key, given, call)
            given, key = given['metrics'], f'{key}.metrics'
        yield from _each(given, key, root.METRICS, scope)
    for name, hook in _mapping(cfg, 'default_hooks'):
        if hook is not None:  # None leaves it out
            yield from _typed(
                hook, f'default_hooks.{name}', root.HOOKS, scope, extra=('priority',)
            )
    yield from _each(
        cfg.get('custom_hooks'), 'custom_hooks', root.HOOKS, scope, extra=('priority',)
    )
    yield from _visualizer(cfg.get('visualizer'), scope)
    yield from _environment(cfg, scope)


def _model(cfg: Config, scope: str) -> Iterator[Part]:
    model = cfg.get('model')
    if 'model' not in cfg:
        return
    if not isinstance(model, Mapping):
        raise KeyedValueError(f'{{model}}={model!r}: wanted dict(type=...).', 'model')
    yield from _nested(model, 'model', scope)
    preprocessor = cfg.get('data_preprocessor')
    if preprocessor is not None:
        yield from _typed(
            _typed_as(preprocessor, PREPROCESSOR), 'data_preprocessor', root.MODELS, scope
        )


def _nested(node: Mapping[str, Any], key: str, scope: str) -> Iterator[Part]:
    """Yield a model and the models within it."""
    scope, name = node.get('_scope_') or scope, key.rpartition('.')[2]
    kind = node.get('type')
    if isinstance(kind, str) and ':' in kind:
        return  # timm:NAME and the like, which the teacher builds
    if name == 'data_preprocessor':
        node = _typed_as(node, PREPROCESSOR)
    if 'type' in node:
        is_init = name == 'init_cfg'
        registry = root.WEIGHT_INITIALIZERS if is_init else root.MODELS
        extra = ('layer', 'override') if is_init else ()
        if name == 'teacher' and not _is_known(node, key, scope):
            return  # a test and an export need none; building it says so
        if name in MODELS or key.rpartition('.')[0].endswith(LISTED):
            yield Part(key, node, registered_type(node, key, scope, registry), (), extra)
    for inner, value in node.items():
        if inner.endswith('_cfg') and inner != 'init_cfg':
            continue  # of norms, activations and such, which their model builds by itself
        if inner == 'init_cfg' and not isinstance(value, Mapping | list | tuple | None):
            place = f'{key}.{inner}'
            raise KeyedValueError(f'{{{place}}}={value!r}: wanted dict(type=...).', place)
        if inner in DICTS and not isinstance(value, Mapping | Module | None):
            place = f'{key}.{inner}'
            raise KeyedValueError(f'{{{place}}}={value!r}: wanted dict(type=...).', place)
        if isinstance(value, Mapping):
            yield from _nested(value, f'{key}.{inner}', scope)
        elif isinstance(value, list | tuple):
            for index, each in enumerate(value):
                if isinstance(each, Mapping):
                    yield from _nested(each, f'{key}.{inner}.{index}', scope)


def _is_known(node: Mapping[str, Any], key: str, scope: str) -> bool:
    try:
        registered_type(node, key, scope)
    except KeyedValueError:
        return False
    return True


def _loader(loader: Any, key: str, scope: str) -> Iterator[Part]:
    if loader is None or not _is_dict(loader, key):
        return
    extra = ('dataset', 'num_batch_per_epoch')
    yield Part(key, loader, DataLoader, (), extra)
    for name, registry, supplied in (
        ('sampler', root.DATA_SAMPLERS, ('dataset', 'seed')),
        ('batch_sampler', root.DATA_SAMPLERS, ('sampler', 'batch_size')),
        ('collate_fn', root.FUNCTIONS, ('data_batch',)),
        ('worker_init_fn', root.FUNCTIONS, ('worker_id', 'num_workers', 'rank', 'seed')),
    ):
        if loader.get(name) is not None and not callable(loader[name]):
            yield from _typed(loader[name], f'{key}.{name}', registry, scope, supplied)
    if key == 'train_dataloader' and not (loader.get('sampler') or loader.get('batch_sampler')):
        raise KeyedValueError(
            f'{{{key}.sampler}}={loader.get("sampler")!r}: wanted '
            "dict(type='DefaultSampler', shuffle=True) or another.",
            f'{key}.sampler',
        )
    if 'dataset' not in loader:
        raise KeyedValueError(f'{{{key}}}: it has no dataset.', key)
    yield from _dataset(loader['dataset'], f'{key}.dataset', scope)


def _dataset(dataset: Any, key: str, scope: str) -> Iterator[Part]:
    if not isinstance(dataset, Mapping):
        raise KeyedValueError(f'{{{key}}}={dataset!r}: wanted dict(type=...).', key)
    yield from _typed(dataset, key, root.DATASETS, scope)
    scope = dataset.get('_scope_') or scope
    if isinstance(dataset.get('dataset'), Mapping):
        yield from _dataset(dataset['dataset'], f'{key}.dataset', scope)
    for index, inner in enumerate(dataset.get('datasets') or ()):
        yield from _dataset(inner, f'{key}.datasets.{index}', scope)
    yield from _transforms(dataset.get('pipeline'), f'{key}.pipeline', scope)


def _transforms(steps: Any, key: str, scope: str, is_nested: bool = False) -> Iterator[Part]:
    if steps is None:
        return
    if not isinstance(steps, list | tuple):
        raise KeyedValueError(f'{{{key}}}={steps!r}: wanted a list of dict(type=...).', key)
    for index, step in enumerate(steps):
        place = f'{key}.{index}'
        if is_nested and isinstance(step, list | tuple):  # alternatives, as of RandomChoice
            yield from _transforms(step, place, scope, True)
        elif not callable(step):
            yield from _typed(step, place, root.TRANSFORMS, scope)
            inner = step.get('transforms')
            if isinstance(inner, list | tuple) and all(
                isinstance(each, dict | list | tuple) for each in inner
            ):
                yield from _transforms(inner, f'{place}.transforms', scope, True)


def _optimizer(wrapper: Any, scope: str) -> Iterator[Part]:
    key = 'optim_wrapper'
    if wrapper is None or not _is_dict(wrapper, key):
        return
    if not isinstance(wrapper.get('optimizer'), Mapping):  # several, for several models
        if any(isinstance(v, Mapping) and 'optimizer' in v for v in wrapper.values()):
            return
        raise KeyedValueError(
            f'{{{key}.optimizer}}={wrapper.get("optimizer")!r}: wanted dict(type=..., lr=...).',
            f'{key}.optimizer',
        )
    settings = _typed_as(wrapper, 'OptimWrapper')
    yield from _typed(
        settings, key, root.OPTIM_WRAPPERS, scope, (), ('constructor', 'paramwise_cfg')
    )
    yield from _typed(
        wrapper['optimizer'], f'{key}.optimizer', root.OPTIMIZERS, scope, ('params',)
    )
    clip = wrapper.get('clip_grad')
    if clip is not None and _is_dict(clip, f'{key}.clip_grad'):
        call = clip_grad_value_ if clip.get('type') == 'value' else clip_grad_norm_
        yield Part(f'{key}.clip_grad', clip, call, ('parameters',))
    constructor = wrapper.get('constructor')
    if constructor is not None:
        registered_type(
            {'type': constructor}, f'{key}.constructor', scope, root.OPTIM_WRAPPER_CONSTRUCTORS
        )


def _loops(cfg: Config, scope: str) -> Iterator[Part]:
    supplied = ('runner', 'dataloader', 'evaluator')
    for split, default in (('val', ValLoop), ('test', TestLoop)):
        key = f'{split}_cfg'
        loop = cfg.get(key)
        if loop is not None and _is_dict(loop, key):
            call = registered_type(loop, key, scope, root.LOOPS) if 'type' in loop else default
            yield Part(key, loop, call, supplied)
    loop = cfg.get('train_cfg')
    if loop is None or not _is_dict(loop, 'train_cfg'):
        return
    if 'type' in loop:
        yield from _typed(loop, 'train_cfg', root.LOOPS, scope, supplied)
        return
    if 'by_epoch' not in loop:
        raise KeyedValueError(
            '{train_cfg}: wanted by_epoch=True with max_epochs, or by_epoch=False with '
            f'max_iters; found {", ".join(loop) or "nothing"}.',
            'train_cfg',
        )
    kind = 'EpochBasedTrainLoop' if loop['by_epoch'] else 'IterBasedTrainLoop'
    call = root.LOOPS.get(f'mmengine.{kind}')
    yield Part('train_cfg', loop, call, supplied, ('by_epoch',))


def _visualizer(visualizer: Any, scope: str) -> Iterator[Part]:
    if visualizer is None or not _is_dict(visualizer, 'visualizer'):
        return
    yield from _typed(
        _typed_as(visualizer, 'Visualizer'), 'visualizer', root.VISUALIZERS, scope, ('name',)
    )
    key = 'visualizer.vis_backends'
    yield from _each(
        visualizer.get('vis_backends'), key, root.VISBACKENDS, scope, ('save_dir',)
    )


def _environment(cfg: Config, scope: str) -> Iterator[Part]:
    processor = cfg.get('log_processor')
    if processor is not None and _is_dict(processor, 'log_processor'):
        call = LogProcessor
        if 'type' in processor:
            call = registered_type(processor, 'log_processor', scope, root.LOG_PROCESSORS)
        yield Part('log_processor', processor, call)
    randomness = cfg.get('randomness')
    if randomness is not None and _is_dict(randomness, 'randomness'):
        yield Part('randomness', randomness, set_random_seed)


def _each(
    given: Any,
    key: str,
    registry: Registry,
    scope: str,
    supplied: tuple[str, ...] = (),
    extra: tuple[str, ...] = (),
) -> Iterator[Part]:
    """Yield the parts of a dict, or of a list of such; none of None."""
    if given is None:
        return
    if isinstance(given, Mapping):
        yield from _typed(given, key, registry, scope, supplied, extra)
        return
    if not isinstance(given, list):
        raise KeyedValueError(
            f'{{{key}}}={given!r}: wanted dict(type=...), or a list of such.', key
        )
    for index, each in enumerate(given):
        yield from _typed(each, f'{key}.{index}', registry, scope, supplied, extra)


def _typed(
    node: Any,
    key: str,
    registry: Registry,
    scope: str,
    supplied: tuple[str, ...] = (),
    extra: tuple[str, ...] = (),
) -> Iterator[Part]:
    yield Part(key, node, registered_type(node, key, scope, registry), supplied, extra)


def _typed_as(node: Any, kind: str) -> Any:
    return {'type': kind, **node} if isinstance(node, Mapping) else node


def _mapping(cfg: Config, key: str) -> Iterator[tuple[str, Any]]:
    given = cfg.get(key)
    if given is not None and _is_dict(given, key):
        yield from given.items()


def _is_dict(node: Any, key: str) -> bool:
    """Return True for a dict, raise for anything else."""
    if not isinstance(node, Mapping):
        raise KeyedValueError(f'{{{key}}}={node!r}: wanted a dict.', key)
    return True

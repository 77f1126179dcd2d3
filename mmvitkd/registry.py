"""Define mmvitkd's registries: children of MMEngine's with the scope ``mmvitkd``.

A config with ``default_scope = 'mmpretrain'`` writes our types as ``mmvitkd.X`` and needs
no ``custom_imports``: MMEngine imports this module when it meets the scope, and a
registry imports its locations on first use.
"""

from mmengine import registry as root
from mmengine.registry import Registry

# Algorithms, backbones, necks, connectors, losses and teachers.
MODELS = Registry('model', parent=root.MODELS, scope='mmvitkd', locations=['mmvitkd.models'])
# Data sets, and the transforms of their pipelines.
DATASETS = Registry(
    'dataset', parent=root.DATASETS, scope='mmvitkd', locations=['mmvitkd.datasets']
)
TRANSFORMS = Registry(
    'transform', parent=root.TRANSFORMS, scope='mmvitkd', locations=['mmvitkd.datasets']
)
# Samplers: which samples an epoch has, and in which order.
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=root.DATA_SAMPLERS,
    scope='mmvitkd',
    locations=['mmvitkd.datasets'],
)
# Metrics of a validation or a test.
METRICS = Registry(
    'metric', parent=root.METRICS, scope='mmvitkd', locations=['mmvitkd.metrics']
)
# Hooks: checkpoints, random state, EMA, finite losses.
HOOKS = Registry('hook', parent=root.HOOKS, scope='mmvitkd', locations=['mmvitkd.engine'])
# Loops and runners of a training.
LOOPS = Registry('loop', parent=root.LOOPS, scope='mmvitkd', locations=['mmvitkd.engine'])
RUNNERS = Registry('runner', parent=root.RUNNERS, scope='mmvitkd', locations=['mmvitkd.engine'])
# Optimizer wrappers: bfloat16 autocast.
OPTIM_WRAPPERS = Registry(
    'optim_wrapper',
    parent=root.OPTIM_WRAPPERS,
    scope='mmvitkd',
    locations=['mmvitkd.engine'],
)
# Optimizer constructors: which options each parameter gets.
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=root.OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmvitkd',
    locations=['mmvitkd.engine'],
)
# Schedules of the learning rate.
PARAM_SCHEDULERS = Registry(
    'parameter scheduler',
    parent=root.PARAM_SCHEDULERS,
    scope='mmvitkd',
    locations=['mmvitkd.engine'],
)
# Measures of a model's features, for reports and SEPHook.
MEASURES = Registry('measure', scope='mmvitkd', locations=['mmvitkd.analysis.measures'])

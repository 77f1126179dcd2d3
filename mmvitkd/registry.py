"""Hold mmvitkd's registries: children of MMEngine's, scope ``mmvitkd``.

A config with ``default_scope = 'mmpretrain'`` writes our types as ``mmvitkd.X`` and needs
no ``custom_imports``: MMEngine imports this module when it meets the scope, and a
registry imports its locations when it is first asked.
"""

from mmengine import registry as root
from mmengine.registry import Registry

# Backbones, necks, algorithms, connectors and losses.
MODELS = Registry('model', parent=root.MODELS, scope='mmvitkd', locations=['mmvitkd.models'])
# Data sets and what their pipelines do to a sample.
DATASETS = Registry(
    'dataset', parent=root.DATASETS, scope='mmvitkd', locations=['mmvitkd.datasets']
)
TRANSFORMS = Registry(
    'transform', parent=root.TRANSFORMS, scope='mmvitkd', locations=['mmvitkd.datasets']
)
# Which samples an epoch has, and in which order.
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=root.DATA_SAMPLERS,
    scope='mmvitkd',
    locations=['mmvitkd.datasets'],
)
# Scores of a validation or a test.
METRICS = Registry(
    'metric', parent=root.METRICS, scope='mmvitkd', locations=['mmvitkd.metrics']
)
# What runs at set points of training: checkpoints, random state, EMA, finite losses.
HOOKS = Registry('hook', parent=root.HOOKS, scope='mmvitkd', locations=['mmvitkd.engine'])
# Optimizer wrappers: bfloat16 autocast.
OPTIM_WRAPPERS = Registry(
    'optim_wrapper',
    parent=root.OPTIM_WRAPPERS,
    scope='mmvitkd',
    locations=['mmvitkd.engine'],
)
# Which options of the optimizer each parameter gets.
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=root.OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmvitkd',
    locations=['mmvitkd.engine'],
)
# Measures of features: what a report, and SEPHook, say of a model's blocks.
MEASURES = Registry('measure', scope='mmvitkd', locations=['mmvitkd.analysis.measures'])

"""The ImageNet configs, and their students at full size: equal ones are counted once."""

import json
from functools import cache
from pathlib import Path

from mmvitkd.analysis import cost_of
from mmvitkd.config.student_config import student_config

from mmengine.config import Config
from mmpretrain.registry import MODELS

ROOT = Path(__file__).parents[1]
FAMILIES = ('deit', 'swin', 'lift', 'widelast', 'controls')
HEADLINES = sorted((ROOT / 'configs').glob('*.py'))
CONFIGS = [
    *HEADLINES,
    *(p for f in FAMILIES for p in sorted((ROOT / 'configs' / f).glob('*.py'))),
]


@cache
def config_of(path):
    """A config; it is shared, and not to be changed."""
    return Config.fromfile(path)


def student_of(path):
    """A config's student as a text, without its loss: equal students are equal texts."""
    student = student_config(config_of(path).model).to_dict()
    del student['head']['loss']
    return json.dumps(student, sort_keys=True)


@cache
def cost(student):
    """What a student costs, given as a text."""
    return cost_of(MODELS.build(json.loads(student)), (224, 224))


def first_comment(path):
    """The comment in the first lines of a config, as one line."""
    comment, _, _ = path.read_text().partition('\n_base_')
    assert all(line.startswith('# ') for line in comment.splitlines())
    return ' '.join(line.removeprefix('# ') for line in comment.splitlines())

"""The names of the ImageNet configs follow one rule and agree with the contents."""

import re

import mmvitkd  # noqa: F401

import pytest
from recipes import recipe_of
from zoo import CONFIGS, HEADLINES, ROOT, config_of

# [TEACHER_]STUDENT[_REMEDY][_LOSSES][_LAYERS]_EPOCHSe
NAME = re.compile(
    r'((?P<teacher>cait_s24|deit_small|deit3_small_21k|swin_small|mae_vit_base)_(?=deit_|swin_))?'
    r'(?P<student>deit_tiny|deit_small|swin_tiny)'
    r'(_(?P<remedy>lift\d*|widelast\d*(_fixed_step|_heads_linear|_fixed_linear)?'
    r'|gap|lift_cls|lift_noln|projector|linear|plain|[wd]\d+|mlp\d+))?'
    r'(?P<losses>(_(softkd|hardkd|mse|spectralkd|projectorkd(_frozen)?|subspace|sep))*)'
    r'(_(?P<layers>first|first_last|eight|stages))?'
    r'_(?P<epochs>\d+)e'
)
SHORT = {
    'cait_s24_deit_tiny_lift': 'cait_s24_deit_tiny_lift_softkd_spectralkd_300e',
    'cait_s24_deit_tiny_widelast': 'cait_s24_deit_tiny_widelast_softkd_mse_300e',
}


def said_by(name):
    """Parse a name by the rule."""
    parts = NAME.fullmatch(name).groupdict()
    parts['losses'] = re.findall(r'projectorkd_frozen|[a-z]+', parts['losses'])
    parts['epochs'] = int(parts['epochs'])
    if set(parts['losses']) - {'softkd', 'hardkd'}:
        parts['layers'] = parts['layers'] or 'last'
    return parts


def folder_of(parts):
    """Return the folder of a config."""
    remedy = parts['remedy']
    if remedy is None:
        return parts['student'].partition('_')[0]
    family = re.match(r'(lift|widelast)(?!_cls|_noln)', remedy)
    return family[1] if family else 'controls'


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_a_name_agrees_with_the_file(path):
    said = said_by(SHORT.get(path.stem, path.stem))
    assert said == recipe_of(config_of(path))
    if path not in HEADLINES:
        assert path.parent.name == folder_of(said)


def test_only_the_headline_configs_have_short_names():
    assert {path.stem for path in HEADLINES} == set(SHORT)
    assert not any(list((ROOT / 'configs').rglob(f'{name}.py')) for name in SHORT.values())


@pytest.mark.parametrize(
    'name',
    [
        'cait_s24_deit_tiny_lift_spectralkd',  # no epochs
        'cait_s24_deit_tiny_softkd_lift_300e',  # another order
        'deit_tiny_lift_cls2_300e',
        'cait_s36_deit_tiny_softkd_300e',
        'cait_s24_300e',
    ],
)
def test_the_rule_refuses_other_names(name):
    assert NAME.fullmatch(name) is None

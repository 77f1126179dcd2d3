"""Students have the published numbers of parameters, and controls equal ones."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.student_config import student_config
from mmvitkd.experiments import read_suite

import pytest
from mmpretrain.registry import MODELS
from zoo import ROOT, config_of, cost, student_of

# arXiv 2511.15572, and what its released code builds.
PUBLISHED = {
    'deit/deit_tiny_300e': 5_717_416,
    'cait_s24_deit_tiny_lift': 5_983_528,
    'cait_s24_deit_tiny_widelast': 7_313_896,
    'widelast/cait_s24_deit_tiny_widelast_fixed_step_softkd_mse_300e': 7_313_896,
    'widelast/cait_s24_deit_tiny_widelast_heads_linear_softkd_mse_300e': 8_628_264,
    'widelast/cait_s24_deit_tiny_widelast_fixed_linear_softkd_mse_300e': 8_458_816,
    'controls/cait_s24_deit_tiny_w219_softkd_mse_300e': 7_372_759,
    'controls/deit_tiny_w219_300e': 7_372_759,
    'controls/cait_s24_deit_tiny_w204_softkd_mse_300e': 6_427_204,
}
CONTROLS = {
    'gap_softkd_spectralkd': 5_717_416,  # DeiT-Tiny's
    'projector_softkd_spectralkd': 5_717_416,
    'plain_softkd_mse': 5_717_416,
    'lift_cls_softkd_spectralkd': 5_983_528,  # Lift's
    'lift_noln_softkd_spectralkd': 5_983_528 - 2 * 384,
    'd13_softkd_mse': 6_162_280,
    'd16_softkd_mse': 7_496_872,
    'mlp1114_softkd_mse': 7_315_936,  # WideLast's and 2,040
}
MNIST5K = dict(
    vit_32=81_930,
    vit_32_lift_labels_only=84_362,
    vit_32_widelast_labels_only=121_770,
    vit_32_feature_kd=81_930,
    vit_32_lift=84_362,
    vit_32_widelast=121_770,
    vit_32_gap=81_930,
    vit_32_lift_cls=84_362,
    vit_32_lift_noln=84_234,
    vit_32_projector=81_930,
    vit_36_feature_kd=102_538,
    vit_40_feature_kd=125_450,
    vit_32_deeper=94_634,
    vit_32_d9=120_042,
    vit_32_mlp230=121_710,
)


@pytest.mark.parametrize(('name', 'parameters'), PUBLISHED.items(), ids=PUBLISHED)
def test_published_counts(name, parameters):
    assert cost(student_of(ROOT / 'configs' / f'{name}.py')).parameters == parameters


@pytest.mark.parametrize(('name', 'parameters'), CONTROLS.items(), ids=CONTROLS)
def test_controls_on_imagenet(name, parameters):
    path = ROOT / 'configs' / 'controls' / f'cait_s24_deit_tiny_{name}_300e.py'
    assert cost(student_of(path)).parameters == parameters


def test_controls_on_mnist5k():
    suite = read_suite(ROOT / 'configs/suites/mnist5k_controls.yml')
    found = {}
    for entry in suite.entries:
        if not entry.once:
            student = MODELS.build(student_config(config_of(Path(entry.config)).model))
            found[entry.name] = sum(p.numel() for p in student.parameters())
    assert found == MNIST5K

"""The config of a recommendation: short, and every one of them builds."""

from itertools import product
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.apis import count_cost
from mmvitkd.apis.plain_student import plain_student
from mmvitkd.apis.recommended_config import GivenData, GivenTeacher, Remedied, config_text
from mmvitkd.config.load_config import load_config

import pytest
from mmpretrain.registry import MODELS
from toy import vit

TIMM = GivenTeacher('timm:vit_small_patch16_224', img_size=64, allow_random=True)
DIGITS = GivenTeacher('mmvitkd::mnist5k/vit_64.py', allow_random=True)
TARGETS = ('final_norm', 'standardised', 'raw', 'centred')
REMEDIES = [('projector', None), ('lift', None), ('widelast', 1), ('widelast', 0.75)]


def written(tmp_path, teacher, sizes, student, num_classes, remedy, share=None, **chosen):
    """The text of a config, in a file."""
    student = plain_student(student)
    width = student.width if share is None else int(share * sizes[0])
    chosen = Remedied(remedy, width, **{'target': 'final_norm', **chosen})
    data = GivenData('data/photos', num_classes)
    text = config_text(teacher, *sizes, student, data, chosen)
    path = Path(tmp_path, 'config.py')
    path.write_text(text)
    return text, str(path)


def built(path):
    model = load_config(path, measure=False).to_dict()['model']
    model.pop('data_preprocessor', None)
    return MODELS.build(model)


@pytest.mark.parametrize('num_classes', [None, 3])
@pytest.mark.parametrize(
    ('student', 'teacher', 'sizes'),
    [('deit_tiny', TIMM, (384, 12)), ('mmvitkd::mnist5k/vit_32.py', DIGITS, (64, 6))],
)
class TestEachRemedy:
    def test_it_takes_fifteen_lines_at_most(
        self, student, teacher, sizes, num_classes, tmp_path
    ):
        for (remedy, share), target in product(REMEDIES, TARGETS):
            chosen = dict(target=target, norm_from_target=remedy == 'lift')
            text, path = written(
                tmp_path, teacher, sizes, student, num_classes, remedy, share, **chosen
            )
            assert len(text.splitlines()) <= 15, text
            model = load_config(path, measure=False).model
            assert model.get('pair_target', 'final_norm') == target

    @pytest.mark.parametrize(
        ('remedy', 'share', 'target'),
        [(*remedy, target) for remedy, target in zip(REMEDIES, TARGETS, strict=True)],
    )
    def test_it_builds(
        self, remedy, share, target, student, teacher, sizes, num_classes, tmp_path
    ):
        _, path = written(
            tmp_path, teacher, sizes, student, num_classes, remedy, share, target=target
        )
        model = built(path)  # the dry run checks widths and layers
        widths = [block.embed_dims for block in model.student.backbone.layers]
        assert widths[-1] == (widths[0] if share is None else share * sizes[0])
        kind = 'ImageEncoder' if num_classes is None else 'ImageClassifier'
        assert type(model.student).__name__ == kind
        assert len(model.distiller.distill_losses) == (1 if remedy == 'lift' else 2)


def test_a_teacher_of_mmpretrain_for_a_packaged_student(tmp_path):
    arch = dict(embed_dims=200, num_layers=2, num_heads=4, feedforward_channels=64)
    config = tmp_path / 'teacher.py'
    config.write_text(f'model = {vit(arch)!r}\n')
    teacher = GivenTeacher(str(config), checkpoint='weights.pth')
    text, path = written(tmp_path, teacher, (200, 2), 'deit_tiny', None, 'lift')
    assert f"teacher='{config}'" in text and "teacher_ckpt='weights.pth'" in text
    assert 'allow_random' not in text
    found = count_cost(path)  # which loads nothing
    assert found['teacher']['image_size'] == (32, 32)


def test_a_start_at_the_targets_statistics(tmp_path):
    _, path = written(
        tmp_path,
        TIMM,
        (384, 12),
        'deit_tiny',
        None,
        'lift',
        target='raw',
        norm_from_target=True,
    )
    assert built(path).distiller.connectors['pair_0_T'].kind == 'raw'


def test_the_config_of_the_teachers_own_width_is_inherited(tmp_path):
    text, _ = written(tmp_path, TIMM, (384, 12), 'deit_tiny', 37, 'widelast', 1)
    assert text == (
        "_base_ = 'mmvitkd::foundation/dinov2_small_deit_tiny_widelast.py'\n"
        "data_root = 'data/photos'\n"
        'with_label = True\n'
        'num_classes = 37\n'
        'model = dict(\n'
        "    teacher=dict(_delete_=True, type='timm:vit_small_patch16_224', img_size=64),\n"
        '    allow_random_teacher=True,\n'
        ')\n'
    )


@pytest.mark.parametrize(
    ('remedy', 'share', 'pairs'),
    [
        ('projector', None, [('embedding', 'embedding'), (5, 4)]),
        ('widelast', 1, [('embedding', 'embedding'), (5, 4)]),
        ('lift', None, [('tokens', 4)]),
    ],
)
def test_a_target_of_the_last_block_is_for_the_last_block(remedy, share, pairs, tmp_path):
    """And not for tokens behind the student's final norm; Lift's are made for it."""
    student = 'mmvitkd::mnist5k/vit_32.py'  # of six blocks
    _, path = written(
        tmp_path, DIGITS, (64, 5), student, None, remedy, share, target='standardised'
    )
    assert load_config(path, measure=False).model.pairs == pairs


def test_heads_where_the_head_size_does_not_divide_the_width(tmp_path):
    arch = dict(embed_dims=200, num_layers=2, num_heads=4, feedforward_channels=64)
    config = tmp_path / 'teacher.py'
    config.write_text(f'model = {vit(arch)!r}\n')
    teacher = GivenTeacher(str(config), allow_random=True)
    text, path = written(tmp_path, teacher, (200, 2), 'deit_tiny', None, 'widelast', 1)
    assert 'num_heads=2' in text  # of 100 channels; 3 do not divide 200
    assert built(path).student.backbone.layers[-1].embed_dims == 200

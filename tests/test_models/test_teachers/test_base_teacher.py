"""A teacher that breaks the contract is named, with what was found and wanted."""

import copy

import mmvitkd  # noqa: F401
from mmvitkd.models import BaseTeacher
from mmvitkd.models.teachers import build_teacher, make_teacher
from mmvitkd.registry import MODELS as REGISTRY

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from toy import timm_vit, vit
from toy_distillation import noise


class Constant(BaseTeacher):
    """Hands over what it is given, for any batch."""

    def __init__(self, outputs):
        self.outputs = outputs

    def forward(self, images, data_samples):
        return self.outputs


def distillation(teacher, **kwargs):
    defaults = dict(
        type='mmvitkd.FeatureDistill',
        architecture=vit(),
        teacher=teacher,
        pairs=[(2, 'any')],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss'),
    )
    return MODELS.build({**defaults, **kwargs})


class NoForward(BaseTeacher):
    """Computes nothing."""


class ModuleToo(Constant, torch.nn.Module):
    """Would be part of the student's checkpoints."""

    def __init__(self):
        torch.nn.Module.__init__(self)


@REGISTRY.register_module()
class LooksUp(BaseTeacher):
    """Needs the samples, and has no dry run."""

    def __init__(self, folder):
        self.folder = folder

    def forward(self, images, data_samples):
        return [sample.gt_label for sample in data_samples]


class NoDryRun(Constant):
    """Forgets to return something."""

    def dry_run(self, images):
        pass


class Blocks(Constant):
    """States its blocks."""

    blocks = ('a', 'b')


ONE = torch.zeros(1, 17, 16)


@pytest.mark.parametrize(
    ('teacher', 'message'),
    [
        (NoForward(), r'^teacher: NoForward has no method forward'),
        (ModuleToo(), r'^teacher: ModuleToo is an nn\.Module too'),
        (3, r'^teacher: found a int, wanted a model \(nn\.Module\) or a subclass of .*Base'),
        (Constant([ONE]), r'^teacher: Constant\.forward returned a list, wanted a dict'),
        (Constant(dict(a=ONE)), r"^teacher: Constant lacks 'pair_0'; .* 'a'"),
        (Constant(dict(pair_0=3)), r"^teacher: Constant returned int as 'pair_0'"),
        (Constant(dict(pair_0=torch.zeros(4, 17, 16))), r'returned \(4, 17, 16\).* batch, 1'),
        (
            Constant(dict(pair_0=torch.zeros(1, 23, 16))),
            r"pairs\[0\] .* teacher's feature.* grid",
        ),
    ],
)
def test_at_build(teacher, message):
    with pytest.raises(ValueError, match=message):
        distillation(teacher)


@pytest.mark.parametrize(
    ('teacher', 'message'),
    [
        (dict(type='mmvitkd.LookedUp', folder='x'), r'^teacher\.type=.*mmvitkd\.LooksUp'),
        (dict(type='LooksUp', folder='x'), r"^teacher\.type='LooksUp': .*mmvitkd\.LooksUp"),
        (dict(type='ImageClasifier'), r'^teacher\.type=.* ImageClassifier'),
        (dict(type='mmvitkd.LooksUp'), "^teacher: LooksUp needs the argument 'folder'"),
        (dict(type='mmvitkd.LooksUp', foldr='x'), "^teacher: .* 'foldr'.* did you mean folder"),
        (dict(type='mmvitkd.LooksUp', folder='x'), '^teacher: .* overrides dry_run'),
        (dict(), r'^teacher=\{\}: wanted dict\(type'),
        (NoDryRun(None), r'^teacher: NoDryRun\.dry_run returned a NoneType, wanted a dict'),
    ],
)
def test_of_a_config_and_a_dry_run(teacher, message):
    with pytest.raises(ValueError, match=message):
        distillation(teacher)


@pytest.mark.parametrize(
    ('pair', 'message'),
    [
        ((2, 'c'), r"^pairs\[0\]\[1\]: 'c' is no block of Blocks. Similar names: a, b"),
        ((2, 2), r'^pairs\[0\]\[1\]=2: the teacher \(Blocks\) has 2 blocks'),
    ],
)
def test_a_pair_names_a_block_that_the_teacher_states(pair, message):
    teacher = Blocks(dict(pair_0=ONE))
    distillation(teacher, pairs=[(2, 'b')])
    with pytest.raises(ValueError, match=message):
        distillation(teacher, pairs=[pair])


def test_an_index_needs_blocks():
    with pytest.raises(ValueError, match=r'^pairs\[0\]\[1\]=3: .*Constant.* set `blocks`'):
        distillation(Constant(dict(pair_0=ONE)), pairs=[(2, 3)])


@pytest.mark.parametrize('key', ['teacher_ckpt', 'teacher_options'])
def test_what_is_for_models_is_refused(key):
    given = dict(teacher_ckpt='file.pth', teacher_options=dict(compile=True))[key]
    with pytest.raises(ValueError, match=f'^{key}=.* Constant is a BaseTeacher') as info:
        distillation(Constant(dict(pair_0=ONE)), **{key: given})
    assert info.value.key == key


def test_at_first_use():
    model = distillation(Constant(dict(pair_0=ONE)))
    data = dict(
        inputs=[sample['inputs'] for sample in noise(4)],
        data_samples=[sample['data_samples'] for sample in noise(4)],
    )
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ValueError, match=r'^teacher: .* \(1, 17, 16\).* wanted .* batch, 4'):
        model.train_step(data, wrapper)


def test_it_is_shared_by_copies():
    teacher = Constant({})
    assert copy.deepcopy(teacher) is teacher


def test_a_live_teacher_states_what_its_model_is_made_for():
    teacher = make_teacher(timm_vit(), allow_random=True)
    assert teacher.name == 'TimmClassifier'
    assert teacher.input_size == (32, 32) and teacher.num_classes == 5
    assert list(teacher.blocks) == [f'model.blocks.{i}' for i in range(4)]
    assert list(teacher.widths) == [32] * 4
    assert teacher.token_grid == (4, 4) and teacher.num_extra_tokens == 1


def test_build_teacher_is_for_models():
    with pytest.raises(ValueError, match=r'^teacher: a Constant is not a model'):
        build_teacher(Constant({}))

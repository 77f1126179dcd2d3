"""What the losses read of the teacher, found from the config; and what cannot be stored."""

import mmvitkd  # noqa: F401
from mmvitkd.models.algorithms.teacher_reads import teacher_reads
from mmvitkd.models.connectors import PatchTokens
from mmvitkd.models.losses import FeatureMSELoss

import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from toy import vit
from toy_distillation import distillation, logits_and


def reads(**kwargs):
    """What a distillation reads, and the model itself."""
    model = MODELS.build(distillation(**kwargs))
    images = torch.zeros(1, 3, 32, 32)
    with torch.no_grad(), model.records(images, [DataSample().set_gt_label(0)]):
        return teacher_reads(model.distiller)


def layer(kind, connector=None):
    """A distiller of one layer with a loss."""
    record = dict(recorder='layer', connector='it') if connector else dict(recorder='layer')
    return dict(
        student_recorders=dict(layer=dict(type='ModuleOutputs', source='backbone.layers.2')),
        teacher_recorders=dict(layer=dict(type='ModuleOutputs', source='backbone.layers.3')),
        connectors=dict(it=connector) if connector else {},
        distill_losses=dict(loss=dict(type=kind)),
        loss_forward_mappings=dict(
            loss=dict(
                preds_S=dict(record, from_student=True),
                preds_T=dict(record, from_student=False),
            )
        ),
    )


def read_of(kind, connector=None, **kwargs):
    """What a loss reads of the layer."""
    plain = dict(pairs=None, pair_loss=None, pair_projector=None)
    found = reads(**{**plain, **kwargs}, distiller=layer(kind, connector))
    return found['layer']


class Own(FeatureMSELoss):
    """A loss that reads what it wants."""

    def forward(self, preds_S, preds_T):
        return (preds_S.tokens.mean() - preds_T.tokens.mean()).square()


class Renamed(FeatureMSELoss):
    """The same loss by another name."""


class WithExtra(PatchTokens):
    """A connector that reads what it wants."""


@pytest.fixture(autouse=True)
def registered():
    for kind in (Own, Renamed, WithExtra):
        MODELS.register_module(module=kind, name=kind.__name__, force=True)


@pytest.mark.parametrize('kind', ['mmvitkd.FeatureMSELoss', 'mmvitkd.SpectralLoss', 'Renamed'])
def test_our_losses_bring_the_teacher_to_the_student(kind):
    kind = f'mmengine.{kind}' if kind == 'Renamed' else kind
    pairs = dict(pair_projector=None, pair_loss=dict(type=kind))
    read = reads(**pairs)['pair_0']
    assert read.source == 'backbone.layers.3' and read.is_tokens
    assert read.target == ((4, 4), 16)


def test_a_wide_student_of_a_smaller_grid():
    student = vit()
    student['backbone']['patch_size'] = 16
    read = reads(pair_projector=None, architecture=student)['pair_0']
    assert read.target == ((2, 2), 16)


def test_a_loss_with_a_forward_of_its_own_reads_all_patch_tokens():
    read = reads(pair_projector=None, pair_loss=dict(type='mmengine.Own'))['pair_0']
    assert read.is_tokens and read.target is None


def test_a_projector_of_the_student_decides_the_width():
    """With LayerNorm the teacher's side is its features."""
    projector = dict(in_channels=16, out_channels=32, norm='LN')
    assert reads(pair_projector=projector)['pair_0'].target == ((4, 4), 32)


def test_batch_norm_of_the_teacher_reads_all_patch_tokens():
    read = reads()['pair_0']
    assert read.is_tokens and read.target is None


def test_a_connector_of_ones_own_reads_the_whole_output():
    read = read_of('mmvitkd.FeatureMSELoss', dict(type='mmengine.WithExtra'))
    assert not read.is_tokens and read.target is None


def test_a_stated_grid():
    connector = dict(type='mmvitkd.TokensToMap', grid=4, num_extra_tokens=1)
    read = read_of('mmvitkd.FeatureMSELoss', connector)
    assert (read.grid, read.num_extra_tokens, read.target) == ((4, 4), 1, ((4, 4), 16))


def test_two_losses_of_a_layer():
    """Both read patch tokens; only what both align is brought to the student."""
    plain = dict(pairs=None, pair_loss=None, pair_projector=None)
    found = reads(distiller=logits_and('backbone.layers.2'), **plain)
    assert found['layer'].target == ((4, 4), 16)
    assert not found['logits'].is_tokens and found['logits'].source == ''
    distiller = logits_and('backbone.layers.2')
    distiller['distill_losses']['loss_second'] = dict(type='mmengine.Own')
    distiller['distill_losses'].pop('loss_first')
    distiller['loss_forward_mappings'].pop('loss_first')
    distiller['connectors'] = dict(to_map=dict(type='mmvitkd.PatchTokens'))
    assert reads(distiller=distiller, **plain)['layer'].target is None


def test_a_recorder_that_no_loss_reads_is_not_stored():
    distiller = dict(
        teacher_recorders=dict(more=dict(type='ModuleOutputs', source='backbone.layers.0'))
    )
    assert reads(distiller=distiller).keys() == {'pair_0'}


def test_a_parameter(tmp_path):
    distiller = layer('mmrazor.KLDivergence')
    recorder = dict(type='Parameter', source='backbone.cls_token')
    distiller |= dict(teacher_recorders=dict(layer=recorder))
    plain = dict(pairs=None, pair_loss=None, pair_projector=None)
    cache = dict(dir=str(tmp_path / 'cache'))
    with pytest.raises(ValueError, match=r"teacher_cache: .*teacher_recorders\['layer'\]"):
        reads(distiller=distiller, teacher_cache=cache, **plain)
    assert not (tmp_path / 'cache').exists()


def test_deliveries(tmp_path):
    delivery = dict(type='MethodOutputs', max_keep_data=1, method_path='random.Random.uniform')
    distiller = dict(distill_deliveries=dict(drawn=delivery))
    cache = dict(dir=str(tmp_path / 'cache'))
    with pytest.raises(ValueError, match=r"teacher_cache: .*distill_deliveries\['drawn'\]"):
        reads(distiller=distiller, teacher_cache=cache)

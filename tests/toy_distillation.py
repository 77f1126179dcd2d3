"""A small distillation, its images, and the inputs of its losses."""

import torch
from mmpretrain.structures import DataSample
from toy import ARCH, PREPROCESSOR, WIDE_ARCH, vit


def noise(count, seed=0):
    """A data set of noise images of 5 classes, as a list."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), generator=generator)
    return [
        dict(inputs=image, data_samples=DataSample().set_gt_label(i % 5))
        for i, image in enumerate(pixels)
    ]


def distillation(**kwargs):
    """The config: random numbers and BatchNorm's statistics enter its training."""
    projector = dict(in_channels=16, out_channels=32)
    defaults = dict(
        type='mmvitkd.FeatureDistill',
        architecture=vit(drop_rate=0.1, drop_path_rate=0.1),
        teacher=dict(vit(WIDE_ARCH), data_preprocessor=dict(PREPROCESSOR)),
        allow_random_teacher=True,
        pairs=[(2, 3)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
        pair_projector=projector,
    )
    return {**defaults, **kwargs}


def encoder(**kwargs):
    """A label-free student that is distilled in embedding and tokens, with projectors."""
    student = dict(
        type='mmvitkd.ImageEncoder',
        data_preprocessor=dict(PREPROCESSOR),
        backbone=dict(
            type='mmvitkd.VisionTransformer',
            arch=ARCH,
            img_size=32,
            patch_size=8,
            out_type='raw',
        ),
    )
    defaults = dict(
        type='mmvitkd.FeatureDistill',
        architecture=student,
        teacher=dict(vit(WIDE_ARCH), data_preprocessor=dict(PREPROCESSOR)),
        allow_random_teacher=True,
        pairs=[('tokens', 3), ('embedding', 'embedding')],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
        pair_projector=dict(in_channels=16, out_channels=32, norm='LN'),
    )
    return {**defaults, **kwargs}


def loss_arguments(model, images, loss='loss_pair_0'):
    """The inputs of a loss for both sides, by its arguments."""
    samples = [DataSample().set_gt_label(0) for _ in images]
    with torch.no_grad(), model.records(images, samples):
        mapping = model.distiller.loss_forward_mappings[loss]
        return {key: model.distiller.get_record(**record) for key, record in mapping.items()}


def logits_and(source):
    """A distiller of the logits and, with several losses, of one layer."""
    mapping = dict(
        preds_S=dict(recorder='layer', from_student=True),
        preds_T=dict(recorder='layer', from_student=False),
    )
    mse = dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0)
    tokens = dict(to_map=dict(type='mmvitkd.TokensToMap'))
    of_maps = {side: dict(record, connector='to_map') for side, record in mapping.items()}
    return dict(
        student_recorders=dict(
            logits=dict(type='ModuleOutputs', source='head'),
            layer=dict(type='ModuleOutputs', source=source),
        ),
        teacher_recorders=dict(
            logits=dict(type='ModuleOutputs', source=''),
            layer=dict(type='ModuleOutputs', source='backbone.layers.3'),
        ),
        connectors=tokens,
        distill_losses=dict(
            loss_kd=dict(type='mmrazor.KLDivergence', loss_weight=1.0),
            loss_first=mse,
            loss_second=dict(type='mmvitkd.SpectralLoss', loss_weight=1.0),
        ),
        loss_forward_mappings=dict(
            loss_kd=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
            ),
            loss_first=of_maps,
            loss_second=of_maps,
        ),
    )

"""Small trainings of each kind of student, and the checkpoints of such trainings."""

from copy import deepcopy

import mmvitkd  # noqa: F401
from mmvitkd.config.student_config import student_config
from mmvitkd.config.with_label import apply_with_label

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image
from torch import nn
from toy import ARCH, WIDE_ARCH, timm_vit, vit

NAMES = ('ant', 'bee', 'cat', 'dog', 'elk')
PIPELINE = [
    dict(type='mmvitkd.LoadImage'),
    dict(type='ResizeEdge', scale=40, edge='short', backend='pillow', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=32),
    dict(type='PackInputs'),
]
SWIN = dict(embed_dims=8, depths=[1, 2], num_heads=[1, 2])
LOSS = dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=0.1)


def student(kind):
    """The config of a student of 5 classes."""
    model = vit()
    model['head']['loss'] = dict(LOSS)
    if kind == 'ours':
        model['backbone']['type'] = 'mmvitkd.VisionTransformer'
    elif kind == 'distilled':
        model['backbone']['type'] = 'DistilledVisionTransformer'
        model['head']['type'] = 'DeiTClsHead'
    elif kind == 'widelast':
        base = dict(type='VisionTransformer', arch=ARCH, img_size=32, patch_size=8)
        model['backbone'] = dict(type='mmvitkd.WideLast', base=base, width=32)
        model['head']['in_channels'] = 32
    elif kind.startswith('swin'):
        base = dict(type='SwinTransformer', arch=SWIN, img_size=32, window_size=4)
        base['out_indices'] = (1,)
        wide = dict(type='mmvitkd.WideLast', base=base, width=32)
        model['backbone'] = base if kind == 'swin' else wide
        model['neck'] = dict(type='GlobalAveragePooling')
        in_channels = 16 if kind == 'swin' else 32
        model['head'] = dict(type='LinearClsHead', num_classes=5, in_channels=in_channels)
    elif kind == 'lift':
        model['backbone'] |= dict(out_type='raw', final_norm=False)
        model['neck'] = dict(type='mmvitkd.LiftProjector', in_channels=16, out_channels=32)
        model['head'] = dict(type='LinearClsHead', num_classes=5, in_channels=32, loss=LOSS)
    elif kind == 'timm':
        model = timm_vit(pretrained=True, loss=LOSS)
        model['data_preprocessor'] = vit()['data_preprocessor']
    return model


def training(kind, data_root='data/animals', **model):
    """The config of a distillation into a student; `kind='plain'` has no teacher."""
    loader = dict(
        batch_size=4,
        num_workers=0,
        dataset=dict(
            type='mmvitkd.ImageFolder', data_root=str(data_root), pipeline=deepcopy(PIPELINE)
        ),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    test = deepcopy(loader)
    test['dataset']['split'] = 'val'
    distilled = dict(
        type='mmvitkd.FeatureDistill',
        architecture=student(kind),
        teacher=vit(WIDE_ARCH),
        teacher_ckpt='checkpoints/teacher_of_old.pth',
        pairs=[(2, 3)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
    )
    return Config(
        dict(
            default_scope='mmpretrain',
            model={**(student(kind) if kind == 'plain' else distilled), **model},
            train_dataloader=loader,
            test_dataloader=test,
            test_evaluator=dict(type='mmvitkd.Accuracy', topk=(1,)),
            test_cfg=dict(),
            train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=2),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
            param_scheduler=[dict(type='CosineAnnealingLR')],
            custom_hooks=[dict(type='mmvitkd.StudentEMAHook')],
            default_hooks=dict(checkpoint=dict(type='mmvitkd.CheckpointHook')),
        )
    )


def label_free(kind, data_root='data/animals', **model):
    """The same of a distillation without labels, into a student without a head."""
    cfg = training(kind, data_root, **model)
    cfg.with_label = False
    apply_with_label(cfg)
    return cfg


def build(config):
    """A student with weights that make its logits differ."""
    model = MODELS.build({k: v for k, v in config.items() if k != 'pretrained'})
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def save_training(cfg, path, epoch=3, names=NAMES):
    """Write a whole training checkpoint; return the student and its average."""
    config = student_config(cfg.to_dict()['model'])
    raw, average = build(config), build(config)
    history = {
        'train/loss': [2.0, 1.5],
        'val/time': [0.1],
        'val/accuracy/top1': [30.0, 41.25],
        'val/accuracy/top1_ema': [20.0, 31.5],
    }
    scalars = {
        k: dict(log_history=torch.tensor(v), count_history=torch.ones(len(v)))
        for k, v in history.items()
    }
    # By the names that a part of a model has, which a wrapper of timm's does not have alone.
    weights = dict(raw.state_dict())
    if 'architecture' in cfg.model:
        weights = dict(nn.ModuleDict(dict(architecture=raw)).state_dict())
        weights['distiller.connectors.pair_0.projector.weight'] = torch.ones(2, 2)
    ema = nn.ModuleDict(dict(module=average)).state_dict()
    content = dict(
        state_dict=weights,
        ema_state_dict=dict(ema, steps=torch.tensor(7)),
        optimizer=dict(state={}, param_groups=[dict(lr=1e-3)]),
        message_hub=dict(log_scalars=scalars, runtime_info={}),
        meta=dict(epoch=epoch, iter=9, cfg=cfg.pretty_text, dataset_meta=dict(classes=names)),
    )
    torch.save(content, path)
    return raw, average


def write_images(root, per_class=2, names=NAMES):
    """Write `train` and `val` folders of noise, 50 x 44 pixels."""
    generator = np.random.default_rng(0)
    for split in ('train', 'val'):
        for name in names:
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(per_class):
                pixels = generator.integers(0, 256, (44, 50, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f'{i}.png')
    return root

"""Derive the words of a config's file name from its contents."""

from mmvitkd.config.student_config import student_config

TEACHERS = {
    'timm:cait_s24_224': 'cait_s24',
    'timm:deit_small_patch16_224': 'deit_small',
    'timm:deit3_small_patch16_224.fb_in22k_ft_in1k': 'deit3_small_21k',
    'timm:swin_small_patch4_window7_224.ms_in1k': 'swin_small',
    'timm:vit_base_patch16_224.mae': 'mae_vit_base',
}
# Blocks, or stages; and the channels of the last.
DEPTHS = dict(cait_s24=24, deit_small=12, deit3_small_21k=12, swin_small=4, mae_vit_base=12)
USUAL_WIDTH = 384  # of Lift and WideLast, where their names give none
LOGIT_LOSSES = {'KLDivergence': 'softkd', 'mmrazor.CrossEntropyLoss': 'hardkd'}
PAIR_LOSSES = {'mmvitkd.FeatureMSELoss': 'mse', 'mmvitkd.SpectralLoss': 'spectralkd'}
EXTRA_LOSSES = {'mmvitkd.SubspaceLoss': 'subspace', 'mmvitkd.SEPLoss': 'sep'}
EIGHT = ((0, 0), (1, 1), (6, 18), (7, 19), (8, 20), (9, 21), (10, 22), (11, 23))
STAGES = ((0, 0), (1, 1), (2, 2), (3, 3))


def recipe_of(config):
    """Return teacher, student, remedy, losses, layers and epochs of a config."""
    return dict(
        teacher=_teacher(config.model),
        student=_student(config.model),
        remedy=_remedy(config),
        losses=_losses(config.model),
        layers=_layers(config.model),
        epochs=config.train_cfg.max_epochs,
    )


def _teacher(model):
    return TEACHERS[model.teacher.type] if 'teacher' in model else None


def _backbone(model):
    """Return the backbone's config, inside WideLast the narrow one's."""
    backbone = student_config(model).backbone
    return backbone.get('base', backbone)


def _student(model):
    backbone = _backbone(model)
    if backbone.type == 'SwinTransformer':
        return f'swin_{backbone.arch}'
    return {3: 'deit_tiny', 6: 'deit_small'}[backbone.arch.num_heads]


def _remedy(config):
    student = student_config(config.model)
    if _student(config.model) != 'deit_tiny':
        return None
    if student.backbone.type == 'mmvitkd.WideLast':
        schedule = student.backbone.get('schedule', 'heads_step')
        ending = '' if schedule == 'heads_step' else f'_{schedule}'
        return f'widelast{_unless(student.backbone.width, USUAL_WIDTH)}{ending}'
    if 'neck' in student:
        return _lift(student.neck)
    return _shape(student.backbone.arch) or _plain(config)


def _lift(neck):
    if neck.out_channels is None:
        return 'gap'
    ending = '_cls' if neck.get('pooling') == 'cls' else ''
    ending += '' if neck.get('norm', True) else '_noln'
    return f'lift{_unless(neck.out_channels, USUAL_WIDTH)}{ending}'


def _shape(arch):
    words = dict(
        w=_unless(arch.embed_dims, 192),
        d=_unless(arch.num_layers, 12),
        mlp=_unless(arch.feedforward_channels, 4 * arch.embed_dims),
    )
    return '_'.join(f'{word}{number}' for word, number in words.items() if number)


def _plain(config):
    """A DeiT-Tiny trained like the remedies, with weight decay on embeddings."""
    projector = config.model.get('pair_projector', {})
    if projector.get('norm', 'BN') != 'BN':
        return 'projector' if projector.norm == 'LN' else 'linear'
    return None if 'custom_keys' in config.optim_wrapper.paramwise_cfg else 'plain'


def _unless(number, usual):
    return '' if number == usual else str(number)


def _losses(model):
    losses = []
    if 'distiller' in model:
        (loss,) = model.distiller.distill_losses.values()
        losses.append(LOGIT_LOSSES[loss.type])
    if 'pair_loss' in model:
        loss, projector = PAIR_LOSSES[model.pair_loss.type], model.get('pair_projector')
        if projector and projector.get('norm', 'BN') == 'BN':
            assert loss == 'mse'
            loss = 'projectorkd_frozen' if projector.get('frozen') else 'projectorkd'
        losses.append(loss)
    losses += [EXTRA_LOSSES[loss.type] for loss in model.get('pair_extra_losses', {}).values()]
    return losses


def _layers(model):
    pairs = tuple(map(tuple, model.get('pairs', ())))
    if not pairs:
        return None
    student = student_config(model)
    if student.get('neck', {}).get('type') == 'mmvitkd.LiftProjector':
        last = 'neck.norm' if student.neck.get('norm', True) else 'neck.proj'
    elif student.backbone.type == 'SwinTransformer':
        last = 3
    else:
        last = _backbone(model).arch.num_layers - 1
    last = (last, DEPTHS[_teacher(model)] - 1)
    named = {(last,): 'last', ((0, 0),): 'first', ((0, 0), last): 'first_last'}
    return (named | {EIGHT: 'eight', STAGES: 'stages'})[pairs]

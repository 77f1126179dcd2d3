"""Write the config of a recommended distillation: a few lines that inherit a student's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..analysis.recommendation import LIFT, PROJECTOR, WIDELAST
from ..models.algorithms.pair_config import FINAL_NORM
from ..models.teachers.config import TIMM
from ..package_data import PREFIX, data_folder
from .plain_student import PlainStudent

# What the packaged configs of foundation/ are called after: their teacher, by its width.
PACKAGED_TEACHERS = {('deit_tiny', 384): 'dinov2_small'}
OTHER_TEACHER, OTHER_WIDTH = 'dinov2_base', 768


@dataclass(frozen=True)
class GivenTeacher:
    """A teacher as a user gives it.

    Attributes:
        model: ``timm:NAME`` or a config.
        checkpoint: The file of its weights; None leaves them to timm.
        img_size: The side in pixels that a timm model is built for; None is its own.
        allow_random: Whether it has random weights.
    """

    model: str
    checkpoint: str | None = None
    img_size: int | None = None
    allow_random: bool = False


@dataclass(frozen=True)
class GivenData:
    """Images as a user gives them.

    Attributes:
        root: The folder.
        num_classes: Of labelled images; None without labels.
    """

    root: str
    num_classes: int | None


@dataclass(frozen=True)
class Remedied:
    """A student with a remedy, which is distilled.

    Attributes:
        remedy: 'projector', 'lift' or 'widelast'.
        width: That of its last features, before a projector.
        target: 'raw', 'centred', 'standardised' or 'final_norm'.
        norm_from_target: See ``model.norm_from_target``.
    """

    remedy: str
    width: int
    target: str
    norm_from_target: bool = False


def config_text(
    teacher: GivenTeacher,
    teacher_width: int,
    teacher_depth: int,
    student: PlainStudent,
    data: GivenData,
    chosen: Remedied,
) -> str:
    """Return the text of a config that ``tools/train.py`` takes.

    Args:
        teacher: The teacher.
        teacher_width: The width of its features.
        teacher_depth: The number of its blocks.
        student: The student, without a remedy.
        data: The images.
        chosen: The remedy and the target.

    Raises:
        ValueError: If something cannot be written as a line.
    """
    model = _teacher_lines(teacher, packaged=student.config is None)
    if student.config is None:
        base, own = _packaged(student, teacher_width, chosen)
    else:
        base, own = (
            _portable(student.config),
            _own_student(student, teacher_width, data, chosen),
        )
    if chosen.remedy == LIFT or student.config is not None or chosen.target != FINAL_NORM:
        own['pairs'] = repr(_pairs(chosen, student.depth, teacher_depth))
    if chosen.target != FINAL_NORM:
        own['pair_target'] = repr(chosen.target)
    if chosen.norm_from_target:
        own['norm_from_target'] = 'True'
    head = {'_base_': repr(base), 'data_root': repr(data.root)}
    head['with_label'] = repr(data.num_classes is not None)
    if data.num_classes is not None or student.config is not None:
        head['num_classes'] = repr(data.num_classes)  # None unsets an inherited one
    lines = [f'{key} = {value}' for key, value in head.items()]
    lines += ['model = dict(', *(f'    {k}={v},' for k, v in {**own, **model}.items()), ')']
    return '\n'.join(lines) + '\n'


def _teacher_lines(teacher: GivenTeacher, packaged: bool) -> dict[str, str]:
    """Return what names the teacher; a packaged config has one to be replaced."""
    lines = {}
    if teacher.model.startswith(TIMM):
        first = '_delete_=True, ' if packaged else ''
        size = '' if teacher.img_size is None else f', img_size={teacher.img_size}'
        lines['teacher'] = f'dict({first}type={teacher.model!r}{size})'
    else:
        lines['teacher'] = repr(_portable(teacher.model))
    if teacher.checkpoint is not None:
        lines['teacher_ckpt'] = repr(teacher.checkpoint)
    if teacher.allow_random and teacher.checkpoint is None:
        lines['allow_random_teacher'] = 'True'
    return lines


def _packaged(
    student: PlainStudent, teacher_width: int, chosen: Remedied
) -> tuple[str, dict[str, str]]:
    """Return a config of foundation/, and what differs from it."""
    name = PACKAGED_TEACHERS.get((student.name, teacher_width), OTHER_TEACHER)
    base = f'{PREFIX}foundation/{name}_{student.name}_{chosen.remedy}.py'
    known = OTHER_WIDTH if name == OTHER_TEACHER else teacher_width
    own: dict[str, str] = {}
    if chosen.remedy == PROJECTOR and teacher_width != known:
        own['pair_projector'] = f'dict(out_channels={teacher_width})'
    width = teacher_width if chosen.remedy == LIFT else chosen.width
    if chosen.remedy != PROJECTOR and width != known:
        part = f'neck=dict(out_channels={width})'
        if chosen.remedy == WIDELAST:
            heads = _heads(student, width)
            part = f'backbone=dict(width={width}{heads})'
        own['architecture'] = f'dict({part}, head=dict(in_channels={width}))'
    if chosen.remedy == WIDELAST and chosen.width != teacher_width:
        own['pair_projector'] = _projector(chosen.width, teacher_width)
    return base, own


def _own_student(
    student: PlainStudent, teacher_width: int, data: GivenData, chosen: Remedied
) -> dict[str, str]:
    """Return a distillation of a student whose config is inherited."""
    weight = 1.0 if chosen.remedy == LIFT else 2.0  # 1 for each pair
    lines = {
        '_delete_': "True, type='mmvitkd.FeatureDistill'",
        'architecture': '_base_.model',
        'pair_loss': f"dict(type='mmvitkd.FeatureMSELoss', loss_weight={weight})",
    }
    backbone, width = '_base_.model.backbone', chosen.width
    if chosen.remedy == WIDELAST:
        # WideLast brings its own initialisation, and widens MMPretrain's class.
        plain = f"dict({backbone}, type='VisionTransformer')" if student.is_ours else backbone
        wide = f"dict(type='mmvitkd.WideLast', base={plain}, width={width}"
        wide += f'{_heads(student, width)})'
        head = f'dict(_base_.model.head, in_channels={width})'
        lines['architecture'] = _architecture(f'backbone={wide}', head, data)
    elif chosen.remedy == LIFT:
        raw = f"dict({backbone}, out_type='raw', final_norm=False)"
        extra = student.num_extra_tokens
        given = f'in_channels={student.width}, out_channels={teacher_width}'
        given += '' if extra == 1 else f', num_extra_tokens={extra}'
        neck = f"dict(type='mmvitkd.LiftProjector', {given})"
        given = f'num_classes={data.num_classes}, in_channels={teacher_width}'
        head = f"dict(type='LinearClsHead', {given})"
        lines['architecture'] = _architecture(f'backbone={raw}, neck={neck}', head, data)
    if chosen.remedy == PROJECTOR or (chosen.remedy == WIDELAST and width != teacher_width):
        lines['pair_projector'] = _projector(width, teacher_width)
    return lines


def _architecture(parts: str, head: str, data: GivenData) -> str:
    """Return the inherited student with other parts; without labels its head is dropped."""
    labelled = '' if data.num_classes is None else f', head={head}'
    return f'dict(_base_.model, {parts}{labelled})'


def _pairs(chosen: Remedied, depth: int, teacher_depth: int) -> list[tuple[Any, Any]]:
    """Return the pairs of layers; the mean of Lift's tokens is the embedding.

    A target of the last block is for the student's last block: its final norm gives all tokens
    nearly the same norm, at first one that suits the teacher's final norm alone.
    """
    normed = chosen.target == FINAL_NORM
    layer = 'tokens' if normed else teacher_depth - 1
    if chosen.remedy == LIFT:
        return [('tokens', layer)]
    return [('embedding', 'embedding'), ('tokens' if normed else depth - 1, layer)]


def _projector(width: int, teacher_width: int) -> str:
    return (
        f"dict(in_channels={width}, out_channels={teacher_width}, norm='LN', "
        'norm_first=True, bias=True)'
    )


def _heads(student: PlainStudent, width: int) -> str:
    """Return the heads of the wide block where the student's head size does not divide it."""
    if width % student.head_size == 0:
        return ''
    most = max(1, width // student.head_size)
    heads = next(heads for heads in range(most, 0, -1) if width % heads == 0)
    return f', num_heads={heads}'


def _portable(config: str) -> str:
    """Return a packaged config by its name, and another one by its whole path."""
    if '::' in config:
        return config
    path, configs = Path(config).expanduser().resolve(), data_folder() / 'configs'
    if path.is_relative_to(configs.resolve()):
        return f'{PREFIX}{path.relative_to(configs.resolve()).as_posix()}'
    return str(path)

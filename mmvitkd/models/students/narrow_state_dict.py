"""Read the state dict of a narrow pretrained model under a student's names."""

from math import isqrt

from torch import Tensor, nn

from ...checkpoint.read import student_weights
from ...utils.errors import KeyedValueError
from ..utils.mmpretrain_names import mmpretrain_names

# In the order of their positions.
EXTRA_TOKENS = ('cls_token', 'dist_token')
POSITIONS = ('backbone.pos_embed', 'backbone.absolute_pos_embed')


def narrow_state_dict(path: str, student: nn.Module) -> dict[str, Tensor]:
    """Read a checkpoint of a narrow model; nothing in it is executed.

    Args:
        path: A local file: of MMPretrain (a classifier or its backbone alone), of timm, DeiT
            or transformers, or of a distillation, whose student is read. Swin in MMPretrain's
            names only.
        student: An MMPretrain classifier, which is not changed.

    Returns:
        The tensors by MMPretrain's names. Position embeddings have no more positions for
        class and distillation tokens than the student's; their grid is the file's.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or its names are none of these.
    """
    given = student_weights(path, key='student_ckpt')
    try:
        weights = mmpretrain_names(given, student)
    except ValueError as error:
        message = f'{{student_ckpt}}={path!r}: {error}'
        raise KeyedValueError(message, 'student_ckpt') from None
    own = student.state_dict()
    for name in POSITIONS:
        if name in own and name in weights and weights[name].shape != own[name].shape:
            extra = own[name].shape[1] - num_patches(student)
            tokens = sum(f'backbone.{token}' in weights for token in EXTRA_TOKENS)
            weights[name] = _drop_extra_positions(weights[name], tokens, keep=extra)
    return weights


def num_patches(student: nn.Module) -> int:
    """Return the number of patches of the student's grid."""
    height, width = student.backbone.patch_embed.init_out_size
    return int(height * width)


def _drop_extra_positions(positions: Tensor, tokens: int, keep: int) -> Tensor:
    """Return positions (1, E + N, C) of a square grid with only the first ``keep`` of E.

    E is the number of extra ``tokens``, or 0 if they have no positions (DeiT III).
    """
    number = positions.shape[1]
    for extra in (tokens, 0):
        if number > extra >= keep and isqrt(number - extra) ** 2 == number - extra:
            return positions[:, [*range(keep), *range(extra, number)]]
    return positions

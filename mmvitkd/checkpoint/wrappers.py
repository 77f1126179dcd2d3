"""Take off what wraps a state dict: containers in a file, and prefixes of wrapper modules."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

# Where a file has its weights: of most trainings; the teacher of DINO's and DINOv2's, the
# one that they publish; and I-JEPA's.
WEIGHT_KEYS = ('state_dict', 'model', 'teacher', 'target_encoder')
# Ours, DeiT's and timm's.
EMA_KEYS = ('ema_state_dict', 'model_ema', 'state_dict_ema', 'ema')
# Of torch.compile, FSDP and activation checkpointing: in the middle of a name, too.
ANYWHERE = ('_orig_mod.', '_fsdp_wrapped_module.', '_checkpoint_wrapped_module.')
DDP = 'module.'
# Of Lightning, of TimmClassifier and HuggingFaceClassifier, and the like.
IN_FRONT = (DDP, 'model.')
# How often an average was updated, of MMEngine and of torch.optim.swa_utils.
COUNTERS = ('steps', 'n_averaged')


def weights_in(checkpoint: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return where a file has its weights, and what is there.

    Args:
        checkpoint: The content of a file.

    Returns:
        The key, such as 'state_dict', and its value; '' and the content itself if it has none
        of these keys. Where a file has an exponential moving average alone, that.
    """
    for key in (*WEIGHT_KEYS, *EMA_KEYS):
        if isinstance(checkpoint.get(key), Mapping):
            inner, found = weights_in(checkpoint[key])
            return (f'{key}.{inner}' if inner else key), found
    return '', checkpoint


def plain_names(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict without the prefixes of PyTorch's wrapper modules.

    The counter of an average is left out.
    """
    plain = {_without(str(key)).removeprefix(DDP): value for key, value in weights.items()}
    if len(plain) > 1:
        plain = {k: v for k, v in plain.items() if k not in COUNTERS or not _is_counter(v)}
    return plain


def without_front(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict without what is in front of all of its names, of other wrappers.

    A model may have all of its layers under ``model``, too: whether the prefix is one of a
    wrapper depends on the model.
    """
    plain = dict(weights)
    while plain:
        prefix = next((p for p in IN_FRONT if all(k.startswith(p) for k in plain)), None)
        if prefix is None:
            break
        plain = {key.removeprefix(prefix): value for key, value in plain.items()}
    return plain


def fit_names(own: Mapping[str, Any], weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return weights without prefixes in front, if only so they have any name of a model's.

    Args:
        own: The model's state dict.
        weights: The one to load.
    """
    plain = without_front(weights) if not own.keys() & weights.keys() else {}
    return plain if own.keys() & plain.keys() else weights


def _without(name: str) -> str:
    for wrapper in ANYWHERE:
        name = name.replace(wrapper, '')
    return name


def _is_counter(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1 and not value.is_floating_point()

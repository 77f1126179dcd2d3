"""Make sure that a student inside another model loads what it saves.

MMPretrain's wrappers of timm and transformers rewrite the names of their tensors, with and
without ``model.``, as if they were never part of another model: there they would save
``architecture.model.*`` and load ``architecture.model.model.*``, which is nothing. Importing
this module makes them add ``model.`` only to names without it.
"""

from typing import Any

from mmpretrain.models.classifiers import HuggingFaceClassifier, TimmClassifier
from torch import nn

from ...checkpoint.load_strict import not_restored
from ...utils.errors import KeyedValueError, listed

INNER = 'model.'


def add_prefix(state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Rename, before they are loaded, the tensors of a wrapped model with its library's names.

    Args:
        state_dict: The tensors of the wrapper, all of them under ``prefix``.
        prefix: The wrapper's name in the model around it, with a dot; '' if there is none.
    """
    if all(key.startswith(prefix + INNER) for key in state_dict):
        return
    for key in list(state_dict):
        state_dict[prefix + INNER + key.removeprefix(prefix)] = state_dict.pop(key)


for _wrapper in (TimmClassifier, HuggingFaceClassifier):
    _wrapper._add_state_dict_prefix = staticmethod(add_prefix)


def check_round_trip(student: nn.Module) -> None:
    """Check that the checkpoint of a student in a distillation fills all of its parameters.

    Raises:
        KeyedValueError: If its own hooks, or those of a part, save and load other names.
    """
    around = nn.ModuleDict(dict(architecture=student))
    parameters = dict(around.named_parameters())
    try:
        lost = [name for name in not_restored(around) if name in parameters]
    except RuntimeError as error:  # of shapes
        lost = [str(error).splitlines()[-1].strip()]
    if lost:
        raise KeyedValueError(
            f'{{architecture}}: a {type(student).__name__} loads other names than it saves in '
            f'a distillation, so that --resume and test would not find {listed(lost)}. '
            "Use MMPretrain's ImageClassifier or TimmClassifier.",
            'architecture',
        )

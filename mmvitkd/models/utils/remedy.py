"""Describe what a remedy for a narrow student's features adds to the student."""

from torch import nn


class Remedy:
    """Mix-in of a backbone or neck that gives a narrow student features of the teacher's width.

    Starts from narrow checkpoints, analyses and exports read these attributes, and do not test
    for classes; set those that differ, on the class or in ``__init__``. All names of modules
    are relative to the remedy, and an empty name is the remedy itself. Converters see state
    dicts only: see :func:`mmvitkd.checkpoint.converters.key_rules.register_key_rules`.

    Attributes:
        widened: The submodules that a narrow model's checkpoint has no weights for.
        distilled_feature: The module whose output is distilled: tokens (B, N, C), or a tuple
            that begins with them. None means the student's last block, as without a remedy.
        timm_lacks: What timm lacks, to follow "timm has no"; by default, a model with this
            class.
    """

    widened: tuple[str, ...] = ()
    distilled_feature: str | None = None
    timm_lacks: str = ''


def remedies_of(student: nn.Module) -> dict[str, Remedy]:
    """Return the remedies in a student, by the names of their modules."""
    return {n: module for n, module in student.named_modules() if isinstance(module, Remedy)}


def widened_modules(student: nn.Module) -> list[str]:
    """Return the names of the modules that a narrow checkpoint has no weights for."""
    remedies = remedies_of(student).items()
    return [_join(name, part) for name, remedy in remedies for part in remedy.widened]


def distilled_features(student: nn.Module) -> list[str]:
    """Return the names of the modules whose output a remedy says is distilled."""
    return [
        _join(name, remedy.distilled_feature)
        for name, remedy in remedies_of(student).items()
        if remedy.distilled_feature is not None
    ]


def _join(*names: str) -> str:
    return '.'.join(name for name in names if name)

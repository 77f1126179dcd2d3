"""Compile a teacher's blocks and a student's backbone, recorders included."""

import inspect
from collections.abc import Collection, Mapping
from types import MethodType
from typing import Any

import numpy as np
import torch
from mmcv.cnn.bricks.drop import DropPath as DropPathOfMMCV
from mmrazor.models.task_modules.recorder import ModuleOutputsRecorder, ParameterRecorder
from timm.layers import DropPath as DropPathOfTimm
from torch import nn

from .adapters import adapter_for

# From torch 2.13 on, each call of torch.compile can keep its own variants of a function.
ISOLATED = 'isolate_recompiles' in inspect.signature(torch.compile).parameters


def compile_blocks(model: nn.Module, recorded: Collection[str]) -> list[str]:
    """Compile the blocks of a frozen model in eval mode, one by one.

    Blocks that are built alike share compiled code, so that 24 of them take no longer than
    one. What surrounds them, such as a patch embedding, is not compiled. If the blocks of the
    model are not known, the whole model is compiled.

    A block's ``forward`` is compiled and not its call: hooks on the block itself run outside
    of compiled code, hooks on modules within it inside.

    Code is compiled once for each batch size: for a dynamic size torch would need minutes for
    a Swin's windows, and produce slower code.

    Args:
        model: A classifier, whose hooks within blocks are all registered.
        recorded: The names of the modules that have hooks.

    Returns:
        The names of the compiled modules; ``''`` is the whole model.
    """
    for module in model.modules():
        if isinstance(module, DropPathOfMMCV | DropPathOfTimm):
            module.drop_prob = 0.0  # unused in eval mode; different rates prevent sharing
    modules: dict[str, Any] = dict(model.named_modules())
    functions: dict[tuple[Any, ...], Any] = {}
    compiled = []
    for name in adapter_for(model).blocks or ['']:
        block, prefix = modules[name], f'{name}.' if name else ''
        hooked = any(source != name and source.startswith(prefix) for source in recorded)
        # Guards do not see hooks: a block with one within would run what was compiled without,
        # and nothing would be recorded. So it has a function of its own, or stays as it is.
        if hooked and name and not ISOLATED:
            continue
        forward = block.forward
        is_method = isinstance(forward, MethodType) and forward.__self__ is block
        if is_method:
            key = (name if hooked else '', repr(block), forward.__func__)
            if key not in functions:
                functions[key] = _compile(forward.__func__)
            block.forward = MethodType(functions[key], block)
        else:  # a function that was set on this block
            block.forward = _compile(forward)
        compiled.append(name)
    return compiled


def compile_student(student: nn.Module) -> None:
    """Compile a student's backbone, or its model of timm; its parameters keep their names.

    It is compiled once for training, once for validation, and once more for each further batch
    size. Copies of the student, such as its moving average, are not compiled. Dropout and drop
    path draw other numbers when compiled; everything else is the same up to rounding.

    Raises:
        ValueError: If the student has neither.
    """
    trunk = adapter_for(student).trunk
    if trunk is None:
        raise ValueError(
            f'compile_student=True: the student ({type(student).__name__}) has neither a '
            'backbone nor a model of timm.'
        )
    _convert_numpy_floats(trunk)
    trunk.compile(dynamic=False)


def check_recorders_compile(recorders: Mapping[str, Any], key: str, option: str) -> None:
    """Check that recorders are of modules or parameters.

    A recorder of a function or method replaces it in every step, and each time its callers
    would be compiled again.

    Args:
        recorders: MMRazor's recorders, by their names.
        key: The config key of the recorders.
        option: The setting that requests compilation.

    Raises:
        ValueError: If one is of a function or method; the message names it.
    """
    for name, recorder in recorders.items():
        if not isinstance(recorder, ModuleOutputsRecorder | ParameterRecorder):
            kind = type(recorder).__name__.removesuffix('Recorder')
            raise ValueError(
                f"{option}=True: distiller.{key}['{name}'].type={kind!r} replaces a function "
                'in each step, and its callers would be compiled again each time; wanted '
                'ModuleOutputs, ModuleInputs or Parameter.'
            )


def _compile(function: Any) -> Any:
    if not ISOLATED:
        return torch.compile(function, dynamic=False)
    # Otherwise all blocks of a class share one limit of eight variants, after which torch stops
    # compiling, and a Swin has four kinds of stages.
    return torch.compile(function, dynamic=False, isolate_recompiles=True)


def _convert_numpy_floats(model: nn.Module) -> None:
    """Turn NumPy's floats into Python's: MMPretrain's drop rates would break the graph.

    They come from ``np.linspace``, one for each block.
    """
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, np.floating):
                setattr(module, name, float(value))

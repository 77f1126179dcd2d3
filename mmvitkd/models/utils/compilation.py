"""torch.compile of a teacher's blocks and of a student's backbone, recorders included."""

from collections.abc import Collection, Mapping
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from mmcv.cnn.bricks.drop import DropPath as DropPathOfMMCV
from mmrazor.models.task_modules.recorder import ModuleOutputsRecorder, ParameterRecorder
from timm.layers import DropPath as DropPathOfTimm
from torch import nn

from .adapters import adapter_for


def compile_blocks(model: nn.Module, recorded: Collection[str]) -> list[str]:
    """Compile the blocks of a frozen model in eval mode, each by itself.

    Blocks that are built alike share what is compiled, so that 24 of them take no longer
    than one. What is around them, such as a patch embedding, stays as it is. Where it is
    not known which modules are blocks, the whole model is compiled.

    A block's ``forward`` is compiled and not its call: hooks on the block itself run outside
    of what is compiled, hooks on modules within it inside.

    Each size of batches is compiled for, once: of an unknown size torch would need minutes
    for a Swin's windows, and slower code for what follows.

    Args:
        model: A classifier, whose hooks within blocks are all registered.
        recorded: The names of the modules that have hooks.

    Returns:
        The names of the compiled modules; ``''`` is the whole.
    """
    for module in model.modules():
        if isinstance(module, DropPathOfMMCV | DropPathOfTimm):
            module.drop_prob = 0.0  # unused in eval mode; a rate of its own splits blocks
    modules = dict(model.named_modules())
    names = adapter_for(model).blocks or ['']
    shared: dict[tuple[str, str], FunctionType] = {}
    for name in names:
        block, prefix = modules[name], f'{name}.' if name else ''
        # Guards do not see hooks: what was compiled without one would be taken for a block
        # that has one within, and nothing would be recorded.
        hooked = any(source != name and source.startswith(prefix) for source in recorded)
        key = (name if hooked else '', repr(block))
        forward = block.forward
        if isinstance(forward, MethodType) and isinstance(forward.__func__, FunctionType):
            function = shared.setdefault(key, _with_own_code(forward.__func__))
            forward = MethodType(function, block)
        block.forward = torch.compile(forward, dynamic=False)
    return names


def compile_student(student: nn.Module) -> None:
    """Compile a student's backbone, or timm's model; its parameters keep their names.

    Once for training, once for validation, and for another size of batches once more. Copies
    of the student, such as its moving average, are not compiled. Dropout and drop path draw
    other numbers when compiled; all else is the same but for rounding.

    Raises:
        ValueError: If the student has neither.
    """
    trunk = adapter_for(student).trunk
    if trunk is None:
        raise ValueError(
            f'compile_student=True: the student ({type(student).__name__}) has neither a '
            'backbone nor a model of timm.'
        )
    _make_numbers_plain(trunk)
    trunk.compile(dynamic=False)


def check_recorders_compile(recorders: Mapping[str, Any], key: str, option: str) -> None:
    """Check that recorders are of modules or parameters.

    Those of functions and methods replace them anew in every step, and each time all that
    calls them would be compiled again.

    Args:
        recorders: MMRazor's recorders, by their names.
        key: The config key of the recorders.
        option: What asks for the compilation.

    Raises:
        ValueError: Names the recorder.
    """
    for name, recorder in recorders.items():
        if not isinstance(recorder, ModuleOutputsRecorder | ParameterRecorder):
            kind = type(recorder).__name__.removesuffix('Recorder')
            raise ValueError(
                f"{option}=True: distiller.{key}['{name}'].type={kind!r} replaces code while "
                'it runs, which would be compiled again in each step; wanted ModuleOutputs, '
                'ModuleInputs or Parameter.'
            )


def _with_own_code(function: FunctionType) -> FunctionType:
    """A copy with a code object of its own, by which torch tells what it has compiled.

    And by which it counts: after eight variants of one code it stops compiling, and a Swin
    has four kinds of stages.
    """
    code = function.__code__.replace()
    copy = FunctionType(
        code,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _make_numbers_plain(model: nn.Module) -> None:
    """NumPy's floats to Python's: MMPretrain's drop rates would break the graph.

    In each block, for they are what ``np.linspace`` gives.
    """
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, np.floating):
                setattr(module, name, float(value))

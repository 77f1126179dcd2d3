"""The device that a tool's ``--device`` means."""

import torch


def device_of(name: str | None) -> str:
    """The device of a name; without one a GPU, if there is any, and else the CPU.

    Raises:
        ValueError: If there is none of that name.
    """
    name = name or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f'--device: {name!r}: {str(error).splitlines()[0]}') from None
    return name

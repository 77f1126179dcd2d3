"""Find the device of a tool's ``--device``."""

import torch


def device_of(name: str | None) -> str:
    """Return the name of a device; by default the GPU if there is one, else the CPU.

    Raises:
        ValueError: If the device does not exist.
    """
    name = name or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f'--device: {name!r}: {str(error).splitlines()[0]}') from None
    return name

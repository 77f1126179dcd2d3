"""Find the device of a tool's ``--device``."""

import torch


def device_of(name: str | None) -> str:
    """Return the device of a name; without a name a GPU if there is one, else the CPU.

    Raises:
        ValueError: If there is no device of that name.
    """
    name = name or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f'--device: {name!r}: {str(error).splitlines()[0]}') from None
    return name

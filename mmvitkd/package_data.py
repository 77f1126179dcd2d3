"""Find the configs, the tools and the model index that the package ships.

Their folder is the clone's root, or ``mmvitkd/.mim`` once the package is installed.
"""

from pathlib import Path

from .suggestions import did_you_mean

PACKAGE = Path(__file__).resolve().parent
PREFIX = 'mmvitkd::'


def data_folder(package: Path = PACKAGE) -> Path:
    """Return the folder that holds ``configs``, ``tools`` and ``model-index.yml``.

    Args:
        package: The folder of the package.

    Raises:
        FileNotFoundError: If the package was installed without them.
    """
    for folder in (package / '.mim', package.parent):
        if (folder / 'model-index.yml').is_file():
            return folder
    raise FileNotFoundError(
        f'wanted model-index.yml, configs and tools in {package / ".mim"} (installed) or '
        f'{package.parent} (a clone), found neither: install mmvitkd from its wheel, or '
        'clone it.'
    )


def packaged_config(name: str) -> Path:
    """Return the path of a config that the package ships.

    Args:
        name: Such as ``mmvitkd::mnist5k/vit_32.py``, relative to ``configs``.

    Raises:
        FileNotFoundError: If there is no such config; the message names close ones.
    """
    configs = data_folder() / 'configs'
    path = configs / name.removeprefix(PREFIX)
    if path.is_file():
        return path
    names = [f'{PREFIX}{p.relative_to(configs).as_posix()}' for p in configs.rglob('*.py')]
    raise FileNotFoundError(f'there is no config {name}{did_you_mean(name, names)}')

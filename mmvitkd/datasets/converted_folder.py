"""Write the folder of a converted data set: whole or not at all, and only once."""

from collections.abc import Callable, Collection
from pathlib import Path

from ..utils.atomic_dir import atomic_dir


def write_once(
    out: Path, files: Collection[str], write: Callable[[Path], None], name: str
) -> bool:
    """Write a folder, or do nothing if it is there already.

    The files are written into a temporary folder, which is renamed at the end, so that ``out``
    is always complete. A loss of power may cost them, as they can be made again.

    Args:
        out: The folder to create.
        files: The paths of its files below it.
        write: Writes them below a folder, in which their own folders exist.
        name: What the folder is, for errors.

    Returns:
        Whether it was written.

    Raises:
        FileExistsError: If ``out`` exists and does not hold exactly these files.
    """
    if out.exists():
        _check(out, set(files), name)
        return False
    with atomic_dir(out, lambda: _check_absent(out), durable=False) as folder:
        for parent in {(folder / file).parent for file in files}:
            parent.mkdir(parents=True, exist_ok=True)
        write(folder)
    return True


def _check_absent(out: Path) -> None:
    if out.exists():
        raise FileExistsError(f'{out}: another process has just written it.')


def _check(out: Path, wanted: set[str], name: str) -> None:
    found = {p.relative_to(out).as_posix() for p in out.rglob('*') if not p.is_dir()}
    missing, other = wanted - found, found - wanted
    if missing or other:
        raise FileExistsError(
            f'{out} exists and is not {name}: wanted {len(wanted)} files, found {len(found)}; '
            f'{len(missing)} missing{_example(missing)}, '
            f'{len(other)} not wanted{_example(other)}. '
            'Remove the folder or choose another with --out.'
        )


def _example(names: set[str]) -> str:
    """Return the first name in brackets, or an empty string."""
    return f' (such as {min(names)})' if names else ''

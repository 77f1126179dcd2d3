"""Download a student's folder of the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import snapshot_download

from ..checkpoint.hub_access import hub_access
from ..export.hub_reader import CONFIG, WEIGHTS

HUB = 'hf-hub:'


def download(name: str) -> Path:
    """Return the local copy of a student of the hub.

    Args:
        name: 'hf-hub:OWNER/NAME', also with '@REVISION'.

    Raises:
        OSError: If it cannot be downloaded, and is in no cache.
    """
    repository, _, revision = name.removeprefix(HUB).partition('@')
    with hub_access() as unreachable:
        try:
            return Path(
                snapshot_download(
                    repository, revision=revision or None, allow_patterns=[CONFIG, WEIGHTS]
                )
            )
        except Exception as error:  # of the hub's client, many kinds
            reason = unreachable or str(error).splitlines()[0]
            raise OSError(f'{name!r} cannot be downloaded: {reason}') from error

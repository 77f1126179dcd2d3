"""Download a checkpoint whose URL names its SHA-256, and verify it."""

import os
import os.path as osp
import re
import sys
from urllib.parse import urldefrag, urlparse

from mmengine.dist import barrier, get_rank
from torch.hub import download_url_to_file, get_dir

from ..utils.errors import KeyedValueError
from .checksums import sha256_of

# A name such as resnet50-0676ba61.pth, as of torch.hub and OpenMMLab, or URL#sha256=DIGITS.
IN_NAME = re.compile(r'-([0-9a-f]{8,64})\.')
IN_FRAGMENT = re.compile(r'sha256=([0-9a-f]{8,64})')


def download(url: str) -> str:
    """Download a file into torch.hub's folder, unless it is there already.

    The first rank downloads; the others find the file, or download it where they have another
    disk.

    Args:
        url: ``http(s)://.../NAME-DIGITS.pth``, or any URL with ``#sha256=DIGITS`` after it; the
            digits are the first 8 to 64 of the file's SHA-256.

    Returns:
        The file, whose SHA-256 has been compared.

    Raises:
        ValueError: If the URL names no SHA-256.
        RuntimeError: If the file has another one.
        OSError: If the download fails.
    """
    wanted = _digits_in(url)
    if get_rank() == 0:
        try:
            return _fetch(url, wanted)
        finally:
            barrier()
    barrier()
    return _fetch(url, wanted)


def _digits_in(url: str) -> str:
    plain, fragment = urldefrag(url)
    found = IN_FRAGMENT.fullmatch(fragment) or IN_NAME.search(osp.basename(plain))
    if found is None:
        raise KeyedValueError(
            f'{{checkpoint}}={url!r}: the URL names no SHA-256, so that a download '
            'could not be verified. Add #sha256=DIGITS, 8 or more of those that sha256sum '
            'FILE prints, or download the file and give its path.',
            'checkpoint',
        )
    return found[1]


def _fetch(url: str, wanted: str) -> str:
    plain = urldefrag(url).url
    path = osp.join(get_dir(), 'checkpoints', osp.basename(urlparse(plain).path))
    # A file of another URL may have the same name; it is replaced.
    if not osp.isfile(path) or not sha256_of(path).startswith(wanted):
        os.makedirs(osp.dirname(path), exist_ok=True)
        download_url_to_file(plain, path, wanted, progress=sys.stderr.isatty())
    return path

"""Make every route by which MMEngine loads a checkpoint read it without executing anything.

``load_from``, ``resume``, ``init_cfg=dict(type='Pretrained', ...)`` and what MMPretrain and
MMRazor load all pass through the loaders that MMEngine's ``CheckpointLoader`` registers for
local files, URLs and the names of model zoos. Importing this module replaces them.
"""

import os.path as osp
from functools import partial
from typing import Any

from mmengine.fileio import get_file_backend
from mmengine.infer import infer
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner import runner

from .download import download
from .read import read_checkpoint

CheckpointLoader = mmengine_checkpoint.CheckpointLoader


# MMEngine logs the name of a loader without its first ten letters, 'load_from_'.
def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load a local file; see :func:`~mmvitkd.checkpoint.read.read_checkpoint`.

    Args:
        filename: The file.
        map_location: As in ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, not a checkpoint, or could execute code.
    """
    return read_checkpoint(filename, map_location=map_location)


def load_from_http(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load a URL that names its SHA-256; see :func:`~mmvitkd.checkpoint.download.download`."""
    return load_from_local(download(filename), map_location)


def load_from_ceph(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load an object of the user's own storage with MMEngine's petrel backend."""
    backend = get_file_backend(filename, backend_args={'backend': 'petrel'})
    with backend.get_local_path(filename) as path:
        return load_from_local(str(path), map_location)


def load_from_openmmlab(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load a model by OpenMMLab's name for it, or the user's in ``open_mmlab.json``."""
    name = filename.split('://', 1)[1]
    name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
    found = mmengine_checkpoint.get_external_models()[name]
    if '://' in found:
        return load_from_http(found, map_location)
    home = mmengine_checkpoint._get_mmengine_home()
    return load_from_local(osp.join(home, found), map_location)


def _load_without_configs(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load a checkpoint for an inferencer, which would execute the configs in it."""
    checkpoint: dict[str, Any] = load_checkpoint(filename, map_location)
    for holder in (
        checkpoint.get('meta'),
        (checkpoint.get('message_hub') or {}).get('runtime_info'),
    ):
        if isinstance(holder, dict):
            holder.pop('cfg', None)
    return checkpoint


# MMEngine's own prints which file it loads, next to the log.
load_checkpoint = partial(mmengine_checkpoint._load_checkpoint, logger='current')
runner._load_checkpoint = load_checkpoint
for _prefixes, _loader in (
    ('', load_from_local),
    (('http://', 'https://'), load_from_http),
    ((r'(\S+\:)?s3://', r'(\S+\:)?petrel://'), load_from_ceph),
    (('open-mmlab://', 'openmmlab://'), load_from_openmmlab),
):
    CheckpointLoader.register_scheme(_prefixes, _loader, force=True)
# Those of torchvision:// and mmcls:// call this one; that of pavi:// unpickles.
mmengine_checkpoint.load_from_http = load_from_http
CheckpointLoader._schemes.pop('pavi://', None)
infer._load_checkpoint = _load_without_configs

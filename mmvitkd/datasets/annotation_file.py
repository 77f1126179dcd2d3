"""Refuse annotation files that MMEngine would execute."""

from collections.abc import Mapping
from typing import Any

from ..utils.errors import KeyedValueError

# mmengine.load unpickles these, and lets YAML make any object.
EXECUTED = ('.pkl', '.pickle', '.yml', '.yaml')


def check_annotation_file(dataset: Mapping[str, Any], key: str) -> None:
    """Check that a data set's annotation file is read as data.

    Args:
        dataset: The config of the data set.
        key: Its place in the config, for the message.

    Raises:
        KeyedValueError: If the file is a pickle or YAML.
    """
    name = str(dataset.get('ann_file') or '')
    if name.lower().endswith(EXECUTED):
        key = f'{key}.ann_file'
        raise KeyedValueError(
            f'{{{key}}}={name!r}: MMEngine would execute a pickle or YAML; wanted text or '
            'JSON. Where you trust the file: mmengine.dump(mmengine.load(FILE), '
            '"ANNOTATIONS.json").',
            key,
        )

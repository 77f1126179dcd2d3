"""Find which file of a config's inheritance sets a key."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from logging import WARNING
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mmengine.config import Config
from mmengine.logging import print_log

from .variables import places_by_variable, variables_read

OPTIONS = '--cfg-options'


@dataclass
class Layer:
    """What one file sets, before it is merged into those it inherits.

    Attributes:
        name: The file, or ``--cfg-options``.
        settings: What it sets; dicts are merged into those of its bases.
        bases: The files it inherits, directly or not.
        places: What is made in it from each variable that it reads.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    bases: set[str] = field(default_factory=set)
    places: Mapping[str, list[str]] = field(default_factory=dict)

    def sets(self, key: str) -> bool:
        """Return whether it sets a key, or the whole of what holds the key."""
        node: Any = self.settings
        steps = key.split('.')
        for depth, step in enumerate(steps):
            if isinstance(node, list | tuple):
                return True  # a list replaces that of the bases
            if not isinstance(node, Mapping):
                return depth > 0  # as None does
            if step not in node:
                return depth > 0 and node.get('_delete_', False) is True
            node = node[step]
        return True


class Layers:
    """The files of a config, those that are inherited first, and the options of a command."""

    def __init__(self, layers: list[Layer], used: set[str]) -> None:
        self._layers, self.used = layers, used

    @classmethod
    def of(cls, filename: str | None, options: Mapping[str, Any] | None = None) -> 'Layers':
        """Read the files of a config.

        Args:
            filename: The config file; None, or one that is gone, for a config without files.
            options: Settings that override the file's, nested ones with dots.
        """
        is_there = filename is not None and Path(filename).is_file()
        layers, used = _read(filename) if filename and is_there else ([], set())
        if options:
            bases = {layer.name for layer in layers}
            layers.append(Layer(OPTIONS, _nested(options), bases))
        return cls(layers, used)

    def may_be_dumped(self, key: str) -> bool:
        """Return whether a key is of one file without bases or variables, as runs write."""
        files = [layer for layer in self._layers if layer.name != OPTIONS]
        latest = self.last(key)
        is_of_file = latest is None or latest.name != OPTIONS
        return is_of_file and len(files) <= 1 and not any(layer.places for layer in files)

    def last(self, key: str) -> Layer | None:
        """Return the last layer that sets a key."""
        return next((layer for layer in reversed(self._layers) if layer.sets(key)), None)

    def overrides(self, key: str, other: str, strictly: bool = False) -> bool:
        """Return whether a key is set in the layer that sets another, or in a later one.

        Of files that do not inherit each other, neither is later.

        Args:
            key: The key.
            other: The other key.
            strictly: Whether the same layer does not count.
        """
        mine, others = self.last(key), self.last(other)
        if mine is None or others is None:
            return False
        is_same = mine.name == others.name
        return others.name in mine.bases or (is_same and not strictly)

    def keeps(self, key: str, stated: Any, shortcut: str, value: Any) -> bool:
        """Return whether a setting stays what it is although a shortcut covers it; say so.

        It does if the file that sets it, or ``--cfg-options``, sets the shortcut too or comes
        after the one that does: the more specific and the later wins. A value that a base of
        that file has somewhere is taken to be copied from there.

        Args:
            key: The setting.
            stated: Its value.
            shortcut: The name of the shortcut.
            value: The value of the shortcut.
        """
        if not self.overrides(key, shortcut) or stated in self._inherited(key):
            return False
        if stated != value:
            print_log(
                f'{shortcut}={value!r} does not apply to {key}={stated!r}, which is set '
                'explicitly.',
                logger='current',
                level=WARNING,
            )
        return True

    def changed_too_late(
        self, is_setting: Callable[[str], bool]
    ) -> Iterator[tuple[str, list[str]]]:
        """Yield the variables that are changed after settings were made from them, with these.

        Args:
            is_setting: Whether something reads a top-level key by its name: then a new value
                has an effect.
        """
        for layer in self._layers:
            for name, places in layer.places.items():
                latest, before = self.last(name), self._value_below(name, layer)
                if latest is None or layer.name not in latest.bases or is_setting(name):
                    continue
                if name in latest.places or latest.settings.get(name) == before:
                    continue
                kept = [place for place in places if is_setting(place.partition('.')[0])]
                kept = [place for place in kept if self.last(place) is layer]
                if kept:
                    yield name, kept

    def _value_below(self, name: str, layer: Layer) -> Any:
        """Return the value that a variable has in a file."""
        known = [each for each in self._layers if each is layer or each.name in layer.bases]
        found = [each.settings[name] for each in known if name in each.settings]
        return found[-1] if found else None

    def _inherited(self, key: str) -> list[Any]:
        """Return the values of keys of its name in the bases of the file that sets a key."""
        mine, name = self.last(key), key.rpartition('.')[2]
        bases = mine.bases if mine is not None else ()
        return [
            value
            for layer in self._layers
            if layer.name in bases
            for value in _values_of(layer.settings, name)
        ]


def _values_of(node: Any, name: str) -> Iterator[Any]:
    """Yield the values of a key at any depth."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == name:
                yield value
            yield from _values_of(value, name)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _values_of(value, name)


def _nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with dots in their names as nested dicts."""
    result: dict[str, Any] = {}
    for key, value in deepcopy(dict(options)).items():
        node, (*steps, name) = result, key.split('.')
        for step in steps:
            inner = node.get(step)
            node[step] = node = inner if isinstance(inner, dict) else {}
        node[name] = value
    return result


def _read(filename: str) -> tuple[list[Layer], set[str]]:
    """Return the layers of a config file, and the variables that its files read."""
    if Config._is_lazy_import(filename):  # MMEngine merges these in another way
        return [], variables_read(Path(filename).read_text(encoding='utf-8'))
    layers: dict[str, Layer] = {}
    stack: list[Layer] = []
    file2dict, merge = Config._file2dict, Config._merge_a_into_b

    def recorded_file(filename: str, *args: Any, **kwargs: Any) -> Any:
        layer = Layer(str(Path(filename).expanduser().resolve()))
        stack.append(layer)
        try:
            return file2dict(filename, *args, **kwargs)
        finally:
            stack.pop()
            layers[layer.name] = layer
            for child in stack:
                child.bases.add(layer.name)

    def recorded_merge(a: Any, b: Any, *args: Any, **kwargs: Any) -> Any:
        if stack and not stack[-1].settings:  # else a dict within it
            stack[-1].settings = deepcopy(a)  # merging changes it
        return merge(a, b, *args, **kwargs)

    # MMEngine keeps no record of it.
    with (
        patch.object(Config, '_file2dict', staticmethod(recorded_file)),
        patch.object(Config, '_merge_a_into_b', staticmethod(recorded_merge)),
    ):
        Config._file2dict(filename)
    used = set()
    for layer in layers.values():
        if layer.name.endswith('.py'):
            text = Path(layer.name).read_text(encoding='utf-8')
            layer.places = places_by_variable(text)
            used |= variables_read(text)
    return list(layers.values()), used

"""Read YAML from an unknown source: no objects, and no more data than a person writes."""

from typing import Any

import yaml

MAX_NODES = 10_000


class _BoundedLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's safe loader, which counts an alias as all that it stands for.

    A few lines of nested aliases stand for billions of values ("billion laughs").
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and refuse one that stands for too much."""
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if node is not None and not is_alias:
            self._sizes[node] = size = self._size(node)
            if size > MAX_NODES:
                raise yaml.YAMLError(
                    f'wanted at most {MAX_NODES:,} values, counting an alias as often as it is '
                    'used'
                )
        return node

    def _size(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        parts = node.value
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        # A node that contains itself has no size yet.
        return 1 + sum(self._sizes.get(part, MAX_NODES) for part in parts)


def load_yaml(text: str) -> Any:
    """Parse a document of numbers, strings, lists and mappings.

    Args:
        text: The document.

    Raises:
        yaml.YAMLError: If it is no YAML, holds other objects, or more than 10,000 values,
            counting an alias as often as it is used.
        RecursionError: If it is nested too deeply.
    """
    return yaml.load(text, Loader=_BoundedLoader)

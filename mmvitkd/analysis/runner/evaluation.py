"""Feed measures of blocks, batch by batch, and collect their results."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ...utils.errors import add_note
from ..features.extractor import Key
from ..measures.base import (
    ALL_FEATURES,
    BLOCKS,
    FEATURES,
    GRADIENTS,
    PAIRS,
    Measure,
)
from ..measures.block import Batch, Block
from ..measures.checks import check_entries, named_errors

# By the keys of the blocks.
Features = Mapping[Any, Tensor]


class Evaluation:
    """Runs measures on several blocks of the same images.

    Call ``first_pass`` with all batches of images; if a measure needs a second pass, call
    ``start_second_pass`` and then ``second_pass`` with the same batches; if one needs
    gradients, call ``gradients``.

    Args:
        blocks: The blocks to measure, by key.
        measures: The classes of the measures.
    """

    def __init__(self, blocks: Mapping[Any, Block], measures: Sequence[type[Measure]]) -> None:
        self._keys = list(blocks)
        self._zero_tokens = dict.fromkeys(blocks, 0)
        self._about = {
            key: dict(num_tokens=block.num_tokens, embed_dims=block.embed_dims)
            for key, block in blocks.items()
        }
        # In the order of the measures; a measure that compares blocks has a single instance.
        self._measures: list[tuple[type[Measure], dict[Key, Measure] | Measure]] = [
            (
                measure,
                _new(measure, list(blocks.values()))
                if measure.needs == BLOCKS
                else {key: _new(measure, block) for key, block in blocks.items()},
            )
            for measure in measures
        ]

    def first_pass(self, features: Features, places: Sequence[int]) -> None:
        """Add the patch tokens (B, N, D) of images, with their positions among all images."""
        batches = {key: Batch(tokens, places) for key, tokens in features.items()}
        for key, batch in batches.items():
            self._zero_tokens[key] += int((~batch.tokens.any(2)).sum())
            self._call('update', key, (FEATURES,), batch)
            self._call('prepare', key, (ALL_FEATURES, PAIRS), batch)
            batch.forget()
        for kind, joint in self._measures:
            if isinstance(joint, Measure):
                with named_errors(f'measure {kind.name!r}: update()'):
                    joint.update(batches)

    def start_second_pass(self, num_images: int) -> None:
        """Begin the second pass, after a first pass over ``num_images`` images."""
        for key in self._keys:
            self._call('start', key, (ALL_FEATURES, PAIRS), num_images)

    def second_pass(self, features: Features, places: Sequence[int]) -> None:
        """Add the patch tokens of images for the second time."""
        for key, tokens in features.items():
            self._call('update', key, (ALL_FEATURES, PAIRS), Batch(tokens, places))

    def gradients(self, gradients: Features, places: Sequence[int], score: str) -> None:
        """Add the gradients (B, N, D) of a score, 'labels' or 'predictions'."""
        for key, gradient in gradients.items():
            self._call('update', key, (GRADIENTS,), Batch(gradient, places, score))

    def result(self) -> dict[Key, dict[str, Any]]:
        """Return the blocks' entries of the report.

        Raises:
            ValueError: If a measure has no value; names the measure and the block.
            TypeError: If a result does not have the declared entries; likewise.
        """
        entries: dict[Key, dict[str, Any]] = {
            key: {**self._about[key], 'zero_tokens': self._zero_tokens[key]}
            for key in self._keys
        }
        for kind, measure in self._measures:
            if isinstance(measure, Measure):
                found = _named_result(measure, kind.name)
                if not isinstance(found, dict) or list(found) != self._keys:
                    raise TypeError(
                        f'measure {kind.name!r}: result() has the keys {list(found)!r}, wanted '
                        f'those of the blocks, {self._keys}.'
                    )
            else:
                found = {
                    key: _named_result(own, f'block {key}: {kind.name}')
                    for key, own in measure.items()
                }
            for key, entry in found.items():
                _merge(entries[key], check_entries(kind, entry, f'block {key}'), kind.name)
        return entries

    def _call(self, method: str, key: Key, needs: Sequence[str], argument: Any) -> None:
        """Call a method of a block's measures that have one of these needs."""
        for kind, measures in self._measures:
            if not isinstance(measures, Measure) and kind.needs in needs:
                with named_errors(f'measure {kind.name!r}, block {key}: {method}()'):
                    getattr(measures[key], method)(argument)


def _new(kind: type[Measure], block: Any) -> Measure:
    with named_errors(f'measure {kind.name!r}: __init__()'):
        return kind(block)


def _named_result(measure: Measure, where: str) -> dict[Any, Any]:
    try:
        return measure.result()
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error
    except Exception as error:
        add_note(error, f'({where}: result())')
        raise


def _merge(entry: dict[str, Any], found: Mapping[str, Any], measure: str) -> None:
    """Add a measure's result to an entry, merging dicts under the same key."""
    for name, value in found.items():
        known = entry.get(name)
        if name not in entry:
            entry[name] = value
        elif isinstance(value, dict) and isinstance(known, dict) and not known.keys() & value:
            entry[name] = {**known, **value}
        else:
            raise TypeError(f'measure {measure!r}: entries: {name!r} is already there.')

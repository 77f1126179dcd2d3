"""The measures of a report by their names: what each says, and what it has to see."""

from collections.abc import Sequence
from typing import NamedTuple

from ...suggestions import did_you_mean

DEFAULT, ALL = 'default', 'all'
# Blocks of which 'default' has the permutation test: of one block of CaiT-S24 it takes a fifth
# of a forward pass on a CPU, twice as much as all other measures together.
PERMUTED = 2


class Measure(NamedTuple):
    """What a name stands for.

    Attributes:
        entries: Its keys in a block's entry of the report.
        meaning: What they say, in a line.
        needs: Beside each image's features once: 'basis', those of all images before any is
            judged; 'range', likewise; 'gradients', a backward pass; 'blocks', two or more.
    """

    entries: tuple[str, ...]
    meaning: str
    needs: str | None = None


# Saliency is not among them: it is a map of an image's pixels, belongs to no block, and has
# no mean over images that says anything. See mmvitkd.analysis.functional.gradients.
MEASURES = {
    'svd': Measure(('svd',), "directions of its own that hold an image's energy"),
    'pca': Measure(('pca',), "directions of all images that hold an image's energy", 'basis'),
    'rotation': Measure(
        ('rotation',), "angles between images' subspaces, and to that of all images", 'basis'
    ),
    'sep': Measure(('sep',), 'energy over channel frequencies, full and folded, with a null'),
    'permutation': Measure(('sep',), 'the same in 100 random channel orders: 100 FFTs a token'),
    'energy': Measure(
        ('sorted_energy', 'participation_ratio'), "channels that hold a token's energy"
    ),
    'effective_rank': Measure(('effective_rank',), "of an image's singular values"),
    'cka': Measure(('cka',), 'how alike blocks are to the last one', 'blocks'),
    'spectrum': Measure(
        ('spectrum', 'frequency_intensity'), 'mean amplitude over channel frequencies'
    ),
    'entropy': Measure(('entropy',), "bits in the values of a token's channels", 'range'),
    'magnitude': Measure(('activation_magnitude',), 'mean absolute activation'),
    'gradient': Measure(
        ('gradient_magnitude',), "mean absolute gradient of the label's logit", 'gradients'
    ),
}


def chosen_measures(names: Sequence[str], num_blocks: int) -> tuple[str, ...]:
    """The measures that are meant, each once, in the order of the table.

    Args:
        names: Of measures; 'all'; or 'default', which leaves out those that need gradients,
            and 'permutation' of more than two blocks. Of one block both leave out 'cka'.
        num_blocks: How many blocks are measured.

    Raises:
        ValueError: If a name is unknown, there is none, or 'cka' is asked of one block.
    """
    chosen: set[str] = set()
    for name in names:
        if name in (DEFAULT, ALL):
            chosen.update(_of_a_word(name, num_blocks))
        elif name not in MEASURES:
            known = [*MEASURES, DEFAULT, ALL]
            raise ValueError(
                f'measures: there is no {name!r}{did_you_mean(name, known) or "."} Wanted some '
                f'of {", ".join(known)}.'
            )
        elif MEASURES[name].needs == 'blocks' and num_blocks < 2:
            raise ValueError(f'measures: {name!r} compares blocks, and found only one.')
        else:
            chosen.add(name)
    if not chosen:
        raise ValueError(f'measures: found none; wanted some of {", ".join(MEASURES)}.')
    return tuple(name for name in MEASURES if name in chosen)


def needed(names: Sequence[str], need: str) -> bool:
    """Whether one of the measures has such a need."""
    return any(MEASURES[name].needs == need for name in names)


def _of_a_word(word: str, num_blocks: int) -> list[str]:
    chosen = [n for n, m in MEASURES.items() if m.needs != 'blocks' or num_blocks > 1]
    if word == ALL:
        return chosen
    permuted = num_blocks <= PERMUTED
    chosen = [name for name in chosen if name != 'permutation' or permuted]
    return [name for name in chosen if MEASURES[name].needs != 'gradients']

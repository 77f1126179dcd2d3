"""Show progress bars of passes over images."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn


@contextmanager
def image_bars(
    num_images: int | Mapping[str, int], console: Console
) -> Iterator[Callable[[Iterable[Any], str], Iterable[Any]]]:
    """Yield a function that wraps the batches of a pass and draws a bar for it.

    Without a terminal, only the last state is printed.

    Args:
        num_images: Length of the list that the ``indices`` of batches point into; if there are
            several lists, by the names of the passes.
        console: Where the bars are drawn.
    """
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:

        def watch(batches: Iterable[Any], name: str) -> Iterator[Any]:
            total = num_images if isinstance(num_images, int) else num_images[name]
            task = bars.add_task(name, total=total)
            for batch in batches:
                yield batch
                # Unreadable images count as done.
                bars.update(task, completed=int(batch.indices[-1]) + 1)
            bars.update(task, completed=total)

        yield watch

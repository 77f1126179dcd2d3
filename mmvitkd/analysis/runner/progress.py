"""Progress of passes over images: a bar for each, with rate and time left."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class RateColumn(ProgressColumn):
    """How many images a second."""

    def render(self, task: Task) -> Text:
        """The mean rate of a task; empty at its start."""
        seconds = task.finished_time or task.elapsed or 0.0
        if not (task.completed and seconds):
            return Text('')
        return Text(f'{task.completed / seconds:.3g} images/s')


@contextmanager
def image_bars(
    num_images: int, console: Console
) -> Iterator[Callable[[Iterable[Any], str], Iterable[Any]]]:
    """A context whose value wraps the batches of a pass, and draws a bar for it.

    Without a terminal only the last state is printed.

    Args:
        num_images: Size of the list that the batches have ``indices`` into.
        console: Where the bars are drawn.
    """
    columns = TextColumn('{task.description:12}'), BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), TextColumn('left:'), TimeRemainingColumn()
    with Progress(*columns, RateColumn(), *times, console=console) as bars:

        def watch(batches: Iterable[Any], name: str) -> Iterator[Any]:
            task = bars.add_task(name, total=num_images)
            for batch in batches:
                yield batch
                # Images that cannot be read count as done.
                bars.update(task, completed=int(batch.indices[-1]) + 1)
            bars.update(task, completed=num_images)

        yield watch

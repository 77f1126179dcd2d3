"""torch.compile without a compiler: counts the graphs, and runs them as they are."""

from contextlib import contextmanager

import torch
from torch._dynamo.testing import CompileCounter
from torch._dynamo.utils import counters


class Graphs:
    """How many graphs were made, and how often one was broken off."""

    def __init__(self):
        self._counter = CompileCounter()

    @property
    def count(self):
        return self._counter.frame_count

    @property
    def breaks(self):
        return dict(counters['graph_break'])


@contextmanager
def counted_graphs():
    """A context in which compiled modules run through a counter, from a clean slate."""
    torch._dynamo.reset()
    counters.clear()
    graphs = Graphs()
    with torch.compiler.set_stance(force_backend=graphs._counter):
        yield graphs
    torch._dynamo.reset()

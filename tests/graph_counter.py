"""Count the graphs of torch.compile without compiling them."""

from contextlib import contextmanager

import torch
from torch._dynamo.testing import CompileCounter
from torch._dynamo.utils import counters


class Graphs:
    """The number of graphs, and of graph breaks."""

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
    """Run compiled modules through a counter, starting from a reset compiler."""
    torch._dynamo.reset()
    counters.clear()
    graphs = Graphs()
    with torch.compiler.set_stance(force_backend=graphs._counter):
        yield graphs
    torch._dynamo.reset()

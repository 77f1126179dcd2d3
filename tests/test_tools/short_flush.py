"""Mark the rows of a cache in short intervals, so that a process can be killed in between."""

from mmvitkd.cache.row_store import RowStore

RowStore.open.__func__.__defaults__ = (0.2,)  # flush_interval

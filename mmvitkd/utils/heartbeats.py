"""Tell the other ranks what this one is doing, without a collective, and find who is stuck."""

import json
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import torch.distributed as dist
from mmengine.dist import get_dist_info

from .errors import listed

ANSWER_TIMEOUT = 2.0  # seconds


class Beat(NamedTuple):
    """What a rank said last.

    Attributes:
        beats: How many there were: it stands still where the process does.
        step: How many signs of life its training gave; the same in all ranks at the same place.
        place: Where its training is, as text.
        host: Its machine.
        pid: Its process.
        ending: Whether it is about to end.
    """

    beats: int
    step: int
    place: str
    host: str = socket.gethostname()
    pid: int = 0
    ending: bool = False


class Heartbeats:
    """Beats of all ranks, in the store of the process group over a connection of its own."""

    def __init__(self) -> None:
        self.rank, self.world_size = get_dist_info()
        self._count = 0
        self._last: Beat | None = None
        self._store: dist.Store | None = None
        if self.world_size > 1:
            self._store = dist.distributed_c10d._get_default_store().clone()

    def beat(self, step: int, place: str, ending: bool = False) -> None:
        """Say where this rank is. Does not wait for anyone.

        Args:
            step: Its number of signs of life.
            place: Where it is.
            ending: Whether it is about to end.
        """
        self._count += 1
        self._last = Beat(self._count, step, place, pid=os.getpid(), ending=ending)
        if self._store is not None:
            with suppress(dist.DistError):  # read() will tell
                self._store.set(_key(self.rank), json.dumps(self._last))

    def read(self) -> dict[int, Beat | None]:
        """Return the last beats by rank; None if there was none; empty without an answer."""
        if self._store is None:
            return {self.rank: self._last}
        beats: dict[int, Beat | None] = {}
        # The store has timeouts, but waits without one for a stopped server to confirm them.
        thread = threading.Thread(target=self._fetch, args=(self._store, beats), daemon=True)
        thread.start()
        thread.join(ANSWER_TIMEOUT)
        return dict(beats)

    def _fetch(self, store: dist.Store, beats: dict[int, Beat | None]) -> None:
        with suppress(dist.DistError):
            store = store.clone()  # a call that hangs keeps its connection
            for rank in range(self.world_size):
                key = _key(rank)
                found = Beat(*json.loads(store.get(key))) if store.check([key]) else None
                beats[rank] = found


def find_stuck(earlier: Mapping[int, Beat | None], later: Mapping[int, Beat | None]) -> str:
    """Say which ranks are stuck, and where.

    Args:
        earlier: What :meth:`Heartbeats.read` returned.
        later: The same when each living rank has beaten again.
    """
    if not later:
        return 'The store of the process group does not answer: rank 0 or the launcher hangs.'
    missing = [f'rank {rank} (not started)' for rank, beat in later.items() if beat is None]
    known = {rank: beat for rank, beat in later.items() if beat is not None}
    dead = [r for r, beat in known.items() if earlier.get(r) == beat and not beat.ending]
    last = [f'{_name(rank, known[rank])}, last {known[rank].place}' for rank in dead]
    silent = missing + last
    if silent:
        return f'No sign of life from {listed(silent)}.{_rest(known, dead)}'
    first = min(beat.step for beat in known.values())
    behind = [rank for rank, beat in known.items() if beat.step == first]
    if len(behind) == len(known) > 1:
        return f'All ranks are stuck: {known[0].place}.'
    stuck = [f'{_name(rank, known[rank])}: {known[rank].place}' for rank in behind]
    return f'Stuck: {listed(stuck)}.{_rest(known, behind)}'


def _key(rank: int) -> str:
    return f'mmvitkd.heartbeats.{rank}'


def _name(rank: int, beat: Beat) -> str:
    return f'rank {rank} (host {beat.host}, process {beat.pid})'


def _rest(beats: Mapping[int, Beat], stuck: list[int]) -> str:
    """Say where the other ranks wait."""
    others = sorted({beat.place for rank, beat in beats.items() if rank not in stuck})
    return f' The other ranks wait: {listed(others)}.' if others else ''

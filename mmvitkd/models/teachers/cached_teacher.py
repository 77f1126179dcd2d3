"""CachedTeacher: compute the outputs of a teacher once, and read them from disk afterwards."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmrazor.models.task_modules import RecorderManager
from torch import Tensor, nn

from ...cache.header import CacheHeader, differences
from ...cache.row_store import RowStore
from ...cache.view_set import Rows, View, ViewSet
from ...registry import MODELS
from ...utils.bytesize import size_text
from ...utils.errors import KeyedValueError, listed
from ..utils.cost import Cost
from ..utils.features import NamedFeature
from .base_teacher import BaseTeacher, Samples
from .build import make_teacher
from .cache_folder import KEY, check_views, create_cache, find_header, refuse_differences
from .cache_options import cache_options
from .stored_outputs import StoredOutputs
from .stored_tensor import TeacherRead
from .teacher_identity import description_of, identity_of_config, may_differ

# The largest relative error of what is stored against the live teacher: other devices and
# kernels differ by less, another teacher or image by more.
TOLERANCE = 0.05
CHUNK = 256  # rows that are read at a time for their logits alone


@MODELS.register_module()
class CachedTeacher(BaseTeacher):
    """A teacher whose outputs are stored, by the view of the image, and computed only once.

    What the losses get is always what would be read from the disk, also where it has just been
    computed: a training does not depend on what was in the cache before.

    The teacher itself is built when its outputs are first needed: for a new cache, or for one
    that lacks some of the views that a training asks for.

    Args:
        teacher: The teacher, see :func:`~mmvitkd.models.teachers.make_teacher`.
        teacher_ckpt: The file of its weights; may be missing if the cache is complete.
        allow_random_teacher: See :func:`~mmvitkd.models.teachers.make_teacher`.
        teacher_options: How the live teacher computes.
        dir: The folder of the cache.
        storage: See :class:`~mmvitkd.models.teachers.cache_options.CacheOptions`.

    Attributes:
        live: The teacher itself, or None if it is not built.
        header: What the cache says of itself; None as long as it is new.
        storing_error: Why it stores no more; None if nothing went wrong.

    Raises:
        ValueError: If an option is wrong, the folder is not a cache, or one of another teacher.
    """

    def __init__(
        self,
        teacher: Any,
        teacher_ckpt: str | None = None,
        allow_random_teacher: bool = False,
        teacher_options: Mapping[str, Any] | None = None,
        *,
        dir: str,
        **storage: Any,
    ) -> None:
        self.folder = Path(dir).expanduser()
        self.options = cache_options(storage)
        self._make = partial(
            make_teacher, teacher, teacher_ckpt, allow_random_teacher, teacher_options
        )
        self._identity = identity_of_config(
            teacher, teacher_ckpt, allow_random_teacher, teacher_options
        )
        self._prepared: tuple[RecorderManager, nn.Module | None] | None = None
        self._applied: list[Callable[[Tensor], Tensor]] = []
        self._store: RowStore | None = None
        self._views: ViewSet | None = None
        self._is_stored = False  # whether what is computed is stored
        self.storing_error: OSError | None = None
        self.live: BaseTeacher | None = None
        self.header: CacheHeader | None = find_header(self.folder)
        tensors = None if self.header is None else self.header.tensors
        self._outputs = StoredOutputs(self.folder, self.options, tensors)
        if self.header is None:
            self._build()
        else:
            self._check_identity()
            self._describe(self.header.teacher['description'])

    @property
    def name(self) -> str:
        """The name of the teacher itself."""
        return self._name

    def _sources(self) -> Sequence[str]:
        """Return also the names of the modules whose outputs are stored."""
        stored = self.header.tensors.values() if self.header is not None else ()
        return [*super()._sources(), *(tensor['source'] for tensor in stored)]

    def prepare(
        self, recorders: RecorderManager, data_preprocessor: nn.Module | None = None
    ) -> None:
        """Prepare the teacher itself; see :meth:`.BaseTeacher.prepare`."""
        # A teacher that is built later is built on the CPU; the student has been moved by then.
        self._prepared = recorders, deepcopy(data_preprocessor)
        if self.live is not None:
            self.live.prepare(recorders, data_preprocessor)
            return
        super().prepare(recorders, data_preprocessor)
        self._outputs.check_names(recorders.recorders)

    def plan(self, reads: Mapping[str, TeacherRead], outputs: Mapping[str, Any]) -> None:
        """Decide what is stored; see :meth:`.StoredOutputs.plan`."""
        self._outputs.plan(reads, outputs, self.num_classes)

    @property
    def row_bytes(self) -> int:
        """The bytes of an image's outputs."""
        return self._outputs.row_bytes

    def open(self, views: ViewSet, check: bool = True) -> None:
        """Open the cache for the views of a training; create it if it is new.

        Several processes may do so at once.

        Args:
            views: The views that the training asks for.
            check: Whether to compare images and teacher with those that the cache was filled
                with: one process on each machine is enough.

        Raises:
            ValueError: If they differ; or if there is not enough space for a new cache.
            DamagedCacheError: If a shard is missing or truncated.
        """
        if self.header is None:
            self._create(views)
        assert self.header is not None
        check_views(self.folder, self.header, views, self.options.ignore_versions, check)
        self._views = views
        self._store = RowStore.open(
            self.folder, self.header.num_rows, self.row_bytes, writable=False
        )

    def _create(self, views: ViewSet) -> None:
        """Create the cache, or take the one that another process has created meanwhile."""
        assert self.live is not None
        teacher = {**self._identity, 'description': description_of(self.live)}
        teacher['weights_sha256'] = self.live.fingerprint()
        self.header = find_header(self.folder) or create_cache(
            self.folder, views, teacher, self._outputs.to_dict(), self.row_bytes
        )
        self._check_identity()
        self._outputs.take(self.header.tensors)

    @property
    def stores(self) -> bool:
        """Whether what is computed is stored."""
        return self._is_stored

    def missing_rows(self) -> Iterator[Rows]:
        """Yield the rows that the training asks for, and that are not stored, in parts."""
        views, store = self._opened()
        for rows in views.planned_rows():
            yield rows[~store.has(rows)]

    def num_missing(self) -> int:
        """Return the number of these rows."""
        return sum(map(len, self.missing_rows()))

    def repair(self) -> int:
        """Recreate missing shards, extend truncated ones, and forget damaged rows.

        For one process, before any opens the cache. What is stored and intact stays.

        Returns:
            The number of rows that will be computed again.
        """
        if self.header is None:
            return 0
        numbers = self.header.num_rows, self.row_bytes
        RowStore.repair_files(self.folder, *numbers)
        with RowStore.open(self.folder, *numbers, writable=True) as store:
            damaged = np.array(list(store.damaged_rows()), np.int64)
            store.forget(damaged)
        return len(damaged)

    def some_stored_rows(self, count: int) -> Rows:
        """Return some of the rows that the training asks for and that are stored."""
        views, store = self._opened()
        for rows in views.planned_rows():
            stored = rows[store.has(rows)]
            if len(stored):
                return stored[:: max(1, len(stored) // count)][:count]
        return np.empty(0, np.int64)

    def view_of(self, row: int) -> View:
        """Return the view, (index, view, repeat), of a row."""
        return self._opened()[0].view(int(row))

    def rows_if_stored(self, views: Sequence[View]) -> Rows | None:
        """Return the rows of some views, or None if one of them is not stored."""
        view_set, store = self._opened()
        rows = np.array([view_set.row(view) for view in views], np.int64)
        return rows if store.has(rows).all() else None

    def stored_logits(self, rows: Rows) -> Tensor | None:
        """Return the logits (B, ``num_classes``) of stored rows, or None if there are none."""
        name, (_, store) = self._outputs.logits_name, self._opened()
        if name is None or self.num_classes is None:
            return None
        logits = torch.empty(len(rows), self.num_classes)
        for start in range(0, len(rows), CHUNK):  # a row may be a thousand times as large
            part = slice(start, start + CHUNK)
            buffer, cpu = store.read(rows[part]), torch.device('cpu')
            logits[part] = self._outputs.decode(buffer, cpu, [name])[name]
        return logits

    def store_new_rows(self) -> None:
        """Store what is computed from now on; for one run at a time.

        Raises:
            OSError: If the folder cannot be written to.
            ValueError: If the training does not compute all that is stored of a view.
        """
        assert self.header is not None
        if unread := self._outputs.unread:
            names = listed(sorted(map(repr, unread)))
            raise ValueError(f'it also holds {names}, which this training does not read')
        store = RowStore.open(self.folder, self.header.num_rows, self.row_bytes, writable=True)
        self._store, self._is_stored = store, True

    def build_live(self) -> BaseTeacher:
        """Return the teacher itself; build it if that has not been done."""
        if self.live is None:
            self._build()
        assert self.live is not None
        return self.live

    def flush(self) -> None:
        """Wait until all that was computed counts as stored; without space, go on without."""
        if self._store is not None and self._is_stored:
            with self._going_on():
                self._store.flush()

    def close(self) -> None:
        """Write what is still to be written, and close the cache."""
        self.flush()
        store, self._store = self._store, None
        if store is not None:
            with self._going_on():
                store.close()
        self._is_stored = False

    def start(
        self, images: Tensor, data_samples: Samples = None
    ) -> Callable[[], dict[str, Any]]:
        """Start reading a batch, and computing what is not stored of it.

        Args:
            images: (B, 3, H, W), normalised for the student.
            data_samples: The samples, each with its ``sample_view``. Images that are no views
                of the training, such as those of the validation, are computed.

        Raises:
            ValueError: If something has to be computed and there is no teacher.
        """
        rows = self._rows_of(data_samples)
        if rows is None:
            return self._compute(images, data_samples, 'images that are no training views')
        _, store = self._opened()
        stored = store.has(rows)
        store.prefetch(rows[stored])
        computed: Callable[[], Any] | None = None
        if not stored.all():
            assert data_samples is not None
            where = np.flatnonzero(~stored).tolist()
            part = images[torch.tensor(where, device=images.device)]
            lacking = f'{len(where)} of its rows, such as {rows[where[0]]}'
            computed = self._compute(part, [data_samples[i] for i in where], lacking)
        return partial(self._finish, images.device, rows, stored, computed)

    def dry_run(self, images: Tensor) -> Any:
        """Return tensors of the right shapes: of the teacher itself, or zeros."""
        if self.live is not None:
            return self.live.dry_run(images)
        return self._outputs.blank(images)

    def logits(self, images: Tensor, data_samples: Samples = None) -> Tensor | None:
        """Return the logits of the teacher itself, or None if it is not built."""
        return None if self.live is None else self.live.logits(images, data_samples)

    def cost(self, images: Tensor) -> Cost | None:
        """Return the cost of the teacher itself, or 0 if it is not built."""
        return Cost(0, 0) if self.live is None else self.live.cost(images)

    def fingerprint(self) -> str | None:
        """Return the fingerprint of the teacher itself, or None if it is not built."""
        return None if self.live is None else self.live.fingerprint()

    def apply(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply a function to the tensors of the teacher itself, also if it is built later."""
        if self.live is not None:
            self.live.apply(function)
        else:
            self._applied.append(function)

    def read(self, rows: Rows, device: torch.device) -> dict[str, Any]:
        """Return the outputs of stored rows by name."""
        return self._outputs.decode(self._opened()[1].read(rows), device)

    def compare_with_live(self, images: Tensor, data_samples: Samples) -> None:
        """Compare stored rows with what the teacher itself computes.

        Raises:
            ValueError: If they differ by more than rounding.
        """
        rows = self._rows_of(data_samples)
        assert rows is not None
        found = self.read(rows, images.device)
        computed = self._outputs.encode(self._compute(images, data_samples, 'a comparison')())
        for name, wanted in self._outputs.decode(computed, images.device).items():
            a, b = (_tensor_of(output).double() for output in (found[name], wanted))
            error = float((a - b).norm() / b.norm().clamp_min(1e-12))
            if not error <= TOLERANCE:
                raise KeyedValueError(
                    f'{{{KEY}}}: {self.folder}, {name!r}: what is stored of {len(rows)} images '
                    f'differs from what the teacher computes by {100 * error:.1f} %, wanted at '
                    f'most {100 * TOLERANCE:g} %: another teacher, precision or normalisation '
                    'filled it. Use another folder.',
                    KEY,
                )

    def _rows_of(self, data_samples: Samples) -> Rows | None:
        """Return the rows of a batch; None if the images are no views of the training."""
        found = [sample.get('sample_view') for sample in data_samples or ()]
        if not found or None in found:
            return None
        views, _ = self._opened()
        return np.array([views.row(view) for view in found], np.int64)

    def _compute(self, images: Tensor, data_samples: Samples, what: str) -> Callable[[], Any]:
        """Start computing with the teacher itself."""
        if self.live is None:
            raise KeyedValueError(
                f'{{{KEY}}}: {self.folder} lacks {what}, and the teacher that would compute '
                'them is not built. Fill it: python tools/cache_teacher.py CONFIG.',
                KEY,
            )
        return self.live.start(images, data_samples)

    def _finish(
        self,
        device: torch.device,
        rows: Rows,
        stored: np.ndarray[Any, Any],
        computed: Callable[[], Any] | None,
    ) -> dict[str, Any]:
        """Return a batch's outputs; store what was computed."""
        _, store = self._opened()
        if computed is None:
            return self._outputs.decode(store.read(rows), device)
        buffer = torch.empty(len(rows), self.row_bytes, dtype=torch.uint8)
        buffer[torch.from_numpy(~stored)] = packed = self._outputs.encode(computed())
        if stored.any():
            buffer[torch.from_numpy(stored)] = store.read(rows[stored])
        if self._is_stored:
            with self._going_on():
                store.write(rows[~stored], packed)
        return self._outputs.decode(buffer, device)

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Go on without storing when the disk is full or cannot be written to any more."""
        try:
            yield
        except OSError as error:
            was_stored, self._is_stored = self._is_stored, False
            if was_stored:
                self.storing_error = error
                print_log(self._stops_storing(error), 'current', logging.WARNING)

    def _stops_storing(self, error: OSError) -> str:
        needed = ''
        if self._store is not None:
            missing = self.num_missing()
            size = size_text(missing * self.row_bytes)
            needed = f'; {missing:,} views more need {size}'
        return (
            f'{KEY}: {error}{needed}. What is stored stays usable; the run goes on, computes '
            'what is missing, and stores no more.'
        )

    def _opened(self) -> tuple[ViewSet, RowStore]:
        if self._views is None or self._store is None:
            raise KeyedValueError(
                f'{{{KEY}}}: {self.folder} is not open. Train with mmvitkd.Runner, as '
                'tools/train.py does, and with default_hooks.teacher_cache='
                "dict(type='mmvitkd.TeacherCacheHook').",
                KEY,
            )
        return self._views, self._store

    def _build(self) -> None:
        """Build the teacher itself."""
        live = self._make()
        self._check_weights(live)
        if self._prepared is not None:
            live.prepare(*self._prepared)
        for function in self._applied:
            live.apply(function)
        self.live = live
        self._describe(description_of(live))

    def _describe(self, description: Mapping[str, Any]) -> None:
        """Set what the teacher is made for."""
        self._name = str(description['name'])
        self.input_size = _pair(description['input_size'])
        self.blocks, self.widths = description['blocks'], description['widths']
        self.grids = [_pair(grid) for grid in description['grids']]
        self.num_extra_tokens = description['num_extra_tokens']
        self.num_classes = description['num_classes']
        features = description.get('features', {})  # caches of older versions have none
        self.features = {name: NamedFeature(*feature) for name, feature in features.items()}

    def _check_weights(self, live: BaseTeacher) -> None:
        """Compare the weights of the teacher itself with those that filled the cache."""
        if self.header is not None:
            found = dict(weights_sha256=live.fingerprint())
            stored = dict(weights_sha256=self.header.teacher.get('weights_sha256'))
            refuse_differences(self.folder, differences(stored, found, 'teacher'))

    def _check_identity(self) -> None:
        """Compare the teacher of the config with that of the cache, if in doubt by weights."""
        assert self.header is not None
        keys = {'config', 'precision'}
        stored, found = (
            {key: teacher[key] for key in keys}
            for teacher in (self.header.teacher, self._identity)
        )
        refuse_differences(self.folder, differences(stored, found, 'teacher'))
        if self.live is not None or may_differ(self._identity, self.header.teacher):
            self._check_weights(self.live or self._make())


def _tensor_of(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _pair(value: Any) -> tuple[int, int] | None:
    return None if value is None else (value[0], value[1])

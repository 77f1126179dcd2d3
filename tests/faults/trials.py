"""Run functions in child processes, broken at a point, and compare what they leave."""

import os
import pickle
import traceback
from pathlib import Path

from mmvitkd.checkpoint.integrity import verify

import torch
from injection import Injection

TIMES = ('time', 'memory', 'eta')
# Names of this run, of the machine, and of the moment.
OF_THE_RUN = ('experiment_name', 'time', 'eta', 'last_ckpt', 'best_ckpt', 'cfg')


def in_child(function, folder, at=None, error=None):
    """Run function(folder) in a child; return its exit code and its operations on the folder.

    The child starts as a copy of this process, which has imported everything.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        code = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            injection = Injection(folder, at, error)
            function(folder)
            code = 0
        except BaseException as error:
            code = error.code if isinstance(error, SystemExit) else 1
            os.write(write, pickle.dumps(traceback.format_exc()[-2000:]))
        else:
            os.write(write, pickle.dumps(injection.done))
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, 'rb') as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), pickle.loads(content) if content else None


def state_of(folder):
    """What a run has left: every checkpoint's content but times and paths, by its name.

    Fails for a file that is damaged, temporary, or that ``last_checkpoint`` should name.
    """
    names = sorted(path.name for path in Path(folder).iterdir() if path.is_file())
    assert [n for n in names if n.startswith('.')] == [], names
    checkpoints = [name for name in names if name.endswith('.pth')]
    assert Path(folder, 'last_checkpoint').read_text() in checkpoints
    found = {}
    for name in checkpoints:
        assert verify(Path(folder, name)) == 'sha256', name
        found[name] = plain(torch.load(Path(folder, name), weights_only=True))
    return found


def plain(value, key=''):
    """Turn a checkpoint's content into what two equal runs have in common, comparable."""
    if isinstance(value, torch.Tensor):
        return value.dtype, tuple(value.shape), value.contiguous().numpy().tobytes()
    if isinstance(value, dict):
        # MMEngine writes the iteration anew when a training starts, also before a validation.
        left_out = ('epoch', 'iter') if key == 'runtime_info' else ()
        kept = {k: v for k, v in value.items() if k not in left_out and not is_of_the_run(k)}
        return {k: plain(v, str(k)) for k, v in kept.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def is_of_the_run(key):
    return key in OF_THE_RUN or str(key).endswith(TIMES)


def points(operations, count, seed):
    """A seeded sample of the numbers of operations, always with the first and the last."""
    generator = torch.Generator().manual_seed(seed)
    numbers = (1 + torch.randperm(operations, generator=generator)).tolist()
    return sorted({1, operations, *numbers[:count]})

"""End a process when the one that started it ends, even by SIGKILL (Linux).

Also a script, which becomes another one: `die_with_parent.py PARENT SIGNAL SCRIPT [ARGUMENTS]`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int, number: int) -> None:
    """Have the kernel send this process a signal when its parent ends.

    That is when the parent's *thread* that started this process ends.

    Args:
        parent: The id of the parent, which may have ended already.
        number: The signal.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        signal.raise_signal(number)


if __name__ == '__main__':
    die_with_parent(int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.executable, [sys.executable, *sys.argv[3:]])

"""Runs a command that cannot outlive the process that started it: `tether.py PARENT COMMAND…`.

The children ask the kernel for this themselves (`--die-with-parent`), but only seconds into
their lives, when their imports are done. This asks before they begin, and the wish survives
the `exec`. It runs as a bare script, so that it costs no imports of Argus. Linux only;
elsewhere it merely runs the command.
"""

from __future__ import annotations

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - Linux only

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the kernel was asked.
    if os.getppid() != parent:
        sys.exit("the parent process is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()

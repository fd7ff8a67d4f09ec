"""Runs a command and writes what it took: `python -ISE measure.py REPORT OUTPUT COMMAND...`, OUTPUT getting its stdout.

A process of its own, with next to nothing imported: what the kernel counts as a child's peak of memory begins with that
of the process that started it.
"""

import os
import sys
import time


def main() -> None:
    report, output, *command = sys.argv[1:]
    out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)])
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - began
    values = [os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]
    with open(report, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is an import too many
        file.write(" ".join(map(str, values)))


main()

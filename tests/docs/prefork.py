"""``recon`` for documentation: real processes of the real command line, forked from a warm one.

Run as ``python -m tests.docs.prefork SOCKET SHIM``. Importing the command line costs half a second
each time; here it is paid once. Each call of the shim hands over arguments, directory, environment
and its three streams; a child is forked, becomes the command and ends as it would.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from recon.db.embedded.child import die_with_parent

__all__: list[str] = []

_LARGEST = 1 << 20
_WARM = (
    *("recon.app", "recon.cli.config", "recon.cli.discrepancies", "recon.cli.keys"),
    *("recon.cli.reconcile", "recon.cli.serve", "recon.cli.users", "recon.cli.verify"),
    *("recon.cli.wallet", "recon.cli.webhooks", "recon.cli.seal", "recon.cli.sandbox"),
    *("recon.cli.cases", "recon.cli.settlements"),
)

_SHIM = """#!{python} -IS
import array, json, os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect({path!r})
told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
s.sendmsg([len(told).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
    array.array("i", [0, 1, 2]))])
s.sendall(told)
answers = s.makefile("r")
pid = int(answers.readline())
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda n, _: os.kill(pid, n))
sys.exit(int(answers.readline() or 1))
"""


def main(path: str, shim: str) -> None:
    """Serve until killed."""
    __import__("recon.cli")
    for name in _WARM:
        __import__(name)
    Path(shim).write_text(_SHIM.format(python=sys.executable, path=path))
    Path(shim).chmod(0o755)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        connection, _ = listening.accept()
        _become(connection)


def _become(connection: socket.socket) -> None:
    head, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(3 * 4))
    streams = array.array("i")
    for _, _, data in ancillary:
        streams.frombytes(data)
    told = b""
    while len(told) < int.from_bytes(head, "big"):
        told += connection.recv(_LARGEST)
    arguments, folder, environment = json.loads(told)
    parent = die_with_parent()
    child = os.fork()
    if child == 0:
        parent()
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["recon", *arguments]
        _run()
    for stream in streams:
        os.close(stream)
    connection.sendall(b"%d\n" % child)
    threading.Thread(target=_wait, args=(connection, child), daemon=True).start()


def _run() -> None:
    """Be the command; what stands on the streams is flushed before the end."""
    from recon.cli import main as command  # noqa: PLC0415 - in the child

    sys.modules["__main__"].__package__ = None  # or click calls it `python -m tests.docs`
    code: object = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        command()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _wait(connection: socket.socket, child: int) -> None:
    _, status = os.waitpid(child, 0)
    with suppress(OSError):  # whoever called has gone
        connection.sendall(b"%d\n" % (os.waitstatus_to_exitcode(status) % 256))
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

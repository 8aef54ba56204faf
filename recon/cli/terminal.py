"""The terminal that we were begun in, and its end: it costs lines of the log, and no call.

SIGHUP has two meanings. Whoever runs a service asks it to begin anew; and the system says that the
terminal is gone. Servers of the kind either take the first always, so that one which was begun by
hand outlives its terminal (nginx, gunicorn, uvicorn), or the second.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import termios
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

__all__ = ["OutlivingTerminal", "hear_hang_ups"]

_STANDARD_FILES: Final = (0, 1, 2)


def hear_hang_ups(*, hung_up: Callable[[], None], asked: Callable[[], None]) -> None:
    """Tell the terminal's end from the wish of whoever runs us, both of which are SIGHUP.

    It is the terminal's where that was there and is not any more, and the kernel says so, or the
    shell that leads our session passes it on. Later, a service that has outlived its terminal
    (``disown``) is asked by others; and under ``nohup`` no SIGHUP is the terminal's. Called in a
    running loop, before any other thread is there.

    Args:
        hung_up: called in the loop when the terminal is gone.
        asked: called in the loop for every other SIGHUP.
    """
    loop = asyncio.get_running_loop()
    is_spared = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    may_hang_up = _has_terminal() and not is_spared

    def tell(by: signal.struct_siginfo | None = None) -> None:
        # Codes above zero are the kernel's own. Source: sigaction(2).
        is_by_session = by is None or by.si_code > 0 or by.si_pid == os.getsid(0)
        if may_hang_up and is_by_session and not _has_terminal():
            hung_up()
        else:
            asked()

    def listen() -> None:
        # A handler would not be told by whom.
        with suppress(RuntimeError):  # the loop is closed: we have ended
            while True:
                loop.call_soon_threadsafe(tell, signal.sigwaitinfo({signal.SIGHUP}))

    if not hasattr(signal, "sigwaitinfo"):  # on macOS, where nobody tells by whom
        loop.add_signal_handler(signal.SIGHUP, tell)
        return
    # Of every thread from here on, and of what we start, which has its own way with it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    Thread(target=listen, name="hang-ups", daemon=True).start()


class OutlivingTerminal:
    """A file to write to which, once it was a terminal that is gone, takes everything and keeps it.

    Args:
        file: as stderr, which may be one.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """As the file's own."""
        try:
            return self._file.write(text)
        except OSError as error:
            self._survive(error)
            return len(text)

    def flush(self) -> None:
        """As the file's own."""
        try:
            self._file.flush()
        except OSError as error:
            self._survive(error)

    def _survive(self, error: OSError) -> None:
        if error.errno != errno.EIO or not _let_go_of_terminal():
            raise error


def _has_terminal() -> bool:
    """Whether a terminal controls us; the kernel takes it from a session before it says so."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _let_go_of_terminal() -> bool:
    """Let what is written to a terminal that is gone go nowhere; False: none is.

    What is buffered would otherwise be tried again at the end, and make a crash of it.
    """
    gone = [number for number in _STANDARD_FILES if _has_hung_up(number)]
    if gone:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in gone:
            os.dup2(nowhere, number)
        os.close(nowhere)
    return bool(gone)


def _has_hung_up(number: int) -> bool:
    try:
        termios.tcgetattr(number)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)  # of what never was a terminal: ENOTTY
    return False

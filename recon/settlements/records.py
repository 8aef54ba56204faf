"""Read a file's records one by one: unpack, decode, number, and refuse what is no record.

What is passed on is plain: valid UTF-8, one record a line, each with its number in front and as
many columns as the header. So whoever reads it in bulk afterwards cannot stumble, and every line
that is left out has a number and a reason.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from recon.settlements.errors import NotReadableError, TruncatedError, UnpackedTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_REJECTED", "Reader", "Rejected"]

MAX_REJECTED: Final = 1000
"""A file with more lines than these that cannot be read is not the file that it was taken for."""

_BLOCK: Final = 4 * 2**20
_LONGEST: Final = 256 * 2**10
_TOO_LONG: Final = f"it is longer than {_LONGEST // 1024} KiB"
_HEADER_ROWS: Final = 20
_ODD: Final = re.compile(r"[^\w.:+-]")
"""Whatever a column is quoted for; more than needs to be."""

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that cannot be read, by its number in the file, and why."""

    line_no: int
    reason: str


@dataclass(slots=True)
class Reader:
    """One pass over a file.

    Args:
        source: its bytes, packed by gzip or not.
        most_bytes: that it may have, unpacked.
    """

    source: BinaryIO
    most_bytes: int | None = None
    delimiter: str = field(default=",", init=False)
    rejected: list[Rejected] = field(default_factory=list)
    lines: int = 0
    size: int = 0
    _line_no: int = 0
    _rest: bytes = b""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _blocks: Iterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._blocks = self._unpacked()

    @property
    def content_sha256(self) -> bytes:
        """Of everything that was read so far, unpacked."""
        return self._digest.digest()

    def first_rows(self, delimiter: str) -> list[list[str]]:
        """The file's first rows, among which the header is, cut by this delimiter.

        Reading goes on behind `skip`; until then they can be asked for again.

        Raises:
            NotReadableError: it is empty, or no text.
            TruncatedError: the packed file is cut off.
        """
        if not self._rest:
            block = next(self._blocks, b"")
            if block.startswith(_ZIP):
                raise NotReadableError("the file is a zip archive or a workbook; unpack it as CSV")
            if block.startswith(_UTF16_BOMS):
                raise NotReadableError("the file is UTF-16; save it as UTF-8")
            self._rest = block.removeprefix(_UTF8_BOM)
        if not self._rest.strip():
            raise NotReadableError("the file is empty")
        lines = self._rest.split(b"\n", _HEADER_ROWS)[:_HEADER_ROWS]
        rows = []
        for line in lines:
            try:
                # A header with a NUL is one of UTF-16.
                text = "" if b"\0" in line else line.decode()
                rows.append(next(csv.reader([text], delimiter=delimiter), []))
            except (UnicodeDecodeError, csv.Error):
                rows.append([])
        return rows

    def skip(self, rows: int, delimiter: str) -> None:
        """Go on behind these many of the `first_rows`, which this delimiter cuts."""
        self.delimiter = delimiter
        for _ in range(rows):
            _, _, self._rest = self._rest.partition(b"\n")
        self._line_no = rows

    def records(self, width: int) -> Iterator[bytes]:
        """Blocks of numbered records of this width, each ending in a newline; ``b""`` is none.

        Raises:
            TruncatedError: the file ends in the middle of a record.
            NotReadableError: too many lines cannot be read.
        """
        comma = self.delimiter.encode()
        while True:
            block = next(self._blocks, None)
            data = self._rest + (block or b"")
            if block is None:
                yield self._last(data, comma, width)
                return
            whole, newline, self._rest = data.rpartition(b"\n")
            if len(self._rest) > _LONGEST + _BLOCK:
                raise NotReadableError(
                    f"line {self._line_no + 1} does not end; is this a CSV file?"
                )
            if newline:
                yield self._block(whole, comma, width)

    def _last(self, data: bytes, comma: bytes, width: int) -> bytes:
        """What stands after the last newline, which nothing can complete any more."""
        self._rest = b""
        if not data:
            return b""
        refused = len(self.rejected)
        out = self._block(data, comma, width, final=True)
        cut = any(one.line_no == self._line_no for one in self.rejected[refused:])
        if cut and not data.endswith(b"\n"):
            raise TruncatedError(
                f"the file ends in the middle of line {self._line_no}; get it again"
            )
        return out

    def _block(self, data: bytes, comma: bytes, width: int, *, final: bool = False) -> bytes:
        """The records of whole lines; where a quote is still open they go back to what is left."""
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").removesuffix(b"\r")
        lines = data.removesuffix(b"\n").split(b"\n")
        plain = data.isascii() or _is_utf8(data)
        padded = data.startswith(b" ") or data.endswith(b" ")
        padded = padded or any(
            pair in data for pair in (comma + b" ", b" " + comma, b" \n", b"\n ")
        )
        if plain and not padded and not any(byte in data for byte in (b'"', b"\0", b"\r")):
            return self._plain(lines, comma, width)
        return self._careful(lines, comma, width, final=final)

    def _plain(self, lines: list[bytes], comma: bytes, width: int) -> bytes:
        wanted = width - 1
        out = []
        for number, line in enumerate(lines, self._line_no + 1):
            if len(line) > _LONGEST:
                self._reject(number, _TOO_LONG)
            elif line.count(comma) == wanted:
                out.append(b"%d%b%b\n" % (number, comma, line))
            elif line.strip():
                self._reject(number, _wrong_width(line.count(comma) + 1, width))
        self._line_no += len(lines)
        self.lines += len(out)
        return b"".join(out)

    def _careful(self, lines: list[bytes], comma: bytes, width: int, *, final: bool) -> bytes:
        """Lines with quotes or odd bytes, one by one.

        A record may go on over lines while a quote is open. Where what comes of it is no record,
        only its first line is refused: a stray quote takes no other line with it.
        """
        out = []
        place = 0
        while place < len(lines):
            number, taken = self._line_no + 1, 1
            found = self._fields(lines[place], width)
            if isinstance(found, str) and lines[place].count(b'"') % 2:
                taken = _record_at(lines, place)
                if taken == 0 and not final and sum(map(len, lines[place:])) < _LONGEST:
                    # The rest of it may stand in the next block.
                    self._rest = b"\n".join([*lines[place:], self._rest])
                    break
                if taken > 1:
                    found = self._fields(b"\n".join(lines[place : place + taken]), width)
                if taken == 0 or isinstance(found, str):
                    taken, found = 1, "a quote is opened and not closed"
            self._line_no += taken
            place += taken
            if isinstance(found, str):
                self._reject(number, found)
            elif found:
                self.lines += 1
                out.append(b"%d%b%b\n" % (number, comma, self._quoted(found)))
        return b"".join(out)

    def _fields(self, line: bytes, width: int) -> list[str] | str:
        """A record's fields, none where the line is blank, or why it is none."""
        if len(line) > _LONGEST or b"\0" in line:
            return _TOO_LONG if len(line) > _LONGEST else "it holds a NUL byte"
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            return f"it is not UTF-8 (byte {error.start + 1} of the line)"
        if not text.strip():
            return []
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True)
        try:
            fields, *more = rows
        except csv.Error:
            return "its quotes do not pair"
        if more:
            return "a line end stands in the middle of it"
        return fields if len(fields) == width else _wrong_width(len(fields), width)

    def _quoted(self, fields: list[str]) -> bytes:
        """Fields as they are passed on, each of them in one line."""
        return self.delimiter.join(
            '"' + " ".join(value.splitlines()).replace('"', '""') + '"'
            if _ODD.search(value) or self.delimiter in value
            else value
            for value in map(str.strip, fields)
        ).encode()

    def _reject(self, number: int, reason: str) -> None:
        self.lines += 1
        self.rejected.append(Rejected(number, reason))
        if len(self.rejected) > MAX_REJECTED:
            shown = "; ".join(f"line {one.line_no}: {one.reason}" for one in self.rejected[:3])
            raise NotReadableError(
                f"more than {MAX_REJECTED} lines cannot be read, so nothing was imported. {shown}"
            )

    def _unpacked(self) -> Iterator[bytes]:
        start = self.source.read(len(_GZIP))
        self.source.seek(0)
        packed = start == _GZIP
        stream: BinaryIO | gzip.GzipFile = (
            gzip.GzipFile(fileobj=self.source) if packed else self.source
        )
        while True:
            try:
                block = stream.read(_BLOCK)
            except EOFError as error:
                raise TruncatedError("the packed file is cut off; get it again") from error
            except (gzip.BadGzipFile, zlib.error) as error:
                raise NotReadableError(f"the packed file cannot be unpacked: {error}") from error
            if not block:
                return
            self.size += len(block)
            if self.most_bytes is not None and self.size > self.most_bytes:
                raise UnpackedTooLargeError(f"unpacked, it has more than {self.most_bytes} bytes")
            self._digest.update(block)
            yield block


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record_at(lines: list[bytes], place: int) -> int:
    """How many lines the record takes that begins here; 0 where its quote is not closed."""
    quotes = size = 0
    for end in range(place, len(lines)):
        quotes += lines[end].count(b'"')
        size += len(lines[end])
        if quotes % 2 == 0:
            return end - place + 1
        if size > _LONGEST:
            break
    return 0


def _wrong_width(found: int, wanted: int) -> str:
    return f"it has {found} columns, and the header has {wanted}"

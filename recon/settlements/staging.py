"""Read a whole file into its own stage: one thread cuts it into records, another parses them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from recon.settlements import lines
from recon.settlements.formats import delimiters, recognise
from recon.settlements.records import Reader
from recon.settlements.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from threading import Event

    from recon.settlements.formats import Layout
    from recon.settlements.model import Account, ImportOptions
    from recon.settlements.periods import Period

__all__ = ["Staged", "stage_file"]

_CHUNK: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that is read and parsed.

    Args:
        stage: its lines.
        folder: where more may be written.
        layout: whose columns it has.
        content_sha256: of what is in it, unpacked.
        size: in bytes, unpacked.
        account: whose file it is.
        options: how it is compared.
        spans: the times of which it speaks.
    """

    stage: Stage
    folder: Path
    layout: Layout
    content_sha256: bytes
    size: int
    account: Account
    options: ImportOptions
    spans: list[Period]

    @property
    def period(self) -> Period:
        """From its first line's time to its last's."""
        return self.spans[0][0], self.spans[-1][1]


def stage_file(
    source: BinaryIO, folder: Path, stop: Event, *, account: Account, options: ImportOptions
) -> Staged:
    """Read it; blocks for as long as that takes, or until it is told to stop.

    Raises:
        FormatError: it has no header that we know, or is another provider's.
        MerchantAccountError: it is of another merchant account.
        NotReadableError: it is no text, or too many lines cannot be read.
        TruncatedError: it ends in the middle.
        UnpackedTooLargeError: it has more bytes than it may.
        Invalid: an option is none.
    """
    cuts = delimiters(options.delimiter)
    reader = Reader(source, options.most_bytes)
    rows = {cut: reader.first_rows(cut) for cut in cuts}
    cut, place, layout = recognise(rows, account.provider, options.columns)
    reader.skip(place + 1, cut)
    stage = Stage(folder, options, layout)
    try:
        with ThreadPoolExecutor(max_workers=1) as parser:
            parsing: Future[None] | None = None
            for path in _chunks(reader, layout.width, folder, stop):
                if parsing is not None:
                    parsing.result()
                parsing = parser.submit(_parse, stage, path, cut)
            if parsing is not None:
                parsing.result()
        lines.prove_lines(stage, reader.rejected, account)
        spans = lines.spans_of(stage)
    except BaseException:
        stage.close()
        raise
    return Staged(
        stage=stage,
        folder=folder,
        layout=layout,
        content_sha256=reader.content_sha256,
        size=reader.size,
        account=account,
        options=options,
        spans=spans,
    )


def _chunks(reader: Reader, width: int, folder: Path, stop: Event) -> Iterator[Path]:
    """Files of numbered records, some megabytes each."""
    number, size = 0, 0
    path = folder / "chunk-0.csv"
    out = path.open("wb")
    try:
        for block in reader.records(width):
            if stop.is_set():
                return
            size += out.write(block)
            if size < _CHUNK:
                continue
            out.close()
            yield path
            number, size = number + 1, 0
            path = folder / f"chunk-{number}.csv"
            out = path.open("wb")
    finally:
        out.close()
    if size:
        yield path


def _parse(stage: Stage, path: Path, delimiter: str) -> None:
    stage.take_lines(path, delimiter)
    path.unlink()

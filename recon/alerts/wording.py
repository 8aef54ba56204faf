"""What a message says to people: one sentence, and the letter around it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

from recon.alerts.model import AlertType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recon.alerts.model import Attachment, Message

__all__ = ["Letter", "headline", "letter_of"]

_SCOPES = {"changed": "what changed", "all": "every wallet", "users": "some wallets"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as an e-mail has it."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Table:
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def headline(kind: AlertType, data: dict[str, Any]) -> str:
    """The message in one sentence."""
    return _HEADLINES[kind](data)


def letter_of(message: Message, attachment: Attachment | None) -> Letter:
    """The e-mail of a message; what is in it comes escaped."""
    data = message.data
    said = data["summary"]
    paragraphs = [f"{said}.", *_more(message.type, data, attachment)]
    tables = _tables(message.type, data)
    link = data.get("url")
    text = "\n\n".join(
        [
            *paragraphs,
            *("\n".join(_row(row) for row in [one.headings, *one.rows]) for one in tables),
            *([link] if link else []),
            f"recon, {data['environment']}",
        ]
    )
    html = "".join(
        [
            *(f"<p>{escape(one)}</p>" for one in paragraphs),
            *(_html(one) for one in tables),
            f'<p><a href="{escape(link)}">{escape(link)}</a></p>' if link else "",
            f"<p>recon, {escape(data['environment'])}</p>",
        ]
    )
    return Letter(f"[recon {data['environment']}] {said}", text + "\n", html)


def _more(kind: AlertType, data: dict[str, Any], attachment: Attachment | None) -> list[str]:
    said = []
    if data.get("not_shown"):
        said.append(f"{data['not_shown']} more are not shown one by one.")
    if kind is AlertType.DIGEST:
        runs = data["runs"]
        said.append(
            f"From {data['since']} to {data['until']}: {_many(runs['finished'], 'run')} finished,"
            f" {runs['incomplete']} incomplete, {runs['failed']} failed."
        )
    if attachment is not None:
        held = "a part of what is open: it is too much for a letter" if attachment.is_cut else ""
        said.append(f"Attached: {attachment.name}, {held or 'all that is open'}.")
    return said


def _tables(kind: AlertType, data: dict[str, Any]) -> list[_Table]:
    found = []
    columns: Sequence[str]
    if kind is AlertType.DIGEST and data["currencies"]:
        found.append(
            _table(
                data["currencies"],
                ("currency", "open", "difference", "unexplained", "new", "reopened", "healed"),
            )
        )
    if kind in {AlertType.DIGEST, AlertType.UNEXPLAINED} and data["discrepancies"]:
        columns = ("difference", "unexplained", "currency", "severity", "user_id", "first_seen_at")
        found.append(_table(data["discrepancies"], (*columns, "discrepancy_id")))
    if kind is AlertType.INCIDENTS:
        columns = (
            "cause",
            "root",
            "from_at",
            "until_at",
            "discrepancies",
            "still_open",
            "differed",
        )
        found.append(_table(data["incidents"], (*columns, "incident_id")))
    if kind is AlertType.RUNS_BAD:
        columns = ("state", "scope", "started_at", "compared", "not_compared", "reason", "run_id")
        found.append(_table(data["runs"], columns))
    if kind is AlertType.RUNS_SKIPPED:
        columns = ("scope", "reason", "due_at", "resumed_at", "last_started_at")
        found.append(_table(data["skipped"], columns))
    if kind is AlertType.BETS_WAITING:
        columns = ("kind", "stake", "currency", "user_id", "opened_at", "reason", "bet_id")
        found.append(_table(data["bets"], columns))
    if kind is AlertType.BOOKS_FAULTY and data["faults"]:
        found.append(_table(data["faults"], ("check", "user_id", "currency", "detail")))
    return found


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> _Table:
    """What the rows say under these names; one that an earlier version wrote may lack some."""
    return _Table(
        [column.replace("_", " ") for column in columns],
        [["-" if row.get(name) is None else str(row[name]) for name in columns] for row in rows],
    )


def _row(cells: Sequence[str]) -> str:
    return "  ".join(cells)


def _html(table: _Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _many(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def _unexplained(data: dict[str, Any]) -> str:
    sums = ", ".join(
        f"{one['unexplained']} {one['currency']} in {_many(one['count'], 'wallet')}"
        for one in data["currencies"]
    )
    stand = "stands" if data["count"] == 1 else "stand"
    return f"{_many(data['count'], 'discrepancy')} {stand} unexplained: {sums}"


def _incidents(data: dict[str, Any]) -> str:
    last = data["incidents"][-1]
    more = f", and {data['count'] - 1} more" if data["count"] > 1 else ""
    if last["looked"] is not None:
        told = f"{last['differed']} of {_many(last['looked'], 'wallet')}"
        return f"Runs are stopped: {told} of a range differ and nothing explains it{more}"
    wallets = _many(last["discrepancies"], "wallet")
    cause = last["cause"].replace("_", " ")
    return f"{wallets} differ by one root: {cause}, {last['root']}{more}"


def _runs_bad(data: dict[str, Any]) -> str:
    parts = []
    if data["failed"]:
        parts.append(f"{_many(data['failed'], 'run')} failed")
    if data["incomplete"]:
        parts.append(f"{_many(data['incomplete'], 'run')} did not reach every wallet")
    return " and ".join(parts)


def _runs_skipped(data: dict[str, Any]) -> str:
    last = data["skipped"][-1]
    what = _SCOPES.get(last["scope"], last["scope"])
    more = f", and {data['count'] - 1} more" if data["count"] > 1 else ""
    if last["reason"] == "still_running":
        return f"The run over {what} of {last['last_started_at']} has not ended{more}"
    return f"The run over {what} that was due at {last['due_at']} did not start{more}"


def _books_faulty(data: dict[str, Any]) -> str:
    if not data["count"]:
        return f"The books could not be verified: {data['reason']}"
    before = data["count"] - data["new"]
    known = f", {before} of them known before" if before else ""
    return f"The books do not hold: {_many(data['count'], 'fault')}{known}"


def _bets_waiting(data: dict[str, Any]) -> str:
    stakes = ", ".join(f"{one['stakes']} {one['currency']}" for one in data["currencies"])
    waits = "waits" if data["count"] == 1 else "wait"
    return f"{_many(data['count'], 'case')} of bets {waits} for people: stakes of {stakes}"


def _digest(data: dict[str, Any]) -> str:
    standing = _many(data["open"], "discrepancy")
    said = f"{standing} open, {data['new']} new, {data['healed']} healed"
    verified = data["verification"]
    if verified is None or not verified["faults"]:
        return said
    return f"{said}; the books do not hold: {_many(verified['faults'], 'fault')}"


_HEADLINES: Final[dict[AlertType, Callable[[dict[str, Any]], str]]] = {
    AlertType.UNEXPLAINED: _unexplained,
    AlertType.INCIDENTS: _incidents,
    AlertType.RUNS_BAD: _runs_bad,
    AlertType.RUNS_SKIPPED: _runs_skipped,
    AlertType.SEALS_BROKEN: lambda data: f"Nothing is sealed any more: {data['reason']}",
    AlertType.BOOKS_FAULTY: _books_faulty,
    AlertType.BETS_WAITING: _bets_waiting,
    AlertType.DIGEST: _digest,
    AlertType.TRIAL: lambda _: "This is a test: messages arrive here",
}

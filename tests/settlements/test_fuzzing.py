"""A settlement file with anything changed in it is imported or refused; it crashes nothing."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from recon.errors import ReconError
from tests.fuzzing import FACTOR
from tests.settlements.conftest import (
    T0,
    adyen_file,
    adyen_line,
    stripe_file,
    stripe_line,
)

if TYPE_CHECKING:
    from tests.settlements.conftest import Office

FILES = 20 * FACTOR
ODD = [b"", b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"=1+1", b"'"]
ODD += [b"9" * 60, b"-", b"1e9", b"NaN", b"0.001", b"\xe2\x80\xae", b"GBP", b"XXX", b";", b"\t"]
ODD += [b"9" * 5_000, b"x" * 70_000, b"9999-12-31 23:59:59", b"0000-00-00", b"../../etc", b"%s"]


def mangled(content: bytes, chance: Random) -> bytes:
    """The file with one to eight changes: something put in, taken out or said twice."""
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(content) + 1)
        until = min(len(content), at + chance.choice([0, 1, 5, 40]))
        content = content[:at] + chance.choice([*ODD, content[at:until] * 2]) + content[until:]
    return content


async def test_a_mangled_file_is_taken_or_refused(office: Office) -> None:
    chance = Random(7)  # noqa: S311 - the same files every time
    await office.deposit("P1")
    plain = f"payment_id,amount,currency,settled_at\nP1,20.00,GBP,{T0:%Y-%m-%d %H:%M:%S}\n"
    files = {
        "adyen": adyen_file(adyen_line("Settled", "P1"), adyen_line("Fee", "P2")),
        "stripe": stripe_file(stripe_line("charge", 2)),
        "standard": plain.encode() * 3,
    }
    taken, refused = 0, []
    for number in range(FILES):
        endpoint = [*files][number % len(files)]
        try:
            said = await office.take(mangled(files[endpoint], chance), endpoint)
            assert said.file.lines >= 0
            taken += 1
        except ReconError as error:
            refused.append(error.code)

    assert taken > 0
    assert len(refused) == FILES - taken > 0
    assert {"internal_error", "unavailable"}.isdisjoint(refused)

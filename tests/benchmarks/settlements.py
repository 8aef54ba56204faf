"""How long a settlement file of millions takes, and how much memory: ``python -m`` this module.

A report of Adyen's and the movements that it is compared with are made from a seed: one line in a
thousand is missing here, one movement in a thousand is in no file, one amount in a thousand is
another. They are all found, or it fails. Postgres is one of its own with its durable settings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recon.db import Pool, open_pool
from recon.db.embedded import SERVICE_USER, embedded_postgres, remove_embedded
from recon.db.migrations import migrate
from recon.settlements import Account, ImportOptions, import_settlement

__all__ = ["Measured", "book", "generate", "measure"]

HEADER = (
    "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,"
    "Creation Date,TimeZone,Type,Modification Reference,Gross Currency,Gross Debit (GC),"
    "Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),Commission (NC),"
    "Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,"
    "Modification Merchant Reference,Batch Number,Reserved4,Reserved5,Reserved6,Reserved7,"
    "Reserved8,Reserved9,Reserved10\n"
)
START = datetime(2025, 1, 1, tzinfo=UTC)
ONE_IN = 1000
_MISSING_HERE, _MISSING_THERE, _OTHER_AMOUNT = 1, 2, 3

Measured = dict[str, Any]


def generate(path: Path, lines: int) -> None:
    """Write a report of so many payments, over thirty days, with its payout at the end."""
    step = timedelta(days=30) / lines
    with path.open("w", encoding="ascii") as out:
        out.write(HEADER)
        net = 0
        for number in range(lines):
            if number % ONE_IN == _MISSING_THERE:
                continue
            amount = 1000 + number % 9000
            at = START + step * number
            net += amount - 24
            gross = f"{amount // 100}.{amount % 100:02d}"
            left = f"{(amount - 24) // 100}.{(amount - 24) % 100:02d}"
            out.write(
                f"Test,TestMerchant,88{number:014d},order-{number},visa,{at:%Y-%m-%d %H:%M:%S},"
                f"UTC,Settled,99{number:014d},GBP,,{gross},1,GBP,,{left},,,0.02,0.22,visadebit,,2"
                ",,,,,,,\n"
            )
        end = START + timedelta(days=30)
        out.write(
            f"Test,TestMerchant,,,,{end:%Y-%m-%d %H:%M:%S},UTC,MerchantPayout,"
            f'"TX1XT batch 2, TestMerchant batch 2, TestMerchant",GBP,,,,GBP,'
            f"{net // 100}.{net % 100:02d},,,,,,,,2,,,,,,,\n"
        )


async def book(owner: Pool, lines: int) -> None:
    """The movements that the intake would have written, an hour before each was settled."""
    await owner.execute(
        """
        INSERT INTO movements (
            endpoint, object_id, effect, delivery_id, payment_id, user_id, currency, amount,
            event_at
        )
        SELECT
            'adyen', id, 'deposit', gen_random_uuid(), id, 'u_' || n % 100000, 'GBP',
            1000 + n % 9000 + CASE WHEN n % $2 = $3 THEN 1 ELSE 0 END,
            $4::timestamptz + interval '30 days' * (n::numeric / $1)::float8 - interval '1 hour'
        FROM generate_series(0, $1::bigint - 1) AS n, LATERAL (
            SELECT '88' || lpad(n::text, 14, '0') AS id
        ) AS p
        WHERE n % $2 <> $5
        """,
        *(lines, ONE_IN, _OTHER_AMOUNT, START, _MISSING_HERE),
        timeout=3600,
    )
    await owner.execute("ANALYZE movements", timeout=3600)


async def measure(pool: Pool, path: Path) -> Measured:
    """Import a generated report; seconds by step, and the most memory that this process took."""
    began = last = time.monotonic()
    worked = time.process_time()
    steps: dict[str, float] = {}
    step = ""

    def progress(name: str) -> None:
        nonlocal last, step
        now = time.monotonic()
        if step:
            steps[step] = round(now - last, 2)
        last, step = now, name

    with path.open("rb") as source:
        imported = await import_settlement(
            pool,
            source,
            name=path.name,
            account=Account(endpoint="adyen", provider="adyen", merchant_account="TestMerchant"),
            options=ImportOptions(columns={}, grace=timedelta(days=2)),
            actor="benchmark",
            progress=progress,
        )
    progress("")
    file = imported.file
    return {
        "lines": file.lines,
        "megabytes": file.bytes // 2**20,
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(time.process_time() - worked, 2),
        "steps": steps,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "matched": file.matched,
        "findings": dict(file.findings or {}),
    }


async def run(lines: int, folder: Path, *, booked: bool = True) -> Measured:
    """Everything, on a Postgres of its own; the worst case is a file of which nothing is booked."""
    path = folder / "report.csv"
    generate(path, lines)
    async with embedded_postgres(folder / "data") as server:
        await migrate(server.dsn, service_role=SERVICE_USER)
        async with open_pool(server.dsn) as owner:
            if booked:
                await book(owner, lines)
        async with open_pool(server.service_dsn) as pool:
            measured = await measure(pool, path)
    await remove_embedded(folder / "data")
    return measured


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--unbooked", action="store_true", help="nothing of it is booked")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recon-bench-") as folder:
        Path(folder).chmod(0o755)  # as root the server runs as somebody else
        measured = asyncio.run(run(arguments.lines, Path(folder), booked=not arguments.unbooked))
        json.dump(measured, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

"""The pages of settlement files: the list, one with its findings, and what leads there."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING

from recon.clock import new_id
from recon.payments import Direction, ExpectedPayment
from recon.reconciliation import Cause
from recon.settlements import Account, ImportOptions, SettlementFile, import_settlement
from recon.webhooks import register_payment
from tests.reconciliation.cases import Cases
from tests.settlements.conftest import adyen_file, adyen_line, adyen_payout
from tests.web.test_pages import words

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site

NAME = "march <b>1</b>.csv"


async def imported(
    pool: Pool, *, name: str = NAME, batch: str = "7", second: str | None = None
) -> SettlementFile:
    """A file of two payments that nobody has booked, one of them u_7's by its registration."""
    await register_payment(
        pool,
        ExpectedPayment("order-P1", "adyen", Direction.DEPOSIT, "u_7", "20.00", "GBP"),
    )
    content = adyen_file(
        adyen_line("Settled", f"P{batch}" if batch != "7" else "P1", batch_number=batch),
        adyen_line("Settled", second or f"<i>{batch}</i>", batch_number=batch),
        adyen_payout("40.00", batch=batch),
    )
    done = await import_settlement(
        pool,
        io.BytesIO(content),
        name=name,
        account=Account(endpoint="adyen", provider="adyen", merchant_account="TestMerchant"),
        options=ImportOptions(columns={}, grace=timedelta(days=2)),
        actor="cli:ada",
    )
    return done.file


async def test_files_are_listed_and_one_shows_what_was_found_in_it(site: Site, pool: Pool) -> None:
    await site.sign_in("watcher")
    assert "No settlement file yet" in words((await site.get("/settlements"))[1])
    file = await imported(pool)
    await imported(pool, name="april.csv", batch="8")

    status, text = await site.get("/settlements?limit=1")
    assert (status, "april.csv" in text, NAME in text, 'rel="next"' in text) == (
        *(200, True, False, True),
    )
    every = (await site.get("/settlements?endpoint=adyen"))[1]
    assert "march &lt;b&gt;1&lt;/b&gt;.csv" in every
    assert "Nothing matches" in words((await site.get("/settlements?endpoint=nobody"))[1])

    status, text = await site.get(f"/settlements/{file.file_id}")
    said = words(text)
    assert status == 200
    assert "0 payments agree with the books, and 3 findings are open." in said
    assert "Settled Deposit 2 40.00 GBP 1.00 GBP +39.00 GBP" in said
    assert "TestMerchant/7 3 +39.00 GBP -40.00 -1.00" in said
    assert "2 Deposit: settled, not booked here order-P1 u_7 20.00 GBP none" in said
    assert "<i>7" not in text
    one = words((await site.get(f"/settlements/{file.file_id}?kind=payout_mismatch"))[1])
    assert ("batch is not its payout" in one, "settled, not booked" in one) == (True, False)
    none = words((await site.get(f"/settlements/{file.file_id}?state=dismissed"))[1])
    assert "Nothing matches this filter" in none
    for nowhere in (f"/settlements/{new_id()}", "/settlements/x", f"/settlements/cases/{new_id()}"):
        assert (await site.get(nowhere))[0] == 404


async def test_evidence_and_cases_lead_to_the_line_that_they_are_about(
    site: Site, pool: Pool
) -> None:
    file = await imported(pool)
    row = await pool.fetchrow(
        "SELECT finding_id, case_id FROM settlement_findings WHERE user_id = 'u_7'"
    )
    discrepancy = await Cases(pool).seen(
        "u_7", "20.00", evidence=[("order-P1", "20.00", Cause.MISSING_WEBHOOK)]
    )
    await pool.execute(
        "UPDATE discrepancies SET evidence = jsonb_set("
        "jsonb_set(evidence, '{0,kind}', '\"settlement\"'), '{0,id}', to_jsonb($2::text))"
        " WHERE discrepancy_id = $1",
        *(discrepancy, str(row["finding_id"])),
    )
    await site.sign_in("watcher")

    there = f"/settlements/findings/u_7/{row['finding_id']}"
    assert there in (await site.get(f"/discrepancies/{discrepancy}"))[1]
    async with site.client.get(there, allow_redirects=False) as answer:
        target = answer.headers["Location"]
    assert target.startswith(f"/settlements/{file.file_id}?cursor=")
    assert target.endswith(f"#f{row['finding_id']}")
    assert f'id="f{row["finding_id"]}"' in (await site.get(target.partition("#")[0]))[1]
    assert (await site.get(f"/settlements/findings/u_8/{row['finding_id']}"))[0] == 404

    by_case = f"/settlements/cases/{row['case_id']}"
    assert by_case in (await site.get("/cases"))[1]
    async with site.client.get(by_case, allow_redirects=False) as answer:
        assert answer.headers["Location"] == target

"""Sealing misses nothing and accuses nobody: late commits, crashes, rivals, clocks and keys."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from recon.clock import now
from recon.db import open_pool
from recon.seals import ChainBrokenError, Sealer, SealerMovedError, SealKeys, verify_all
from recon.seals import metrics as seal_metrics
from recon.seals import seal as sealing
from recon.seals.metrics import SEAL_NUMBERS
from recon.seals.queries import insert_seal, last_seal
from recon.seals.rules import make_seal
from tests.seals.conftest import KEY, OLD_KEY, Book

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from recon.db.embedded import EmbeddedPostgres


@pytest.fixture(autouse=True)
async def nothing_is_found_in_the_end(book: Book) -> AsyncIterator[None]:
    """Whatever a test did here, it was honest: once all is sealed, verify has nothing to say."""
    yield
    await book.seal()
    proof = await book.verify()
    assert (proof.faults, proof.unsealed.rows) == ([], 0)


async def test_what_is_sealed_is_dense_and_said(book: Book) -> None:
    for number in range(7):
        await book.deposit(f"u_{number}")

    before = await book.verify()
    done = await book.seal(block=5)
    after = await book.verify()

    assert (before.last_seal, before.sealed_until, before.unsealed.rows) == (None, None, 21)
    assert before.ok
    assert (done.rows, done.seals) == (21, 5)
    assert (after.seals, after.sealed_rows, after.signatures) == (5, 21, "checked")
    assert before.unsealed.since is not None
    assert after.sealed_until is not None
    assert before.unsealed.since < after.sealed_until < now()
    numbers = await book.pool.fetch("SELECT seq FROM seal_links ORDER BY seq")
    assert [row["seq"] for row in numbers] == list(range(1, 22))


async def test_a_pass_with_nothing_new_writes_nothing(sealed: Book) -> None:
    done = await Sealer(sealed.pool, sealed.keys).run()

    assert done is not None
    assert (done.rows, done.seals) == (0, 0)


async def test_a_transaction_that_commits_late_is_neither_missed_nor_accused(book: Book) -> None:
    async with book.pool.acquire() as slow:
        late = slow.transaction()
        await late.start()
        await book.deposit_in(slow, "u_late", "1.00", "evt_late", "pay:late")
        for number in range(3):
            await book.deposit(f"u_{number}")
            # Each pass goes by what it can be sure of; the clock alone would be past the late one.
            done = await Sealer(book.pool, book.keys).run(deep=number == 2)
            assert done is not None
            assert done.rows == 3
        assert done is not None
        last = done.last
        assert last is not None
        began_at = await slow.fetchval("SELECT now()")
        assert last.covers_until is not None
        assert last.settled_before is None or last.settled_before < began_at < last.covers_until
        await late.commit()
    assert (await book.verify()).unsealed.rows == 3

    done = await Sealer(book.pool, book.keys).run()

    assert done is not None
    assert done.rows == 3
    assert done.last is not None
    assert done.last.settled_before is not None
    assert done.last.settled_before > began_at


async def test_on_a_cluster_that_is_quiet_otherwise_the_one_open_transaction_is_not_overlooked(
    book: Book,
) -> None:
    """Its number is the newest: a snapshot names the newest that has ended, which is older."""
    await book.deposit("u_1")
    async with book.pool.acquire() as slow:
        late = slow.transaction()
        await late.start()
        await book.deposit_in(slow, "u_late", "1.00", "evt_late", "pay:late")
        written_at = await slow.fetchval("SELECT clock_timestamp()")
        done = await Sealer(book.pool, book.keys).run()
        assert done is not None
        assert done.last is not None
        settled = done.last.settled_before
        assert settled is None or settled < written_at, "it may still commit"
        await late.commit()

    done = await Sealer(book.pool, book.keys).run()

    assert done is not None
    assert done.rows == 3


async def test_a_clock_that_ran_ahead_and_was_put_right_accuses_nobody(book: Book) -> None:
    await book.deposit("u_1")
    await book.seal()
    await book.deposit("u_2")
    await book.seal()
    # As it was sealed by a clock that was a day ahead.
    ahead = timedelta(days=1, minutes=1)
    await _pretend(
        book,
        covers_until=now() + ahead,
        settled_before=now() + ahead,
        certain_before=now() + ahead - timedelta(minutes=15),
    )
    await book.deposit("u_3")
    before = await book.verify()
    assert (before.faults, before.unsealed.rows) == ([], 3)

    done = await Sealer(book.pool, book.keys).run()

    assert done is not None
    assert done.rows == 3
    assert done.last is not None
    assert done.last.certain_before is not None
    assert done.last.certain_before < now()
    await book.deposit("u_4")
    proof = await book.verify()
    assert (proof.faults, proof.unsealed.rows) == ([], 3)
    (said,) = proof.warnings
    assert said.startswith("at seal 3 the database's clock was 1 day, 0:00:")


async def test_a_delivery_whose_machine_is_minutes_behind_is_sealed_and_not_accused(
    sealed: Book,
) -> None:
    async with sealed.pool.acquire() as connection, connection.transaction():
        await sealed.deposit_in(
            *(connection, "u_5", "1.00", "evt_5", "pay:5"),
            received_at=now() - timedelta(minutes=14),
        )

    done = await sealed.seal()

    assert done.rows == 3


async def test_two_sealers_at_once_seal_each_row_once(book: Book) -> None:
    for number in range(30):
        await book.deposit(f"u_{number}")
    sealers = [Sealer(book.pool, book.keys, block=7) for _ in range(4)]

    async def work(sealer: Sealer) -> int:
        rows = 0
        for _ in range(3):
            try:
                done = await sealer.run()
            except SealerMovedError:
                continue
            rows += done.rows if done else 0
        return rows

    assert sum(await asyncio.gather(*map(work, sealers))) == 90
    links = await book.pool.fetchrow(
        "SELECT count(*) AS links, count(DISTINCT (kind, row_key)) AS rows, max(seq) AS last"
        " FROM seal_links"
    )
    assert tuple(links or ()) == (90, 90, 90)


async def test_a_sealer_that_has_lost_its_lock_unawares_writes_nothing(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    await book.deposit("u_1")
    rival = Sealer(book.pool, book.keys)
    unsealed = sealing._unsealed  # noqa: SLF001 - between reading and writing there is no other door

    async def interrupted(
        reader: asyncpg.Connection[asyncpg.Record], since: datetime
    ) -> AsyncIterator[sealing._Link]:
        """Its reading connection dies after it has read; meanwhile another goes on."""
        rows = [link async for link in unsealed(reader, since)]
        monkeypatch.setattr(sealing, "_unsealed", unsealed)
        pid = reader.get_server_pid()
        await book.owner.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        done = await rival.run()
        assert done is not None
        assert done.rows == 3
        for row in rows:
            yield row

    monkeypatch.setattr(sealing, "_unsealed", interrupted)

    with pytest.raises((SealerMovedError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await Sealer(book.pool, book.keys).run()

    assert await book.pool.fetchval("SELECT count(*) FROM seal_links") == 3


async def test_a_sealer_killed_in_the_middle_leaves_whole_blocks_and_the_next_goes_on(
    book: Book, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        await book.deposit(f"u_{number}")
    unsealed = sealing._unsealed  # noqa: SLF001 - to stop it where it is to die

    async def killed(
        reader: asyncpg.Connection[asyncpg.Record], since: datetime
    ) -> AsyncIterator[sealing._Link]:
        number = 0
        async for link in unsealed(reader, since):
            if (number := number + 1) == 12:
                await book.owner.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = 'doomed'"
                )
            yield link

    async with open_pool(database_url, application="doomed") as doomed:
        monkeypatch.setattr(sealing, "_unsealed", killed)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await Sealer(doomed, book.keys, block=4).run()
        monkeypatch.setattr(sealing, "_unsealed", unsealed)
    proof = await book.verify()
    assert proof.faults == []
    # Two whole blocks; with the twelfth row it died.
    assert (proof.sealed_rows, proof.unsealed.rows, proof.sealed_until) == (8, 22, None)

    done = await book.seal()

    assert done.rows == 22


async def test_a_chain_that_is_cut_while_a_sealer_works_is_not_gone_on_with(
    sealed: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sealed.deposit("u_4")
    kept = await sealed.owner.fetch("SELECT * FROM seals")
    unsealed = sealing._unsealed  # noqa: SLF001 - between reading and writing there is no other door

    async def cut(
        reader: asyncpg.Connection[asyncpg.Record], since: datetime
    ) -> AsyncIterator[sealing._Link]:
        async for link in unsealed(reader, since):
            yield link
        await sealed.rewrite("DELETE FROM seals")

    monkeypatch.setattr(sealing, "_unsealed", cut)
    with pytest.raises(SealerMovedError):
        await sealed.seal()
    monkeypatch.setattr(sealing, "_unsealed", unsealed)

    async with sealed.owner.acquire() as connection:
        assert await connection.fetchval("SELECT max(seq) FROM seal_links") == 10
        await connection.copy_records_to_table("seals", records=map(tuple, kept))


async def test_a_busy_ledger_is_never_accused(book: Book) -> None:
    """Writers, some of whom dawdle before they commit, beside a sealer and a verifier."""
    over = asyncio.Event()
    written = rows = looks = 0

    async def write(name: int) -> None:
        nonlocal written
        for number in itertools.count():
            # However slow this machine is, some looks and a seal are beside the writing.
            if number >= 12 and looks > 2 and rows > 0:
                return
            async with book.pool.acquire() as connection, connection.transaction():
                names = f"evt_{name}_{number}", f"pay:{name}:{number}"
                await book.deposit_in(connection, f"u_{name}", "1.00", *names)
                await asyncio.sleep(0.05 if (name + number) % 5 == 0 else 0)
            written += 1

    async def seal() -> None:
        nonlocal rows
        sealer = Sealer(book.pool, book.keys, block=20)
        while not over.is_set():
            done = await sealer.run(deep=rows % 2 == 0)
            rows += done.rows if done else 0

    async def verify() -> None:
        nonlocal looks
        while not over.is_set():
            proof = await book.verify()
            assert proof.faults == []
            looks += 1

    async with asyncio.TaskGroup() as beside:
        beside.create_task(seal())
        beside.create_task(verify())
        async with asyncio.TaskGroup() as writing:
            for name in range(8):
                writing.create_task(write(name))
        over.set()
    assert rows <= written * 3
    await book.seal()

    assert await book.pool.fetchval("SELECT count(*) FROM seal_links") == written * 3


async def test_a_key_is_rotated_and_older_seals_still_hold(sealed: Book) -> None:
    sealed.keys = SealKeys(["c" * 64, KEY])
    await sealed.deposit("u_4")
    await sealed.seal()

    rows = await sealed.pool.fetch("SELECT key_id FROM seals ORDER BY number")
    assert [row["key_id"] for row in rows] == [SealKeys([KEY]).newest_id, sealed.keys.newest_id]
    assert await sealed.faults() == []
    # The newer seal vouches for the older one, whose key may be forgotten now; not before.
    sealed.keys = SealKeys(["c" * 64])
    assert await sealed.faults() == []
    sealed.keys = SealKeys([KEY])
    ((_, said),) = await sealed.faults()
    assert said.startswith("seals from 2 on are signed by none of our keys; if they are yours")
    sealed.keys = SealKeys(["c" * 64])


async def test_without_a_key_the_chain_is_by_hash_alone_and_says_so(book: Book) -> None:
    book.keys = SealKeys()
    await book.deposit("u_1")
    await book.seal()
    proof = await book.verify()
    assert (proof.ok, proof.signatures) == (True, "none")

    book.keys = SealKeys([KEY])
    ((_, said),) = await book.faults()
    assert said.startswith("seals from 1 on are signed by none of our keys")
    with pytest.raises(ChainBrokenError, match="seal 1 is not signed: look at"):
        await book.seal()
    adopted = await Sealer(book.pool, book.keys).run(adopt=True)
    assert adopted is not None
    assert (adopted.rows, adopted.seals) == (0, 1)
    assert (await book.verify()).signatures == "checked"


async def test_a_process_without_the_key_does_not_seal_behind_signed_seals(sealed: Book) -> None:
    sealed.keys, own = SealKeys(), sealed.keys
    await sealed.deposit("u_4")

    with pytest.raises(ChainBrokenError, match="seal 1 is signed, and no key is set here"):
        await sealed.seal()
    proof = await sealed.verify()
    assert (proof.ok, proof.signatures, proof.unsealed.rows) == (True, "unchecked", 3)
    sealed.keys = own


async def test_a_sealer_builds_on_no_seal_that_is_not_right(sealed: Book) -> None:
    await sealed.rewrite("UPDATE seals SET sealed_at = sealed_at - interval '1 hour'")
    await sealed.deposit("u_4")

    with pytest.raises(ChainBrokenError, match="seal 1 is not what its hash says"):
        await sealed.seal()
    with pytest.raises(ChainBrokenError, match="seal 1 is not what its hash says"):
        await Sealer(sealed.pool, sealed.keys).run(adopt=True)
    await sealed.rewrite("UPDATE seals SET sealed_at = sealed_at + interval '1 hour'")
    sealed.keys, own = SealKeys([OLD_KEY]), sealed.keys
    with pytest.raises(ChainBrokenError, match="which is not ours"):
        await sealed.seal()
    sealed.keys = own


async def test_a_sealer_remembers_its_last_seal_and_goes_no_further_when_it_is_gone(
    book: Book,
) -> None:
    sealer = Sealer(book.pool, book.keys)
    for user in ("u_1", "u_2"):
        await book.deposit(user)
        await sealer.run()
    await book.rewrite("DELETE FROM seals WHERE number = 2", "DELETE FROM seal_links WHERE seq > 3")

    with pytest.raises(ChainBrokenError, match="seal 2, made or seen by this process, is gone"):
        await sealer.run()


async def test_the_books_go_on_in_another_cluster_whose_transactions_count_anew(
    sealed: Book,
) -> None:
    # As after pg_dump and restore: what the seals remember of transactions means nothing here.
    for ceiling in (10**15, 3):
        async with sealed.owner.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute("TRUNCATE seals, seal_links")
        await sealed.seal()
        last = (await sealed.seal()).last
        assert last is not None
        await _pretend_ceiling(sealed, ceiling)
        async with sealed.pool.acquire() as slow:
            late = slow.transaction()
            await late.start()
            await sealed.deposit_in(slow, f"l_{ceiling}", "1.00", f"l_{ceiling}", f"l:{ceiling}")
            for number in range(2):
                await sealed.deposit(f"u_{ceiling}_{number}")
                assert (await sealed.seal()).rows == 3
            await late.commit()
        done = await Sealer(sealed.pool, sealed.keys).run()
        assert done is not None
        assert done.rows == 3
        assert (await sealed.verify()).faults == []


async def test_what_was_dumped_and_restored_is_still_what_was_sealed(
    sealed: Book, server: EmbeddedPostgres, owner_url: str
) -> None:
    name = "restored"
    await sealed.owner.execute(f"CREATE DATABASE {name}")
    try:
        dump = await asyncio.create_subprocess_exec(
            *(server.bin("pg_dump"), "--format=custom", owner_url), stdout=asyncio.subprocess.PIPE
        )
        archive, _ = await dump.communicate()
        restore = await asyncio.create_subprocess_exec(
            *(server.bin("pg_restore"), "--dbname", server.dsn_for(name)),
            stdin=asyncio.subprocess.PIPE,
        )
        await restore.communicate(archive)
        async with open_pool(server.service_dsn_for(name)) as pool:
            proof = await verify_all(pool, sealed.keys)
            assert (proof.faults, proof.sealed_rows, proof.unsealed.rows) == ([], 10, 0)
            assert await Sealer(pool, sealed.keys).run() is not None
    finally:
        await sealed.owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_the_bytes_are_the_same_whatever_a_session_prefers(
    sealed: Book, database_url: str
) -> None:
    name = await sealed.owner.fetchval("SELECT current_database()")
    for preference in (
        "timezone = 'Asia/Kolkata'",
        "datestyle = 'German'",
        "bytea_output = 'escape'",
        "search_path = pg_temp",
    ):
        await sealed.owner.execute(f"ALTER DATABASE {name} SET {preference}")
    async with open_pool(database_url) as pool:
        assert await pool.fetchval("SHOW timezone") == "Asia/Kolkata"
        assert (await verify_all(pool, sealed.keys)).faults == []


async def test_what_is_sealed_is_counted_and_timed(book: Book) -> None:
    await book.deposit("u_1")
    before = REGISTRY.get_sample_value("recon_seals_rows_total") or 0
    began_at = now()

    await book.seal()

    assert REGISTRY.get_sample_value("recon_seals_rows_total") == before + 3
    sealed_at = REGISTRY.get_sample_value("recon_seals_last_seal_timestamp_seconds") or 0
    assert began_at.timestamp() <= sealed_at <= now().timestamp()


async def test_since_when_nothing_is_sealed_is_the_same_whichever_process_is_asked(
    book: Book,
) -> None:
    await book.deposit("u_1")
    # As the last pass that ended well has left it, whoever made it; none was made here.
    await book.owner.execute(
        "INSERT INTO sealing (covers_until) VALUES (now() - interval '20 minutes')"
    )
    assert 1200 <= await unsealed_s(book) < 1300

    # A pass that finds nothing new writes no seal, and has looked all the same.
    for _ in range(2):
        await book.seal()
        assert 0 <= await unsealed_s(book) < 60


async def test_where_none_was_ever_made_a_pass_is_waited_for_since_the_process_began(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal_metrics, "_BEGAN_S", monotonic() - 1000)

    assert 1000 <= await unsealed_s(book) < 1100


async def unsealed_s(book: Book) -> float:
    """What is told when somebody asks for the numbers."""
    await SEAL_NUMBERS.refresh(book.pool)
    said = REGISTRY.get_sample_value("recon_seals_oldest_unsealed_seconds")
    assert said is not None
    return said


async def _pretend_ceiling(book: Book, ceiling: int) -> None:
    """As another cluster would have left it."""
    await _pretend(book, xid_ceiling=ceiling)


async def _pretend(book: Book, **what: Any) -> None:  # noqa: ANN401 - a seal's fields
    """Make the newest seal anew, with our key."""
    async with book.owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        last = await last_seal(connection)
        assert last is not None
        await connection.execute("DELETE FROM seals WHERE number = $1", last.number)
        await insert_seal(connection, make_seal(replace(last, **what), book.keys))

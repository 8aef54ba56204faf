"""Whatever the database's owner rewrites behind the seals is found and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from recon.clock import now
from recon.seals import ChainBrokenError, Sealer, SealKeys, read_anchor
from recon.seals.queries import insert_seal, last_seal, seal_from
from recon.seals.rules import bytes_of, make_seal
from tests.seals.conftest import KEY, OLD_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.seals.conftest import Book

# Twice as much, in every place that the books are proven by: only the seal knows better.
DOUBLED = (
    "UPDATE postings SET amount = 2000, available_after = 2000 WHERE user_id = 'u_1'",
    "UPDATE movements SET amount = 2000 WHERE user_id = 'u_1'",
    "UPDATE deliveries SET amount = 2000 WHERE user_id = 'u_1'",
    "UPDATE wallets SET available = 2000 WHERE user_id = 'u_1'",
)
# An adjustment that never was, of yesterday, in books that hold.
SMUGGLED = (
    """
    INSERT INTO wallets
    SELECT 'u_9', currency, available, held, reserved, version, opened_at, posted_at
    FROM wallets WHERE user_id = 'u_1'
    """,
    """
    INSERT INTO idempotency
    SELECT 'u_9', 'adjustment', '9', request_hash, currency, version
    FROM idempotency WHERE user_id = 'u_1'
    """,
    """
    INSERT INTO postings
    SELECT
        'u_9', currency, version, debit, credit, amount, kind, 'adjustment', '9', hold_id,
        event_at, recorded_at - interval '1 day', available_after, held_after, reserved_after
    FROM postings WHERE user_id = 'u_1'
    """,
)


async def test_an_amount_that_was_changed_everywhere_at_once(sealed: Book) -> None:
    await sealed.rewrite(*DOUBLED)

    found = await sealed.faults()
    assert [check for check, _ in found] == ["posting changed", "movement changed"]
    assert found[0][1].startswith("posting u_1 GBP 1, its idempotency row or its hold was changed")
    assert found[1][1].startswith("movement bank pay:1 deposit was changed")
    named = [one for one in (await sealed.verify()).faults if one.check == "posting changed"]
    assert [(one.user_id, one.currency) for one in named] == [("u_1", "GBP")]


async def test_a_posting_that_was_smuggled_in_before_the_seal(sealed: Book) -> None:
    await sealed.rewrite(*SMUGGLED)
    # However often what is new is sealed: this is not new.
    await sealed.seal()

    ((check, said),) = await sealed.faults()
    assert (check, said.startswith("posting u_9 GBP 1 says it is from")) == (
        "posting inserted",
        True,
    )
    assert "was not there when that was sealed" in said


async def test_a_player_whose_every_row_was_removed(sealed: Book) -> None:
    await sealed.rewrite(
        "DELETE FROM postings WHERE user_id = 'u_2'",
        "DELETE FROM idempotency WHERE user_id = 'u_2'",
        "DELETE FROM wallets WHERE user_id = 'u_2'",
        "DELETE FROM movements WHERE user_id = 'u_2'",
        "DELETE FROM deliveries WHERE event_id = 'evt_2'",
    )

    assert [said.rpartition(" was sealed")[0] for _, said in await sealed.faults()] == [
        "posting u_2 GBP 1",
        "movement bank pay:2 deposit",
        "delivery bank evt_2",
    ]


@pytest.mark.parametrize(
    ("statement", "check", "named"),
    [
        (
            "UPDATE idempotency SET request_hash = sha256('other') WHERE user_id = 'u_3'",
            "posting changed",
            "posting u_3 GBP 1, its idempotency row or its hold",
        ),
        (
            "UPDATE postings SET event_at = event_at + interval '1 day' WHERE user_id = 'u_3'",
            "posting changed",
            "posting u_3 GBP 1",
        ),
        (
            "UPDATE movements SET event_at = event_at + interval '1 us' WHERE user_id = 'u_3'",
            "movement changed",
            "movement bank pay:3 deposit",
        ),
        (
            "UPDATE deliveries SET received_at = now() WHERE event_id = 'evt_3'",
            "delivery changed",
            "delivery bank evt_3",
        ),
        (
            "UPDATE deliveries SET verified_by = 'key:1:00000000' WHERE event_id = 'evt_3'",
            "delivery changed",
            "delivery bank evt_3",
        ),
        (
            "UPDATE deliveries SET body = 'other' WHERE event_id = 'evt_3'",
            "delivery body",
            "delivery bank evt_3: its body is not the one that was received",
        ),
        (
            "UPDATE deliveries SET body = 'x', body_sha256 = sha256('x') WHERE event_id = 'evt_3'",
            "delivery changed",
            "delivery bank evt_3",
        ),
        ("UPDATE audit SET actor = 'nobody'", "audit changed", "audit row "),
        ("DELETE FROM audit", "audit missing", "audit row "),
        ("INSERT INTO audit VALUES (gen_random_uuid(), now() - interval '1 day', 'x', 'x', 'x')",
         "audit inserted", "audit row "),
    ],
)  # fmt: skip
async def test_one_row_that_is_not_as_it_was(
    sealed: Book, statement: str, check: str, named: str
) -> None:
    await sealed.rewrite(statement)

    ((found, said),) = await sealed.faults()
    assert found == check
    assert said.startswith(named)


async def test_what_may_change_is_no_fault(sealed: Book) -> None:
    await sealed.pool.execute(
        "UPDATE deliveries SET body = NULL, reason = 'why', event_type = 'x', kind = 'y',"
        " effect_id = 'e', reference = 'r'"
    )

    assert await sealed.faults() == []


async def test_rows_that_changed_places(sealed: Book) -> None:
    await sealed.rewrite(
        "UPDATE seal_links AS a SET row_hash = b.row_hash FROM seal_links AS b"
        " WHERE a.seq IN (1, 2) AND b.seq = 3 - a.seq"
    )

    assert sorted(check for check, _ in await sealed.faults()) == [
        "posting changed",
        "posting changed",
        "seal",
        "seal",
        "seal",
    ]


async def test_a_link_that_was_made_to_fit_its_changed_row(sealed: Book) -> None:
    await sealed.rewrite(
        "UPDATE audit SET actor = 'nobody'", "DELETE FROM seal_links WHERE seq = 10"
    )
    await sealed.rewrite(
        "INSERT INTO seal_links SELECT 10, 'audit', jsonb_build_array(audit_id)::text, at,"
        " sha256(record_send(ROW(audit_id, at, actor, action, object, detail))) FROM audit"
    )

    row = await sealed.pool.fetchval("SELECT audit_id FROM audit")
    (seal, said), link = await sealed.faults()
    assert seal == "seal"
    assert said.startswith("seal 1 (links 1 to 10, ")
    assert said.endswith("is not made of the links that are there: one of them was changed")
    assert link == ("seal", f"link 10, of audit {row}, is not what was sealed")


async def test_a_link_that_is_gone_and_one_too_many(sealed: Book) -> None:
    await sealed.rewrite("UPDATE seal_links SET seq = 12 WHERE seq = 4")

    said = [detail for check, detail in await sealed.faults() if check == "seal"]
    assert [detail.rpartition(")")[2] for detail in said] == [
        " has 9 links; it was made of 10",
        "link 4 is gone",
        "1 links belong to no seal",
    ]


@pytest.mark.parametrize("keys", [[], [OLD_KEY]], ids=["no key", "a key of their own"])
async def test_a_chain_that_was_made_anew_without_the_key(sealed: Book, keys: list[str]) -> None:
    await sealed.rewrite(*DOUBLED, "TRUNCATE seals, seal_links")
    forger = SealKeys(keys)
    sealed.keys, own = forger, sealed.keys
    await sealed.seal()
    assert await sealed.faults() == [], "by their own lights it holds"
    sealed.keys = own

    ((check, said),) = await sealed.faults()
    assert check == "seal"
    assert said.startswith("seals from 1 on are signed by none of our keys")
    how = f"signed by key {forger.newest_id}, which is not ours" if keys else "not signed"
    with pytest.raises(ChainBrokenError, match=f"seal 1 is {how}"):
        await sealed.seal()


async def test_a_seal_that_was_changed_with_its_hash(sealed: Book) -> None:
    async with sealed.pool.acquire() as connection:
        last = await last_seal(connection)
    assert last is not None
    ours = SealKeys([KEY]).newest_id
    await sealed.rewrite("UPDATE seals SET sealed_at = sealed_at - interval '1 hour'")
    assert await sealed.faults() == [
        ("seal", "seal 1 is not what its hash says: it was changed"),
        ("seal", f"seal 1 is not signed by key {ours}, as it says"),
    ]
    # With its hash put right; that much needs no key.
    said = bytes_of(replace(last, sealed_at=last.sealed_at - timedelta(hours=1)))
    await sealed.rewrite(f"UPDATE seals SET hash = '\\x{sha256(said).hexdigest()}'")  # noqa: S608 - ours
    assert await sealed.faults() == [
        ("seal", f"seal 1 is not signed by key {ours}, as it says"),
    ]


async def test_a_seal_in_the_middle_that_is_gone(sealed: Book) -> None:
    for user in ("u_4", "u_5"):
        await sealed.deposit(user)
        await sealed.seal()
    await sealed.rewrite("DELETE FROM seals WHERE number = 2")

    assert ("seal", "seal 1 is followed by seal 3: those between are gone") in await sealed.faults()


async def test_a_seal_in_the_middle_that_was_made_anew_with_its_hash(sealed: Book) -> None:
    await sealed.deposit("u_4")
    await sealed.seal()
    async with sealed.pool.acquire() as connection:
        first = seal_from(await connection.fetchrow("SELECT * FROM seals WHERE number = 1"))
    forged = make_seal(replace(first, sealed_at=now()), SealKeys())
    await sealed.rewrite(
        f"UPDATE seals SET hash = '\\x{forged.hash.hex()}', key_id = NULL, signature = NULL,"  # noqa: S608 - ours
        f" sealed_at = '{forged.sealed_at.isoformat()}' WHERE number = 1"
    )

    assert await sealed.faults() == [("seal", "seal 2 does not follow from the seal before it")]


@pytest.mark.parametrize("key", ["{", "7", "[]", '["u_1"]', "[null]"])
async def test_a_link_whose_key_is_no_key_is_told_as_it_is(sealed: Book, key: str) -> None:
    await sealed.rewrite(f"UPDATE seal_links SET row_key = '{key}' WHERE seq = 1")  # noqa: S608 - ours

    found = await sealed.faults()
    assert [check for check, _ in found][:2] == ["seal", "seal"]
    assert found[1][1].startswith("link 1, of posting ")
    assert "posting missing" in [check for check, _ in found]


async def test_leaves_that_were_changed_are_no_way_out(sealed: Book) -> None:
    await sealed.rewrite("UPDATE seals SET leaves = ''")

    assert ("seal", "seal 1 is not what its hash says: it was changed") in await sealed.faults()


async def test_the_newest_seals_cut_off_show_against_an_anchor(sealed: Book) -> None:
    await sealed.deposit("u_4")
    await sealed.seal()
    anchor = (await sealed.verify()).last_seal
    assert anchor is not None
    assert await sealed.faults(anchor=anchor) == []
    await sealed.rewrite(
        "DELETE FROM seals WHERE number = 2", "DELETE FROM seal_links WHERE seq > 10"
    )

    assert await sealed.faults() == [], "nothing in the database can tell"
    assert await sealed.faults(anchor=anchor) == [
        ("seal", "seal 2, seen before, is gone: the chain ends with 1")
    ]
    await sealed.deposit("u_5")
    await sealed.seal()
    ((_, said),) = await sealed.faults(anchor=anchor)
    assert said.startswith(f"seal 2 was {anchor.hash} when it was seen before and is ")


async def test_a_link_put_behind_the_last_seal_stops_sealing_loudly(sealed: Book) -> None:
    await sealed.pool.execute("INSERT INTO seal_links VALUES (11, 'audit', '[]', now(), 'x')")
    await sealed.deposit("u_4")
    sealer = Sealer(sealed.pool, sealed.keys)

    with capture_logs() as logs:
        for _ in range(2):
            await sealer.tick()
        for _ in range(2):
            # The same words each time: people are told of it once a day.
            with pytest.raises(ChainBrokenError, match="that belong to no seal"):
                await sealer.tick()

    told = [(one["event"], one["log_level"]) for one in logs]
    assert told == [("sealer_moved", "info")] * 2 + [("sealing_stuck", "error")] * 2
    assert ("seal", "1 links belong to no seal") in await sealed.faults()


async def test_a_chain_made_anew_with_our_own_key_is_not_gone_on_with(
    sealed: Book, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchor.json"
    await sealed.seal(anchor=anchor)
    await sealed.deposit("u_4")
    await sealed.seal(anchor=anchor)
    kept = read_anchor(anchor)
    assert kept is not None
    assert kept == (await sealed.verify()).last_seal
    # After this a new sealer, which remembers nothing, would sign whatever is there.
    await sealed.rewrite(*DOUBLED, "TRUNCATE seals, seal_links")

    with pytest.raises(ChainBrokenError, match=f"seal {kept.number}, which .* names, is gone"):
        await sealed.seal(anchor=anchor)
    await sealed.seal()
    with pytest.raises(ChainBrokenError, match="the chain was cut or made anew"):
        await sealed.seal(anchor=anchor)
    assert "seal" in [check for check, _ in await sealed.faults(anchor=kept)]

    done = await Sealer(sealed.pool, sealed.keys, anchor=anchor).run(adopt=True)
    assert done is not None
    assert read_anchor(anchor) == (await sealed.verify()).last_seal


async def test_old_books_without_a_seal_are_not_sealed_unasked(sealed: Book) -> None:
    await sealed.rewrite(
        "TRUNCATE seals, seal_links", "UPDATE postings SET recorded_at = now() - interval '2 days'"
    )

    with pytest.raises(ChainBrokenError, match="nothing is sealed, and the books are older"):
        await sealed.seal()

    assert await Sealer(sealed.pool, sealed.keys).run(adopt=True) is not None


async def test_a_guard_that_was_taken_away(sealed: Book) -> None:
    await sealed.owner.execute("ALTER TABLE postings DISABLE TRIGGER postings_append_only")
    await sealed.owner.execute("DROP TRIGGER audit_append_only ON audit")
    assert await sealed.faults() == [
        ("guard", "audit may be changed: its append-only trigger is off"),
        ("guard", "postings may be changed: its append-only trigger is off"),
    ]


async def test_guards_that_stand_there_and_keep_nothing_out(sealed: Book) -> None:
    await sealed.owner.execute(
        "CREATE FUNCTION let_through() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    )
    await sealed.owner.execute(
        "CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION let_through()"
    )
    await sealed.owner.execute(
        "CREATE TRIGGER double BEFORE INSERT ON postings"
        " FOR EACH ROW EXECUTE FUNCTION let_through()"
    )
    assert await sealed.faults() == [
        ("guard", "audit may be changed: its append-only trigger is off"),
        ("guard", "postings has a trigger that is not ours: double"),
    ]


async def test_a_function_that_refuses_nothing_any_more(sealed: Book) -> None:
    await sealed.owner.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'"
    )

    said = {said for check, said in await sealed.faults() if check == "guard"}
    assert len(said) == 12
    assert "movements may be changed: its append-only trigger is off" in said


async def test_rows_that_are_hidden_from_us(sealed: Book) -> None:
    await sealed.owner.execute("ALTER TABLE audit ENABLE ROW LEVEL SECURITY")

    found = await sealed.faults()
    assert found[0] == ("guard", "audit hides rows by a policy")
    assert [check for check, _ in found] == ["guard", "audit missing"]


async def test_a_key_that_was_replaced_forges_nothing(sealed: Book) -> None:
    # Sealed by the newer key so far; whoever kept the older one makes the next seal.
    sealed.keys = SealKeys([KEY, OLD_KEY])
    async with sealed.owner.acquire() as connection:
        last = await last_seal(connection)
        assert last is not None
        forged = make_seal(
            replace(last, number=2, first_seq=11, last_seq=10, previous=last.hash,
                    root=sha256(b"").digest(), leaves=b""),
            SealKeys([OLD_KEY]),
        )  # fmt: skip
        await insert_seal(connection, forged)

    said = (
        f"seal 2 is signed by key {forged.key_id}, which key {last.key_id} had replaced by then:"
        " who has the old one can forge"
    )
    assert await sealed.faults() == [("seal", said)]
    with pytest.raises(ChainBrokenError, match="seal 1 before it by"):
        await sealed.seal()


async def test_what_is_certain_is_said_and_that_it_has_fallen_behind(sealed: Book) -> None:
    proof = await sealed.verify()
    assert proof.certain_before is not None
    assert timedelta(minutes=15) <= now() - proof.certain_before < timedelta(minutes=16)
    assert proof.warnings == []
    async with sealed.owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        last = await last_seal(connection)
        assert last is not None
        await connection.execute("DELETE FROM seals")
        late = replace(last, certain_before=now() - timedelta(minutes=26))
        await insert_seal(connection, make_seal(late, sealed.keys))

    proof = await sealed.verify()

    assert proof.ok
    (said,) = proof.warnings
    assert said.startswith("rows that were put in afterwards are not recognised from after ")

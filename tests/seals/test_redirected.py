"""Whatever the database's owner puts in the way of our names, we read the tables themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.db import open_pool
from recon.seals import verify_all
from recon.seals.model import SEALED_TABLES
from tests.seals.test_tampering import DOUBLED

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.seals.conftest import Book

# Its signature fits better than that of the polymorphic one in pg_catalog.
BETTER_UNNEST = """
CREATE FUNCTION public.unnest(names text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', 'evil, pg_catalog, public', true);
    RETURN QUERY SELECT names[n] FROM generate_subscripts(names, 1) AS n;
END
$$
"""


async def test_a_function_that_fits_better_than_postgres_own_leads_nobody_away(
    sealed: Book,
) -> None:
    await _copy_all(sealed.owner)
    await sealed.owner.execute(BETTER_UNNEST)
    await sealed.rewrite(*DOUBLED)

    assert [check for check, _ in await sealed.faults()] == ["posting changed", "movement changed"]


async def test_a_search_path_of_the_databases_leads_neither_verify_nor_the_service_away(
    sealed: Book, database_url: str
) -> None:
    await _copy_all(sealed.owner)
    name = await sealed.owner.fetchval("SELECT current_database()")
    await sealed.owner.execute(f"ALTER DATABASE {name} SET search_path = evil, public")
    await sealed.rewrite(*DOUBLED)

    async with open_pool(database_url) as pool:
        found = (await verify_all(pool, sealed.keys)).faults
        told = await pool.fetchval("SELECT available FROM wallets WHERE user_id = 'u_1'")
    assert [one.check for one in found] == ["posting changed", "movement changed"]
    assert told == 2000


async def _copy_all(owner: Pool) -> None:
    """The tables as they are now, where a forger would have them read."""
    await owner.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC")
    for table in ("wallets", *SEALED_TABLES):
        await owner.execute(f"CREATE TABLE evil.{table} AS TABLE public.{table}")
        await owner.execute(f"GRANT SELECT ON evil.{table} TO PUBLIC")

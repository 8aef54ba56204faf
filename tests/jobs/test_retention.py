"""What is forgotten by age, as the service's own role."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from recon.clock import now
from recon.db import load

if TYPE_CHECKING:
    from recon.db import Pool


async def test_sessions_and_links_are_forgotten_some_time_after_their_end(
    pool: Pool, owner: Pool
) -> None:
    await owner.execute("INSERT INTO staff (name, role) VALUES ('ada', 'viewer')")
    await owner.execute(
        """
        INSERT INTO sessions (session_hash, name, browser_hash, last_seen_at, revoked_at) VALUES
        ('\\x01', 'ada', 'in use', now(), NULL),
        ('\\x02', 'ada', 'left', now() - interval '31 days', NULL),
        ('\\x03', 'ada', 'signed out of late', now() - interval '31 days', now()),
        ('\\x04', 'ada', 'signed out of', now(), now() - interval '31 days')
        """
    )
    await owner.execute(
        "INSERT INTO sign_in_links (link_hash, name, expires_at)"
        " VALUES ('\\x01', 'ada', now()), ('\\x02', 'ada', now() - interval '31 days')"
    )

    await pool.execute(load("recon.web", "forget_sessions"), now() - timedelta(days=30))

    left = await pool.fetch("SELECT browser_hash FROM sessions ORDER BY session_hash")
    assert [row["browser_hash"] for row in left] == [b"in use", b"signed out of late"]
    assert await pool.fetchval("SELECT count(*) FROM sign_in_links") == 1


async def test_what_the_jobs_leave_behind_is_forgotten_by_when_it_was_last_tried(
    pool: Pool, owner: Pool
) -> None:
    await owner.execute(
        """
        INSERT INTO tick_failures (tick, failures, failing_since, failed_at) VALUES
        ('redact', 9, now() - interval '30 days', now() - interval '71 hours'),
        ('renamed', 9, now() - interval '30 days', now() - interval '73 hours')
        """
    )
    await owner.execute(
        """
        INSERT INTO job_starts (job_key, starts, last_started_at, parked_at) VALUES
        ('of late', 6, now() - interval '71 hours', now()),
        ('given up', 6, now() - interval '73 hours', now() - interval '73 hours')
        """
    )
    await owner.execute(
        """
        INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated) VALUES
        (now() - interval '71 hours', 1, 'successful', 0, 'cut', true),
        (now() - interval '73 hours', 2, 'successful', 0, 'cut', true),
        (now() - interval '73 hours', 3, 'successful', 0, 'cut', false)
        """
    )

    await pool.execute(load("recon.jobs", "clean"), now() - timedelta(days=3))

    assert await pool.fetchval("SELECT array_agg(tick) FROM tick_failures") == ["redact"]
    assert await pool.fetchval("SELECT array_agg(job_key) FROM job_starts") == ["of late"]
    # What the queue has not added up yet, it still needs.
    left = await pool.fetchval("SELECT array_agg(job_id ORDER BY job_id) FROM pgqueuer_log")
    assert left == [1, 3]

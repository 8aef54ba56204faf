"""Running jobs: a thin module over pgqueuer, so that nothing else knows which queue it is.

A job is a name and a small JSON payload, handled at least once; handlers are idempotent. `enqueue`
works inside the caller's transaction, a `Worker` runs handlers and clock-driven ticks, and a job
that keeps killing its worker is parked.
"""

from recon.jobs.enqueue import enqueue
from recon.jobs.worker import Handler, Tick, Worker, run_until_cancelled

__all__ = ["Handler", "Tick", "Worker", "enqueue", "run_until_cancelled"]

"""The ledger against the game: every wallet compared, no false alarm, every difference explained.

A run (`start_run`) is cut into ranges of users (`cut_run`); `sweep_range` compares a range page by
page, and what differs climbs a ladder of second looks (`climb`) until the same difference has stood
for the grace period or is gone. What stands becomes a discrepancy with its explanation; one record
per wallet and life of a difference. `run_here` drives a whole run inside the calling process.
"""

from recon.reconciliation.climb import climb
from recon.reconciliation.compare import Comparison
from recon.reconciliation.cut import cut_run
from recon.reconciliation.drive import (
    abandon_run,
    climb_all,
    fail_run,
    forget_ranges,
    forget_seen,
    resume_stale_ranges,
    run_here,
)
from recon.reconciliation.expire import reopen_expired
from recon.reconciliation.incidents import Incident, list_incidents, read_incident
from recon.reconciliation.model import (
    Cause,
    Discrepancy,
    Evidence,
    Finding,
    Phase,
    Progress,
    Reconciler,
    Run,
    RunScope,
    RunState,
    Severity,
    Status,
    Tolerated,
)
from recon.reconciliation.queueing import CUT_JOB, SWEEP_JOBS
from recon.reconciliation.read import (
    DiscrepancyFilter,
    count_open,
    list_discrepancies,
    list_runs,
    read_discrepancy,
    read_run,
)
from recon.reconciliation.start import join_run, start_due_run, start_run
from recon.reconciliation.sweep import sweep_range
from recon.reconciliation.tally import fold_tallies

__all__ = [
    "CUT_JOB",
    "SWEEP_JOBS",
    "Cause",
    "Comparison",
    "Discrepancy",
    "DiscrepancyFilter",
    "Evidence",
    "Finding",
    "Incident",
    "Phase",
    "Progress",
    "Reconciler",
    "Run",
    "RunScope",
    "RunState",
    "Severity",
    "Status",
    "Tolerated",
    "abandon_run",
    "climb",
    "climb_all",
    "count_open",
    "cut_run",
    "fail_run",
    "fold_tallies",
    "forget_ranges",
    "forget_seen",
    "join_run",
    "list_discrepancies",
    "list_incidents",
    "list_runs",
    "read_discrepancy",
    "read_incident",
    "read_run",
    "reopen_expired",
    "resume_stale_ranges",
    "run_here",
    "start_due_run",
    "start_run",
    "sweep_range",
]

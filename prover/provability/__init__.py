"""The provability table: for everything that anyone can change, what catches it.

    from prover.provability import House, rows, run_rows
    for result in run_rows(House(), rows()):
        assert result.holds

Rows are made from the fields of headers, records, forms and messages as they are, so that a new
field cannot be without one. Each row is run through the court, a replica and the check of evidence,
together with a twin that goes the same way without the change and must not be caught.
"""

from __future__ import annotations

from collections.abc import Iterator

from prover.provability.actions import action_rows
from prover.provability.calls import call_rows
from prover.provability.claims import claim_rows
from prover.provability.committees import committee_rows
from prover.provability.evidence import evidence_rows
from prover.provability.exits import exit_rows
from prover.provability.frauds import fraud_rows
from prover.provability.house import Caught, House, Outcome
from prover.provability.postings import posting_rows
from prover.provability.receipts import receipt_rows
from prover.provability.registry import registry_rows
from prover.provability.rewards import reward_rows
from prover.provability.snapshots import snapshot_rows
from prover.provability.states import state_rows
from prover.provability.table import Part, Result, Row, run_rows

__all__ = ["Caught", "House", "Outcome", "Part", "Result", "Row", "rows", "run_rows"]


def rows(part: Part | None = None) -> list[Row]:
    """Return the rows of the table, or of one part of it, in their order."""
    return [row for row in _all() if part is None or row.part is part]


def _all() -> Iterator[Row]:
    yield from posting_rows()
    yield from call_rows()
    yield from action_rows()
    yield from state_rows()
    yield from evidence_rows()
    yield from committee_rows()
    yield from claim_rows()
    yield from exit_rows()
    yield from reward_rows()
    yield from registry_rows()
    yield from snapshot_rows()
    yield from receipt_rows()
    yield from fraud_rows()

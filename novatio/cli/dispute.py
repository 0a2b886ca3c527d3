"""``novatio dispute``: the batches that were proven wrong, and what became of the bonds."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.errors import NotFound

PAGE = 1_024

dispute = Noun("dispute", help="Fraud proofs that succeeded, one ends each generation.")
COMMANDS = [dispute]


def record_of(event: Any) -> dict[str, Any]:
    """Return the record of a revert."""
    return {
        "generation": event.generation,
        "number": event.number,
        "step": event.step,
        "batch_id": event.batch_id,
        "prover": event.prover,
        "slashed_gwei": event.slashed,
        "rewarded_gwei": event.rewarded,
        "burned_gwei": event.burned,
        "block": event.block,
    }


@dispute.command("list")
@click.option("--limit", type=click.IntRange(1, PAGE), default=100, help="Most to list.")
@pass_app
def list_disputes(app: App, limit: int) -> None:
    """List what ended each generation, newest first."""
    base = app.base()
    first = max(base.heads().generation - limit, 0)
    rows = [record_of(event) for event in reversed(base.reverts(first, limit))]
    columns = (
        "generation", "number", "step", "prover", "slashed_gwei", "rewarded_gwei", "block",
    )  # fmt: skip
    app.show_rows("disputes", rows, columns)


@dispute.command("show")
@click.argument("generation", type=click.IntRange(0))
@pass_app
def show_dispute(app: App, generation: int) -> None:
    """Show what ended GENERATION: the batch, the step, the prover and the bonds."""
    base = app.base()
    found = [event for event in base.reverts(generation, 1) if event.generation == generation]
    if not found:
        raise NotFound(
            f"generation {generation}: expected one that a proof ended, was generation "
            f"{base.heads().generation} going on",
            metadata={"generation": str(generation)},
            next_step="novatio dispute list",
        )
    record = record_of(found[0])
    batch = base.batch(found[0].batch_id)
    if batch is not None:
        record["committed_root"] = batch.record.post_root
        record["posted_block"] = batch.record.posted_block
    app.show(record)

"""``novatio dispute``: the batches that were proven wrong, and what became of the bonds."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.cli._divergence import record_of as record_of_divergence
from novatio.cli.batch import audit_of
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
        "forfeited_gwei": event.forfeited,
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
@click.argument("generation", type=NATURAL)
@click.option("--brief", is_flag=True, help="Do not replay the chain to explain what was wrong.")
@pass_app
def show_dispute(app: App, generation: int, brief: bool) -> None:
    """Explain what ended GENERATION: the batch, the wrong step and leaf, prover and bonds.

    The explanation replays the chain from the genesis file up to the batch; --brief does without.
    """
    base = app.base()
    found = [event for event in base.reverts(generation, 1) if event.generation == generation]
    if not found:
        raise NotFound(
            f"generation {generation}: expected one that a proof ended, was generation "
            f"{base.heads().generation} going on",
            metadata={"generation": str(generation)},
            next_step="novatio dispute list",
        )
    [event] = found
    record = record_of(event)
    batch = base.batch(event.batch_id)
    if batch is not None:
        record["committed_root"] = batch.record.post_root
        record["posted_block"] = batch.record.posted_block
        from verifier.header import Header

        record["proposer"] = Header.decode(batch.record.header).proposer
    if not brief:
        record |= _explained(app, event)
    explanation = [_money(event), *record.get("explanation", [])]
    if app.form != "table":
        app.show(record | {"explanation": explanation})
        return
    plain = ("generation", "number", "step", "batch_id", "proposer", "prover", "posted_block")
    app.show({key: record[key] for key in (*plain, "block") if key in record})
    click.echo("\n" + "\n".join(explanation))


def _explained(app: App, event: Any) -> dict[str, Any]:
    """Return what a replay finds out about the batch that fell."""
    from prover.replica import Verdict

    audit = audit_of(app)
    judgement = audit.judge_reverted(event.batch_id)
    if judgement.verdict is Verdict.INVALID:
        return record_of_divergence(audit.divergence(judgement))
    if judgement.verdict is Verdict.UNAVAILABLE:
        reason = (
            f"The bytes of batch {judgement.number} cannot be read: {judgement.reason}. It fell "
            f"because nobody showed step {event.step} when it was asked for, or what was wrong "
            "with it can no longer be seen."
        )
    else:
        reason = (
            f"The law confirms every step that was posted of batch {judgement.number}. It fell "
            f"because nobody showed step {event.step} when it was asked for; its bytes came to "
            "light later."
        )
    return {"explanation": [reason]}


def _money(event: Any) -> str:
    return (
        f"Batch {event.number} of generation {event.generation} fell in block {event.block} with "
        f"all that stood on it, over step {event.step}. {event.slashed} gwei of bonds were lost: "
        f"{event.rewarded} wait for 0x{event.prover.hex()}, who showed it, or for who committed to "
        f"the proof before; {event.burned} were burned."
    )

"""``novatio batch``: what the node sealed, and whether the law confirms it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import POSITIVE, App, Noun, pass_app
from novatio.cli._divergence import record_of as record_of_divergence
from novatio.errors import Unavailable, VerificationFailed

if TYPE_CHECKING:
    from novatio.audit import Audit

batch = Noun("batch", help="Batches: what was sealed, and whether the law confirms it.")
COMMANDS = [batch]


def record_of(item: Any) -> dict[str, Any]:
    """Return the record of a batch as the node describes it."""
    from node.v1 import node_pb2 as pb

    return {
        "number": item.number,
        "status": pb.BatchStatus.Name(item.status).removeprefix("BATCH_STATUS_").lower(),
        "batch_id": item.id or None,
        "step_count": item.step_count,
        "action_count": item.sequence - item.sequence_before,
        "data_bytes": item.data_bytes,
        "sequence": item.sequence,
        "pre_root": item.pre_root,
        "post_root": item.post_root,
        "sealed_time_ms": item.sealed_time_ms,
        "postings": item.postings,
    }


@batch.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help="Most batches to list.")
@pass_app
def list_batches(app: App, limit: int) -> None:
    """List the node's batches, newest first."""
    rows = [record_of(item) for item in app.client().batches(limit=limit)]
    columns = ("number", "status", "action_count", "data_bytes", "post_root", "sealed_time_ms")
    app.show_rows("batches", rows, columns)


@batch.command("show")
@click.argument("number", type=POSITIVE)
@pass_app
def show_batch(app: App, number: int) -> None:
    """Show batch NUMBER as the node has it, with its header."""
    found = app.client().batch(number).batch
    app.show(record_of(found) | {"header": found.header or None})


@batch.command("verify")
@click.argument("number", type=POSITIVE)
@pass_app
def verify_batch(app: App, number: int) -> None:
    """Replay batch NUMBER, and all before it, from the base layer alone, and judge it."""
    from prover.replica import Verdict

    judgement = audit_of(app).judge(number)
    if judgement.verdict is Verdict.UNAVAILABLE:
        raise Unavailable(
            f"batch {judgement.number}: {judgement.reason}",
            metadata={"number": str(judgement.number)},
            next_step=f"novatio root show {judgement.number}",
        )
    valid = judgement.verdict is Verdict.VALID
    app.show(
        {
            "number": number,
            "verdict": judgement.verdict.name,
            "batch_id": judgement.batch_id,
            "judged_number": judgement.number,
            "step": None if valid else judgement.step,
            "evidence_bytes": len(judgement.evidence) or None,
        }
    )
    if not valid:
        raise VerificationFailed(
            f"batch {judgement.number} is INVALID: step {judgement.step} does not have the root "
            "that the law gives it",
            reason="BAD_STEP",
            metadata={"number": str(judgement.number), "step": str(judgement.step)},
            next_step=f"novatio batch diff {judgement.number}",
        )


@batch.command("diff")
@click.argument("number", type=POSITIVE)
@pass_app
def diff_batch(app: App, number: int) -> None:
    """Name the first step of batch NUMBER that the law does not confirm, and its wrong leaf."""
    from prover.replica import Verdict

    audit = audit_of(app)
    judgement = audit.judge(number)
    if judgement.verdict is Verdict.VALID:
        app.show({"number": number, "verdict": "VALID", "differences": []})
        return
    if judgement.verdict is Verdict.UNAVAILABLE:
        raise Unavailable(
            f"batch {judgement.number}: {judgement.reason}",
            next_step=f"novatio root show {judgement.number}",
        )
    found = audit.divergence(judgement)
    record = {"number": found.number, "verdict": "INVALID", **record_of_divergence(found)}
    if app.form == "table":
        click.echo("\n".join(record["explanation"]))
    else:
        app.show(record)
    raise VerificationFailed(
        f"batch {found.number}: step {found.step} was committed with another root than the law's",
        reason="BAD_STEP",
        metadata={"number": str(found.number), "step": str(found.step)},
        next_step="novatio challenger --config <file>, which proves it on the base layer",
    )


def audit_of(app: App) -> Audit:
    """Return an audit of the base layer that settings name. Raises ConfigInvalid."""
    from novatio.audit import Audit

    base = app.base()
    return Audit(
        base, app.genesis(), lambda done, total: _progress(app, done, total), app.members(base)
    )


def _progress(app: App, done: int, total: int) -> None:
    # A line every so often, no spinner: this may be read from a file.
    if total >= 50 and done % 50 == 0:
        app.note(f"replayed {done} of {total} batches")

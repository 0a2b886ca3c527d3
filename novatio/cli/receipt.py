"""``novatio receipt``: what a sequencer promised, whether it kept it, and the proof if not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.cli.withdraw import WAIT
from novatio.errors import BadRequest, VerificationFailed

if TYPE_CHECKING:
    from novatio.receipts import Finding

receipt = Noun("receipt", help="Receipts of the sequencer: keep them, compare them, prove them.")
COMMANDS = [receipt]

_BATCH = click.Option(
    ["--batch"], help="Compare with this batch, an id in hex; also one that fell."
)


@receipt.command("get")
@click.argument("action_hash")
@pass_app
def get_receipt(app: App, action_hash: str) -> None:
    """Fetch and check the receipt of the frame that holds an action; keep it with -o json."""
    app.show(app.client().receipt(_hex(action_hash)).record())


@receipt.command("check", params=[_BATCH])
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@pass_app
def check(app: App, file: str, batch: str | None) -> None:
    """Tell whether the receipt in FILE was kept, from the base layer alone; exit code 6 if not."""
    from novatio.receipts import Verdict, check_kept, read_receipt

    finding = check_kept(app.base(), read_receipt(file), _hex(batch) if batch else None)
    app.show(_record(finding))
    if finding.verdict == Verdict.BROKEN:
        raise VerificationFailed(
            f"the sequencer broke this receipt: {finding.text}",
            reason="RECEIPT_BROKEN",
            next_step=f"novatio receipt prove {file}",
        )


@receipt.command("prove", params=[_BATCH, WAIT])
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.argument("other", type=click.Path(exists=True, dir_okay=False), required=False)
@click.option("--commit/--no-commit", default=True, show_default=True,
              help="Commit first, so that a copy of the proof is not paid.")  # fmt: skip
@pass_app
def prove(
    app: App, file: str, other: str | None, batch: str | None, commit: bool, wait_seconds: float
) -> None:
    """Prove that the receipt in FILE was broken by a batch, or by the receipt in OTHER."""
    from novatio.base import send, wait_for
    from novatio.receipts import check_kept, contradiction, read_receipt
    from verifier.base.transactions import Commit, ProveReceipt
    from verifier.rewards import commitment_of
    from verifier.stakes import stake_subject

    base, signer, first = app.base(), app.signer(), read_receipt(file)
    if other is None:
        finding = check_kept(base, first, _hex(batch) if batch else None)
    else:
        finding = contradiction(base, first, read_receipt(other))
    if finding.evidence is None:
        raise BadRequest(
            f"expected a broken receipt, was one that is {finding.verdict}: {finding.text}",
            reason="RECEIPT_NOT_BROKEN",
            next_step=f"novatio receipt check {file}",
        )
    evidence = finding.evidence.encode()
    serial, subject = base.stake(finding.signer).serial, stake_subject(finding.signer)
    commitment = commitment_of(signer.address, serial, subject, evidence)
    known = {one.hash for one in base.commitments(signer.address)}
    if commit and finding.stake_gwei and commitment not in known:
        wait_for(base, send(base, signer, Commit(commitment)), wait_seconds)
    made = wait_for(base, send(base, signer, ProveReceipt(evidence)), wait_seconds)
    reward = base.reward(serial, subject)
    app.show(
        {
            "signer": finding.signer,
            "stake": serial,
            "broken": finding.text,
            "reward_gwei": reward.amount if reward else None,
            "winner": reward.winner if reward else None,
            "waits_until_block": reward.closes_block if reward else None,
            "transaction_hash": made.transaction_hash,
            "block": made.block_number,
        }
    )
    app.note("the reward waits for older commitments; after that block: novatio bond claim")


def _record(finding: Finding) -> dict[str, Any]:
    batch = finding.batch
    return {
        "verdict": str(finding.verdict),
        "why": finding.text,
        "signer": finding.signer,
        "stake_gwei": finding.stake_gwei,
        "batch": batch.record.number if batch else None,
        "batch_status": batch.status.name.lower() if batch else None,
        "batch_id": batch.record.batch_id if batch else None,
    }


def _hex(text: str) -> bytes:
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        data = b""
    if len(data) != 32:
        raise click.UsageError(f"expected a hash of 64 hexadecimal digits, was {text!r}")
    return data

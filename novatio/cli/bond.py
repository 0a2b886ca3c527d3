"""``novatio bond``: the court's own money: what is locked, what proofs earned, what is yours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.cli._app import address as address_in
from novatio.cli.withdraw import WAIT

if TYPE_CHECKING:
    from verifier.base.interface import BaseLayer, Reward

REVERTS_MAX = 1_024

bond = Noun("bond", help="Bonds, stakes and rewards: list them, claim yours.")
COMMANDS = [bond]


def _rewards(base: BaseLayer, limit: int) -> list[Reward]:
    """Return what the newest proofs earned: of batches, and of the sequencer's stakes."""
    from verifier.stakes import stake_subject

    heads, found = base.heads(), []
    for event in base.reverts(max(heads.generation - limit, 0), limit):
        view = base.batch(event.batch_id)
        if view is not None:
            found.append(base.reward(view.record.generation, event.batch_id))
    signers = {base.receipt_signer(one) for one in range(max(heads.generation - limit, 0),
                                                         heads.generation + 1)}  # fmt: skip
    for signer in sorted(one for one in signers if one):
        for serial in range(1, base.stake(signer).serial + 1):
            found.append(base.reward(serial, stake_subject(signer)))
    return [one for one in found if one is not None]


def _record(reward: Reward) -> dict[str, Any]:
    return {
        "generation": reward.generation,
        "subject": reward.subject,
        "reward_gwei": reward.amount,
        "winner": reward.winner,
        "sender": reward.sender,
        "waits_until_block": reward.closes_block,
        "paid": reward.paid,
    }


@bond.command("list")
@click.option("--limit", type=click.IntRange(1, REVERTS_MAX), default=100,
              help="Most generations to look back.")  # fmt: skip
@click.option("--address", help="Whose credit and stake to show; else those of the key in use.")
@pass_app
def list_bonds(app: App, limit: int, address: str | None) -> None:
    """List what proofs earned, the sums of all bonds, and one address's credit and stake."""
    base = app.base()
    totals = base.bonds()
    whose = address_in(address) if address else _own(app)
    record: dict[str, Any] = {
        "deposited_gwei": totals.deposited,
        "paid_gwei": totals.paid,
        "burned_gwei": totals.burned,
        "held_gwei": totals.held,
        "bond_gwei": base.config().bond,
        "address": whose,
        "credit_gwei": base.credit(whose) if whose else None,
        "stake_gwei": base.stake(whose).amount if whose else None,
    }
    rows = [_record(one) for one in _rewards(base, limit)]
    if app.form == "json":
        app.show(record | {"rewards": rows})
        return
    app.show(record)
    columns = ("generation", "subject", "reward_gwei", "winner", "waits_until_block", "paid")
    app.show_rows("rewards", rows, columns)


@bond.command("claim", params=[WAIT])
@pass_app
def claim(app: App, wait_seconds: float) -> None:
    """Settle rewards whose time has come, and have what the court owes the key's owner paid."""
    from novatio.base import send, wait_for
    from verifier.base.transactions import ClaimCredit, SettleReward

    base, signer = app.base(), app.signer()
    settled = []
    for one in _rewards(base, REVERTS_MAX):
        ready = one.closes_block < base.head().number + 1
        if one.winner == signer.address and not one.paid and ready:
            body = SettleReward(one.generation, one.subject)
            wait_for(base, send(base, signer, body), wait_seconds)
            settled.append(one)
    credit = base.credit(signer.address)
    made = wait_for(base, send(base, signer, ClaimCredit()), wait_seconds)
    app.show(
        {
            "address": signer.address,
            "rewards_settled": len(settled),
            "paid_gwei": credit,
            "transaction_hash": made.transaction_hash,
            "block": made.block_number,
        }
    )


@bond.command("stake", params=[WAIT])
@pass_app
def stake(app: App, wait_seconds: float) -> None:
    """Lock a stake behind the receipts that the key in use signs."""
    from verifier.base.transactions import PutStake

    _send(app, PutStake(), wait_seconds)


@bond.command("unstake", params=[WAIT])
@pass_app
def unstake(app: App, wait_seconds: float) -> None:
    """Take the stake back, once the key posts no more and its last batch is final."""
    from verifier.base.transactions import TakeStake

    _send(app, TakeStake(), wait_seconds)
    app.note("next: novatio bond claim")


def _send(app: App, body: Any, wait_seconds: float) -> None:
    from novatio.base import send, wait_for

    base, signer = app.base(), app.signer()
    made = wait_for(base, send(base, signer, body), wait_seconds)
    found = base.stake(signer.address)
    app.show(
        {
            "address": signer.address,
            "stake": found.serial,
            "stake_gwei": found.amount,
            "credit_gwei": base.credit(signer.address),
            "transaction_hash": made.transaction_hash,
            "block": made.block_number,
        }
    )


def _own(app: App) -> bytes | None:
    from novatio.signing import find_signer

    signer = find_signer(app.settings.client.key_file or None)
    return None if signer is None else signer.address

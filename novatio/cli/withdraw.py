"""``novatio deposit`` and ``novatio withdraw``: money into the clearing house and out of it."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import NATURAL, POSITIVE, App, Command, Noun, pass_app
from novatio.cli.root import canonical
from novatio.cli.trade import show_outcomes
from novatio.errors import NotFound

withdraw = Noun("withdraw", help="Take money out: request, prove, claim.")


@pass_app
def _deposit(
    app: App, amount: str, asset: int, subaccount: int, faucet: bool, wait_seconds: float
) -> None:
    from novatio.base import send, wait_for
    from novatio.orders import micro
    from verifier.base.transactions import Deposit, Faucet

    base, signer, value = app.base(), app.signer(), micro(amount)
    if faucet:
        gift = Faucet(signer.address, 10**9, value, asset)
        wait_for(base, send(base, signer, gift), wait_seconds)
    body = Deposit(signer.address, subaccount, asset, value)
    receipt = wait_for(base, send(base, signer, body), wait_seconds)
    app.show(
        {
            "account": base.account_id(signer.address, subaccount),
            "owner": signer.address,
            "subaccount": subaccount,
            "asset": asset,
            "amount_micro": value,
            "transaction_hash": receipt.transaction_hash,
            "block": receipt.block_number,
        }
    )
    app.note("the node credits it once the block is final: novatio heads shows the inbox")


_ASSET = click.Option(
    ["--asset"], type=NATURAL, default=0, help="Of this asset; 0, the default, is cash."
)
WAIT = click.Option(
    ["--wait-seconds"], type=click.FloatRange(0), default=30.0, show_default=True,
    help="Longest wait for a block.",
)  # fmt: skip
deposit = Command(
    "deposit",
    callback=_deposit,
    params=[
        click.Argument(["amount"]),
        _ASSET,
        click.Option(["--subaccount"], type=click.IntRange(0, 2**32 - 1), default=0,
                     help="Which of the owner's accounts."),
        click.Option(["--faucet"], is_flag=True,
                     help="On a development chain: have money made for it first."),
        WAIT,
    ],
    help="Deposit AMOUNT for the key's owner, on the base layer.",
)  # fmt: skip
COMMANDS = [withdraw, deposit]


@withdraw.command("request", params=[_ASSET])
@click.argument("account", type=NATURAL)
@click.argument("amount")
@pass_app
def request_withdrawal(app: App, account: int, amount: str, asset: int) -> None:
    """Ask to take AMOUNT out of ACCOUNT; signed with the key in use."""
    client, signer = app.client(), app.signer()
    request = client.withdraw(account, amount, asset=asset, signer=signer)
    show_outcomes(app, client.submit([request]))
    app.note(f"next: novatio withdraw list --account {account}")


@withdraw.command("list")
@click.option("--account", type=NATURAL, help="Only of this account.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help="Most to look at.")
@pass_app
def list_withdrawals(app: App, account: int | None, limit: int) -> None:
    """List the newest withdrawals that the base layer knows of, and whether they were paid."""
    from verifier.escrow import WithdrawalLeaf

    base, client = app.base(), app.client()
    heads = base.heads()
    # The node looks at the base layer now and then; what it has not seen yet, it cannot prove.
    tip = canonical(base, min(heads.tip_number, client.heads().posted.number)).record
    final = canonical(base, heads.finalised_number).record
    rows = []
    for index in range(tip.withdrawal_count - 1, max(tip.withdrawal_count - limit, 0) - 1, -1):
        found = client.withdrawal_proof(index, batch=tip.number)
        if account in (None, found.account):
            rows.append(
                {
                    "index": index,
                    "account": found.account,
                    "asset": WithdrawalLeaf.decode(found.leaf).asset,
                    "amount_micro": found.amount_micro,
                    "recipient": found.recipient,
                    "claimable": index < final.withdrawal_count,
                    "paid": base.is_claimed(index),
                }
            )
    app.show_rows(
        "withdrawals",
        rows,
        ("index", "account", "asset", "amount_micro", "recipient", "claimable", "paid"),
    )


@withdraw.command("prove")
@click.argument("index", type=NATURAL)
@click.option("--batch", type=POSITIVE, help="Under this batch; else the newest final.")
@pass_app
def prove_withdrawal(app: App, index: int, batch: int | None) -> None:
    """Prove withdrawal INDEX under a root that the base layer holds; checked on this machine."""
    found, view = _proof(app, index, batch)
    app.show(
        {
            "index": index,
            "verified": True,
            "batch": view.record.number,
            "batch_status": view.status.name.lower(),
            "batch_id": view.record.batch_id,
            "account": found.account,
            "amount_micro": found.amount_micro,
            "recipient": found.recipient,
            "leaf": found.leaf,
            "siblings": [found.siblings[k : k + 32] for k in range(0, len(found.siblings), 32)],
        }
    )


@withdraw.command("claim", params=[WAIT])
@click.argument("index", type=NATURAL)
@pass_app
def claim_withdrawal(app: App, index: int, wait_seconds: float) -> None:
    """Have withdrawal INDEX paid on the base layer; the key in use pays the gas, nothing more."""
    from novatio.base import send, wait_for
    from verifier.base.transactions import ClaimWithdrawal
    from verifier.escrow import WithdrawalLeaf

    found, view = _proof(app, index, None)
    siblings = tuple(found.siblings[k : k + 32] for k in range(0, len(found.siblings), 32))
    body = ClaimWithdrawal(view.record.batch_id, index, found.leaf, siblings)
    base = app.base()
    receipt = wait_for(base, send(base, app.signer(), body), wait_seconds)
    app.show(
        {
            "index": index,
            "paid": True,
            "asset": WithdrawalLeaf.decode(found.leaf).asset,
            "amount_micro": found.amount_micro,
            "recipient": found.recipient,
            "transaction_hash": receipt.transaction_hash,
            "block": receipt.block_number,
        }
    )


def _proof(app: App, index: int, batch: int | None) -> tuple[Any, Any]:
    """Return the node's proof and the base layer's batch that it was checked against."""
    from novatio.proofs import verify_withdrawal_proof

    base, client = app.base(), app.client()
    newest = min(base.heads().finalised_number, client.heads().finalised.number)
    view = canonical(base, newest if batch is None else batch)
    if index >= view.record.withdrawal_count:
        raise NotFound(
            f"withdrawal {index}: expected one of the {view.record.withdrawal_count} under batch "
            f"{view.record.number}, was none of them",
            reason="NO_SUCH_WITHDRAWAL",
            metadata={"index": str(index), "number": str(view.record.number)},
            next_step="wait until its batch is final: novatio heads",
        )
    found = client.withdrawal_proof(index, batch=view.record.number)
    verify_withdrawal_proof(found, view.record.withdrawals_root)
    return found, view

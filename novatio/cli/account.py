"""``novatio account``: accounts, their margin, and proofs of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.cli.trade import show_outcomes
from novatio.errors import NotFound

if TYPE_CHECKING:
    from novatio.client import Client
    from verifier.account_leaf import ProvenAccount

ROOTS_SEARCHED = 1_024
_FILL = re.compile(r"(?P<symbol>[^:]+):(?P<size>[+-]?[0-9.]+)(?:@(?P<price>[0-9.]+))?")
_COST = re.compile(r"(?P<asset>\d{1,3})=(?P<ppm>\d{1,7})")

account = Noun("account", help="Accounts, their margin, and proofs of them.")
COMMANDS = [account]

MODES = ("cross", "isolated", "portfolio")


def margin_of(margin: Any) -> dict[str, Any]:
    """Return the record of a margin."""
    return {
        "equity_micro": margin.equity_micro,
        "initial_margin_micro": margin.initial_micro,
        "maintenance_margin_micro": margin.maintenance_micro,
        "notional_micro": margin.notional_micro,
    }


@account.command("show")
@click.argument("account", type=NATURAL)
@pass_app
def show_account(app: App, account: int) -> None:
    """Show ACCOUNT with its positions, margin and risk.

    Greeks are micro-quote for each underlying: delta the gain when the price rises by 1 %, gamma by
    how much delta rises then, vega the gain when volatility rises by 1 % of itself, theta the gain
    of a day that passes. A portfolio has the tail of its losses over historical scenarios too.
    """
    client = app.client()
    answer = client.account_risk(account)
    found, risk = answer.account, answer.risk
    prices = {entry.instrument: entry for entry in risk.liquidation_prices}
    markets = {item.id: item for item in client.instruments()}
    positions = [
        {
            "symbol": markets[held.instrument].symbol if held.instrument in markets else None,
            "size": str(client.market(held.instrument).size(held.lots)),
            "lots": held.lots,
            "entry_cost_micro": held.entry_cost_micro,
            "value_micro": held.value_micro,
            "funding_micro": held.funding_micro,
            **_liquidation(client, prices.get(held.instrument)),
        }
        for held in found.positions
    ]
    app.show(
        {
            "account": found.id,
            "owner": found.owner,
            "subaccount": found.subaccount,
            "mode": _mode_name(found),
            "cash_micro": found.cash_micro,
            "order_floor": found.order_floor,
            "request_sequence": found.request_sequence,
            "margin": margin_of(found.margin),
            "free_collateral_micro": risk.free_collateral_micro,
            "margin_ratio_ppm": risk.margin_ratio_ppm if _has(risk, "margin_ratio_ppm") else None,
            "greeks": [_values(entry) for entry in risk.greeks],
            "scenario_tail": _values(risk.tail) if _has(risk, "tail") else None,
            "positions": positions,
        }
    )


def _values(message: Any) -> dict[str, Any]:
    return {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}


def _mode_name(found: Any) -> str:
    from node.v1 import node_pb2 as pb

    return pb.MarginMode.Name(found.mode).removeprefix("MARGIN_MODE_").lower()


def _has(message: Any, name: str) -> bool:
    return bool(message.HasField(name))


def _liquidation(client: Client, entry: Any) -> dict[str, Any]:
    """Return the mark that exposes the account to liquidation, a lot and a unit; else the reason
    why there is none."""
    from node.v1 import node_pb2 as pb

    found: dict[str, Any] = {
        "liquidation_price_micro": None,
        "liquidation_price": None,
        "no_liquidation_price": None,
    }
    if entry is not None and _has(entry, "price_micro"):
        market = client.market(entry.instrument)
        found["liquidation_price_micro"] = entry.price_micro
        found["liquidation_price"] = str(market.price(entry.price_micro))
    elif entry is not None and entry.absence:
        name = pb.NoLiquidationPrice.Name(entry.absence)
        found["no_liquidation_price"] = name.removeprefix("NO_LIQUIDATION_PRICE_").lower()
    return found


@account.command("set-mode")
@click.argument("account", type=NATURAL)
@click.argument("mode", type=click.Choice(MODES))
@pass_app
def set_mode(app: App, account: int, mode: str) -> None:
    """Margin ACCOUNT as MODE from now on; signed with the owner's key in use.

    Cross: the margins of positions add up. Isolated: as cross, with one position at most.
    Portfolio: all positions together, by the stress grid and historical scenarios. The law asks
    for equity that covers initial margin under the new mode.
    """
    show_outcomes(app, [app.client().set_mode(account, mode, signer=app.signer())])
    app.note(f"next: novatio account show {account}")


@account.command("margin")
@click.argument("account", type=NATURAL)
@click.option(
    "--fill",
    "fills",
    multiple=True,
    metavar="SYMBOL:SIZE[@PRICE]",
    help="What if this were bought (or, with a negative size, sold); at the mark without a price.",
)
@pass_app
def show_margin(app: App, account: int, fills: tuple[str, ...]) -> None:
    """Show the margin of ACCOUNT, as it is and as it would be after some fills."""
    client = app.client()
    found = client.what_if(account, [_fill(client, text) for text in fills])
    record: dict[str, Any] = {"account": account, "before": margin_of(found.before)}
    if fills:
        record |= {"after": margin_of(found.after), "legal": found.legal}
    app.show(record | {"sequence": found.point.sequence, "state_root": found.point.state_root})


@account.command("collateral")
@click.argument("account", type=NATURAL)
@pass_app
def show_collateral(app: App, account: int) -> None:
    """Show what ACCOUNT holds, cash first, what it is worth and what margin takes off it."""
    from novatio.collateral import holdings_of

    client = app.client()
    found = client.account(account)
    columns = ("asset", "units", "value_micro", "haircut_ppm", "initial_haircut_ppm")
    rows = [
        {
            "asset": one.asset,
            "units": one.units,
            "value_micro": one.value,
            "haircut_ppm": one.haircut_ppm,
            "initial_haircut_ppm": one.initial_haircut_ppm,
        }
        for one in holdings_of(found, client.assets())
    ]
    app.show_rows("collateral", rows, columns)


@account.command("optimise")
@click.argument("account", type=NATURAL)
@click.option("--required", help="What to cover, in the settlement asset; else initial margin.")
@click.option(
    "--cost",
    "costs",
    multiple=True,
    metavar="ASSET=PPM",
    help="What pledging an asset costs, of its value; an asset that is not named costs nothing.",
)
@pass_app
def optimise_collateral(
    app: App, account: int, required: str | None, costs: tuple[str, ...]
) -> None:
    """Show the cheapest part of what ACCOUNT holds that covers a requirement."""
    from novatio.collateral import holdings_of, optimise
    from novatio.orders import micro

    client = app.client()
    found = client.account(account)
    wanted = found.margin.initial_micro if required is None else micro(required)
    best = optimise(wanted, holdings_of(found, client.assets()), dict(map(_cost, costs)))
    app.show(
        {
            "account": account,
            "required_micro": wanted,
            "covered_micro": best.covered,
            "cost_micro": best.cost,
            "sufficient": best.sufficient,
            "pledges": [
                {"asset": one.asset, "units": one.units, "value_micro": one.value}
                for one in best.pledges
            ],
        }
    )


def _cost(text: str) -> tuple[int, int]:
    found = _COST.fullmatch(text)
    if found is None:
        raise click.UsageError(f"--cost: expected ASSET=PPM, was {text!r}")
    return int(found["asset"]), int(found["ppm"])


@account.command("proof")
@click.argument("account", type=NATURAL)
@click.option("--batch", type=NATURAL, help="Prove under this batch, by a replay.")
@pass_app
def prove_account(app: App, account: int, batch: int | None) -> None:
    """Prove ACCOUNT under a root that the base layer holds, and check it on this machine.

    The node's proof is taken if its root is committed already; else, or with --batch, the state is
    rebuilt from the base layer's data, which needs the genesis file and no node.
    """
    from novatio.audit import Audit

    base = app.base()
    if batch is None:
        found = _from_node(app, account)
        if found is not None:
            app.show(found)
            return
    number = base.heads().tip_number if batch is None else batch
    audit = Audit(base, app.genesis(), members=app.members(base))
    proven = audit.account(account, number)
    app.show(_record(proven, audit.batch(number), "base layer replay"))


def _from_node(app: App, account: int) -> dict[str, Any] | None:
    """Return the record of the node's proof, None if its root is not on the base layer yet."""
    from novatio.proofs import verify_account_proof

    base = app.base()
    proof = app.client().account_proof(account)
    first = max(base.heads().tip_number - ROOTS_SEARCHED + 1, 0)
    for view in reversed(base.batches(first, ROOTS_SEARCHED)):
        if view.record.post_root == proof.point.state_root:
            proven = verify_account_proof(proof, view.record.post_root, account)
            return _record(proven, view, "node")
    return None


def _record(proven: ProvenAccount, view: Any, source: str) -> dict[str, Any]:
    return {
        "account": proven.id,
        "verified": True,
        "source": source,
        "batch": view.record.number,
        "batch_status": view.status.name.lower(),
        "state_root": view.record.post_root,
        "owner": proven.owner,
        "subaccount": proven.subaccount,
        "cash_micro": proven.cash,
        "order_floor": proven.order_floor,
        "request_sequence": proven.request_sequence,
        "positions": [
            {
                "instrument": held.instrument,
                "lots": held.lots,
                "entry_cost_micro": held.entry_cost,
                "funding_index": held.funding_index,
            }
            for held in proven.positions
        ],
    }


def _fill(client: Client, text: str) -> Any:
    from node.v1 import node_pb2 as pb

    found = _FILL.fullmatch(text)
    if found is None:
        raise click.UsageError(f"--fill: expected SYMBOL:SIZE[@PRICE], was {text!r}")
    symbol, size, price = found["symbol"], found["size"], found["price"]
    try:
        market = client.market(symbol)
    except NotFound as error:
        raise click.UsageError(f"--fill: {error}") from error
    lots = market.lots(size.lstrip("+-"))
    return pb.HypotheticalFill(
        instrument=market.instrument,
        lots=-lots if size.startswith("-") else lots,
        price_micro=market.price_micro(price) if price else 0,
    )

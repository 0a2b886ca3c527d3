"""``novatio account statement`` and its kin: what happened to an account, and what may happen."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import NATURAL, App, number_or_time, pass_app
from novatio.cli.account import account as account_noun
from novatio.cli.trade import outcome_record
from novatio.cli.trade import trade as trade_noun
from novatio.output import plain, render_rows, time_text

if TYPE_CHECKING:
    from novatio.client import Client
    from novatio.statements import Period, Statement

COMMANDS: list[click.Command] = []  # they belong to the nouns `account` and `trade`
PPM = 1_000_000
FUNDS = ("dust", "insurance", "fees")
LINE_COLUMNS = (
    "sequence", "time_ms", "kind", "symbol", "size", "price", "amount_micro", "cash_micro",
    "counterparty", "fund",
)  # fmt: skip
FILL_COLUMNS = (
    "sequence", "time_ms", "kind", "symbol", "side", "size", "price", "value_micro", "fee_micro",
    "role", "counterparty",
)  # fmt: skip
AMOUNT_COLUMNS = ("sequence", "time_ms", "kind", "symbol", "lots", "amount_micro")
CALL_COLUMNS = (
    "account", "status", "time_ms", "equity_micro", "initial_micro", "maintenance_micro",
    "threshold_micro", "shortfall_micro", "moved_symbol", "mark_before_micro", "mark_micro",
)  # fmt: skip


class _Bound(click.ParamType):  # type: ignore[type-arg]
    """An end of a range: a place in the sequence, or a moment of the law's time."""

    name = "bound"

    def convert(self, value: Any, parameter: Any, context: Any) -> tuple[str, int]:
        """Return ("sequence", n) or ("time_ms", n)."""
        if isinstance(value, tuple):
            return value
        is_number, found = number_or_time(value)
        if found is None:
            self.fail(
                f"expected a sequence or a time like 2024-02-29 or 2024-02-29T12:00:00Z (UTC), was "
                f"{value!r}",
                parameter,
                context,
            )
        return "sequence" if is_number else "time_ms", found


def _range(function: Any) -> Any:
    """Add the options of a range."""
    for name, end in (("to", "Last"), ("from", "First")):
        function = click.option(
            f"--{name}",
            f"{name}_bound",
            type=_Bound(),
            metavar="SEQUENCE|TIME",
            help=f"{end} sequence or law time (UTC), inclusive.",
        )(function)
    return function


def _period(from_bound: tuple[str, int] | None, to_bound: tuple[str, int] | None) -> Period:
    from novatio.statements import Period

    bounds = {}
    for end, bound in (("from", from_bound), ("to", to_bound)):
        if bound is not None:
            bounds[f"{end}_{bound[0]}"] = bound[1]
    return Period(**bounds)


def line_record(client: Client, line: Any) -> dict[str, Any]:
    """Return the record of a line; amounts are signed, lots and prices those of the law."""
    from node.v1 import node_pb2 as pb
    from novatio.statements import kind_name

    market = client.market(line.instrument) if line.HasField("instrument") else None
    role = pb.Role.Name(line.role).removeprefix("ROLE_").lower() if line.role else None
    priced = market is not None and line.price_micro
    return {
        "sequence": line.sequence,
        "time_ms": line.time_ms,
        "kind": kind_name(line.kind),
        "action_kind": line.action_kind,
        "symbol": market.symbol if market else None,
        "lots": line.lots if market else None,
        "size": str(market.size(line.lots)) if market and line.lots else None,
        "price_micro": line.price_micro if priced else None,
        "price": str(market.price(line.price_micro)) if market and priced else None,
        "amount_micro": line.amount_micro,
        "cash_micro": line.cash_micro,
        "counterparty": line.counterparty if line.HasField("counterparty") else None,
        "fund": FUNDS[line.fund] if line.HasField("fund") else None,
        "role": role,
        "order_slot": line.order_slot if line.HasField("order_slot") else None,
        "reference_sequence": line.reference,
    }


def _show(
    app: App, found: Statement, noun: str, rows: Sequence[Any], columns: Sequence[str], total: str
) -> None:
    """Print rows, and what they add up to where it does not spoil them."""
    summary = {
        "account": found.account,
        "sequence": found.sequence,
        "opening_cash_micro": found.opening_cash_micro,
        "closing_cash_micro": found.closing_cash_micro,
        total: found.amount_micro,
    }
    if app.form == "json":
        app.show({**summary, noun: list(rows)})
        return
    app.show_rows(noun, rows, columns)
    app.note(
        f"account {found.account}, as of sequence {found.sequence}: cash "
        f"{found.opening_cash_micro} -> {found.closing_cash_micro} micro-quote, {len(rows)} {noun} "
        f"of {found.amount_micro} micro-quote together"
    )


@account_noun.command("statement")
@click.argument("account", type=NATURAL)
@_range
@pass_app
def show_statement(app: App, account: int, from_bound: Any, to_bound: Any) -> None:
    """Show everything that changed the cash of ACCOUNT, oldest first; it is checked to add up."""
    client = app.client()
    found = client.statement(account, _period(from_bound, to_bound))
    rows = [line_record(client, line) for line in found.lines]
    _show(app, found, "lines", rows, LINE_COLUMNS, "change_micro")


@account_noun.command("fills")
@click.argument("account", type=NATURAL)
@_range
@pass_app
def show_fills(app: App, account: int, from_bound: Any, to_bound: Any) -> None:
    """Show the fills of ACCOUNT, oldest first, with what each cost; fees are positive when paid."""
    from novatio.statements import FILL_KINDS, fills_of

    client = app.client()
    found = client.statement(account, _period(from_bound, to_bound), kinds=FILL_KINDS)
    rows = []
    for fill in fills_of(found):
        record = line_record(client, fill.line)
        lots, amount = fill.line.lots, record.pop("amount_micro")
        record |= {
            "side": "buy" if lots > 0 else "sell",
            "lots": abs(lots),
            "size": str(client.market(fill.line.instrument).size(abs(lots))),
            "value_micro": abs(amount),
            "fee_micro": fill.fee_micro,
        }
        rows.append(record)
    _show(app, found, "fills", rows, FILL_COLUMNS, "change_micro")


def _show_amounts(
    app: App, account: int, period: Period, kinds: tuple[str, ...], noun: str
) -> None:
    client = app.client()
    found = client.statement(account, period, kinds=kinds)
    rows = [line_record(client, line) for line in found.lines]
    _show(app, found, noun, rows, AMOUNT_COLUMNS, "total_micro")


@account_noun.command("fees")
@click.argument("account", type=NATURAL)
@_range
@pass_app
def show_fees(app: App, account: int, from_bound: Any, to_bound: Any) -> None:
    """Show the fees of ACCOUNT, oldest first: trading and insurance fees, negative when paid."""
    _show_amounts(app, account, _period(from_bound, to_bound), ("fee", "insurance_fee"), "fees")


@account_noun.command("funding")
@click.argument("account", type=NATURAL)
@_range
@pass_app
def show_funding(app: App, account: int, from_bound: Any, to_bound: Any) -> None:
    """Show the funding of ACCOUNT, oldest first, negative when paid, when it was settled.

    Funding is settled when a position is next touched; what is pending until then stands in
    account show.
    """
    _show_amounts(app, account, _period(from_bound, to_bound), ("funding",), "payments")


def call_record(client: Client, call: Any, token: int) -> dict[str, Any]:
    """Return the record of a margin call."""
    from node.v1 import node_pb2 as pb

    moved = call.HasField("moved_instrument")
    return {
        "account": call.account,
        "status": pb.MarginCallStatus.Name(call.status).removeprefix("MARGIN_CALL_STATUS_").lower(),
        "owner": call.owner,
        "sequence": call.sequence,
        "time_ms": call.time_ms,
        "equity_micro": call.equity_micro,
        "initial_micro": call.initial_micro,
        "maintenance_micro": call.maintenance_micro,
        "threshold_micro": call.threshold_micro,
        "shortfall_micro": call.shortfall_micro,
        "moved_symbol": client.market(call.moved_instrument).symbol if moved else None,
        "mark_before_micro": call.mark_before_micro if moved else None,
        "mark_micro": call.mark_micro if moved else None,
        "resume_token": token,
    }


def call_text(record: dict[str, Any]) -> str:
    """Return a margin call as one line for people."""
    text = (
        f"{time_text(record['time_ms'])} {record['status']} account {record['account']}: equity "
        f"{record['equity_micro']}, threshold {record['threshold_micro']}, shortfall "
        f"{record['shortfall_micro']}, initial {record['initial_micro']}, maintenance "
        f"{record['maintenance_micro']} micro-quote"
    )
    if record["moved_symbol"] is not None:
        text += (
            f"; {record['moved_symbol']} moved {record['mark_before_micro']} -> "
            f"{record['mark_micro']} micro-quote a lot"
        )
    return text


def _owner(_context: Any, _parameter: Any, value: str | None) -> bytes:
    if value is None:
        return b""
    if re.fullmatch(r"0x[0-9a-fA-F]{40}", value) is None:
        raise click.BadParameter(f"expected 0x and 40 hexadecimal digits, was {value!r}")
    return bytes.fromhex(value[2:])


@account_noun.command("margin-calls")
@click.option("--owner", callback=_owner, metavar="ADDRESS", help="Only accounts of this owner.")
@click.option(
    "--basis",
    type=click.Choice(["maintenance", "initial"]),
    default="maintenance",
    help="Requirement that equity is compared with.",
)
@click.option(
    "--multiple-ppm",
    type=click.IntRange(1, 100 * PPM),
    default=PPM,
    help="Multiple of it in ppm; 1250000 calls a quarter above.",
)
@click.option("--follow", is_flag=True, help="Go on for ever, one call a line.")
@click.option("--resume", type=NATURAL, default=0, help="Token to follow on from.")
@pass_app
def show_margin_calls(
    app: App, owner: bytes, basis: str, multiple_ppm: int, follow: bool, resume: int
) -> None:
    """Show the accounts whose equity is below a multiple of a margin requirement.

    With --follow, also those that fall below it later, and those that are above it again. In JSON
    that is an object a line, whose resume_token goes on after it.
    """
    client = app.client()
    calls = client.margin_calls(owner, basis=basis, multiple_ppm=multiple_ppm, resume=resume)
    if not follow:
        message = next(calls)
        rows = [call_record(client, call, message.token) for call in message.calls]
        app.show_rows("margin_calls", rows, CALL_COLUMNS)
        return
    headed = False
    for message in calls:
        for call in message.calls:
            record = call_record(client, call, message.token)
            if app.form == "json":
                click.echo(json.dumps(plain(record)))
            elif app.form == "csv":
                text = render_rows("margin_calls", [record], "csv")
                click.echo(text.split("\n", 1)[1] if headed else text)
                headed = True
            else:
                click.echo(call_text(record))


@trade_noun.command("explain")
@click.argument("action", metavar="SEQUENCE|HASH")
@pass_app
def explain_action(app: App, action: str) -> None:
    """Explain what became of an action, by its place in the sequence or its hash.

    The operands are those of the state that the action met: the node runs the law up to it, which
    takes the longer the later it stands.
    """
    client = app.client()
    is_number, number = number_or_time(action)
    if re.fullmatch(r"0x[0-9a-fA-F]{64}", action):
        sequence = client.action(bytes.fromhex(action[2:])).sequence
    elif is_number and number is not None:
        sequence = number
    else:
        raise click.UsageError(f"expected a sequence or 0x and 64 digits, was {action!r}")
    record = outcome_record(client.explain(sequence))
    app.show({name: record[name] for name in record if name not in ("repeated", "proven")})

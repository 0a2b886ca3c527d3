"""Why an action on a failing account was rejected; see ``node.explain``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearing.codes import Code, Kind, Operation, Phase
from clearing.forms import NAMES, NAMES_INSTRUMENT
from node import explain_calls
from node.margins import margin_of

Rule = Callable[[Any, Any], tuple[str, dict[str, Any]]]

_TAKING = (Kind.LIQUIDATE, Kind.AUCTION_BID, Kind.CONVERT)


def _failing_account(action: Any) -> int:
    """The account that the action takes something from: a bid's is its counterparty."""
    return int(action["counterparty" if int(action["kind"]) in _TAKING else "account"])


def _health(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    id = _failing_account(action)
    if not 0 <= id < int(state.globals[0].account_count):
        return f"account {id} does not exist", {"account": id}
    margin = margin_of(state, id)
    account = state.accounts[id]
    began = int(account["auction_time"])
    operands = {
        "account": id,
        "equity_micro": margin.equity,
        "maintenance_micro": margin.maintenance,
        "positions": int(account["position_count"]),
        "auction_time_ms": began,
        "auction_age_ms": int(state.globals[0].clock) - began if began else 0,
        "auction_fast_ms": int(state.params[0].auction_fast_ms),
        "instrument": int(action["instrument"]),
    }
    auction = f"an auction open since {began} ms" if began else "no open auction"
    return (
        f"account {id} has equity {margin.equity} against maintenance margin "
        f"{margin.maintenance}, {operands['positions']} positions and {auction}",
        operands,
    )


def _swept_market(state: Any, action: Any) -> int:
    """The market that the action names, or the first swept one that its account holds."""
    if NAMES[int(action["kind"])] & NAMES_INSTRUMENT:
        return int(action["instrument"])
    account = state.accounts[_failing_account(action)]
    held = [int(one["instrument"]) for one in account["positions"][: account["position_count"]]]
    return next((id for id in held if int(state.instruments[id]["operation"])), 0)


def _sweep(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    id = _swept_market(state, action)
    if id >= int(state.globals[0].instrument_count):
        return f"instrument {id} does not exist", {"instrument": id}
    market = state.instruments[id]
    operation = Operation(int(market["operation"]))
    if operation == Operation.NONE:
        debt = int(market["debt"])
        return (
            f"no sweep is open over instrument {id}; its debt is {debt} micro-quote",
            {"instrument": id, "debt_micro": debt},
        )
    if operation == Operation.CALL:
        return explain_calls.call(state, id)
    operands = {
        "instrument": id,
        "operation": int(operation),
        "phase": int(market["phase"]),
        "account": int(market["bankrupt"]),
        "deadline_ms": int(market["deadline"]),
        "clock_ms": int(state.globals[0].clock),
        "cursor": int(market["cursor"]),
        "counted_lots": int(market["counted"]),
    }
    return (
        f"a sweep ({operation.name.lower()}, {Phase(operands['phase']).name.lower()} phase) for "
        f"account {operands['account']} is open over instrument {id}: {operands['counted_lots']} "
        f"lots were counted down to account {operands['cursor']}, its deadline is "
        f"{operands['deadline_ms']} ms",
        operands,
    )


def _underpriced(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    sentence, operands = _health(state, action)
    limit = int(action["limit"])
    return (
        f"the price of the slice is above the bid's limit of {limit} micro-quote; {sentence}",
        operands | {"limit_micro": limit, "fraction_ppm": int(action["long_ppm"])},
    )


RULES: dict[Code, Rule] = {
    Code.NO_POSITION: _health,
    Code.HEALTHY: _health,
    Code.NOT_BANKRUPT: _health,
    Code.AUCTION_CLOSED: _health,
    Code.WATERFALL_ORDER: _health,
    Code.UNDERPRICED: _underpriced,
    Code.OPERATION_OPEN: _sweep,
    Code.NO_OPERATION: _sweep,
    Code.OPERATION_PHASE: _sweep,
    Code.OPERATION_ORDER: _sweep,
}

"""Why a margin mode or an owner's limit rejected an action; see ``node.explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearing.codes import Code, Mode
from node.explain_markets import Rule
from node.margins import margin_of


def _mode(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    account = state.accounts[int(action["account"])]
    now, wanted = Mode(int(account["mode"])), int(action["mode"])
    operands = {
        "mode": int(now),
        "wanted_mode": wanted,
        "auction_time_ms": int(account["auction_time"]),
    }
    return (
        f"account {int(account['id'])} is margined {now.name.lower()}; it may not go to mode "
        f"{wanted} if that is the same, in an auction (since {operands['auction_time_ms']} ms), or "
        "as an account of a pool",
        operands,
    )


def _owner_limit(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    limit = int(state.params[0].owner_limit)
    named = {int(action["account"]), int(action["maker"]["account"])}
    named.add(int(action["taker"]["account"]))
    count = int(state.globals[0].account_count)
    operands: dict[str, Any] = {"owner_limit_micro": limit}
    for id in sorted(id for id in named if id < count):
        operands[f"account_{id}_notional_micro"] = margin_of(state, id).notional
    return f"a position would grow an account beyond {limit} micro-quote of notional", operands


RULES: Mapping[Code, Rule] = {Code.ACCOUNT_MODE: _mode, Code.OWNER_LIMIT: _owner_limit}

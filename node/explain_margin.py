"""Why a margin mode or an owner's limit rejected an action; see ``node.explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from clearing.codes import Code, Mode
from clearing.lookup import lots_of
from clearing.messages import decode_action
from clearing.owner_groups import EVERYWHERE, group_limit
from node.explain_governance import address
from node.explain_markets import Rule
from node.margins import margin_of

if TYPE_CHECKING:
    from clearing.requests import Request

_HOLD = ("until", "instrument")


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
    clock = int(state.globals[0].clock)
    operands: dict[str, Any] = {"owner_limit_micro": limit, "clock_ms": clock}
    held = []
    for id in sorted(id for id in named if id < count):
        operands[f"account_{id}_notional_micro"] = margin_of(state, id).notional
        if int(state.accounts[id]["hold_until"]) > clock:
            until, where = (int(state.accounts[id][f"hold_{one}"]) for one in _HOLD)
            operands[f"account_{id}_hold_until_ms"] = until
            market = "every market" if where == EVERYWHERE else f"instrument {where}"
            held.append(f"; account {id} may only reduce in {market} before {until} ms")
    return (
        f"a position would grow an account beyond {limit} micro-quote of notional (0: no limit), "
        f"or one that is held for what its owner's accounts have together{''.join(held)}",
        operands,
    )


def owner_check(state: Any, data: bytes) -> tuple[str, dict[str, Any]]:
    """Why a check of an owner's accounts was rejected; ``data`` are the action's bytes."""
    action = cast("Request", decode_action(data))
    instrument, count = action.value("instrument"), int(state.globals[0].account_count)
    known = [id for id in action.payload if 0 <= id < count]
    cap = int(state.instruments[instrument]["position_cap"])
    limit, exists = group_limit(cap, int(state.params[0].owner_group_ppm))
    operands: dict[str, Any] = {
        "accounts": ",".join(map(str, action.payload)),
        "account_count": count,
        "limit_lots": limit if exists else "",
        "lots": sum(abs(int(lots_of(state.accounts[id], instrument))) for id in known),
    }
    for id in known:
        operands[f"account_{id}_owner"] = address(state.accounts[id]["owner"])
    return (
        f"expected accounts of one owner, none a pool's, with ids that rise, below {count}; "
        f"they hold {operands['lots']} lots together, which must exceed the limit "
        f"{limit if exists else '(there is none)'}, or be within it again since a check of these "
        "very accounts held them",
        operands,
    )


RULES: Mapping[Code, Rule] = {Code.ACCOUNT_MODE: _mode, Code.OWNER_LIMIT: _owner_limit}

"""Forgeries of the wider law: options, pools, governance, calls, the inbox, and steps too full.

Like those of `simulator.frauds`, each a function of a scene whose twin acts alike and cheats not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from clearing.codes import InstrumentStatus, Kind, Operation, Phase, Side
from clearing.messages import Inbox
from clearing.units import GROUP_ACCOUNTS_MAX
from prover.forge import with_forged_signatures
from simulator.explorer import NONE, row_of, rows_fields
from simulator.market import (
    CALL,
    CALL_2,
    CALL_3,
    CRASH,
    FAR_MS,
    GOVERNOR,
    PUBLISHERS,
    PUT,
    QUORUM,
    TICK,
    Member,
    asked,
)
from verifier.batch import Pair, Step

if TYPE_CHECKING:
    from simulator.frauds import Scene

CALL_MS = 60_000
UNHEARD = 1 << 40  # a sequence that no act of governance reaches


def _rows(scene: Scene, *names: str) -> bytes:
    rows = {market: row_of(market) for market in (CALL, PUT, CALL_2, CALL_3)}
    payload = [NONE] * 4 + [piece for market, row in rows.items() for piece in (market, *row)]
    fields = rows_fields(scene.world.now)
    return asked(Kind.RISK_ROWS, *names, payload=tuple(payload), **fields)


def altered_rows(scene: Scene) -> None:
    """Values of options that publishers did sign, one of them taken down one unit higher."""

    def higher(state: Any) -> None:
        state.instruments[CALL]["rows"]["values"][scene.chance.randrange(2)][0] += 1

    scene.cheat(_rows(scene, *PUBLISHERS[:QUORUM]), mutate=higher)


def forged_rows(scene: Scene) -> None:
    """Values of options that one thief signed for all publishers."""

    def as_publishers(state: Any, columns: Any) -> None:
        columns.signers[1] = state.params[0].publishers[1].address

    scene.cheat(_rows(scene, PUBLISHERS[0], "thief"), prepare=as_publishers)


def dearer_settlement(scene: Scene) -> None:
    """An option's market that will pay one unit more than its underlying says."""

    def dearer(state: Any) -> None:
        state.instruments[scene.chance.choice([CALL, PUT])]["settle_price"] += 1

    scene.cheat(asked(Kind.EXPIRE, payload=(), instrument=CALL), mutate=dearer)


def _deposit(scene: Scene, name: str, guest: Member) -> bytes:
    fields = {"account": guest.id, "pool": 0, "amount": 10**6, "limit": 0}
    request = {"sequence": guest.next_sequence(), "expiry": FAR_MS}
    return asked(Kind.POOL_DEPOSIT, name, payload=(), **fields | request)


def unsigned_investment(scene: Scene) -> None:
    """Cash that goes into a pool without its owner's word."""
    guests = [one for one in scene.world.traders.guests if one.account is not None]
    if guests:
        action = _deposit(scene, "thief", scene.chance.choice(guests))
        scene.cheat(action, prepare=with_forged_signatures)


def minted_shares(scene: Scene) -> None:
    """A share of a pool that nobody paid for, and that no holder has."""

    def mint(state: Any) -> None:
        state.pools[0]["shares"] += 1

    guests = [one for one in scene.world.traders.guests if one.account is not None]
    if guests:
        guest = scene.chance.choice(guests)
        scene.cheat(_deposit(scene, guest.name, guest), mutate=mint)


def usurped_governance(scene: Scene) -> None:
    """A halt of the house that governance never signed."""

    def as_governance(state: Any, columns: Any) -> None:
        columns.signers[0] = state.params[0].governance

    scene.cheat(asked(Kind.HALT, "thief", payload=(), sequence=UNHEARD), prepare=as_governance)


def moved_parameter(scene: Scene) -> None:
    """A parameter that no act of governance moved."""

    def move(state: Any) -> None:
        state.params[0]["funding_cap_ppm"] += 1

    scene.cheat(mutate=move)


def raised_cap(scene: Scene) -> None:
    """The terms of a market, signed by a thief in governance's name."""
    terms = {"status": 0, "tier": 0, "open_interest_cap": 10**6, "position_cap": 10**6}

    def as_governance(state: Any, columns: Any) -> None:
        columns.signers[0] = state.params[0].governance

    name = scene.chance.choice(["thief", f"{GOVERNOR}'s"])
    fields = {"instrument": CRASH, "sequence": UNHEARD} | terms
    scene.cheat(asked(Kind.SET_MARKET, name, payload=(), **fields), prepare=as_governance)


def _solid(scene: Scene) -> list[Member]:
    """Return those who have an account in the batch's state, and nothing at stake in the market."""
    traders = scene.world.traders
    found = [one for one in (*traders.guests, *traders.whales) if one.account is not None]
    known = int(scene.totals.account_count)
    return [one for one in found if one.id < known]


def order_without_a_call(scene: Scene) -> None:
    """An order for a call of a market that trades as ever."""

    def auction(state: Any, columns: Any) -> None:
        market = state.instruments[CRASH]
        market.status = InstrumentStatus.AUCTION
        market.auction_end = scene.world.now + CALL_MS

    here = _solid(scene)
    if here:
        state, one = cast(Any, scene.forge.engine.state), scene.chance.choice(here)
        price = int(state.instruments[CRASH].mark_price)
        fields = {"instrument": CRASH, "side": Side.BUY, "lots": 1, "price": price}
        request = {"account": one.id, "sequence": one.next_sequence(), "expiry": FAR_MS}
        action = asked(Kind.CALL_ORDER, one.name, payload=(), **fields | request)
        scene.cheat(action, prepare=auction)


def invented_fill(scene: Scene) -> None:
    """A fill of two orders of a call that nobody gave."""
    here = _solid(scene)
    if len(here) < 2:
        return
    buyer, seller = scene.chance.sample(here, 2)

    def cross(state: Any, columns: Any) -> None:
        market = state.instruments[CRASH]
        opened, until = int(state.globals[0].clock), scene.world.now + CALL_MS
        market.status, market.operation = InstrumentStatus.AUCTION, Operation.CALL
        market.phase, market.cursor, market.deadline = Phase.APPLY, opened, until
        market.price, market.total, market.running = market.mark_price, 1, 0
        market.counted = 0
        for book, number in enumerate((int(market.mark_price), TICK)):
            market.rows[book].number = number
            market.rows[book].values[:] = 0
            market.rows[book].values[0] = 1
        for one, lots in ((buyer, 1), (seller, -1)):
            account = state.accounts[one.id]
            account.call_instrument, account.call_level, account.call_lots = CRASH, 0, lots
            account.call_before = account.call_filled = account.call_margin = 0
            account.call_opened, account.call_until = opened, until

    fields = {"buyer": buyer.id, "seller": seller.id, "instrument": CRASH}
    scene.cheat(asked(Kind.CALL_FILL, payload=(), **fields), prepare=cross)


def inbox_out_of_order(scene: Scene) -> None:
    """A message of the base layer that was consumed before, consumed once more."""
    inbox, count = scene.world.base.chain.court.inbox, int(scene.totals.inbox_count)
    if not count:
        return
    entry = inbox.entry(scene.chance.randrange(count))
    assert entry is not None
    message = entry.message
    before: list[Any] = []

    def again(state: Any, columns: Any) -> None:
        totals = state.globals[0]
        before.extend((int(totals.inbox_count), totals.inbox_accumulator.copy()))
        totals.inbox_count = message.index

    def hide(state: Any) -> None:
        totals = state.globals[0]
        totals.inbox_count = before[0]
        totals.inbox_accumulator[:] = before[1]

    scene.cheat(Inbox(message).encode(), prepare=again, mutate=hide)


def overfull_step(scene: Scene) -> None:
    """More in one step than one may hold, with the outcome that it would have in several."""
    accounts = tuple(range(int(scene.totals.account_count), GROUP_ACCOUNTS_MAX))
    check = asked(Kind.OWNER_CHECK, payload=accounts, instrument=CRASH)
    scene.honest(check, check)
    if not scene.twin:
        forge = scene.forge
        last = forge.pairs[-1].post_root
        merged = Step(forge.steps[0].time, tuple(a for one in forge.steps for a in one.actions))
        forge.steps[:] = [merged]
        forge.pairs[:] = [Pair(merged.hash(), last)]


FORGERIES: dict[str, Callable[[Scene], None]] = {
    "option-rows-altered": altered_rows,
    "option-rows-forged": forged_rows,
    "option-settled-dearer": dearer_settlement,
    "pool-deposit-unsigned": unsigned_investment,
    "pool-shares-minted": minted_shares,
    "governance-usurped": usurped_governance,
    "parameter-moved": moved_parameter,
    "market-terms-forged": raised_cap,
    "call-order-without-a-call": order_without_a_call,
    "call-fill-invented": invented_fill,
    "inbox-out-of-order": inbox_out_of_order,
    "step-overfull": overfull_step,
}

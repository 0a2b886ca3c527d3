"""Rows for kinds of fraud: what a thief would do, each with the honest act beside it.

A cheat prepares the state or the signers before the law runs, or changes the state behind it, and
commits to what comes out. Wherever that is possible its twin is prepared in the same way and does
what the law allows anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from clearing.codes import Code, Fund, Kind, Operation
from clearing.decode import Columns
from clearing.genesis import word
from clearing.keys import address_of
from clearing.messages import Funding
from clearing.records import State
from clearing.requests import Request
from prover.forge import (
    Mutation,
    Preparation,
    mint,
    with_forged_signatures,
    without_margin,
)
from prover.provability.house import Caught, House, Outcome, offer_of
from prover.provability.market import (
    DEPOSIT,
    FIRST_PRICE,
    FIRST_TRADER,
    FULL,
    FUTURE,
    PERPETUAL,
    PUBLISHERS,
    START_MS,
    key_of,
)
from prover.provability.states import STEP
from prover.provability.table import Part, Row

MAKER, TAKER = FIRST_TRADER, FIRST_TRADER + 1
LOTS_BEYOND = 10**6  # five times what a deposit is margin for
LOTS_THIN = 150_000  # three quarters of it
LOW_PRICE = FIRST_PRICE * 94 // 100
LOWEST_PRICE = FIRST_PRICE * 92 // 100
KEEPER, FAILING, OTHER = 0, 4, 3  # traders
HOUR_MS = 3_600_000

Actions = Callable[[House], list[bytes]]


def _no_actions(house: House) -> list[bytes]:
    return []


def _nothing(house: House) -> None:
    """Go on from where the house stands."""


@dataclass(frozen=True)
class Cheat:
    """A fraud: what is done in one step, how the state is cheated, and what the twin does.

    `twin` are the actions of the twin, None: the same. `code` is the outcome of the cheat's
    actions, `prepares_twin` whether the twin is prepared as well.
    """

    subject: str
    text: str
    actions: Actions
    prepare: Preparation | None = None
    mutate: Mutation | None = None
    twin: Actions | None = None
    prepares_twin: bool = False
    setup: Callable[[House], None] = _nothing
    code: Code = Code.APPLIED
    twin_code: Code = Code.APPLIED

    def row(self) -> Row:
        """Return the row of the fraud."""
        return Row(
            Part.FRAUD, self.subject, "step", self.text, Caught.BAD_STEP, STEP,
            partial(_cheat, self, True), partial(_cheat, self, False),
        )  # fmt: skip


def _cheat(cheat: Cheat, cheats: bool, house: House) -> Outcome:
    cheat.setup(house)
    forge = house.forge()
    forge.forged([], house.time_ms)
    actions = cheat.actions if cheats or cheat.twin is None else cheat.twin
    prepare = cheat.prepare if cheats or cheat.prepares_twin else None
    mutate = cheat.mutate if cheats else None
    codes = forge.forged(actions(house), house.time_ms, prepare, mutate)
    expected = cheat.code if cheats else cheat.twin_code
    # A fraud that the law would not even have to judge proves nothing about its rule.
    assert (codes == expected).all(), f"expected outcomes {expected.name}, was {codes}"
    return house.offer(offer_of(forge.finish(house.place())))


def fraud_rows() -> Iterator[Row]:
    """Yield the rows of all kinds of fraud within a step."""
    for cheats in (_signatures, _trades, _money, _prices, _risk, _ends):
        for cheat in cheats():
            yield cheat.row()


def _account(state: State, id: int) -> Any:
    return cast(Any, state.accounts)[id]


def _market(state: State, id: int = PERPETUAL) -> Any:
    return cast(Any, state.instruments)[id]


def _totals(state: State) -> Any:
    return cast(Any, state.globals)[0]


def _params(state: State) -> Any:
    return cast(Any, state.params)[0]


# Whose word it is


def _signatures() -> Iterator[Cheat]:
    yield Cheat(
        "signature", "a trade that others signed",
        lambda house: [house.market.trade(0, 1, signers=(3, 4))],
        with_forged_signatures, twin=_trade, prepares_twin=True,
    )  # fmt: skip
    yield Cheat(
        "signature", "a withdrawal that another signed",
        lambda house: [house.market.withdraw(0, signer=1)],
        with_forged_signatures,
        twin=lambda house: [house.market.withdraw(0)], prepares_twin=True,
    )  # fmt: skip
    yield Cheat(
        "signature", "a price that no publisher signed",
        lambda house: [house.market.price(keys=(key_of(0), key_of(1)))],
        _signed_by_publishers,
        twin=lambda house: [house.market.price()], prepares_twin=True,
    )  # fmt: skip
    yield Cheat(
        "replay", "a filled trade once more", _first_trade, _forgotten, twin=_trade,
        setup=lambda house: house.extend(_first_trade(house)),
    )  # fmt: skip
    yield Cheat(
        "replay", "a withdrawal once more", _first_withdrawal, _forgotten,
        twin=lambda house: [house.market.withdraw(0)],
        setup=lambda house: house.extend(_first_withdrawal(house)),
    )  # fmt: skip


def _signed_by_publishers(state: State, columns: Columns) -> None:
    for place, key in enumerate(PUBLISHERS):
        columns.signers[place] = word(address_of(key))


def _first(make: Callable[[House], bytes], house: House) -> list[bytes]:
    """Return the same action whenever it is called within a row."""
    house.market.sequence = 1_000
    return [make(house)]


_first_trade: Actions = partial(_first, lambda house: house.market.trade(0, 1))
_first_withdrawal: Actions = partial(_first, lambda house: house.market.withdraw(0))


def _forgotten(state: State, columns: Columns) -> None:
    """Forget that anybody ever asked for anything."""
    for id in (MAKER, TAKER):
        _account(state, id).request_sequence = 0
    for page in cast(Any, state.pages):
        page.slots["sequence"] = page.slots["filled"] = 0


# What a trade does


def _trade(house: House) -> list[bytes]:
    return [house.market.trade(0, 1)]


def _trades() -> Iterator[Cheat]:
    def lot_more(state: State) -> None:
        _account(state, MAKER).positions[0].lots += 1
        _market(state).open_interest += 1

    def cost_less(state: State) -> None:
        _account(state, MAKER).positions[0].entry_cost -= 1

    def one_leg(state: State) -> None:
        # The taker's side never happened.
        taker = _account(state, TAKER)
        taker.position_count = 0
        taker.positions[0] = np.zeros(1, taker.positions.dtype)[0]

    def fee_kept(state: State) -> None:
        cast(Any, state.funds)[Fund.FEES].balance -= 1
        _account(state, FIRST_TRADER + OTHER).cash += 1
        _totals(state).cash_total += 1

    def dust_kept(state: State) -> None:
        cast(Any, state.funds)[Fund.DUST].balance -= 1
        _account(state, MAKER).cash += 1
        _totals(state).cash_total += 1

    yield Cheat("trade", "a lot more than was signed", _trade, mutate=lot_more)
    yield Cheat("trade", "a micro-quote cheaper than was signed", _trade, mutate=cost_less)
    yield Cheat("trade", "one leg alone", _trade, mutate=one_leg)
    yield Cheat("fees", "a micro-quote of them skimmed", _trade, mutate=fee_kept)
    yield Cheat("rounding", "a micro-quote of it kept", _trade, mutate=dust_kept)
    yield Cheat(
        "trade", "in a full step, and cash minted behind it",
        lambda house: [house.market.trade(0, 1) for _ in range(8)], mutate=mint(MAKER, 1),
    )  # fmt: skip


# Money that comes from nowhere, or goes


def _money() -> Iterator[Cheat]:
    yield Cheat("cash", "minted, and every total with it", _no_actions, mutate=mint(MAKER, 1))
    yield Cheat("collateral", "units of an asset from nothing", _no_actions, mutate=_more_units)
    waits: Any = {"actions": House.waiting, "setup": lambda house: house.deposit(0)}
    yield Cheat("deposit", "credited twice", mutate=mint(MAKER, DEPOSIT), **waits)
    yield Cheat("deposit", "consumed and not credited", mutate=mint(MAKER, -DEPOSIT), **waits)
    yield Cheat("deposit", "credited to another", mutate=_moved_deposit, **waits)
    out: Any = {"actions": lambda house: [house.market.withdraw(0)]}
    yield Cheat("withdrawal", "a micro-quote more than was asked", mutate=_more_out, **out)
    yield Cheat("withdrawal", "to another recipient", mutate=_redirected, **out)
    yield Cheat(
        "withdrawal", "of more than there is",
        lambda house: [house.market.withdraw(0, 2 * DEPOSIT)],
        lambda state, columns: mint(MAKER, 2 * DEPOSIT)(state), twin=out["actions"],
    )  # fmt: skip


def _more_units(state: State) -> None:
    _account(state, FULL).collaterals[0].amount += 1
    asset = cast(Any, state.assets)[1]
    asset.held += 1
    asset.custody += 1


def _moved_deposit(state: State) -> None:
    _account(state, MAKER).cash -= DEPOSIT
    _account(state, TAKER).cash += DEPOSIT


def _last_withdrawal(state: State) -> Any:
    return cast(Any, state.withdrawals)[int(_totals(state).withdrawal_count) - 1]


def _more_out(state: State) -> None:
    _last_withdrawal(state).amount += 1
    _totals(state).custody -= 1


def _redirected(state: State) -> None:
    _last_withdrawal(state).recipient = word(address_of(key_of(OTHER)))


# Prices, funding, expiry, time


def _prices() -> Iterator[Cheat]:
    def dearer(state: State) -> None:
        _market(state).mark_price += 1

    def price(house: House) -> list[bytes]:
        return [house.market.price(time=house.time_ms)]

    yield Cheat("price", "a micro-quote off the median", price, mutate=dearer)
    yield Cheat(
        "price", "older than the one that stands",
        lambda house: [house.market.price(time=START_MS - 1)],
        _never_priced, twin=price,
    )  # fmt: skip
    yield Cheat(
        "price", "a jump beyond the bound",
        lambda house: [house.market.price(2 * FIRST_PRICE, house.time_ms)],
        _any_jump, twin=price, prepares_twin=True,
    )  # fmt: skip
    yield Cheat(
        "price", "a trade although it is stale", _trade, _never_stale,
        twin=lambda house: price(house) + _trade(house), prepares_twin=True,
        setup=partial(_wait, 120_000),
    )  # fmt: skip
    yield from _funding()

    yield Cheat("expiry", "settled before its time", _expire, _over,
                twin_code=Code.NOT_EXPIRED)  # fmt: skip

    def back(state: State) -> None:
        _totals(state).clock -= 1

    yield Cheat("time", "the clock runs backwards", _no_actions, mutate=back)


def _funding() -> Iterator[Cheat]:
    def index(state: State) -> None:
        _market(state).funding_low += 1

    def pot(state: State) -> None:
        _market(state).pot += 1
        _totals(state).pot_total += 1

    def early(state: State, columns: Columns) -> None:
        _market(state).funding_time -= HOUR_MS

    later: Any = {"actions": _fund, "setup": partial(_wait, HOUR_MS)}
    yield Cheat("funding", "the index one off", mutate=index, **later)
    yield Cheat("funding", "a micro-quote more in the pot", mutate=pot, **later)
    yield Cheat("funding", "before the interval ends", _fund, early,
                twin_code=Code.FUNDING_EARLY)  # fmt: skip


def _fund(house: House) -> list[bytes]:
    return [Funding(PERPETUAL).encode()]


def _expire(house: House) -> list[bytes]:
    return [Request.of(Kind.EXPIRE, instrument=FUTURE).encode()]


def _over(state: State, columns: Columns) -> None:
    _market(state, FUTURE).expiry = 1
    cast(Any, state.underlyings)[0].series[0].settle_price = FIRST_PRICE


def _wait(time_ms: int, house: House) -> None:
    house.time_ms += time_ms


def _never_priced(state: State, columns: Columns) -> None:
    _market(state).price_time = _market(state).stable_time = 0
    for underlying in cast(Any, state.underlyings):
        underlying.price_time = 0


def _any_jump(state: State, columns: Columns) -> None:
    _params(state).price_jump_ppm = 10**9


def _never_stale(state: State, columns: Columns) -> None:
    _params(state).price_stale_open_ms = _params(state).price_stale_margin_ms = HOUR_MS


# Margin, liquidation, and who pays


def _risk() -> Iterator[Cheat]:
    yield Cheat(
        "margin", "a trade without it",
        lambda house: [house.market.trade(0, 1, LOTS_BEYOND)],
        without_margin, twin=_trade, prepares_twin=True,
    )  # fmt: skip
    yield Cheat(
        "margin", "a withdrawal of it",
        lambda house: [house.market.withdraw(0, DEPOSIT - 1_100_000)],
        without_margin, twin=lambda house: [house.market.withdraw(0)], prepares_twin=True,
    )  # fmt: skip
    yield Cheat(
        "liquidation", "of a healthy account", _liquidate, _all_fail,
        setup=_thin, twin_code=Code.HEALTHY,
    )  # fmt: skip
    failing: Any = {"actions": _liquidate, "setup": _failing}
    yield Cheat("liquidation", "an unhealthy account spared", prepare=_none_fails,
                code=Code.HEALTHY, **failing)  # fmt: skip

    def penalty_kept(state: State) -> None:
        cast(Any, state.funds)[Fund.INSURANCE].balance -= 1
        _account(state, FIRST_TRADER + KEEPER).cash += 1
        _totals(state).cash_total += 1

    def fees_pay(state: State) -> None:
        cast(Any, state.funds)[Fund.INSURANCE].balance += 1
        cast(Any, state.funds)[Fund.FEES].balance -= 1

    yield Cheat("liquidation", "insurance's share skimmed", mutate=penalty_kept, **failing)
    yield Cheat("waterfall", "fees pay what insurance should", mutate=fees_pay, **failing)
    yield Cheat(
        "waterfall", "winners deleveraged before the auction was tried", _deleverage, _hasty,
        setup=_bankrupt, twin_code=Code.WATERFALL_ORDER,
    )  # fmt: skip


def _liquidate(house: House) -> list[bytes]:
    return [house.market.liquidate(KEEPER, FAILING)]


def _thin(house: House) -> None:
    """Let a trader hold as much as he has margin for, or nearly so."""
    house.extend([house.market.trade(FAILING, OTHER, LOTS_THIN)])


def _failing(house: House) -> None:
    """Let the price fall until that trader fails."""
    _thin(house)
    house.extend([house.market.price(LOW_PRICE, house.time_ms)])


def _bankrupt(house: House) -> None:
    """Let the price fall until that trader owes more than he has, and his auction begin."""
    _thin(house)
    house.extend([house.market.price(LOWEST_PRICE, house.time_ms)])
    house.extend([Request.of(Kind.AUCTION_START, account=FIRST_TRADER + FAILING).encode()])


def _deleverage(house: House) -> list[bytes]:
    account = FIRST_TRADER + FAILING
    request = Request(Kind.SWEEP_OPEN, (PERPETUAL, account, Operation.DELEVERAGE))
    return [request.encode()]


def _hasty(state: State, columns: Columns) -> None:
    _params(state).auction_fast_ms = 0


def _all_fail(state: State, columns: Columns) -> None:
    for tier in _params(state).tiers:
        tier.maintenance_ppm = 200_000


def _none_fails(state: State, columns: Columns) -> None:
    for tier in _params(state).tiers:
        tier.maintenance_ppm = 0


# The ends of what can be proven


def _ends() -> Iterator[Cheat]:
    def halted(state: State) -> None:
        _totals(state).status = 1

    yield Cheat("status", "a halt that nobody called", _trade, mutate=halted)
    for text, action, outcome in (
        ("of no bytes", b"", Code.MALFORMED),
        ("of no known kind", b"\xff\x00", Code.UNKNOWN_KIND),
    ):
        yield Cheat(
            "action", f"{text}, and cash minted behind it", partial(_given, action),
            mutate=mint(MAKER, 1), code=outcome, twin_code=outcome,
        )  # fmt: skip


def _given(action: bytes, house: House) -> list[bytes]:
    return [action]

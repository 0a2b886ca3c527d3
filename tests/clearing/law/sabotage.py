"""Break one line of the law at a time, and tell which invariants find it out.

A process of its own, because only the interpreted law can be broken while it runs:
NUMBA_DISABLE_JIT=1 python -m tests.clearing.law.sabotage

Each sabotage replaces text in the source of one function, wherever the law uses that function. Its
story is told with the court at home, and only the invariant in question is asked.
"""

import importlib
import inspect
import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from clearing.units import PPM
from tests.clearing.law import chapters, eighteen
from tests.support.house import House

FOUND = "found"
HELD = "held"
DERAILED = "derailed"  # the story itself came to something else before the invariant failed


@dataclass(frozen=True)
class Sabotage:
    """What is broken: text of a function, `module:name`, replaced by other text."""

    invariant: int
    story: Any
    function: str
    old: str
    new: str
    changes: dict[str, int] = field(default_factory=dict)  # of the house's parameters

    @property
    def id(self):
        """What a test is called by: the invariant, the function, what it then does."""
        return f"{self.invariant:02} {self.function.partition(':')[2]}: {self.new}"


ONLY_SHORTFALL = {"shortfall_weight_ppm": PPM, "portfolio_offset_ppm": PPM}
SABOTAGES = (
    Sabotage(1, chapters.trading, "clearing.caps:open_interest_after", "+ after", "+ after + 1"),
    Sabotage(
        2,
        chapters.trading,
        "clearing.actions.withdraw:append_withdrawal",
        "withdrawal.amount = amount",
        "withdrawal.amount = amount + 1",
    ),
    Sabotage(
        3,
        chapters.funding,
        "clearing.positions:pending_funding",
        "return mul_div_wide_ceil(position.lots, high, low, INDEX_SCALE)",
        "return mul_div_wide_ceil(position.lots, high, low, INDEX_SCALE)[0] - 1, True",
    ),
    Sabotage(
        4,
        chapters.winning,
        "clearing.valuation:profit_excess",
        "max(0, unrealised - params.profit_cap)",
        "0",
    ),
    Sabotage(
        4,
        chapters.funding,
        "clearing.actions.mark_to_market:pay_profit",
        "min(gain, instrument.variation_pot)",
        "gain",
    ),
    Sabotage(
        5,
        chapters.trading,
        "clearing.actions.withdraw:withdraw",
        "account.request_sequence = action.sequence",
        "state.accounts[row].request_sequence = account.request_sequence = action.sequence",
    ),
    Sabotage(
        6,
        chapters.trading,
        "clearing.orders:filled_before",
        "return slot.filled if order.sequence == slot.sequence else 0",
        "return 0",
    ),
    Sabotage(
        6,
        chapters.trading,
        "clearing.orders:filled_before",
        "if order.sequence < slot.sequence:",
        "if False:",
    ),
    Sabotage(
        7,
        chapters.trading,
        "clearing.margin:judge_change",
        "if equity < initial:",
        "if equity < maintenance:",
    ),
    Sabotage(
        7,
        chapters.trading,
        "clearing.margin:check_outflow",
        "if equity < kept:",
        "if equity < 0:",
    ),
    Sabotage(
        8,
        chapters.failing,
        "clearing.margin:is_improvement",
        "return product_at_least(new_equity, old_maintenance, old_equity, new_maintenance)",
        "return True",
    ),
    Sabotage(
        9,
        chapters.draining,
        "clearing.waterfall:tranche_payment",
        "min(loss, balance, window_most - window_used)",
        "min(loss, window_most - window_used)",
    ),
    Sabotage(
        10,
        chapters.failing,
        "clearing.actions.sweep_apply:deleverage",
        "lots if instrument.side > 0 else -lots",
        "-lots if instrument.side > 0 else lots",
    ),
    Sabotage(
        11,
        chapters.socialising,
        "clearing.actions.sweep_apply:socialise",
        "before, instrument.running, instrument.weight)",
        "before, instrument.running, instrument.weight) + 1",
    ),
    Sabotage(
        11,
        chapters.socialising,
        "clearing.actions.sweep_apply:socialise",
        "paid = prefix_share(shared,",
        "paid = prefix_share(shared - 1,",
    ),
    Sabotage(
        12,
        chapters.draining,
        "clearing.failure:draw_insurance",
        "instrument.insurance_used = used + paid",
        "instrument.insurance_used = paid",
    ),
    Sabotage(
        13,
        chapters.pooling,
        "clearing.pool_pricing:shares_minted",
        "return mul_div_floor(",
        "return mul_div_ceil(",
    ),
    Sabotage(
        13,
        chapters.pooling,
        "clearing.pool_pricing:shares_redeemed",
        "return mul_div_floor(",
        "return mul_div_ceil(",
    ),
    Sabotage(
        14,
        chapters.hedging,
        "clearing.portfolio:largest_losses",
        "total += largest[i]",
        "total = largest[i]",
    ),
    Sabotage(
        14,
        chapters.hedging,
        "clearing.portfolio:worst_scenario",
        "for point in range(points):",
        "for point in range(9, points):",
    ),
    Sabotage(
        15,
        chapters.straddling,
        "clearing.portfolio:largest_losses",
        "return max(total, 0),",
        "return max(tail * largest[tail - 1], 0),",
        ONLY_SHORTFALL,
    ),
    Sabotage(
        16,
        chapters.trading,
        "clearing.actions.trade:novate",
        "maker_fee = fee_micro(action.lots * action.price, action.maker_fee)",
        "maker_fee = fee_micro(action.lots * action.price, action.maker_fee)"
        " + state.scratch[0].cursor",
    ),
    Sabotage(
        17, chapters.trading, "clearing.orders:fee_micro", "return fee", "return fee + CALLS()"
    ),
    Sabotage(
        18,
        chapters.trading,
        "clearing.orders:check_fees",
        "if action.maker_fee + action.taker_fee < 0:",
        "if False:",
    ),
)


class Found(Exception):
    """The invariant failed."""


@contextmanager
def broken(sabotage):
    """The law with the sabotage in it, in every module that uses the function."""
    place, _, name = sabotage.function.partition(":")
    module = importlib.import_module(place)
    honest = getattr(module, name)
    source = inspect.getsource(honest)
    assert source.count(sabotage.old) == 1, f"{sabotage.id}: no longer one {sabotage.old!r}"
    built: dict[str, Any] = {}
    module.__dict__["CALLS"] = count().__next__
    exec(source.replace(sabotage.old, sabotage.new), module.__dict__, built)
    users = [
        user
        for path, user in list(sys.modules.items())
        if path.partition(".")[0] in ("clearing", "node") and vars(user).get(name) is honest
    ]
    for user in users:
        setattr(user, name, built[name])
    try:
        yield
    finally:
        for user in users:
            setattr(user, name, honest)
        del module.__dict__["CALLS"]


def tell(sabotage):
    """Tell the story of a sabotage and return what the invariant says of it."""
    invariant = eighteen.INVARIANTS[sabotage.invariant - 1]

    def ask(ledger):
        try:
            invariant(ledger)
        except AssertionError as error:
            raise Found from error

    try:
        sabotage.story(House(ask, court_every=0, **sabotage.changes))
    except Found:
        return FOUND
    except AssertionError:
        return DERAILED
    return HELD


def run():
    """Return {id: (verdict on the honest law, verdict on the broken one)}."""
    verdicts = {}
    for sabotage in SABOTAGES:
        honest = tell(sabotage)
        with broken(sabotage):
            verdicts[sabotage.id] = honest, tell(sabotage)
    return verdicts


if __name__ == "__main__":
    print(json.dumps(run()))

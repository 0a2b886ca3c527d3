"""Make batches by a law with one check missing, and tell what the court says of them.

A process of its own, because only the interpreted law can be broken while it runs:
NUMBA_DISABLE_JIT=1 python -m tests.attacks.mutant_laws

The sequencer runs each deletion that `simulator/mutants.toml` declares under the name of a story,
everywhere in the law; whoever builds the evidence and the court run the law as it is.
"""

import importlib
import inspect
import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clearing.codes import InboxKind, OrderFlag, Scope
from clearing.keys import address_of
from clearing.messages import Inbox, InboxMessage, Transfer, Withdraw
from prover.forge import BatchForge
from prover.witness import build_evidence
from simulator.mutants import ROOT, declared_mutants
from tests.attacks.test_governance_court import GUARDIAN, PLACE, ROBOT, Court
from tests.prover.market import DEPOSIT, FIRST_PRICE, NEVER, START_MS, columns_of, key_of
from verifier.evidence import check_bad_step


@contextmanager
def broken(mutant):
    """The law with the mutant in it, for whoever already imported it as well."""
    module = importlib.import_module(mutant.file.removesuffix(".py").replace("/", "."))
    path = Path(ROOT, mutant.file)
    built: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(mutant.applied(path.read_text("utf-8")), str(path), "exec"), built)
    honest = {}
    for name, value in list(vars(module).items()):
        function = inspect.unwrap(value) if callable(value) else None
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            honest[function] = function.__code__
            function.__code__ = inspect.unwrap(built[name]).__code__
    assert honest
    try:
        yield
    finally:
        for function, code in honest.items():
            function.__code__ = code


def tried(mutant, story):
    """Return (codes of the mutant law, codes of the law, whether the court convicts).

    The same step by the law as it is is acquitted, which `Court.step` asserts.
    """
    court = Court()
    actions = story(court)
    before, engine = court.engines
    point = engine.checkpoint(columns_of(engine, actions))
    forge = BatchForge(engine)
    with broken(mutant):
        codes = forge.honest(actions, court.time).codes.tolist()
    header = forge.finish(PLACE).header
    built = build_evidence(before, header, forge.pairs, 0, forge.steps[0].encode())
    convicted = check_bad_step(header, built.encode())
    engine.rollback(point)
    return codes, court.step(*actions), convicted


def orders_of_one_owner(court):
    return [court.market.trade(0, 0)]


def order_with(maker=None, taker=None, **trade):
    """A trade of accounts 0 and 1 in which these fields of their orders differ."""

    def story(court):
        market = court.market
        orders = [
            market.order(account, 5, trade.get("price", FIRST_PRICE), **(changes or {}))
            for account, changes in ((0, maker), (1, taker))
        ]
        return [market.trade(0, 1, makers_order=orders[0], takers_order=orders[1], **trade)]

    return story


def order_filled_twice(court):
    order = court.market.order(0, 5, FIRST_PRICE)
    court.run(court.market.trade(0, 1, lots=3, makers_order=order))
    return [court.market.trade(0, 1, lots=3, makers_order=order)]


def order_cancelled(court):
    court.run(court.market.cancel(0, 65_535))
    order = court.market.order(0, 5, FIRST_PRICE, sequence=1)
    return [court.market.trade(0, 1, makers_order=order)]


def beyond_the_limit(court):
    order = court.market.order(0, 5, FIRST_PRICE - 1)
    return [court.market.trade(0, 1, makers_order=order)]


def withdrawn_margin(court):
    court.run(court.market.trade(0, 1, lots=DEPOSIT * 9 // FIRST_PRICE))
    return [court.market.withdraw(0, DEPOSIT * 9 // 10)]


def paid_to_oneself(court):
    return [court.market.transfer(0, 0)]


def request_of_yesterday(court):
    return [court.market.request(Withdraw, 0, 0, 0, 1, court.market.fresh(), START_MS - 1)]


def request_again(court):
    twice = court.market.transfer(0, 1)
    court.run(twice)
    return [twice]


def key_without_scope(court):
    court.run(court.grant(scope=Scope.CANCEL))
    fields = (0, 1, 0, 10**6, court.market.fresh(), NEVER)
    return [court.market.request(Transfer, ROBOT, *fields)]


def key_of_before(court):
    court.run(court.grant(key_expiry=START_MS + 1))
    court.time += 2
    return [court.market.trade(0, 1, signers=(ROBOT, 1))]


def key_beyond_its_limit(court):
    court.run(court.grant(limit=1))
    return [court.market.trade(0, 1, signers=(ROBOT, 1))]


def listing_by_the_guardian(court):
    return [court.listing(GUARDIAN)]


def price_of_the_past(court):
    return [court.market.price(0, FIRST_PRICE + 1, START_MS - 1)]


def price_of_the_future(court):
    return [court.market.price(0, FIRST_PRICE + 1, START_MS + 10**6)]


def keeper_of_the_healthy(court):
    court.run(court.market.trade(0, 1))
    return [court.market.liquidate(2, 0)]


def deposit_into_anothers_account(court):
    return [court.market.deposit(0, owner=b"\x0b" * 20)]


def message_out_of_order(court):
    index = court.market.inbox + 1
    owner = address_of(key_of(0))
    return [Inbox(InboxMessage(InboxKind.DEPOSIT, index, 0, owner, 0, 0, 10**6)).encode()]


def trade_of(court):
    return [court.market.trade(0, 1)]


def withdrawal(court):
    return [court.market.withdraw(0)]


STORIES = {
    "order-expiry": order_with(taker={"expiry": START_MS - 1}),
    "order-dead": order_cancelled,
    "order-overfill": order_filled_twice,
    "order-fee-maximum": order_with({"max_fee": 1}),
    "trade-with-oneself": orders_of_one_owner,
    "trade-unknown-flags": order_with({"flags": 128}),
    "trade-maker-only": order_with(taker={"flags": int(OrderFlag.MAKER_ONLY)}),
    "trade-maker-limit": beyond_the_limit,
    "trade-maker-reduce-only": order_with({"flags": int(OrderFlag.REDUCE_ONLY)}),
    "trade-price-band": order_with(price=FIRST_PRICE * 2),
    "trade-maker-fee-charged": trade_of,
    "margin-of-what-leaves": withdrawn_margin,
    "transfer-to-oneself": paid_to_oneself,
    "withdraw-outflow-counted": withdrawal,
    "request-expiry": request_of_yesterday,
    "request-replayed": request_again,
    "key-scope": key_without_scope,
    "key-expiry": key_of_before,
    "key-limit": key_beyond_its_limit,
    "governance-signature": listing_by_the_guardian,
    "price-not-newer": price_of_the_past,
    "price-of-the-future": price_of_the_future,
    "liquidate-the-healthy": keeper_of_the_healthy,
    "inbox-wrong-owner": deposit_into_anothers_account,
    "inbox-order": message_out_of_order,
}


def run():
    """Return {mutant: (codes of the mutant law, codes of the law, whether it was convicted)}."""
    mutants = {one.name: one for one in declared_mutants()}
    return {name: tried(mutants[name], story) for name, story in STORIES.items()}


if __name__ == "__main__":
    print(json.dumps(run()))

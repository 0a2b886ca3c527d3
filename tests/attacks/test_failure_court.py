"""Auctions and sweeps before the court: every outcome acquits if honest and convicts if forged.

One story takes each action of the waterfall and each of its rejections through an engine, evidence
and the court; nothing in it is edited by hand.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from clearing.codes import Code, Kind, Operation, Phase, Scope
from clearing.units import AMOUNT_MAX
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.witness import build_evidence
from tests.prover.market import PROPOSER, columns_of
from tests.support.sweeps import EMPTY, Driver
from tests.support.world import DEPOSIT, MARK, TIERS, Trader, World
from verifier.batch import Pair
from verifier.evidence import check_bad_step

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, PROPOSER)
FAST = 900_000
GENESIS = {
    "price_stale_margin_ms": 1 << 39,
    "price_stale_open_ms": 1 << 39,
    "deficit_tranche": 50_000_000,
    "tiers": (replace(TIERS[0], insurance_cap=1), *TIERS[1:]),
}


class CourtWorld(World):
    """A world whose every step goes to the court too, with the same forgery each time."""

    def __init__(self, **changes):
        self.engines: Any = None
        super().__init__(**changes)

    def judge(self, actions):
        self.engines = self.engines or [Engine(self.genesis, accounts_capacity=4) for _ in "ab"]
        before, engine = self.engines
        encoded = [a if isinstance(a, bytes) else a.encode() for a in actions]
        forge = BatchForge(engine)
        codes = forge.honest(encoded, self.time).codes.tolist()
        assert self.verdict(forge) is False
        forge.pairs[0] = Pair(forge.pairs[0].step_hash, b"\x99" * 32)
        assert self.verdict(forge) is True
        before.advance(columns_of(before, encoded), self.time)
        assert before.root() == engine.root()
        assert super().judge(actions) == codes
        return [Code(code) for code in codes]

    def verdict(self, forge):
        """What the court says of the forge's one step."""
        (step,) = forge.steps
        header = forge.finish(PLACE).header
        built = build_evidence(self.engines[0], header, forge.pairs, 0, step.encode())
        return check_bad_step(header, built.encode())


def crisis():
    """Alice owes 100 on fifty lots, which two shorts hold; Kate has capital; Carl may fail too."""
    world = CourtWorld(**GENESIS)
    alice, kate = world.trader("alice", 150_000_000), world.trader("kate", 10 * DEPOSIT)
    shorts = [world.trader(name, DEPOSIT) for name in ("first", "second")]
    for short, lots in zip(shorts, (20, 30), strict=True):
        assert world.apply(world.trade(alice, short, lots)) == Code.APPLIED
    world.move_price(45_000_000)
    return world, alice, kate, shorts


def test_auctions_and_their_rejections_go_to_the_court():
    world, alice, kate, (first, _) = crisis()

    def start(trader):
        return world.apply(world.request(Kind.AUCTION_START, account=trader.account))

    def bid(failing, fraction=100_000, limit=AMOUNT_MAX, bidder=kate, **changes):
        fields = {"fraction_ppm": fraction, "limit": limit, **changes}
        return world.apply(
            world.request(
                Kind.AUCTION_BID,
                bidder.key,
                bidder=bidder.account,
                account=failing.account,
                **fields,
            )
        )

    assert start(Trader("nobody", 99)) == Code.NO_ACCOUNT
    assert start(kate) == Code.NO_POSITION
    assert start(first) == Code.HEALTHY
    assert bid(alice) == Code.AUCTION_CLOSED
    assert start(alice) == Code.APPLIED
    assert start(alice) == Code.NOT_NEEDED
    assert bid(Trader("nobody", 99)) == Code.NO_ACCOUNT
    assert bid(alice, bidder=Trader("mallory", kate.account)) == Code.BAD_SIGNATURE
    assert bid(kate) == Code.SELF_TRADE
    assert bid(alice, expiry=1) == Code.EXPIRED
    assert bid(alice, bidder=alice) == Code.SELF_TRADE
    assert bid(alice) == Code.APPLIED
    assert world.apply(world.deposit(alice, 120_000_000)) == Code.APPLIED
    assert bid(alice, limit=0) == Code.UNDERPRICED
    assert world.apply(world.deposit(alice, DEPOSIT)) == Code.APPLIED
    assert bid(alice) == Code.HEALTHY
    assert start(alice) == Code.APPLIED
    assert world.account(alice).auction_time == 0


def test_what_a_keepers_key_may_not_go_to_the_court():
    world, alice, kate, _ = crisis()
    robot = Trader("robot", kate.account)

    def grant(**terms):
        fields = {"account": kate.account, "key": int.from_bytes(robot.address, "big")}
        fields |= {"scope": Scope.KEEPER, "first_instrument": 0, "last_instrument": 0}
        fields |= {"limit": 5 * 45_000_000, "key_expiry": 1 << 60, **terms}
        return world.apply(world.request(Kind.KEY_GRANT, kate.key, **fields))

    def bid():
        fields = {"bidder": kate.account, "account": alice.account}
        fields |= {"fraction_ppm": 100_000, "limit": AMOUNT_MAX}
        return world.apply(world.request(Kind.AUCTION_BID, robot.key, **fields))

    start = world.request(Kind.AUCTION_START, account=alice.account)
    assert world.apply(start) == Code.APPLIED
    assert grant(limit=5 * 45_000_000 - 1) == Code.APPLIED
    assert bid() == Code.KEY_CAP
    assert world.apply(world.liquidate(robot, alice, 5)) == Code.KEY_CAP
    assert grant(first_instrument=1, last_instrument=1) == Code.APPLIED
    assert bid() == Code.KEY_SCOPE
    assert grant() == Code.APPLIED
    assert bid() == Code.APPLIED
    assert bid() == Code.KEY_CAP
    assert grant() == Code.APPLIED
    assert world.apply(world.liquidate(robot, alice, 5)) == Code.APPLIED
    assert world.lots(kate) == 10


def test_a_sweep_and_its_rejections_go_to_the_court():
    world, alice, kate, (first, second) = crisis()
    driver = Driver(world, alice.account, size=1)
    assert driver.open() == Code.WATERFALL_ORDER
    start = world.request(Kind.AUCTION_START, account=alice.account)
    assert world.apply(start) == Code.APPLIED
    world.wait(FAST)
    assert driver.tally([second.account]) == Code.NO_OPERATION
    assert Driver(world, first.account).open() == Code.NOT_BANKRUPT
    assert Driver(world, kate.account).open() == Code.NO_POSITION
    assert driver.open() == Code.APPLIED
    assert driver.open() == Code.OPERATION_OPEN
    assert world.apply(world.liquidate(kate, alice)) == Code.OPERATION_OPEN
    assert world.apply(world.trade(first, second, 1, 45_000_000)) == Code.OPERATION_OPEN
    assert driver.tally([first.account, second.account]) == Code.OPERATION_ORDER
    assert driver.tally([kate.account]) == Code.NO_POSITION
    assert driver.tally([99]) == Code.NO_ACCOUNT
    assert driver.close() == Code.OPERATION_PHASE
    driver.tally_all()
    assert world.apply(driver.apply_action([second.account], EMPTY)) == Code.OPERATION_ORDER
    driver.apply_all()
    assert driver.close() == Code.APPLIED
    assert (world.lots(alice), world.account(alice).cash) == (0, 0)


def test_a_socialised_debt_and_the_halt_behind_it_go_to_the_court():
    world, alice, kate, (first, second) = crisis()
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.instrument().debt == 100_000_000
    assert world.totals.freeze_until > world.time
    world.move_price(49_500_000)
    driver = Driver(world, alice.account)
    # Profits are 10, 15 and Kate's 225: she pays most of what she may have hoped to keep.
    driver.run(Operation.SOCIALISE)
    assert world.account(alice).cash == 0
    assert world.account(kate).cash == 10 * DEPOSIT - 50 * 45_000_000 - 90_000_000
    assert [world.account(t).cash - DEPOSIT - n * MARK for t, n in ((first, 20), (second, 30))] == [
        -4_000_000,
        -6_000_000,
    ]


def test_a_cancelled_sweep_and_a_debt_without_winners_go_to_the_court():
    world, alice, kate, (first, second) = crisis()
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    for short, lots in ((first, 20), (second, 30)):
        assert world.apply(world.trade(short, kate, lots, 45_000_000)) == Code.APPLIED
    driver = Driver(world, alice.account)
    assert driver.open(Operation.SOCIALISE) == Code.APPLIED
    assert world.instrument().phase == Phase.APPLY
    assert driver.close() == Code.APPLIED
    # Nobody holds the market, and a hundred is more than the law tolerates.
    assert world.totals.status == 1
    assert driver.open(Operation.SOCIALISE) == Code.HALTED
    assert np.asarray(world.instrument().chunks).tolist() == [0] * 4

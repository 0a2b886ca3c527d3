"""Run one random script through the law and print what became of it, as digests.

A process of its own, so that the compiled and the interpreted law, and two orders of Python's sets,
can be compared: python -m tests.clearing.law.replay SEED STEPS
"""

import json
import random
import sys
from collections import Counter
from hashlib import sha256
from typing import Any

import numpy as np

from clearing import account_leaves, leaves
from clearing.codes import Fund as FundId
from clearing.codes import Status
from clearing.layout import new_rows
from clearing.records import Account, Fund, Globals, Instrument, Page
from tests.clearing.law.test_bounds import Fuzz
from tests.clearing.law.test_keys import as_key, grant, revoke, rotate
from tests.clearing.law.test_listing import CALL, Assets
from tests.clearing.law.test_owner_check import Group
from tests.clearing.law.test_parameters import announce, edited, enact, halt, resume
from tests.clearing.law.test_pool_bounds import PoolFuzz
from tests.support.world import MARK


def run(seed, steps):
    """Return the codes' digest, how often each occurred, and a digest of each part of the state."""
    fuzz = Fuzz(seed)
    codes = [int(code) for _ in range(steps) for code in fuzz.step()]
    state = fuzz.world.state
    # The next fee leaves 64 bits: the overflow must undo and halt alike.
    state.funds[FundId.FEES].balance = (1 << 63) - 1
    fuzz.world.check_conservation = lambda: None
    codes += [int(code) for _ in range(20) for code in fuzz.step()]
    return {
        "codes": sha256(bytes(codes)).hexdigest(),
        "counts": {str(code): count for code, count in sorted(Counter(codes).items())},
        "state": digests_of(state),
        "leaves": [sha256(leaf.tobytes()).hexdigest() for leaf in all_leaves(state)],
        "governed": governed(seed),
        "pools": pooled(seed, steps),
        "held": held(seed, steps),
    }


def digests_of(state):
    """A digest of each part of a state."""
    return {
        name: sha256(np.ascontiguousarray(getattr(state, name)).tobytes()).hexdigest()
        for name in state._fields
    }


def pooled(seed, actions):
    """What becomes of pools at the edges of their bounds."""
    fuzz = PoolFuzz(seed)
    codes = [int(code) for code in fuzz.run(actions)]
    state = fuzz.world.state
    leaves_of = [sha256(leaf.tobytes()).hexdigest() for leaf in all_leaves(state)]
    return {"codes": codes, "state": digests_of(state), "leaves": leaves_of}


def held(seed, actions):
    """What becomes of an owner whose three accounts together go beyond his limit and back."""
    group, chance = Group(), random.Random(seed)
    codes = []
    for _ in range(actions):
        place, instrument = chance.randrange(3), chance.randrange(2)
        if chance.random() < 0.6:
            lots = chance.choice([-5, -2, -1, 1, 2, 5])
            codes.append(int(group.take(place, lots, instrument)))
        else:
            ids = chance.choice([(0, 1, 2), (0, 1, 2), (0, 1), (1, 2), (0, 2), (2, 1), (0, 4)])
            codes.append(int(group.world.apply(group.asked(ids, instrument))))
        group.world.wait(chance.choice([0, 0, 1_000]))
    leaves_of = [sha256(leaf.tobytes()).hexdigest() for leaf in all_leaves(group.world.state)]
    return {"codes": codes, "state": digests_of(group.world.state), "leaves": leaves_of}


def governed(seed):
    """What acts of keys and governance come to, in an order that the seed says."""
    world = Assets(timelock_ms=1)
    alice, bob = world.trader("alice"), world.trader("bob")
    params = edited(world, price_band_ppm=60_000)
    acts = [
        lambda: world.listing(int(world.totals.instrument_count), **CALL),
        lambda: world.listing(int(world.totals.instrument_count)),
        lambda: world.change(status=1),
        lambda: world.change(status=0, tier=3),
        lambda: world.asset(int(world.totals.asset_count)),
        lambda: world.asset(haircut_ppm=120_000),
        lambda: announce(world, params),
        lambda: enact(world, params),
        lambda: halt(world),
        lambda: grant(world, alice, "robot", limit=9 * MARK),
        lambda: world.trade(as_key(alice, "robot"), bob, 4),
        lambda: revoke(world, alice, "robot"),
        lambda: rotate(world, bob, "new bob"),
    ]
    chance = random.Random(seed)
    codes = []
    for _ in range(4):
        chance.shuffle(acts)
        for act in acts:
            codes.append(int(world.apply(act())))
            if world.totals.status == Status.HALTED:
                codes.append(int(world.apply(resume(world))))
        world.wait(1)
    return [codes, digests_of(world.state)]


def all_leaves(state):
    """Every leaf of the state; what can be loaded must encode again to the same leaf."""
    row: Any = np.zeros(leaves.UNDERLYING_PIECES, np.int64)
    totals = state.globals[0]
    loaded: Any

    def leaf(length):
        return row[:length].copy()

    def same(first, length):
        assert (row[:length] == first).all()
        return first

    globals_leaf = leaf(leaves.encode_globals(totals, row))
    loaded = new_rows(Globals, 1)[0]
    leaves.load_globals(globals_leaf, loaded)
    yield same(globals_leaf, leaves.encode_globals(loaded, row))
    counts = state.params[0].tier_count, state.params[0].publisher_count
    yield leaf(leaves.encode_params(state.params_pieces[0], *counts, row))
    tables = (
        (state.underlying_pieces, leaves.UNDERLYING_FIELDS, totals.underlying_count),
        (state.asset_pieces, leaves.ASSET_FIELDS, totals.asset_count),
        (state.pool_pieces, leaves.POOL_FIELDS, totals.pool_count),
    )
    for pieces, fields, count in tables:
        for i in range(count):
            yield leaf(leaves.encode_fields(pieces[i], fields, row))
    for i in range(totals.instrument_count):
        loaded = new_rows(Instrument, 1)[0]
        first = leaf(leaves.encode_instrument(state.instruments[i], row))
        assert leaves.load_instrument(first, len(first), loaded)
        yield same(first, leaves.encode_instrument(loaded, row))
    for i in range(totals.fund_count):
        loaded = new_rows(Fund, 1)[0]
        first = leaf(leaves.encode_fund(state.funds[i], row))
        leaves.load_fund(first, loaded)
        yield same(first, leaves.encode_fund(loaded, row))
    for i in range(totals.account_count):
        loaded, pages = new_rows(Account, 1)[0], new_rows(Page, 16)
        first = leaf(account_leaves.encode_account(state.accounts[i], state.pages, row))
        assert account_leaves.load_account(first, len(first), loaded, pages, 0) >= 0
        yield same(first, account_leaves.encode_account(loaded, pages, row))
    for i in range(state.scratch[0].page_count):
        yield leaf(account_leaves.encode_page(state.pages[i], row))
    for i in range(totals.withdrawal_count):
        yield leaf(leaves.encode_withdrawal(state.withdrawals[i], row))


if __name__ == "__main__":
    json.dump(run(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)

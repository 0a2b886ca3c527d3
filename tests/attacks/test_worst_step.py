"""The heaviest step that can be written down is judged, and its evidence fits what the court takes.

The law's budget rejects actions, but evidence holds all that the bytes name: so the bound on what
can be proven is a bound on bytes, not on the budget.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clearing.account_leaves import ACCOUNT_PIECES_MAX
from clearing.codes import Code, InstrumentKind, Kind, Operation
from clearing.forms import (
    CONTEXT,
    NAMES,
    NAMES_ACCOUNT,
    NAMES_COUNTERPARTY,
    NAMES_PAYLOAD,
    NAMES_POOL,
    ROW_STRIDE,
)
from clearing.genesis import Genesis
from clearing.leaves import (
    ASSET_PIECES,
    GLOBALS_PIECES,
    INSTRUMENT_PIECES_MAX,
    PARAMS_PIECES,
    POOL_PIECES,
    UNDERLYING_PIECES,
)
from clearing.units import (
    ACCOUNTS_DEPTH,
    ACTION_BYTES_MAX,
    ACTIONS_PER_STEP,
    ASSETS_MAX,
    FUNDS_MAX,
    INSTRUMENTS_DEPTH,
    POOLS_MAX,
    POSITIONS_MAX,
    STEP_LISTED,
    STEPS_DEPTH,
    UNDERLYINGS_DEPTH,
    UNDERLYINGS_MAX,
    WITHDRAWALS_DEPTH,
)
from prover.engine import Engine
from prover.forge import BatchForge
from prover.witness import build_evidence
from tests.attacks.arena import Arena
from tests.attacks.committed import PLACE
from tests.prover.market import FIRST_PRICE, START_MS, Market, columns_of
from verifier.batch import STEP_BYTES_MAX, Pair
from verifier.config import EVIDENCE_BYTES_MIN, CourtConfig
from verifier.errors import ConfigError
from verifier.evidence import EVIDENCE_BYTES_MAX, check_bad_step
from verifier.multiproof import siblings_needed

ACCOUNTS = 2 * ACTIONS_PER_STEP
ACCOUNT_BITS = (NAMES_ACCOUNT, NAMES_COUNTERPARTY)


def crowded(genesis: Genesis, market: Market) -> Engine:
    """Sixteen accounts, each with 32 positions, all of them in different options under a sweep."""
    engine = Engine(genesis, accounts_capacity=ACCOUNTS)
    engine.advance(columns_of(engine, [market.deposit(i) for i in range(ACCOUNTS)]), START_MS)

    def crowd(state: Any) -> None:
        for id in range(ACCOUNTS):
            row = state.accounts[id]
            row.position_count = POSITIONS_MAX
            for place in range(POSITIONS_MAX):
                row.positions[place].instrument = POSITIONS_MAX * id + place
                row.positions[place].lots = 1 if place % 2 else -1
        for instrument in state.instruments:
            instrument.mark_price = instrument.index_price = FIRST_PRICE
            instrument.price_time = START_MS
            instrument.kind = InstrumentKind.CALL
            instrument.strike = FIRST_PRICE
            instrument.operation = Operation.DELEVERAGE

    engine.edit(crowd)
    return engine


def test_a_step_that_names_more_than_its_budget_is_judged_as_the_engine_judged_it() -> None:
    market = Market(1024)
    engine = crowded(market.genesis, market)
    twin = crowded(market.genesis, Market(1024))
    # Each page exists already for half of the orders.
    trades = [market.trade(2 * i, 2 * i + 1, 1000 + i) for i in range(ACTIONS_PER_STEP)]
    forge = BatchForge(engine)
    codes = forge.forged(trades, START_MS)
    assert Code.STEP_FULL in codes.tolist()
    header = forge.finish(PLACE).header
    built = build_evidence(twin, header, forge.pairs, 0, forge.steps[0].encode())
    assert check_bad_step(header, built.encode()) is False
    assert 500_000 < len(built.encode()) < EVIDENCE_BYTES_MIN
    forge.pairs[0] = Pair(forge.pairs[0].step_hash, b"\x66" * 32)
    header = forge.finish(PLACE).header
    built = build_evidence(twin, header, forge.pairs, 0, forge.steps[0].encode())
    assert check_bad_step(header, built.encode()) is True


def words(pieces: int) -> int:
    """The bytes of a leaf of so many pieces, with its count of words."""
    return 1 + 8 * pieces


ACCOUNT_LEAF = words(ACCOUNT_PIECES_MAX)
MARKET_LEAF = words(INSTRUMENT_PIECES_MAX)
FULL_ACCOUNT = ACCOUNT_LEAF + POSITIONS_MAX * MARKET_LEAF


def most_named() -> tuple[int, int, int]:
    """Return the most bytes of (account and market leaves), accounts and markets of one step.

    An action brings the accounts that it names with all their markets, the two of its pool as long
    as pools are left, and the accounts in its payload without their markets. A step is the eight
    actions that bring most; those in payloads count once for the whole step.
    """
    rows = 1 + CONTEXT + (ACTION_BYTES_MAX // 8) // ROW_STRIDE
    singles = []
    for kind in Kind:
        named = int(NAMES[kind] | (NAMES[Kind.LIQUIDATE] if kind == Kind.INBOX else 0))
        own = 2 if kind == Kind.TRADE else sum(bool(named & bit) for bit in ACCOUNT_BITS)
        brings_pool = bool(named & NAMES_POOL) or kind == Kind.FUNDING
        markets = rows if kind == Kind.RISK_ROWS else 1
        singles.append((own, brings_pool, bool(named & NAMES_PAYLOAD), markets))
    best = (0, 0, 0)
    for pools in range(min(POOLS_MAX, ACTIONS_PER_STEP) + 1):
        for lists in range(2):
            accounts = markets = 0
            chosen = [(True, False)] * pools + [(False, True)] * lists
            chosen += [(False, False)] * (ACTIONS_PER_STEP - len(chosen))
            for pool, listing in chosen[:ACTIONS_PER_STEP]:
                fitting = [
                    (own + 2 * pool, brought)
                    for own, brings, payload, brought in singles
                    if brings >= pool and payload >= listing
                ]
                own, brought = max(fitting, key=lambda each: each[0] * POSITIONS_MAX + each[1])
                accounts += own
                markets += brought
            markets += accounts * POSITIONS_MAX
            listed = STEP_LISTED * lists
            size = (accounts + listed) * ACCOUNT_LEAF + markets * MARKET_LEAF
            best = max(best, (size, accounts + listed, markets))
    return best


def test_the_longest_evidence_that_can_be_needed_fits_the_courts_limit() -> None:
    leaves, accounts, markets = most_named()
    assert (accounts, markets) == (67, 616) and leaves > 18 * FULL_ACCOUNT
    # Siblings are most where targets are spread evenly.
    spread = [i * (4**ACCOUNTS_DEPTH // accounts) for i in range(accounts)]
    siblings = len(siblings_needed(ACCOUNTS_DEPTH, 4**ACCOUNTS_DEPTH, spread))
    siblings += 4**INSTRUMENTS_DEPTH - markets
    siblings += 3 * UNDERLYINGS_DEPTH + 3 * WITHDRAWALS_DEPTH
    siblings += max(len(siblings_needed(STEPS_DEPTH, 4_096, [i - 1, i])) for i in range(1, 4_096))
    small = 8 * (GLOBALS_PIECES + PARAMS_PIECES + ASSETS_MAX * ASSET_PIECES)
    small += 8 * (POOLS_MAX * POOL_PIECES + UNDERLYINGS_MAX * UNDERLYING_PIECES) + FUNDS_MAX * 32
    pages = 2 * ACTIONS_PER_STEP * 9 * 32
    counts = 32
    header = 384 + 4 + 3 * 32
    longest = header + counts + 32 * siblings + leaves + small + pages + STEP_BYTES_MAX
    assert 800_000 < longest <= EVIDENCE_BYTES_MIN
    assert EVIDENCE_BYTES_MIN <= EVIDENCE_BYTES_MAX


def test_a_court_that_would_not_take_the_longest_evidence_cannot_be_configured() -> None:
    config = CourtConfig.test(chain_id=1, settlement=b"\x01" * 20, sequencer=b"\x02" * 20)
    with pytest.raises(ConfigError, match="evidence_bytes_max of at least 917504"):
        replace(config, evidence_bytes_max=EVIDENCE_BYTES_MIN - 1)


@pytest.mark.parametrize(
    "actions",
    [
        lambda market: [],
        lambda market: [b""] * 8,
        lambda market: [b"\x01" + bytes(53)] * 8,
        lambda market: [b"\xff" * ACTION_BYTES_MAX] * 8,
        lambda market: [market.trade(1, 2) + b"\0", market.trade(1, 2)[:-1]],
        lambda market: [market.trade(4, 1), market.funding(2**32 - 1), market.funding(3)],
        lambda market: [market.withdraw(2**62, signer=1), market.transfer(1, 1)],
        lambda market: [market.trade(1, 2)] * 8,
        lambda market: [b"\x06\x00\x00\x00\x00\x00", b"\x06\x00\x00\x00\x00\x16" + bytes(22 * 89)],
        lambda market: [market.withdraw(i % 5) for i in range(8)],
    ],
)
def test_odd_steps_are_acquitted_and_convicted_alike(actions: Any) -> None:
    arena = Arena()
    step = actions(arena.market)
    forge = arena.fresh()
    forge.forged(step, arena.time + 5)
    arena.acquit(forge)
    forge = arena.fresh()
    forge.forged(step, arena.time + 5)
    forge.pairs[-1] = Pair(forge.pairs[-1].step_hash, arena.replica.engine.root())
    arena.convict(forge, 0)


def crowds(seed: int) -> tuple[Market, Engine, Engine]:
    """Two engines in one state: accounts with 29 to 32 positions and up to sixteen fill pages."""
    market = Market(64)
    market.time = START_MS
    chance = random.Random(seed)
    sizes = [chance.randrange(29, 33) for _ in range(8)]
    setup = [market.deposit(i) for i in range(8)]
    setup += [market.cancel(i, slot) for i in range(8) for slot in range(0, 256, 16 + i)]

    def crowd(state: Any) -> None:
        for id, size in enumerate(sizes):
            row = state.accounts[id]
            row.position_count = size
            for place in range(size):
                row.positions[place].instrument = 2 * place + id % 2
                row.positions[place].lots = chance_of(id, place)
        for instrument in state.instruments:
            instrument.mark_price = instrument.index_price = FIRST_PRICE
            instrument.price_time = START_MS
            instrument.open_interest = 10**6
        state.accounts[7].cash = -(10**9)

    engines = []
    for _ in range(2):
        engine = Engine(market.genesis, accounts_capacity=8)
        engine.advance(columns_of(engine, setup), START_MS)
        engine.edit(crowd)
        engines.append(engine)
    return market, engines[0], engines[1]


def chance_of(id: int, place: int) -> int:
    return (1 + place % 3) * (1 if (id + place) % 2 else -1)


def crowded_action(market: Market, chance: random.Random) -> bytes:
    a, b = chance.sample(range(8), 2)
    m, lots = chance.randrange(64), chance.randrange(1, 4)
    makers: list[Callable[[], bytes]] = [
        lambda: market.trade(a, b, m, lots, maker_side=chance.choice([1, 2])),
        lambda: market.trade(a, b, m, lots, maker_side=chance.choice([1, 2])),
        lambda: market.liquidate(a, 7, m),
        lambda: market.withdraw(a, 10**5),
        lambda: market.transfer(a, b, 10**5),
        lambda: market.cancel(a, chance.randrange(256)),
        lambda: market.funding(m),
        lambda: market.price(m, FIRST_PRICE + chance.randrange(-900, 900), market.time),
    ]
    return chance.choice(makers)()


@pytest.mark.parametrize("seed", range(4))
def test_accounts_at_their_bounds_are_judged_by_the_court_as_by_the_engine(seed: int) -> None:
    market, engine, twin = crowds(seed)
    chance = random.Random(seed)
    seen = set()
    for turn in range(12):
        market.time = START_MS + 1 + turn
        actions = [crowded_action(market, chance) for _ in range(chance.randrange(1, 9))]
        forge = BatchForge(engine)
        codes = forge.forged(actions, market.time)
        seen.update(codes.tolist())
        header = forge.finish(PLACE).header
        built = build_evidence(twin, header, forge.pairs, 0, forge.steps[0].encode())
        assert check_bad_step(header, built.encode()) is False
        twin.replay_step(columns_of(twin, actions), market.time, 0, len(actions))
        assert twin.root() == engine.root()
    assert {Code.APPLIED, Code.POSITION_CAP} <= seen
    assert Code.INVARIANT not in seen

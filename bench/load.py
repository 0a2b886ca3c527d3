"""Generated but realistic load: a populated state, and signed trades between its accounts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from clearing.eip712 import bulk_digest, bulk_tree, digest, domain_separator
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier, word
from clearing.keccak import keccak256
from clearing.keys import address_of, sign
from clearing.messages import Authorisation, Order, Trade
from clearing.records import State
from prover.engine import Engine

CHAIN_ID = 31_337
SETTLEMENT = b"\x5e" * 20
TIME_MS = 1_504_483_200_000
INSTRUMENTS = 32
TRADED = 6  # instruments that the traders trade
TRADERS = 64  # accounts with keys (market makers and takers); the rest only hold positions
PRICE_MICRO = 4_000_000
MICRO = 1_000_000

VENUE_KEY = keccak256(b"venue")
VENUE = address_of(VENUE_KEY)


def genesis() -> Genesis:
    """Thirty-two perpetuals in one margin tier."""
    return Genesis(
        chain_id=CHAIN_ID,
        settlement=SETTLEMENT,
        time_ms=TIME_MS,
        publishers=(address_of(keccak256(b"publisher")),),
        price_quorum=1,
        tiers=(GenesisTier(50_000, 30_000, 1 << 58, 1 << 60),),
        instruments=tuple(
            GenesisInstrument(f"ASSET{i}-PERP", 0, 1, 1_000_000, 1 << 46, 1 << 40)
            for i in range(INSTRUMENTS)
        ),
    )


def trader_key(index: int) -> bytes:
    """Return the private key of account `index` < TRADERS."""
    return keccak256(b"trader %d" % index)


def populated(accounts: int, positions: int, seed: int = 1) -> Engine:
    """Return an engine with this many funded accounts, `positions` positions each.

    Accounts 2i and 2i + 1 hold opposite lots, so lots sum to zero; cash sums to custody.
    """
    engine = Engine(genesis(), accounts, 4 * TRADERS)
    random_numbers = np.random.default_rng(seed)

    def mutate(state: State) -> None:
        _fill(cast(Any, state), accounts, positions, random_numbers)

    engine.edit(mutate)
    return engine


def _fill(state: Any, accounts: int, positions: int, numbers: np.random.Generator) -> None:
    rows = state.accounts
    rows["id"][:accounts] = np.arange(accounts)
    rows["page_rows"][:accounts] = -1
    owners = numbers.integers(1, 1 << 62, (accounts, 3))
    rows["owner"][:accounts, 1] = owners[:, 0] & 0xFFFFFFFF
    rows["owner"][:accounts, 2:] = owners[:, 1:]
    for index in range(min(TRADERS, accounts)):
        rows["owner"][index] = word(address_of(trader_key(index)))
    pairs = accounts // 2
    ranks = np.argsort(numbers.random((pairs, INSTRUMENTS)), axis=1)
    instruments = np.sort(ranks[:, :positions], axis=1)
    lots = numbers.integers(1, 2_000, (pairs, positions)) * numbers.choice([-1, 1], (pairs, 1))
    place = rows["positions"]
    for side in (0, 1):
        held = place[side : 2 * pairs : 2]
        signed = lots if side == 0 else -lots
        held["instrument"][:, :positions] = instruments
        held["lots"][:, :positions] = signed
        held["entry_cost"][:, :positions] = signed * PRICE_MICRO
    rows["position_count"][: 2 * pairs] = positions
    deposit = 1_000_000 * MICRO
    rows["cash"][:accounts] = deposit
    np.subtract.at(rows["cash"], np.arange(0, 2 * pairs, 2), lots.sum(1) * PRICE_MICRO)
    np.add.at(rows["cash"], np.arange(1, 2 * pairs, 2), lots.sum(1) * PRICE_MICRO)
    interest = np.zeros(INSTRUMENTS, np.int64)
    np.add.at(interest, instruments, np.abs(lots))
    state.instruments["open_interest"] = interest
    for name in ("mark_price", "index_price"):
        state.instruments[name] = PRICE_MICRO
    state.instruments["price_time"] = TIME_MS
    totals = state.globals[0]
    totals.account_count = accounts
    totals.cash_total = totals.custody = accounts * deposit


@dataclass(frozen=True)
class Signing:
    """How a load is signed: orders each or by trees of 2^depth, trades by trees of a frame."""

    order_depth: int
    frame: int


def trades(count: int, signing: Signing, seed: int = 2, first_sequence: int = 1) -> list[bytes]:
    """Return `count` encoded trades between distinct traders at the mark, valid on `populated`."""
    chance = random.Random(seed)
    domain = domain_separator(CHAIN_ID, SETTLEMENT)
    drawn = [_draw(chance, first_sequence + i) for i in range(count)]
    makers = _authorise([(t.maker.account, t.maker_struct_hash()) for t in drawn], signing, domain)
    takers = _authorise([(t.taker.account, t.taker_struct_hash()) for t in drawn], signing, domain)
    encoded: list[bytes] = []
    for start in range(0, count, signing.frame):
        frame = drawn[start : start + signing.frame]
        venue = _sign_tree(VENUE_KEY, [trade.struct_hash() for trade in frame], domain)
        for i, trade in enumerate(frame):
            signed = replace(
                trade,
                maker_authorisation=makers[start + i],
                taker_authorisation=takers[start + i],
                venue_authorisation=venue[i],
            )
            encoded.append(signed.encode())
    return encoded


def _draw(chance: random.Random, sequence: int) -> Trade:
    maker, taker = chance.sample(range(TRADERS), 2)
    lots = chance.randint(1, 20)
    side = chance.choice((1, 2))

    def order(account: int) -> Order:
        return Order(account, lots, PRICE_MICRO, sequence % 16, sequence, 1 << 61, 500, 0)

    blank = Authorisation(bytes(65))
    return Trade(
        instrument=chance.randrange(TRADED),
        lots=lots,
        price=PRICE_MICRO,
        maker_fee=-50,
        taker_fee=300,
        venue=VENUE,
        maker_side=side,
        maker=order(maker),
        taker=order(taker),
        maker_authorisation=blank,
        taker_authorisation=blank,
        venue_authorisation=blank,
    )


def _authorise(
    orders: Sequence[tuple[int, bytes]], signing: Signing, domain: bytes
) -> list[Authorisation]:
    """Sign each account's orders: one by one, or a tree of up to 2^depth at a time."""
    if signing.order_depth == 0:
        return [
            Authorisation(sign(trader_key(account), digest(domain, struct_hash)))
            for account, struct_hash in orders
        ]
    result: list[Authorisation | None] = [None] * len(orders)
    by_account: dict[int, list[int]] = {}
    for place, (account, _) in enumerate(orders):
        by_account.setdefault(account, []).append(place)
    for account, places in by_account.items():
        for start in range(0, len(places), 1 << signing.order_depth):
            group = places[start : start + (1 << signing.order_depth)]
            hashes = [orders[place][1] for place in group]
            signed = _sign_tree(trader_key(account), hashes, domain)
            for place, one in zip(group, signed, strict=True):
                result[place] = one
    return cast("list[Authorisation]", result)


def _sign_tree(key: bytes, hashes: Sequence[bytes], domain: bytes) -> list[Authorisation]:
    """One signature over the tree of `hashes`, and each leaf's path under it."""
    root, paths = bulk_tree(hashes)
    if len(hashes) == 1:
        return [Authorisation(sign(key, digest(domain, root)))]
    signature = sign(key, bulk_digest(domain, root))
    return [Authorisation(signature, i, path) for i, path in enumerate(paths)]

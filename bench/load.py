"""Generated but realistic load: a populated state, and signed trades between its accounts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from clearing.eip712 import bulk_digest, bulk_tree, digest, domain_separator
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier, word
from clearing.keccak import keccak256
from clearing.keys import address_of, sign
from clearing.messages import Authorisation, Order, Trade
from clearing.records import State
from clearing.units import PAGE_SLOTS
from prover.engine import Engine

CHAIN_ID = 31_337
SETTLEMENT = b"\x5e" * 20
TIME_MS = 1_504_483_200_000
INSTRUMENTS = 32
TRADED = 6  # instruments that the traders trade
TRADERS = 64  # accounts with keys (market makers and takers); the rest only hold positions
PRICE_MICRO = 4_000_000
MICRO = 1_000_000
REQUEST = 512  # trades of one request


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


@dataclass(frozen=True)
class Floor:
    """Where trades are made: the key of each trading account, by id; a price for each market."""

    keys: Mapping[int, bytes]
    prices_micro: tuple[int, ...]
    venue_key: bytes
    domain: bytes
    pages: int = 1  # fill pages of each account; requests in flight must not share one
    first_page: int = 0


def floor() -> Floor:
    """Return the floor of `populated` states."""
    return Floor(
        keys={index: trader_key(index) for index in range(TRADERS)},
        prices_micro=(PRICE_MICRO,) * TRADED,
        venue_key=keccak256(b"venue"),
        domain=domain_separator(CHAIN_ID, SETTLEMENT),
    )


def trades(
    count: int,
    signing: Signing,
    seed: int = 2,
    first_sequence: int = 1,
    where: Floor | None = None,
) -> list[bytes]:
    """Return `count` encoded trades between distinct traders at the mark, each valid once."""
    where = where or floor()
    chance = random.Random(seed)
    drawn = [_draw(chance, first_sequence + i, where) for i in range(count)]
    makers = _authorise([(t.maker.account, t.maker_struct_hash()) for t in drawn], signing, where)
    takers = _authorise([(t.taker.account, t.taker_struct_hash()) for t in drawn], signing, where)
    encoded: list[bytes] = []
    for start in range(0, count, signing.frame):
        frame = drawn[start : start + signing.frame]
        hashes = [trade.struct_hash() for trade in frame]
        venue = _sign_tree(where.venue_key, hashes, where.domain)
        for i, trade in enumerate(frame):
            signed = replace(
                trade,
                maker_authorisation=makers[start + i],
                taker_authorisation=takers[start + i],
                venue_authorisation=venue[i],
            )
            encoded.append(signed.encode())
    return encoded


def _draw(chance: random.Random, sequence: int, where: Floor) -> Trade:
    maker, taker = chance.sample(list(where.keys), 2)
    instrument = chance.randrange(len(where.prices_micro))
    price = where.prices_micro[instrument]
    lots = chance.randint(1, 20)
    page = where.first_page + sequence // REQUEST % where.pages
    slot = page * PAGE_SLOTS + sequence % PAGE_SLOTS

    def order(account: int) -> Order:
        return Order(account, lots, price, slot, sequence, 1 << 61, 500, 0)

    return Trade(
        instrument=instrument,
        lots=lots,
        price=price,
        maker_fee=-50,
        taker_fee=300,
        venue=address_of(where.venue_key),
        maker_side=chance.choice((1, 2)),
        maker=order(maker),
        taker=order(taker),
        venue_authorisation=Authorisation(),
    )


def _authorise(
    orders: Sequence[tuple[int, bytes]], signing: Signing, where: Floor
) -> list[Authorisation]:
    """Sign each account's orders: one by one, or a tree of up to 2^depth at a time."""
    result: list[Authorisation | None] = [None] * len(orders)
    by_account: dict[int, list[int]] = {}
    for place, (account, _) in enumerate(orders):
        by_account.setdefault(account, []).append(place)
    size = 1 << signing.order_depth
    for account, places in by_account.items():
        for start in range(0, len(places), size):
            group = places[start : start + size]
            hashes = [orders[place][1] for place in group]
            signed = _sign_tree(where.keys[account], hashes, where.domain)
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

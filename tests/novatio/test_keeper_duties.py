"""What a keeper finds due, from what a node tells: each duty by itself, and what it closes with."""

from typing import Any, cast

import pytest

from clearing.codes import InstrumentKind, InstrumentStatus, Kind, Operation, Phase, Side, Tag
from clearing.genesis import genesis_state
from clearing.keccak import tagged_hash
from node.v1 import node_pb2 as pb
from novatio.governance import params_record
from novatio.keeper import Offer, offered_closes
from novatio.keeper_duties import (
    View,
    auctions,
    call_fills,
    expiries,
    fundings,
    marks,
    settlements,
    shares,
    takeovers,
)
from novatio.keeper_inventory import at_auction, at_pools, worst_price
from novatio.keeper_sweeps import EMPTY, applies, chunks_below, pieces_of, tallies
from tests.novatio.house import genesis

NOW = 10**12
ONE, TWO = bytes([1] * 20), bytes([2] * 20)


def params(**changes):
    state: Any = genesis_state(genesis(), 2, 2, 2)
    record = params_record(cast(Any, state).params_pieces[0].tolist())
    for name, value in changes.items():
        record[name] = value
    return record


def leg(instrument, lots, value=0, cost=0):
    return pb.Position(instrument=instrument, lots=lots, value_micro=value, entry_cost_micro=cost)


def account(id, *legs, equity=0, maintenance=0, owner=ONE, **fields):
    margin = pb.Margin(equity_micro=equity, maintenance_micro=maintenance)
    return pb.Account(id=id, owner=owner, positions=legs, margin=margin, **fields)


def market(id, kind=InstrumentKind.PERPETUAL, **fields):
    return pb.Instrument(id=id, kind=kind, **{"tick_micro": 10, **fields})


def view(accounts=(), markets=(), pools=(), **changes):
    return View(accounts, {one.id: one for one in markets}, params(**changes), pools, NOW, 0)


def told(requests):
    return [(request.kind, *request.values) for request in requests]


def test_orders_of_a_call_are_paired_until_nothing_is_left_and_never_with_their_own_owner():
    def ordered(id, lots, left, owner):
        order = pb.CallOrder(instrument=0, lots=lots, left_lots=left)
        return account(id, owner=owner, call_order=order)

    crowd = [
        ordered(1, 9, 5, ONE),
        ordered(2, 9, 4, TWO),
        ordered(3, -9, 6, ONE),
        ordered(4, -9, 3, TWO),
        ordered(5, -9, 0, TWO),
    ]
    found = market(0, call=pb.Call(found=True))
    assert told(call_fills(view(crowd, [found]))) == [
        (Kind.CALL_FILL, 1, 4, 0),
        (Kind.CALL_FILL, 2, 3, 0),
    ]
    assert call_fills(view(crowd, [market(0, call=pb.Call())])) == []
    assert call_fills(view(crowd, [market(1, call=pb.Call(found=True)), market(0)])) == []


def test_dated_markets_expire_once_their_time_has_come_and_then_their_holders_settle():
    future = InstrumentKind.FUTURE
    markets = [
        market(0),
        market(1, future, expiry_ms=NOW),
        market(2, future, expiry_ms=NOW + 1),
        market(3, future, expiry_ms=1, status=InstrumentStatus.SETTLING),
    ]
    seen = view([account(7, leg(0, 1), leg(1, 1), leg(3, -1))], markets)
    assert told(expiries(seen)) == [(Kind.EXPIRE, 1)]
    assert told(settlements(seen)) == [(Kind.SETTLE, 7, 3)]


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, True),
        ({"funding_time_ms": NOW - 4_199_999}, False),
        ({"price_time_ms": NOW - 4_200_000}, False),
        ({"open_interest_lots": 0}, False),
        ({"kind": InstrumentKind.FUTURE}, False),
        ({"status": InstrumentStatus.AUCTION}, False),
        ({"status": InstrumentStatus.REDUCE_ONLY}, True),
    ],
)
def test_a_keeper_funds_what_the_feed_left_for_ten_minutes(fields, due):
    late = {"funding_time_ms": NOW - 4_200_000, "price_time_ms": NOW, "open_interest_lots": 5}
    assert bool(fundings(view((), [market(0, **(late | fields))]))) is due


def test_an_auction_begins_for_who_fails_and_ends_for_who_does_not():
    crowd = [
        account(1, leg(0, 1), equity=4, maintenance=5),
        account(2, leg(0, 1), equity=4, maintenance=5, auction_time_ms=1),
        account(3, leg(0, 1), equity=5, maintenance=5, auction_time_ms=1),
        account(4, leg(0, 1), equity=5, maintenance=5),
        account(5, equity=-1, maintenance=0),
    ]
    seen = view(crowd, [market(0)])
    assert told(auctions(seen)) == [(Kind.AUCTION_START, 1), (Kind.AUCTION_START, 3)]


def test_pools_and_winners_are_asked_for_what_no_auction_sold():
    fast = int(params()["auction_fast_ms"])
    old = {"equity": -1, "maintenance": 5, "auction_time_ms": NOW - fast}
    young = old | {"auction_time_ms": NOW - fast + 1}
    crowd = [
        account(1, leg(0, 3, 30), leg(1, -9, -90), **old),
        account(2, leg(0, 3), **young),
        account(3, leg(0, 3), **(old | {"equity": 1})),
        account(4, equity=-5),
    ]
    markets = [market(0, debt_micro=3), market(1, pool=2), market(2, sweep=pb.Sweep())]
    seen = view(crowd, markets, [pb.Pool(id=0), pb.Pool(id=1)])
    assert told(takeovers(seen)) == [
        (Kind.POOL_TAKEOVER, 1, 0, 0),
        (Kind.POOL_TAKEOVER, 1, 1, 0),
        (Kind.POOL_TAKEOVER, 1, 1, 1),
        (Kind.POOL_TAKEOVER, 3, 0, 0),
        (Kind.POOL_TAKEOVER, 3, 1, 0),
    ]
    slow = int(params()["auction_slow_ms"])
    for age, takes in ((slow, 0), (slow + 1, 1), (2 * slow, 1), (2 * slow + 1, 0)):
        offer = pb.OfferedClose(instrument=1, lots=2, time_ms=NOW - age)
        healthy = account(6, leg(0, 3), leg(1, 2), equity=9, maintenance=5, offered_close=offer)
        wanted = [(Kind.POOL_TAKEOVER, 6, 1, 1)] * takes
        assert told(takeovers(view([healthy], markets, [pb.Pool(id=0), pb.Pool(id=1)]))) == wanted
    assert told(shares(seen)) == [
        (Kind.SWEEP_OPEN, 1, 1, Operation.DELEVERAGE),
        (Kind.SWEEP_OPEN, 0, 4, Operation.SOCIALISE),
    ]
    swept = [market(0, debt_micro=3, sweep=pb.Sweep()), *markets[1:]]
    assert [request.value("instrument") for request in shares(view(crowd, swept))] == [1]


def test_losers_are_marked_to_market_before_winners_and_options_not_at_all():
    markets = [market(0), market(1, InstrumentKind.CALL)]
    crowd = [
        account(1, leg(0, 1, 9, 5)),
        account(2, leg(0, -1, -9, -5)),
        account(3, leg(1, 1, 9, 5)),
        account(4),
    ]
    assert told(marks(view(crowd, markets))) == [
        (Kind.MARK_TO_MARKET, 2),
        (Kind.MARK_TO_MARKET, 1),
    ]


@pytest.mark.parametrize(("age", "offered"), [(0, False), (450, True), (60_001, False)])
def test_a_forced_close_is_filled_once_its_penalty_is_a_liquidations(age, offered):
    """Maintenance is 5 in a hundred, reached in 1,500 ms; a liquidation's penalty is 1.5."""
    close = pb.OfferedClose(instrument=0, lots=-7, time_ms=NOW - age)
    crowd = [account(1, leg(0, -9), offered_close=close), account(2, leg(0, 9))]
    changes = {"auction_fast_ms": 1_500, "auction_slow_ms": 60_000}
    seen = view(crowd, [market(0)], liquidation_penalty_ppm=15_000, **changes)
    assert offered_closes(crowd, seen) == ([Offer(1, 0, 7)] if offered else [])


def test_inventory_is_closed_no_further_from_the_mark_than_the_loss_and_on_the_tick():
    marked = market(0, mark_price_micro=1_004)
    assert worst_price(marked, 5, 10_000) == 1_000
    assert worst_price(marked, -5, 10_000) == 1_010
    assert worst_price(marked, 5, 20_000) == 990
    assert worst_price(market(0, mark_price_micro=3), 5, 1_000_000) == 10


def test_a_pool_takes_all_in_its_markets_and_elsewhere_what_its_sleeve_holds_against():
    pools = [pb.Pool(id=0, sleeve=1), pb.Pool(id=1, sleeve=3)]
    crowd = [account(1, leg(0, -4)), account(3, leg(0, 9), leg(1, -9))]
    seen = view(crowd, [market(0), market(1, pool=2)], pools)
    (book,) = at_pools(seen, leg(0, 7), 990)
    assert book == (
        Kind.POOL_TRADE,
        {"pool": 0, "instrument": 0, "side": int(Side.SELL), "lots": 4, "price": 990},
    )
    ((_, own),) = at_pools(seen, leg(1, -7), 1_010)
    assert (own["pool"], own["side"], own["lots"]) == (1, int(Side.BUY), 7)
    ((_, other),) = at_pools(seen, leg(1, 7), 990)
    assert other["pool"] == 1


def test_in_a_call_auction_inventory_is_ordered_away_once():
    called = market(0, status=InstrumentStatus.AUCTION, auction_end_ms=NOW + 1)
    keeper = account(9, leg(0, -7))
    ((kind, order),) = at_auction(view((), [called]), keeper, leg(0, -7), 1_010)
    assert (kind, order["side"], order["lots"]) == (Kind.CALL_ORDER, int(Side.BUY), 7)
    ordered = account(9, leg(0, -7), call_order=pb.CallOrder(lots=7))
    over = market(0, status=InstrumentStatus.AUCTION, auction_end_ms=NOW)
    assert list(at_auction(view((), [called]), ordered, leg(0, -7), 1_010)) == []
    assert list(at_auction(view((), [over]), keeper, leg(0, -7), 1_010)) == []
    assert list(at_auction(view((), [market(0)]), keeper, leg(0, -7), 1_010)) == []


def test_holders_are_tallied_from_the_highest_id_below_the_cursor_six_at_a_time():
    crowd = [account(id, leg(0, 1 if id % 3 else -1)) for id in range(20)]
    sweep = pb.Sweep(mode=Operation.DELEVERAGE, phase=Phase.TALLY, side=1, cursor=17)
    seen = view(crowd, [])
    payloads = [request.payload for request in tallies(seen, market(0, sweep=sweep))]
    assert payloads == [(16, 14, 13, 11, 10, 8), (7, 5, 4, 2, 1)]
    sweep.mode = Operation.SOCIALISE
    payloads = [request.payload for request in tallies(seen, market(0, sweep=sweep))]
    assert payloads[2:] == [(18, 15, 12, 9, 6, 3), (0,)]
    sweep.phase = Phase.APPLY
    assert tallies(seen, market(0, sweep=sweep)) == []


def test_where_weights_may_get_too_large_one_chunk_is_tallied_at_a_time():
    crowd = [account(id, leg(0, 1, 1 << 58)) for id in range(8)]
    sweep = pb.Sweep(mode=Operation.SOCIALISE, phase=Phase.TALLY, side=1, cursor=8)
    assert len(tallies(view(crowd, []), market(0, sweep=sweep))) == 1
    assert len(tallies(view(crowd[:3], []), market(0, sweep=sweep))) == 1
    sweep.mode = Operation.DELEVERAGE
    assert len(tallies(view(crowd, []), market(0, sweep=sweep))) == 2


def top_of(chunks):
    top = bytes(32)
    for chunk in chunks:
        top = tagged_hash(Tag.SWEEP, top + b"".join(id.to_bytes(8, "big") for id in chunk))
    return top


def test_a_stack_is_found_among_all_chunks_that_were_ever_pushed():
    chunks = [(9, 8), (7, 5), (3,)]
    whole = chunks_below(chunks, pieces_of(top_of(chunks)))
    assert [chunk for _, chunk in whole] == chunks
    assert [before for before, _ in whole] == [
        EMPTY,
        *(pieces_of(top_of(chunks[:n])) for n in (1, 2)),
    ]
    # The last chunk bore its shares; the law began anew behind the first; nothing fits.
    assert [c for _, c in chunks_below(chunks, pieces_of(top_of(chunks[:2])))] == chunks[:2]
    assert [c for _, c in chunks_below(chunks, pieces_of(top_of(chunks[1:])))] == chunks[1:]
    assert chunks_below(chunks, pieces_of(top_of([(1,)]))) == []


def test_a_tallied_sweep_is_applied_from_the_top_down_and_closed():
    chunks = [(9, 8), (7,)]
    sweep = pb.Sweep(mode=1, phase=Phase.APPLY, account=4, top=top_of(chunks))
    found = applies(market(0, sweep=sweep), chunks)
    assert [request.kind for request in found] == [
        Kind.SWEEP_APPLY,
        Kind.SWEEP_APPLY,
        Kind.SWEEP_CLOSE,
    ]
    assert found[0].payload == (7, *pieces_of(top_of(chunks[:1])))
    assert found[1].payload == (8, 9, *EMPTY)
    assert applies(market(0, sweep=sweep), [(1,)]) == []
    sweep.top = bytes(32)
    assert [request.kind for request in applies(market(0, sweep=sweep), chunks)] == [
        Kind.SWEEP_CLOSE
    ]

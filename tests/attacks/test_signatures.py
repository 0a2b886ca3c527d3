"""What was signed for one thing opens nothing else: trees, depths, roles and kinds."""

from dataclasses import replace

import pytest

from clearing import eip712, keys
from clearing.codes import Code
from clearing.messages import Authorisation
from tests.support.world import World, key_of


@pytest.fixture
def market():
    """A world, two traders, five trades of which Alice signed the orders with one signature."""
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    orders = [world.order(alice, slot=slot, lots=1) for slot in range(5)]
    trades = [world.trade(alice, bob, maker=order) for order in orders]
    root, paths = eip712.bulk_tree([trade.maker_struct_hash() for trade in trades])
    signature = keys.sign(alice.key, eip712.bulk_digest(world.domain, root))
    return world, trades, paths, signature


def outcome(world, trade, **authorisation):
    return world.apply(replace(trade, maker_authorisation=Authorisation(**authorisation)))


def test_a_bulk_signature_covers_its_leaves_at_their_places_alone(market):
    world, trades, paths, signature = market
    for place, (trade, path) in enumerate(zip(trades, paths, strict=True)):
        for index in set(range(8)) - {place}:
            code = outcome(world, trade, signature=signature, index=index, path=path)
            assert code == Code.BAD_SIGNATURE
        code = outcome(world, trade, signature=signature, index=place, path=path)
        assert code == Code.APPLIED


def test_a_path_of_another_depth_proves_nothing(market):
    world, trades, paths, signature = market
    for path in (paths[1][:-1], paths[1][1:], (*paths[1], bytes(32)), (bytes(32), *paths[1])):
        for index in (0, 1):
            code = outcome(world, trades[1], signature=signature, index=index, path=path)
            assert code == Code.BAD_SIGNATURE
    assert outcome(world, trades[1], signature=signature) == Code.BAD_SIGNATURE


def test_the_index_of_a_leaf_beyond_its_depth_cannot_be_written_down(market):
    world, trades, paths, signature = market
    right = Authorisation(signature, 1, paths[1])
    encoded = replace(trades[1], maker_authorisation=right).encode()
    place = encoded.index(signature) + len(signature) + 1
    alias = 1 + (1 << len(paths[1]))
    for index in (alias, 0x8001):
        moved = encoded[:place] + index.to_bytes(2, "big") + encoded[place + 2 :]
        assert world.apply(moved) == Code.MALFORMED
    assert world.apply(encoded) == Code.APPLIED


def test_one_signed_order_is_no_bulk_tree_and_no_other_order(market):
    world, trades, paths, _ = market
    plain = keys.sign(key_of("alice"), eip712.digest(world.domain, trades[0].maker_struct_hash()))
    code = outcome(world, trades[0], signature=plain, index=0, path=paths[0])
    assert code == Code.BAD_SIGNATURE
    assert outcome(world, trades[1], signature=plain) == Code.BAD_SIGNATURE
    assert outcome(world, trades[0], signature=plain) == Code.APPLIED


def test_a_cancel_in_a_bulk_tree_cancels_nothing(market):
    world, _, _, _ = market
    cancel = world.cancel(world.trader("carol"), 9)
    root, _ = eip712.bulk_tree([cancel.struct_hash(), bytes(32)])
    signature = keys.sign(key_of("carol"), eip712.bulk_digest(world.domain, root))
    assert world.apply(replace(cancel, signature=signature)) == Code.BAD_SIGNATURE
    assert world.apply(cancel) == Code.APPLIED


def test_terms_that_were_signed_cannot_be_changed_by_whoever_carries_them(market):
    world, trades, paths, signature = market
    trade = replace(trades[2], maker_authorisation=Authorisation(signature, 2, paths[2]))
    for change in (
        {"lots": 2},
        {"limit_price": trade.maker.limit_price * 2},
        {"slot": 9},
        {"sequence": trade.maker.sequence + 1},
        {"expiry": trade.maker.expiry + 1},
        {"max_fee": trade.maker.max_fee + 1},
        {"flags": 1},
        {"account": 1},
    ):
        changed = replace(trade, maker=replace(trade.maker, **change))
        assert world.apply(changed) in (Code.BAD_SIGNATURE, Code.SELF_TRADE)
    for change in ({"instrument": 1}, {"maker_side": 2}, {"venue": b"\x01" * 20}):
        extra = {"venue_authorisation": Authorisation(signature)} if "venue" in change else {}
        assert world.apply(replace(trade, **change, **extra)) == Code.BAD_SIGNATURE
    assert world.apply(trade) == Code.APPLIED

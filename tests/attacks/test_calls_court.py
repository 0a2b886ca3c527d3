"""Call auctions before the court: each outcome acquits if honest, convicts if forged."""

from clearing.codes import Code, InstrumentStatus, Kind, Side
from tests.attacks.test_prices_court import CourtWorld
from tests.support.calls import AUCTION_MS, GAP
from tests.support.options import EXPIRY_MS, FUTURE
from tests.support.world import MARK, address_of


def gapped(**changes):
    """A court's world whose first market was held by two, and has just left its band."""
    world = CourtWorld(band_ppm=100_000, stable_rate_ppm=200_000, **changes)
    traders = [world.trader(name) for name in ("alice", "bob", "carol")]
    alice, bob, _ = traders
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    world.move_price(GAP)
    assert world.instrument().status == InstrumentStatus.AUCTION
    return world, *traders


def order_of(world, trader, side, lots, price, signer=None, **fields):
    values = {"account": trader.account, "instrument": 0, "side": side, "lots": lots}
    key = (signer or trader).key
    return world.request(Kind.CALL_ORDER, key, **values | fields, price=price)


def fill_of(world, buyer, seller, instrument=0):
    accounts = {"buyer": buyer.account, "seller": seller.account}
    return world.request(Kind.CALL_FILL, instrument=instrument, **accounts)


def test_a_call_and_all_its_rejections_go_to_the_court():
    world, alice, bob, carol = gapped()
    ordered = order_of(world, alice, Side.BUY, 6, 56_000_000)
    nobody = order_of(world, alice, Side.BUY, 1, 56_000_000, account=99)
    stories = [
        (fill_of(world, alice, bob), Code.NO_OPERATION),
        (nobody, Code.NO_ACCOUNT),
        (order_of(world, alice, Side.BUY, 1, 56_000_000, instrument=99), Code.NO_INSTRUMENT),
        (order_of(world, alice, Side.BUY, 1, 56_000_000, expiry=1), Code.EXPIRED),
        (order_of(world, alice, Side.BUY, 1, 56_000_000, bob), Code.BAD_SIGNATURE),
        (order_of(world, alice, Side.BUY, 1, MARK, instrument=FUTURE), Code.INSTRUMENT_STATUS),
        (order_of(world, alice, Side.BUY, 1, 56_000_001), Code.OFF_TICK),
        (order_of(world, alice, Side.BUY, 1, 10_000_000), Code.PRICE_BAND),
        (order_of(world, alice, Side.BUY, 400, 56_000_000), Code.MARGIN),
        (ordered, Code.APPLIED),
        (ordered, Code.STALE_SEQUENCE),
        (order_of(world, alice, Side.BUY, 1, 56_000_000), Code.ORDER_STANDS),
        (order_of(world, bob, Side.SELL, 4, 54_000_000), Code.APPLIED),
        (order_of(world, carol, Side.SELL, 3, 54_000_000), Code.APPLIED),
        (fill_of(world, alice, bob), Code.OPERATION_PHASE),
        # Elsewhere the book comes along with whoever holds its market.
        (world.trade(alice, bob, instrument=FUTURE), Code.APPLIED),
        (world.request(Kind.SWEEP_CLOSE, instrument=0, account=0), Code.NO_OPERATION),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    world.wait(AUCTION_MS)
    late = order_of(world, carol, Side.BUY, 1, 56_000_000)
    assert world.apply(late) == Code.AUCTION_CLOSED
    assert world.apply(world.price(0, GAP)) == Code.APPLIED
    fields = {"instrument": 0, "price": 54_000_000, "time": world.time}
    stories = [
        (world.published(Kind.UNCROSS, **fields), Code.OPERATION_OPEN),
        (fill_of(world, alice, alice), Code.SELF_TRADE),
        (fill_of(world, bob, carol), Code.ORDER_DEAD),
        (fill_of(world, alice, bob, 99), Code.NO_INSTRUMENT),
        (fill_of(world, alice, bob), Code.APPLIED),
        (fill_of(world, alice, carol), Code.APPLIED),
        (fill_of(world, alice, carol), Code.NO_OPERATION),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    # Six are shared by seven lots of one level: floor(6 * 4 / 7), and the rest.
    assert [world.lots(trader) for trader in (alice, bob, carol)] == [7, -4, -3]
    assert world.instrument().status == InstrumentStatus.ACTIVE


def test_a_fill_that_cannot_be_borne_and_a_deadline_go_to_the_court():
    world, alice, bob, carol = gapped(price_jump_ppm=1_000_000)
    assert world.apply(order_of(world, alice, Side.BUY, 250, 56_000_000)) == Code.APPLIED
    assert world.apply(order_of(world, carol, Side.SELL, 100, 54_000_000)) == Code.APPLIED
    assert world.apply(order_of(world, bob, Side.SELL, 90, 54_000_000)) == Code.APPLIED
    world.wait(AUCTION_MS)
    assert world.apply(world.price(0, 51_500_000)) == Code.APPLIED
    assert world.apply(fill_of(world, alice, carol)) == Code.APPLIED
    world.wait(1_000)
    assert world.apply(world.price(0, 45_000_000)) == Code.APPLIED
    assert world.apply(fill_of(world, alice, bob)) == Code.MARGIN
    world.wait(AUCTION_MS)
    assert world.apply(fill_of(world, alice, bob)) == Code.AUCTION_CLOSED
    assert world.apply(world.price(0, 51_500_000)) == Code.APPLIED
    assert world.instrument().status == InstrumentStatus.ACTIVE
    assert world.lots(alice) == 101


def test_caps_keys_and_old_marks_of_a_call_go_to_the_court():
    world, alice, bob, carol = gapped(governance=address_of("governance"))
    grant = {"account": alice.account, "key": int.from_bytes(carol.address, "big"), "scope": 2}
    grant |= {"first_instrument": 0, "last_instrument": 7, "limit": 10**8}
    grant |= {"key_expiry": world.time + AUCTION_MS}
    trading = grant | {"key": int.from_bytes(bob.address, "big"), "scope": 1}
    stories = [
        (world.request(Kind.KEY_GRANT, alice.key, **grant), Code.APPLIED),
        (world.request(Kind.KEY_GRANT, alice.key, **trading), Code.APPLIED),
        (order_of(world, alice, Side.BUY, 1, 56_000_000, carol), Code.KEY_SCOPE),
        (order_of(world, alice, Side.BUY, 2, 56_000_000, bob), Code.KEY_CAP),
        (order_of(world, alice, Side.BUY, 1 << 40, 56_000_000), Code.POSITION_CAP),
        (order_of(world, alice, Side.BUY, 1, 56_000_000, bob), Code.APPLIED),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    world.wait(60_001)
    assert world.apply(order_of(world, bob, Side.SELL, 2, 54_000_000)) == Code.PRICE_STALE


def test_an_expiry_over_an_open_call_goes_to_the_court():
    world = CourtWorld(band_ppm=100_000, stable_rate_ppm=200_000, price_jump_ppm=1_000_000)
    alice, bob = world.trader("alice"), world.trader("bob")
    world.time = EXPIRY_MS - 2_000
    for market in (0, FUTURE):
        assert world.apply(world.price(market, MARK)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, instrument=FUTURE)) == Code.APPLIED
    world.wait(1_000)
    assert world.apply(world.price(FUTURE, 60_000_000)) == Code.APPLIED
    order = order_of(world, alice, Side.BUY, 1, 55_000_000, instrument=FUTURE)
    assert world.apply(order) == Code.APPLIED
    world.wait(1_000)
    assert world.apply(world.price(0, MARK)) == Code.APPLIED
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    assert world.instrument(FUTURE).operation == 0

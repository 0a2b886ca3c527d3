"""Human units to the law's integers and back, and orders that become trades.

The law counts lots, micro-quote a lot and milliseconds; people say 0.25 BTC at 4,000.5. What is no
whole number of lots, ticks or micro-quote is refused with ``Inexact``, never rounded.

Example::

    market = Market(0, "BTC-PERP", tick_micro=100, lot_size_nano=1_000_000)
    market.lots("0.25")              # 250 lots of 0.001 BTC
    market.price_micro("4000.5")     # 4_000_500 micro-quote a lot
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, InvalidOperation
from typing import TypeAlias

from clearing import eip712
from clearing.codes import OrderFlag, Side
from clearing.messages import NO_ADDRESS, UNSIGNED, Authorisation, Order, Trade
from clearing.units import AMOUNT_MAX, FEE_PPM_MAX, LOTS_MAX, MICRO, PPM, PRICE_MAX
from novatio.errors import BadRequest, Inexact
from novatio.signing import Signer

__all__ = [
    "Market",
    "Number",
    "SignedOrder",
    "decimal_of",
    "from_micro",
    "match",
    "micro",
    "ppm",
    "side_of",
    "sign_bulk",
    "sign_order",
    "sign_trade",
]

# A float is no number here: 0.1 has no exact binary form, so it cannot be refused honestly.
Number: TypeAlias = Decimal | str | int

NANO = 10**9
_DIGITS_MAX = 40
# The usual context keeps 28 digits; the products of two bounds of the law have more.
_EXACT = Context(prec=60)


def decimal_of(value: Number, what: str) -> Decimal:
    """Return ``value`` as a finite Decimal. Raises BadRequest for floats and for other text."""
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int):
        raise BadRequest(
            f"{what}: expected a Decimal, text or an integer, was {value!r}",
            metadata={"was": repr(value)},
            next_step="write the number as text, for example '0.25'",
        )
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise BadRequest(
            f"{what}: expected a decimal number, was {value!r}",
            metadata={"was": str(value)},
            next_step="write the number as text, for example '0.25'",
        ) from None
    if not number.is_finite() or abs(number.adjusted()) > _DIGITS_MAX:
        raise BadRequest(
            f"{what}: expected a finite number of a usual size, was {value}",
            metadata={"was": str(value)},
        )
    return number


def micro(amount: Number) -> int:
    """Return micro-quote of an amount of the settlement asset: '12.5' is 12_500_000."""
    return _whole(decimal_of(amount, "amount"), MICRO, 1, "amount", "micro-quote", AMOUNT_MAX)


def from_micro(amount_micro: int) -> Decimal:
    """Return the amount of the settlement asset: 12_500_000 is Decimal('12.5')."""
    return _scaled(amount_micro, -6)


def ppm(fraction: Number) -> int:
    """Return parts per million of a fraction: '0.0005' is 500. Signed, at most one."""
    return _whole(decimal_of(fraction, "fraction"), PPM, 1, "fraction", "ppm", FEE_PPM_MAX)


def side_of(side: Side | str | int) -> Side:
    """Return the side that 'buy', 'sell', 1 or 2 names. Raises BadRequest."""
    if isinstance(side, str) and side.upper() in Side.__members__:
        return Side[side.upper()]
    if isinstance(side, int) and side in tuple(Side):
        return Side(side)
    raise BadRequest(
        f"side: expected 'buy' or 'sell', was {side!r}",
        metadata={"was": str(side)},
        next_step="write buy or sell",
    )


@dataclass(frozen=True, slots=True)
class Market:
    """What is needed of an instrument to speak of it in human units.

    ``tick_micro`` is the price step in micro-quote a lot, ``lot_size_nano`` the size of a lot in
    1e-9 of the underlying.
    """

    instrument: int
    symbol: str
    tick_micro: int
    lot_size_nano: int

    @property
    def lot_size(self) -> Decimal:
        """Size of one lot in the underlying."""
        return _scaled(self.lot_size_nano, -9)

    @property
    def tick(self) -> Decimal:
        """Smallest step of the price of one unit of the underlying, exact or to 60 digits."""
        return self.price(self.tick_micro)

    def lots(self, size: Number) -> int:
        """Return the lots of a positive size in the underlying. Raises Inexact."""
        number = decimal_of(size, "size")
        if number <= 0:
            raise BadRequest(
                f"size: expected a positive size, was {size}; the side says which way",
                metadata={"size": str(size)},
            )
        return _whole(number, NANO, self.lot_size_nano, "size", f"{self.symbol} lots", LOTS_MAX)

    def size(self, lots: int) -> Decimal:
        """Return the size in the underlying of signed lots; exact."""
        return _scaled(lots * self.lot_size_nano, -9)

    def price_micro(self, price: Number, *, whole_ticks: bool = True) -> int:
        """Return micro-quote a lot of a price of one unit of the underlying.

        Raises Inexact unless it is a whole number of ticks; of micro-quote without
        ``whole_ticks``, for prices that are observed and not traded.
        """
        number = decimal_of(price, "price")
        if number <= 0:
            raise BadRequest(
                f"price: expected a positive price, was {price}", metadata={"price": str(price)}
            )
        # price * 10^6 micro-quote * lot_size_nano / 10^9, as a fraction of whole numbers.
        numerator, denominator = number.as_integer_ratio()
        numerator *= self.lot_size_nano * MICRO
        denominator *= NANO
        unit = self.tick_micro if whole_ticks else 1
        step = denominator * unit
        if numerator % step:
            low = numerator // step * unit
            raise Inexact(
                f"price {price} of {self.symbol}: expected a multiple of {self.price(unit)}; "
                f"the nearest are {self.price(low)} and {self.price(low + unit)}",
                metadata={
                    "price": str(price),
                    "step_micro": str(unit),
                    "below_micro": str(low),
                    "above_micro": str(low + unit),
                },
            )
        found = numerator // denominator
        _bounded(found, PRICE_MAX, "price", "micro-quote a lot")
        return found

    def price(self, price_micro: int) -> Decimal:
        """Return the price of one unit of the underlying, exact or to 60 digits."""
        return _plain(_EXACT.divide(Decimal(price_micro * NANO), self.lot_size_nano * MICRO))

    def order(
        self,
        account: int,
        side: Side | str,
        size: Number,
        price: Number,
        *,
        slot: int = 0,
        sequence: int,
        expiry_ms: int,
        max_fee_ppm: int = 500,
        reduce_only: bool = False,
        maker_only: bool = False,
        venue: bytes = NO_ADDRESS,
    ) -> SignedOrder:
        """Return an order in the law's units; its authorisation is still missing."""
        flags = reduce_only * OrderFlag.REDUCE_ONLY | maker_only * OrderFlag.MAKER_ONLY
        order = Order(
            account=account,
            lots=self.lots(size),
            limit_price=self.price_micro(price),
            slot=slot,
            sequence=sequence,
            expiry=expiry_ms,
            max_fee=max_fee_ppm,
            flags=int(flags),
        )
        return SignedOrder(self.instrument, side_of(side), order, venue)


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with the instrument, side and venue that its signature covers.

    ``authorisation`` is None until ``sign_order`` or ``sign_bulk`` puts it there.
    """

    instrument: int
    side: Side
    order: Order
    venue: bytes = NO_ADDRESS
    authorisation: Authorisation | None = None

    def struct_hash(self) -> bytes:
        """Return the EIP-712 struct hash that the owner signs."""
        try:
            self.order.encode()
        except ValueError as error:
            raise BadRequest(f"order: {error}") from error
        return self.order.struct_hash(self.venue, self.instrument, self.side)


def sign_order(order: SignedOrder, signer: Signer, domain: bytes) -> SignedOrder:
    """Return the order with its owner's signature under the EIP-712 ``domain``."""
    digest = eip712.digest(domain, order.struct_hash())
    return replace(order, authorisation=Authorisation(signer.sign(digest)))


def sign_bulk(orders: Sequence[SignedOrder], signer: Signer, domain: bytes) -> list[SignedOrder]:
    """Return 1 .. 4,096 orders that one signature of their owner covers, as a tree."""
    if not orders:
        return []
    try:
        root, paths = eip712.bulk_tree([order.struct_hash() for order in orders])
    except ValueError as error:
        raise BadRequest(f"bulk: {error}") from error
    if len(orders) == 1:
        return [sign_order(orders[0], signer, domain)]
    signature = signer.sign(eip712.bulk_digest(domain, root))
    return [
        replace(order, authorisation=Authorisation(signature, place, path))
        for place, (order, path) in enumerate(zip(orders, paths, strict=True))
    ]


def match(
    maker: SignedOrder,
    taker: SignedOrder,
    *,
    lots: int | None = None,
    price_micro: int | None = None,
    maker_fee_ppm: int = 0,
    taker_fee_ppm: int = 0,
) -> Trade:
    """Return the trade of two orders, for the smaller of them at the maker's limit by default.

    Raises BadRequest if they disagree on instrument, venue or side: such a trade cannot be
    written down. A venue still has to co-sign with ``sign_trade``.
    """
    for what, one, other in (
        ("instrument", maker.instrument, taker.instrument),
        ("venue", maker.venue.hex(), taker.venue.hex()),
    ):
        if one != other:
            raise BadRequest(f"trade: expected one {what}, was {one} and {other}")
    if maker.side == taker.side:
        raise BadRequest(
            f"trade: expected a buy and a sell, was twice {maker.side.name.lower()}",
            next_step="turn one of the two orders around",
        )
    return Trade(
        instrument=maker.instrument,
        lots=min(maker.order.lots, taker.order.lots) if lots is None else lots,
        price=maker.order.limit_price if price_micro is None else price_micro,
        maker_fee=maker_fee_ppm,
        taker_fee=taker_fee_ppm,
        venue=maker.venue,
        maker_side=int(maker.side),
        maker=maker.order,
        taker=taker.order,
        maker_authorisation=maker.authorisation or UNSIGNED,
        taker_authorisation=taker.authorisation or UNSIGNED,
        venue_authorisation=None if maker.venue == NO_ADDRESS else UNSIGNED,
    )


def sign_trade(trade: Trade, venue: Signer, domain: bytes) -> Trade:
    """Return the trade with the venue's signature. Raises BadRequest if it names another venue."""
    if venue.address != trade.venue:
        raise BadRequest(
            f"trade: expected the signer of venue 0x{trade.venue.hex()}, was "
            f"0x{venue.address.hex()}",
            next_step="sign with the key of the venue that both orders name",
        )
    digest = eip712.digest(domain, trade.struct_hash())
    return replace(trade, venue_authorisation=Authorisation(venue.sign(digest)))


def _whole(number: Decimal, scale: int, step: int, what: str, unit: str, bound: int) -> int:
    """Return number * scale / step, which must be whole and within -bound .. bound."""
    numerator, denominator = number.as_integer_ratio()
    numerator, denominator = numerator * scale, denominator * step
    if numerator % denominator:
        low = numerator // denominator
        raise Inexact(
            f"{what} {number}: expected a whole number of {unit}, was between {low} and {low + 1}",
            metadata={what: str(number), "below": str(low), "above": str(low + 1)},
        )
    found = numerator // denominator
    _bounded(found, bound, what, unit)
    return found


def _bounded(value: int, bound: int, what: str, unit: str) -> None:
    if abs(value) > bound:
        raise BadRequest(
            f"{what}: expected at most {bound} {unit}, was {value}",
            metadata={"was": str(value), "bound": str(bound)},
        )


def _scaled(value: int, exponent: int) -> Decimal:
    return _plain(Decimal(value).scaleb(exponent, _EXACT))


def _plain(number: Decimal) -> Decimal:
    """Return the number without trailing zeros and without an exponent."""
    short = number.normalize(_EXACT)
    whole = short == short.to_integral_value(context=_EXACT)
    return short.quantize(Decimal(1), context=_EXACT) if whole else short

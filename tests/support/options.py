"""A world with an expiry: a perpetual that moves the index, a future, three calls and three puts.

    world = OptionWorld()
    world.stage(world.rows(extra=5_000))
    assert world.apply(world.activation()) == Code.APPLIED

Rows are intrinsic value plus `extra` at every point, which is monotone, convex and on parity.
"""

from dataclasses import dataclass

from clearing.codes import Code, InstrumentKind, Kind
from clearing.forms import ROWS_PER_ACTION
from clearing.genesis import GenesisInstrument, GenesisUnderlying
from clearing.grid import linear_pnl
from clearing.grid_preset import POINTS
from clearing.units import LOTS_MAX, PPM
from tests.support.world import MARK, PUBLISHERS, QUORUM, START_MS, World

EXPIRY_MS = START_MS + 30 * 86_400_000
STRIKES = (MARK - 10_000_000, MARK, MARK + 10_000_000)
PERPETUAL, FUTURE = 0, 1
CALLS, PUTS = (2, 3, 4), (5, 6, 7)
IN_ORDER = tuple(id for pair in zip(CALLS, PUTS, strict=True) for id in pair)
SHOCKS = tuple(price for price, _ in POINTS)


def markets():
    """The eight markets in the order of their ids."""
    linear = [
        GenesisInstrument("BTC-PERP", 0, 10, 10**6, LOTS_MAX, LOTS_MAX),
        GenesisInstrument("BTC-FUT", 0, 10, 10**6, LOTS_MAX, LOTS_MAX, kind=InstrumentKind.FUTURE),
    ]
    options = [
        GenesisInstrument(
            f"BTC-{strike}-{kind.name}", 0, 10, 10**6, LOTS_MAX, LOTS_MAX, kind=kind, strike=strike
        )
        for kind in (InstrumentKind.CALL, InstrumentKind.PUT)
        for strike in STRIKES
    ]
    return tuple(linear + options)


def shocked(price, shock_ppm):
    """The price after a shock, as the law rounds it."""
    return price + int(linear_pnl(price, shock_ppm))


def row_of(strike, is_call, reference=MARK, extra=5_000):
    """The 33 values of an option: intrinsic at each point, and something more."""
    gaps = ((shocked(reference, s) - strike) * (1 if is_call else -1) for s in SHOCKS)
    return [max(gap, 0) + extra for gap in gaps]


@dataclass(frozen=True)
class Neighbours:
    """The last two calls and puts staged, the later first; -1 none."""

    calls: tuple[int, int] = (-1, -1)
    puts: tuple[int, int] = (-1, -1)

    def after(self, id):
        """The neighbours once `id` is staged."""
        if id in CALLS:
            return Neighbours((id, self.calls[0]), self.puts)
        return Neighbours(self.calls, (id, self.puts[0]))


NOBODY = Neighbours()


class OptionWorld(World):
    """A world of `markets()`; index, perpetual and future stand at MARK."""

    def __init__(self, **changes):
        defaults = {
            "prices": (MARK, MARK),
            "instruments": markets(),
            "underlyings": (GenesisUnderlying(reference=0, expiries=(EXPIRY_MS,)),),
        }
        super().__init__(**{**defaults, **changes})

    @property
    def underlying(self):
        return self.state.underlyings[0]

    @property
    def series(self):
        return self.underlying.series[0]

    def rows(self, reference=MARK, extra=5_000, ids=IN_ORDER):
        """(instrument, values) of the options, in the order in which they are staged."""
        found = []
        for id in ids:
            row = self.instrument(id)
            is_call = int(row.kind) == InstrumentKind.CALL
            found.append((id, row_of(int(row.strike), is_call, reference, extra)))
        return found

    def row_action(self, rows, before=NOBODY, publishers=PUBLISHERS[:QUORUM], **values):
        """One action that stages rows behind those neighbours."""
        payload = [*before.calls, *before.puts]
        for id, row in rows:
            payload += [id, *row]
        fields = {"underlying": 0, "series": 0, "time": self.time, "price": MARK, **values}
        fields = {"forward": fields["price"], "discount_nano": 10**9, **fields}
        return self.published(Kind.RISK_ROWS, payload, publishers, **fields)

    def after(self, rows):
        """The neighbours once these rows of a set are staged."""
        found = NOBODY
        for id, _ in rows:
            found = found.after(id)
        return found

    def staging(self, rows, **values):
        """The actions that stage rows, as many in each as there is room for."""
        for first in range(0, len(rows), ROWS_PER_ACTION):
            part = rows[first : first + ROWS_PER_ACTION]
            yield self.row_action(part, self.after(rows[:first]), **values)

    def stage(self, rows, **values):
        """Stage rows; every action must be applied."""
        for action in self.staging(rows, **values):
            assert self.apply(action) == Code.APPLIED

    def activation(self, publishers=PUBLISHERS[:QUORUM], **values):
        """What activates the rows staged at this moment."""
        fields = {
            "underlying": 0,
            "series": 0,
            "time": self.time,
            "price": MARK,
            "discount_long_ppm": PPM,
            "discount_short_ppm": PPM,
            "confidence_ppm": PPM,
            **values,
        }
        return self.published(Kind.ACTIVATE, (), publishers, **fields)

    def publish_rows(self, reference=MARK, extra=5_000):
        """Stage and activate rows of all options now."""
        self.stage(self.rows(reference, extra), price=reference)
        assert self.apply(self.activation(price=reference)) == Code.APPLIED

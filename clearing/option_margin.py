"""Options outside a portfolio: payoff at expiry, standard margin, and the loss of one expiry.

Sources: Derive's standard manager, re-derived. A margin here is a *signed balance* that the
account must keep at or above zero together with its cash: value less requirement, so lower is
worse, as the source writes it. Amounts are micro-quote, prices micro-quote per lot.
"""

from clearing.charges import REQUIREMENT_MAX, capped_share, capped_sum, notional_share
from clearing.compiler import law
from clearing.grid import intrinsic
from clearing.layout import Rows
from clearing.units import PPM
from clearing.wide import mul_div_floor


@law
def option_payoff(
    lots: int, is_call: bool, strike: int, settlement_price: int, price_scale: int
) -> tuple[int, bool]:
    """Return (cash that a position receives at expiry, fits); a short pays, so it is negative.

    floor(lots * max(S - K, 0) / scale) for a call: down for longs, up for what shorts pay. Both
    prices are in 1 / `price_scale` micro-quote, because an average price is a fraction.
    """
    return mul_div_floor(lots, intrinsic(is_call, strike, settlement_price), price_scale)


@law
def capped_value(lots: int, price: int) -> int:
    """Return lots * price within +-REQUIREMENT_MAX."""
    value, fits = mul_div_floor(lots, price, 1)
    if not fits:
        return REQUIREMENT_MAX if (lots < 0) == (price < 0) else -REQUIREMENT_MAX
    return max(-REQUIREMENT_MAX, min(value, REQUIREMENT_MAX))


@law
def short_initial_requirement(
    lots: int, is_call: bool, strike: int, spot: int, minimum_ppm: int, maximum_ppm: int
) -> int:
    """Return max(minimum, maximum - OTM / spot) * spot of short lots (positive), rounded up.

    OTM is what the option is out of the money. Multiplied out: maximum * spot - OTM, so nothing
    is divided before the end.
    """
    least = notional_share(lots, spot, minimum_ppm)
    most = notional_share(lots, spot, maximum_ppm)
    return max(least, most - capped_value(lots, intrinsic(not is_call, strike, spot)))


@law
def standard_option_margin(
    lots: int,
    is_call: bool,
    strike: int,
    spot: int,
    mark_price: int,
    initial_maximum_ppm: int,
    initial_minimum_ppm: int,
    maintenance_ppm: int,
    put_value_ppm: int,
    put_initial_ppm: int,
) -> tuple[int, int, int]:
    """Return (value, initial margin, maintenance margin) of one isolated option position.

    Long: both margins are 0, paid in full and no credit for others. Short call: value -
    max(minimum, maximum - OTM / S) * S initially, value - maintenance * S. Short put: maintenance
    is value - max(maintenance * S, put_value * |value|); initial the worse of value - max(...) * S
    and put_initial * maintenance margin. Spot S up to 2^48; fractions up to 10^7.
    """
    value = capped_value(lots, mark_price)
    if lots >= 0:
        return value, 0, 0
    short = -lots
    initial = short_initial_requirement(
        short, is_call, strike, spot, initial_minimum_ppm, initial_maximum_ppm
    )
    maintenance = notional_share(short, spot, maintenance_ppm)
    if not is_call:
        maintenance = max(maintenance, capped_share(-value, put_value_ppm, PPM))
    owed_initial = capped_sum(-value, initial)
    owed_maintenance = capped_sum(-value, maintenance)
    if not is_call:
        owed_initial = max(owed_initial, capped_share(owed_maintenance, put_initial_ppm, PPM))
    return value, -max(owed_initial, owed_maintenance), -owed_maintenance


@law
def payoff_at(
    lots: Rows[int], right: Rows[int], strike: Rows[int], count: int, settlement_price: int
) -> int:
    """Return the payoff of options of one expiry at one price; `right` is 1 for calls, 0 for puts.

    Saturates at +-REQUIREMENT_MAX after each option, losses first, so towards more margin.
    """
    lost = 0
    gained = 0
    for i in range(count):
        each = intrinsic(right[i] != 0, strike[i], settlement_price)
        if lots[i] < 0:
            lost = capped_sum(lost, -capped_value(lots[i], each))
        else:
            gained = capped_sum(gained, capped_value(lots[i], each))
    return gained - lost


@law
def net_short_calls(lots: Rows[int], right: Rows[int], count: int) -> int:
    """Return the short calls of an expiry that no long call pairs, 0 or more lots."""
    net = 0
    for i in range(count):
        if right[i] != 0:
            net += lots[i]
    return max(-net, 0)


@law
def expiry_max_loss(
    lots: Rows[int],
    right: Rows[int],
    strike: Rows[int],
    count: int,
    forward: int,
    unpaired_ppm: int,
) -> tuple[int, int, int]:
    """Return (margin, price of the largest loss, unpaired short calls) of options of one expiry.

    The payoff is piecewise linear, so its least value is at a strike or at 0, unless calls are
    short on balance: those count as `unpaired_ppm` of the forward each. Margin is at most 0.
    """
    worst = min(payoff_at(lots, right, strike, count, 0), 0)
    where = 0
    for i in range(count):
        payoff = payoff_at(lots, right, strike, count, strike[i])
        if payoff < worst:
            worst = payoff
            where = strike[i]
    unpaired = net_short_calls(lots, right, count)
    owed = capped_sum(-worst, notional_share(unpaired, forward, unpaired_ppm))
    return -owed, where, unpaired

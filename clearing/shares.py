"""Splitting a whole number over several holders so that the parts sum to the whole exactly.

Two forms. With all holders at hand: floors, then one unit each to the largest remainders, ties to
the lower id, so that the order in which holders stand does not matter. For a sweep that sees one
holder at a time: the difference of two rounded running shares, exact in sum and within one unit of
pro rata. Amounts and sums of weights are 0 .. 2**62; products of two are never cut off.
"""

from clearing.compiler import law
from clearing.layout import Rows
from clearing.wide import mul_div_floor, wide_from, wide_subtract

_TAKING_PART = 0
_LEFT_OUT = -1  # below every remainder, so that it never outranks one


@law
def portion(amount: int, part: int, whole: int) -> int:
    """Return floor(amount * part / whole) for 0 <= part <= whole; 0 if there is no whole."""
    share, _ = mul_div_floor(amount, part, whole)
    return share


@law
def prefix_share(total: int, weight_before: int, weight_after: int, weight_total: int) -> int:
    """Return the share of the holder who raises the running sum of weights to `weight_after`.

    floor(S * W_i / W) - floor(S * W_(i-1) / W): over all holders the sum is `total`, each is
    within one of pro rata, and the order of holders is all that it depends on. 0 without weights.
    """
    return portion(total, weight_after, weight_total) - portion(total, weight_before, weight_total)


@law
def sequential_share(total: int, held_before: int, held: int) -> int:
    """Return what is left of `total` for a holder of `held` after those before took all theirs."""
    return max(0, min(held, total - held_before))


@law
def sequential_shares(total: int, held: Rows[int], count: int, shares: Rows[int]) -> int:
    """Give each holder in turn all it holds until `total` is spent; return what was not placed."""
    before = 0
    left = total
    for i in range(count):
        shares[i] = sequential_share(total, before, held[i])
        left -= shares[i]
        # Sums of holdings may be large, but beyond the total they no longer matter.
        before = min(total, before + held[i])
    return left


@law
def largest_remainder(
    total: int,
    weights: Rows[int],
    ids: Rows[int],
    count: int,
    shares: Rows[int],
    remainders: Rows[int],
) -> int:
    """Split `total` by `weights` (>= 0); return what was given: `total`, or 0 without weights.

    Writes `shares`; `remainders` is working memory. `ids` are distinct and break ties.
    """
    weight_total = 0
    for i in range(count):
        shares[i] = 0
        remainders[i] = _TAKING_PART
        weight_total += weights[i]
    return _split(total, weight_total, weights, ids, count, shares, remainders)


@law
def capped_shares(
    total: int,
    weights: Rows[int],
    caps: Rows[int],
    ids: Rows[int],
    count: int,
    shares: Rows[int],
    remainders: Rows[int],
) -> int:
    """Split `total` by `weights` with nobody above its cap; return what was given.

    Whoever's pro-rata share reaches its cap gets the cap, and the rest is split anew over the
    others, until nobody is above; the last split is by largest remainder. Gives
    min(total, sum of the caps of those with a weight), and never more.
    """
    for i in range(count):
        shares[i] = 0
        remainders[i] = _TAKING_PART if weights[i] > 0 and caps[i] > 0 else _LEFT_OUT
    left = total
    weight_total = 0
    capped = True
    while capped:
        capped = False
        weight_total = 0
        for i in range(count):
            weight_total += weights[i] if remainders[i] == _TAKING_PART else 0
        to_split = left
        for i in range(count):
            share = portion(to_split, weights[i], weight_total)
            if remainders[i] == _TAKING_PART and share >= caps[i]:
                shares[i] = caps[i]
                left -= caps[i]
                remainders[i] = _LEFT_OUT
                capped = True
    return total - left + _split(left, weight_total, weights, ids, count, shares, remainders)


@law
def scaled_shares(
    collected: int,
    expected: int,
    dues: Rows[int],
    count: int,
    residue_to: int,
    shares: Rows[int],
) -> int:
    """Pay floor(due * collected / expected) each, the residue to row `residue_to`; return it.

    What falls short of `expected` (at least the sum of the dues) is so borne pro rata. With enough
    collected, everyone is paid in full and what is left over is returned, paid to nobody.
    """
    if collected >= expected:
        for i in range(count):
            shares[i] = dues[i]
        return collected - expected
    residue = collected
    for i in range(count):
        shares[i] = portion(dues[i], collected, expected)
        residue -= shares[i]
    shares[residue_to] += residue
    return residue


@law
def _split(
    total: int,
    weight_total: int,
    weights: Rows[int],
    ids: Rows[int],
    count: int,
    shares: Rows[int],
    remainders: Rows[int],
) -> int:
    """Split `total` over those not left out, by floors and largest remainders."""
    if weight_total <= 0:
        return 0
    left = total
    for i in range(count):
        if remainders[i] != _LEFT_OUT:
            shares[i] = portion(total, weights[i], weight_total)
            remainders[i] = _remainder(total, weights[i], shares[i], weight_total)
            left -= shares[i]
    # Fewer units are left than there are remainders above zero.
    for i in range(count):
        if remainders[i] > 0 and _rank(i, ids, count, remainders) < left:
            shares[i] += 1
    return total


@law
def _remainder(total: int, weight: int, share: int, weight_total: int) -> int:
    """Return total * weight - share * weight_total, which is below 2**62 unlike its terms."""
    high, low = wide_from(total, weight)
    given_high, given_low = wide_from(share, weight_total)
    _, remainder = wide_subtract(high, low, given_high, given_low)
    return remainder


@law
def _rank(place: int, ids: Rows[int], count: int, remainders: Rows[int]) -> int:
    """Return how many holders stand before the one at `place` for a spare unit."""
    rank = 0
    for i in range(count):
        # The row decides last, so that rows of one id cannot both take the last unit.
        if (-remainders[i], ids[i], i) < (-remainders[place], ids[place], place):
            rank += 1
    return rank

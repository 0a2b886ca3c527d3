"""Collateral other than the settlement asset: what it counts for, and how it is turned into cash.

Amounts are units of an asset (0 .. 2**48 or as told), prices micro-quote per 10^6 units. What is
owned is valued down, what is owed up. Haircuts, weights and discounts are ppm.
"""

from clearing.compiler import law
from clearing.layout import Rows
from clearing.products import triple_ceil, triple_floor
from clearing.units import PPM
from clearing.wide import LIMB, mul_div_ceil, mul_div_floor, product_at_least

PRICED_UNITS = 10**6  # units that a collateral price is for
SIZE_SCALE_ROOT = 100_000  # square root of 10 * 10^9: sizes of 1e-9 under the root, ten times
ASSETS_MAX = 16  # assets that a choice of collateral ranges over
SET_ASSETS_MAX = 10  # and the assets among which every set is tried


@law
def haircut_value(units: int, price: int, stable: int, haircut_ppm: int) -> tuple[int, bool]:
    """Return (units * min(price, stable) * (1 - haircut), rounded down once, fits)."""
    return triple_floor(units, min(price, stable), PPM - haircut_ppm, PRICED_UNITS, PPM)


@law
def liability_value(units: int, price: int, stable: int, markup_ppm: int) -> tuple[int, bool]:
    """Return (units * max(price, stable) * (1 + markup), rounded up once, fits)."""
    return triple_ceil(units, max(price, stable), PPM + markup_ppm, PRICED_UNITS, PPM)


@law
def concentrated_weight_ppm(weight_ppm: int, deposits: int, scale_start: int) -> int:
    """Return the weight that deposits (micro-quote, all accounts) leave to an asset, down.

    weight * scale start / deposits once deposits exceed the start: from there on the whole
    market's deposits together count for no more than they did there.
    """
    if deposits <= scale_start:
        return weight_ppm
    scaled, _ = mul_div_floor(weight_ppm, scale_start, deposits)
    return scaled


@law
def concentrated_liability_ppm(weight_ppm: int, borrows: int, scale_start: int) -> tuple[int, bool]:
    """Return (weight * borrows / scale start once borrows exceed the start, fits), up."""
    if borrows <= scale_start:
        return weight_ppm, True
    return mul_div_ceil(weight_ppm, borrows, scale_start)


@law
def integer_root(value: int) -> int:
    """Return the whole part of the square root of 0 .. 2**62 - 1, bit by bit."""
    root = 0
    bit = 1 << 30
    while bit > 0:
        if (root + bit) * (root + bit) <= value:
            root += bit
        bit >>= 1
    return root


@law
def size_root(size: int) -> int:
    """Return 100_000 * sqrt(size), down, for a size in 1e-9 of an asset (0 .. 2**58)."""
    return integer_root(10 * size + 1)


@law
def size_asset_weight_ppm(weight_ppm: int, size: int, factor_ppm: int) -> int:
    """Return min(weight, 1.1 / (1 + factor * sqrt(size))), down; the size is in 1e-9."""
    if factor_ppm == 0:
        return weight_ppm
    premium, fits = mul_div_ceil(size_root(size), factor_ppm, SIZE_SCALE_ROOT)
    if not fits or premium > LIMB:
        return 0
    return min(weight_ppm, (PPM + PPM // 10) * PPM // (PPM + premium))


@law
def size_liability_weight_ppm(weight_ppm: int, size: int, factor_ppm: int) -> tuple[int, bool]:
    """Return (max(weight, 0.8 * weight + factor * sqrt(size)), fits), up; the size is in 1e-9."""
    premium, fits = mul_div_ceil(size_root(size), factor_ppm, SIZE_SCALE_ROOT)
    if not fits or premium > LIMB:
        return 0, False
    return max(weight_ppm, weight_ppm - weight_ppm // 5 + premium), True


@law
def depeg_factor_ppm(peg_price: int, threshold: int, multiplier_ppm: int) -> int:
    """Return multiplier * max(0, threshold - peg): what initial margin grows by, ppm, up.

    Peg and threshold are micro-quote per quote of the settlement asset (10^6 at par).
    """
    increase, _ = mul_div_ceil(max(0, threshold - peg_price), multiplier_ppm, PPM)
    return increase


@law
def depeg_penalty(
    notional: int, peg_price: int, threshold: int, multiplier_ppm: int
) -> tuple[int, bool]:
    """Return (notional * multiplier * max(0, threshold - peg) in micro-quote, fits), up.

    What initial margin grows by while the settlement asset is worth less than the threshold.
    """
    return triple_ceil(notional, multiplier_ppm, max(0, threshold - peg_price), PPM, PPM)


@law
def conversion_order(haircuts_ppm: Rows[int], order: Rows[int]) -> None:
    """Write the order in which assets are sold: the smallest haircut first, then by index.

    What is steadiest sells nearest to its price, which is best for the account and for whoever
    would pay for the rest.
    """
    for i in range(haircuts_ppm.shape[0]):
        place = i
        while place > 0 and haircuts_ppm[order[place - 1]] > haircuts_ppm[i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i


@law
def conversion_units(
    shortfall: int, held: int, price: int, discount_ppm: int
) -> tuple[int, int, bool]:
    """Return (units to sell, micro-quote that they bring, whether that fits).

    The fewest units whose proceeds at price * (1 - keeper's discount), down, cover the shortfall;
    all of `held` if they cannot.
    """
    wanted, fits = triple_ceil(shortfall, PRICED_UNITS, PPM, price, PPM - discount_ppm)
    units = max(0, min(held, wanted)) if fits else held
    proceeds, proceeds_fit = haircut_value(units, price, price, discount_ppm)
    return units, proceeds, proceeds_fit


@law
def is_cheaper(cost_ppm: int, haircut_ppm: int, other_cost: int, other_haircut: int) -> bool:
    """Tell whether an asset costs less per micro-quote that it counts for than another does."""
    return not product_at_least(cost_ppm, PPM - other_haircut, other_cost, PPM - haircut_ppm)


@law
def pledge_cheapest(
    required: int,
    values: Rows[int],
    haircuts_ppm: Rows[int],
    costs_ppm: Rows[int],
    pledged: Rows[int],
) -> tuple[int, int]:
    """Write the cheapest pledge of divisible assets; return (what it counts for, what it costs).

    Values and pledges are micro-quote before haircuts, 0 .. 2**56; costs are ppm of the value
    pledged. Assets are taken whole from the cheapest per micro-quote that counts, the last one in
    part: no other division costs less, but for one micro-quote an asset of rounding. Counts for
    less than `required` only if everything is pledged.
    """
    covered = 0
    cost = 0
    taken = 0
    for i in range(values.shape[0]):
        pledged[i] = 0
    for _ in range(values.shape[0]):
        best = -1
        for i in range(values.shape[0]):
            if taken & (1 << i) == 0 and (
                best < 0
                or is_cheaper(costs_ppm[i], haircuts_ppm[i], costs_ppm[best], haircuts_ppm[best])
            ):
                best = i
        taken |= 1 << best
        if covered >= required or haircuts_ppm[best] >= PPM:
            continue
        amount, fits = mul_div_ceil(required - covered, PPM, PPM - haircuts_ppm[best])
        pledged[best] = min(amount, values[best]) if fits else values[best]
        counted, _ = mul_div_floor(pledged[best], PPM - haircuts_ppm[best], PPM)
        charge, _ = mul_div_ceil(pledged[best], costs_ppm[best], PPM)
        covered += counted
        cost += charge
    return covered, cost


@law
def cheapest_set(
    required: int, values: Rows[int], haircuts_ppm: Rows[int], costs_ppm: Rows[int]
) -> tuple[int, int, int]:
    """Return (bits of the set, what it counts for, its cost) of whole assets, by trying every set.

    For at most ten assets that cannot be divided. The cheapest set that covers `required`; of
    equals the one that counts for more, then the lowest bits. The set of everything if none does.
    """
    everything = (1 << values.shape[0]) - 1
    best = -1
    best_covered = 0
    best_cost = 0
    for members in range(everything + 1):
        covered, cost = set_terms(members, values, haircuts_ppm, costs_ppm)
        cheaper = best < 0 or cost < best_cost or (cost == best_cost and covered > best_covered)
        if covered >= required and cheaper:
            best = members
            best_covered = covered
            best_cost = cost
    if best < 0:
        best = everything
        best_covered, best_cost = set_terms(everything, values, haircuts_ppm, costs_ppm)
    return best, best_covered, best_cost


@law
def set_terms(
    members: int, values: Rows[int], haircuts_ppm: Rows[int], costs_ppm: Rows[int]
) -> tuple[int, int]:
    """Return (what a set of whole assets counts for, down, and its cost, up), in micro-quote."""
    covered = 0
    cost = 0
    for i in range(values.shape[0]):
        if members & (1 << i) != 0:
            counted, _ = mul_div_floor(values[i], PPM - haircuts_ppm[i], PPM)
            charge, _ = mul_div_ceil(values[i], costs_ppm[i], PPM)
            covered += counted
            cost += charge
    return covered, cost

"""Formulas of prices: medians, means, the stable price, validity, bands and restarts."""

from __future__ import annotations

from clearing.formulas.oracle_entries import (
    action_allowed,
    conservative_price,
    delayed_price,
    exponential_mean,
    median_verify,
    oracle_validity,
    price_bounds,
    quorum_reached,
    restart_grace,
    stable_price,
    stable_price_path,
    twap,
)
from clearing.formulas.quantities import (
    PRICE,
    YES_OR_NO,
    Formula,
    Quantity,
    Series,
    Table,
    lots,
    ppm,
    price,
)
from clearing.oracle import Use, Validity
from clearing.units import PRICE_MAX, TIME_MAX

SAMPLES_MAX = 512
UPDATES_MAX = 1 << 12
VALUES_MAX = 64
VOLATILE_RATIO_MAX = 10**6

RUNGS = ", ".join(f"{rung.value} {rung.name.lower()}" for rung in Validity)
USES = ", ".join(f"{use.value} {use.name.lower()}" for use in Use)


def _time(name: str) -> Quantity:
    return Quantity(name, "milliseconds", 0, TIME_MAX)


SAMPLES = (price("price"), _time("time"))
VALIDITY = Quantity("validity", RUNGS, int(Validity.VALID), int(Validity.NON_POSITIVE))

FORMULAS = (
    Formula(
        "median_verify",
        "Whether at least half of the values are at most the median and half at least it.",
        (
            Series("values", Quantity("value", "any unit"), VALUES_MAX),
            Quantity("median", "any unit"),
        ),
        (Quantity("valid", YES_OR_NO),),
        median_verify,
    ),
    Formula(
        "quorum_reached",
        "Whether enough signers, strictly ascending and so distinct, signed.",
        (
            Series("signers", Quantity("signer", "signer id", 0), VALUES_MAX),
            Quantity("quorum", "signers", 1, VALUES_MAX),
        ),
        (Quantity("reached", YES_OR_NO),),
        quorum_reached,
    ),
    Formula(
        "twap",
        "The time-weighted mean price over start .. end, down; each price holds until the next.",
        (Table("samples", SAMPLES, SAMPLES_MAX), _time("start"), _time("end")),
        (Quantity("twap", PRICE), Quantity("exists", YES_OR_NO)),
        twap,
        note="The law settles at settlement_price, whose window begins at the first price in it.",
    ),
    Formula(
        "exponential_mean",
        "A mean moved to the price by the share elapsed / period, at most wholly.",
        (
            price("last_mean"),
            price("price"),
            _time("elapsed_ms"),
            Quantity("period_ms", "milliseconds", 1, TIME_MAX),
        ),
        (Quantity("mean", PRICE),),
        exponential_mean,
    ),
    Formula(
        "stable_price_mango",
        "A stable price one step on: 0.03 % a second, slower the further from the delayed price.",
        (price("stable_price"), price("delayed_price"), price("price"), _time("elapsed_ms")),
        (Quantity("stable_price", PRICE),),
        stable_price,
        note="The law's is stable_price, which knows no delayed price.",
    ),
    Formula(
        "delayed_price_mango",
        "The next delayed price: the mean of an interval within 6 % of the one before.",
        (price("last_delayed_price"), price("interval_mean")),
        (Quantity("delayed_price", PRICE),),
        delayed_price,
    ),
    Formula(
        "stable_price_path_mango",
        "The stable and the day-old delayed price after a series of prices.",
        (Table("updates", SAMPLES, UPDATES_MAX), price("start_price"), _time("start_time")),
        (Quantity("stable_price", PRICE), Quantity("delayed_price", PRICE)),
        stable_price_path,
    ),
    Formula(
        "conservative_price",
        "The lower of price and stable price for what is held, the higher for what is owed.",
        (price("price"), price("stable_price"), lots("lots")),
        (Quantity("price", PRICE),),
        conservative_price,
        note="The law takes no such price: it adds the difference to initial margin.",
    ),
    Formula(
        "oracle_validity",
        "The worst rung of the validity ladder that a price stands on.",
        (
            Quantity("price", PRICE, -PRICE_MAX, PRICE_MAX),
            price("mean_price"),
            Quantity("confidence", PRICE, 0, PRICE_MAX, 0),
            Quantity("age_ms", "milliseconds", 0, TIME_MAX, 0),
            Quantity("open_age_ms_max", "milliseconds", 0, TIME_MAX, 5_000),
            Quantity("margin_age_ms_max", "milliseconds", 0, TIME_MAX, 60_000),
            Quantity("confidence_max_ppm", "ppm", 0, 10**6, 20_000),
            Quantity("volatile_ratio", "times", 1, VOLATILE_RATIO_MAX, 5),
        ),
        (VALIDITY,),
        oracle_validity,
    ),
    Formula(
        "oracle_action_allowed_ladder",
        "Whether a price may be used so on a ladder, where a worse rung forbids more.",
        (VALIDITY, Quantity("use", USES, int(Use.OPEN), int(Use.ROW_CHECK))),
        (Quantity("allowed", YES_OR_NO),),
        action_allowed,
        note="The law's is oracle_action_allowed, a matrix: each doubt forbids its own uses.",
    ),
    Formula(
        "price_bounds",
        "The lowest and highest price within a band around a reference.",
        (price("reference_price"), ppm("band_ppm")),
        (Quantity("lowest", PRICE), Quantity("highest", PRICE)),
        price_bounds,
        law=("oracle.price_bounds",),
    ),
    Formula(
        "restart_grace_by_clock",
        "Until when liquidations wait after law time moved on; a long gap is an outage.",
        (
            _time("last_clock"),
            _time("clock"),
            Quantity("grace_until", "milliseconds", 0, TIME_MAX, 0),
            Quantity("outage_ms", "milliseconds", 1, TIME_MAX, 300_000),
            Quantity("grace_ms", "milliseconds", 0, 1 << 40, 300_000),
        ),
        (Quantity("grace_until", "milliseconds"),),
        restart_grace,
        note="The law's is restart_grace: there an outage is of a market's prices.",
    ),
)

"""Splitting a whole: exact in sum, fair within one, and independent of the order of holders."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing import formulas, shares
from clearing.compiler import checked

END = 1 << 62

totals = st.integers(0, 100) | st.integers(0, END)
# At most 40 weights, so that their sum stays below 2**62.
weights = st.lists(st.integers(0, 9) | st.integers(0, END // 64), min_size=1, max_size=40)


def evaluate(name, arguments):
    """The results of a formula by name."""
    return formulas.evaluate(name, arguments)


def numbers(values):
    return np.array(values, np.int64)


def largest_remainder(total, parts, ids):
    given_to, work = numbers([0] * len(parts)), numbers([0] * len(parts))
    with checked():
        shares.largest_remainder(total, numbers(parts), numbers(ids), len(parts), given_to, work)
    return [int(share) for share in given_to]


def capped(total, parts, caps, ids):
    given_to, work = numbers([0] * len(parts)), numbers([0] * len(parts))
    with checked():
        placed = shares.capped_shares(
            total, numbers(parts), numbers(caps), numbers(ids), len(parts), given_to, work
        )
    return [int(share) for share in given_to], int(placed)


def twin(total, parts, ids):
    """Largest remainder with exact fractions and a sort."""
    if not sum(parts):
        return [0] * len(parts)
    exact = [Fraction(total * part, sum(parts)) for part in parts]
    result = [floor(share) for share in exact]
    spare = total - sum(result)
    for i in sorted(range(len(parts)), key=lambda i: (result[i] - exact[i], ids[i]))[:spare]:
        result[i] += 1
    return result


def test_seven_over_three_equals_gives_the_spare_one_to_the_lowest_id():
    assert largest_remainder(7, [1, 1, 1], [5, 3, 9]) == [2, 3, 2]
    assert largest_remainder(8, [1, 1, 1], [5, 3, 9]) == [3, 3, 2]


def test_the_spare_one_goes_to_the_largest_remainder():
    # 10 over 6, 3, 2: 5.45, 2.73 and 1.82.
    assert largest_remainder(10, [6, 3, 2], [0, 1, 2]) == [5, 3, 2]


@given(totals, weights)
def test_largest_remainder_is_that_of_exact_fractions(total, parts):
    ids = list(range(len(parts)))
    assert largest_remainder(total, parts, ids) == twin(total, parts, ids)


@given(totals, weights, st.randoms(use_true_random=False))
def test_the_order_in_which_holders_stand_does_not_matter(total, parts, chance):
    ids = list(range(100, 100 + len(parts)))
    by_id = dict(zip(ids, largest_remainder(total, parts, ids), strict=True))
    mixed = list(zip(parts, ids, strict=True))
    chance.shuffle(mixed)
    shuffled_parts, shuffled_ids = zip(*mixed, strict=True)
    again = largest_remainder(total, shuffled_parts, shuffled_ids)
    assert dict(zip(shuffled_ids, again, strict=True)) == by_id


@given(totals, weights)
def test_prefix_shares_sum_to_the_whole_and_stay_within_one_of_pro_rata(total, parts):
    whole = sum(parts)
    running, given_out = 0, 0
    for part in parts:
        with checked():
            share = int(shares.prefix_share(total, running, running + part, whole))
        running += part
        given_out += share
        if whole:
            assert abs(share - Fraction(total * part, whole)) < 1
    assert given_out == (total if whole else 0)


def test_a_prefix_share_of_the_largest_numbers_is_exact():
    arguments = {
        "total": END,
        "weight_sum_before": END // 3,
        "weight_sum_after": END - 1,
        "weight_total": END,
    }
    assert evaluate("prefix_share", arguments) == {"share": END - 1 - END // 3}


def test_a_holder_who_cannot_take_its_part_leaves_it_to_the_others():
    # Pro rata 25 and 25; the first holds ten.
    assert capped(50, [100, 100], [10, 100], [0, 1]) == ([10, 40], 50)
    # Each round may cap another: 30, 30, 30; then 40, 40; then 75.
    assert capped(90, [1, 1, 1], [10, 35, 99], [0, 1, 2]) == ([10, 35, 45], 90)
    assert capped(90, [1, 1], [10, 35], [0, 1]) == ([10, 35], 45)


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_capped_shares_place_all_that_can_be_placed_and_nobody_is_above_its_cap(
    total, rows, chance
):
    rows = [(part, cap, i) for i, (part, cap) in enumerate(rows)]
    parts, caps, ids = zip(*rows, strict=True)
    result, placed = capped(total, parts, caps, ids)
    room = sum(cap for part, cap, _ in rows if part)
    assert placed == sum(result) == min(total, room)
    assert all(share <= cap for share, cap in zip(result, caps, strict=True))
    assert all(share == 0 for share, part in zip(result, parts, strict=True) if part == 0)
    # Whoever is below its cap got, within one, as much per weight as anybody.
    free = [(s, p) for s, p, c in zip(result, parts, caps, strict=True) if p and s < c]
    for share, part in free:
        for other, other_part in zip(result, parts, strict=True):
            assert other_part == 0 or (other - 1) * part <= (share + 1) * other_part
    chance.shuffle(rows)
    again, _ = capped(total, *zip(*rows, strict=True))
    assert sorted(zip((row[2] for row in rows), again, strict=True)) == list(
        zip(ids, result, strict=True)
    )


@given(st.integers(0, END), st.lists(st.integers(0, END // 64), min_size=1, max_size=40))
def test_in_turn_each_gives_all_it_has_until_enough_is_given(total, held):
    result = evaluate("waterfall_payments", {"deficit": total, "resources": held})
    left = total
    for paid, had in zip(result["paid"], held, strict=True):
        assert paid == min(left, had)
        left -= paid
    assert result["left"] == left


def test_the_resources_of_a_waterfall_pay_in_order():
    result = evaluate("waterfall_payments", {"deficit": 100, "resources": [30, 0, 50, 40]})
    assert result == {"paid": [30, 0, 50, 20], "left": 0}


@pytest.mark.parametrize(
    ("arguments", "paid", "residue"),
    [
        # Two winners are owed 5,080 and 51, and 5,080 of 5,131 came in: 99 %.
        ({"collected": 5_080, "dues": [5_080, 51]}, [5_029, 51], 1),
        ({"collected": 10, "dues": [7, 7, 7]}, [3, 3, 4], 1),
        ({"collected": 10, "dues": [7, 7, 7], "residue_to": 0}, [4, 3, 3], 1),
        # Paid in full when enough came in; what is left over goes to nobody.
        ({"collected": 25, "dues": [7, 7, 7]}, [7, 7, 7], 4),
        ({"collected": 0, "dues": [7, 7]}, [0, 0], 0),
        ({"collected": 30, "dues": [20, 10], "expected": 60}, [10, 20], 15),
    ],
)
def test_what_came_in_is_paid_pro_rata_with_the_residue_to_one(arguments, paid, residue):
    assert evaluate("pro_rata_distribution", arguments) == {"paid": paid, "residue": residue}


@given(totals, weights)
def test_a_distribution_pays_out_exactly_what_came_in(collected, dues):
    collected = min(collected, sum(dues))
    paid = evaluate("pro_rata_distribution", {"collected": collected, "dues": dues})["paid"]
    if sum(dues):
        assert sum(paid) == collected
        for one, due in list(zip(paid, dues, strict=True))[:-1]:
            assert one == floor(Fraction(due * collected, sum(dues)))

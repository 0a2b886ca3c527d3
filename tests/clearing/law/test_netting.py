"""Multilateral netting: one leg an account, nothing created, positions kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.formulas import evaluate

accounts = st.integers(0, 5)


def netting_report(legs):
    rows = [{"account": account, "amount": amount} for account, amount in legs]
    return evaluate("netting_report", {"legs": rows})


def test_three_accounts_that_owe_in_a_circle_settle_the_differences():
    # 1 owes 2 a hundred, 2 owes 3 eighty, 3 owes 1 seventy.
    legs = [(1, -100), (2, 100), (2, -80), (3, 80), (3, -70), (1, 70)]
    assert netting_report(legs) == {
        "accounts": [1, 2, 3],
        "net_amounts": [-30, 20, 10],
        "gross_turnover": 250,
        "net_turnover": 30,
        "netting_ratio_ppm": 880_000,
        "balanced": True,
    }


def test_the_ratio_that_netting_saved_is_cut_not_rounded_up():
    # 3 of 3 gross fall to 1: two thirds are 666_666.67 ppm.
    report = netting_report([(1, -1), (2, 1), (2, -1), (3, 1), (3, -1), (4, 1)])
    assert (report["gross_turnover"], report["net_turnover"]) == (3, 1)
    assert report["netting_ratio_ppm"] == 666_666


def test_legs_that_do_not_sum_to_zero_are_unbalanced():
    assert not netting_report([(1, -100), (2, 99)])["balanced"]


def test_nothing_to_net_saves_nothing():
    assert netting_report([]) == {
        "accounts": [],
        "net_amounts": [],
        "gross_turnover": 0,
        "net_turnover": 0,
        "netting_ratio_ppm": 0,
        "balanced": True,
    }


@given(st.lists(st.tuples(accounts, accounts, st.integers(1, 1 << 50)), max_size=40))
def test_netting_keeps_every_accounts_sum_and_never_moves_more(payments):
    legs = [leg for a, b, amount in payments for leg in ((a, -amount), (b, amount))]
    report = netting_report(legs)
    nets = dict(zip(report["accounts"], report["net_amounts"], strict=True))
    assert list(nets) == list(dict.fromkeys(account for account, _ in legs))
    for account, net in nets.items():
        assert net == sum(amount for owner, amount in legs if owner == account)
    assert report["balanced"] and sum(nets.values()) == 0
    assert report["gross_turnover"] == sum(amount for _, _, amount in payments)
    assert report["net_turnover"] == sum(max(0, net) for net in nets.values())
    assert report["net_turnover"] <= report["gross_turnover"]


def test_trades_compress_to_net_lots_and_net_cash():
    trades = [
        {"buyer": 1, "seller": 2, "lots": 10, "price": 100},
        {"buyer": 2, "seller": 3, "lots": 10, "price": 110},
        {"buyer": 3, "seller": 1, "lots": 4, "price": 120},
    ]
    assert evaluate("compress_trades", {"trades": trades}) == {
        "accounts": [1, 2, 3],
        "net_lots": [6, 0, -6],
        "net_cash": [-1_000 + 480, 1_000 - 1_100, 1_100 - 480],
        "gross_lots": 24,
        "compressed_lots": 6,
    }


@pytest.mark.parametrize(
    ("before", "after", "keeps"),
    [
        # Two opposite contracts of account 2 are torn up; it drops out.
        ([(1, 5), (2, -5), (2, 5), (3, -5)], [(1, 5), (3, -5)], True),
        ([(1, 5), (2, -5), (2, 5), (3, -5)], [(1, 4), (3, -4)], False),
        ([(1, 5), (2, -5)], [(1, 5), (3, -5)], False),
        ([(1, 5), (2, -5)], [(1, 5), (2, -5), (3, 1), (4, -1)], False),
        ([(1, 5), (2, -4)], [(1, 5), (2, -4)], False),
        ([(1, 5), (2, -5)], [(1, 5), (2, -4)], False),
        ([], [], True),
    ],
)
def test_a_tear_up_keeps_net_positions(before, after, keeps):
    rows = [[{"account": a, "lots": lots} for a, lots in side] for side in (before, after)]
    result = evaluate("tear_up_check", {"before": rows[0], "after": rows[1]})
    assert result == {"keeps_positions": keeps}

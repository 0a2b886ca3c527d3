"""Multilateral netting: many legs between accounts become one leg an account.

Legs are (account, amount) with amounts above zero received and below zero paid; over all legs they
sum to zero, or nothing is netted. Results are written into rows of the caller, as many as there
are legs. Amounts are within +-2**48 lots or +-2**55 micro-quote, at most 128 legs at a time.
"""

from clearing.compiler import law
from clearing.layout import Rows
from clearing.units import PPM
from clearing.wide import mul_div_floor

LEGS_MAX = 128


@law
def is_balanced(amounts: Rows[int]) -> bool:
    """Tell whether all amounts sum to zero."""
    total = 0
    for i in range(amounts.shape[0]):
        total += amounts[i]
    return total == 0


@law
def net_of(accounts: Rows[int], amounts: Rows[int], account: int) -> int:
    """Return the sum of one account's legs."""
    total = 0
    for i in range(accounts.shape[0]):
        if accounts[i] == account:
            total += amounts[i]
    return total


@law
def net_legs(
    accounts: Rows[int], amounts: Rows[int], net_accounts: Rows[int], net_amounts: Rows[int]
) -> int:
    """Write each account's one net leg, in order of first appearance; return how many there are.

    An account whose legs cancel has a leg of zero: it is done, and says so.
    """
    count = 0
    for i in range(accounts.shape[0]):
        known = False
        for j in range(count):
            if net_accounts[j] == accounts[i]:
                net_amounts[j] += amounts[i]
                known = True
                break
        if not known:
            net_accounts[count] = accounts[i]
            net_amounts[count] = amounts[i]
            count += 1
    return count


@law
def turnover(amounts: Rows[int]) -> int:
    """Return the sum of what is received, which is also what is paid if the legs balance."""
    total = 0
    for i in range(amounts.shape[0]):
        total += max(0, amounts[i])
    return total


@law
def netting_ratio_ppm(gross: int, net: int) -> int:
    """Return the share of the gross turnover that netting saved, rounded down; 0 without any."""
    saved, _ = mul_div_floor(gross - net, PPM, gross)
    return saved


@law
def keeps_positions(
    accounts_before: Rows[int],
    lots_before: Rows[int],
    accounts_after: Rows[int],
    lots_after: Rows[int],
) -> bool:
    """Tell whether a tear-up leaves every account its net lots and creates nothing.

    Both lists must balance. Accounts that appear in one list only must be flat.
    """
    if not (is_balanced(lots_before) and is_balanced(lots_after)):
        return False
    for i in range(accounts_before.shape[0]):
        account = accounts_before[i]
        if net_of(accounts_before, lots_before, account) != net_of(
            accounts_after, lots_after, account
        ):
            return False
    for i in range(accounts_after.shape[0]):
        account = accounts_after[i]
        if net_of(accounts_before, lots_before, account) != net_of(
            accounts_after, lots_after, account
        ):
            return False
    return True

"""What a step reads is a matter of its own bytes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from clearing.codes import Kind
from clearing.decode import decode, pack
from clearing.forms import CONTEXT, ROW_STRIDE
from clearing.messages import Funding
from clearing.requests import NO_SIGNATURE, Request
from clearing.units import STEP_LISTED
from verifier.read_set import accounts_read, names_of

FOREIGN = 77  # a market that nobody names


def columns_of(payload):
    rows = Request(Kind.RISK_ROWS, (0, 0, 0, 1, 1, 1), tuple(payload), (NO_SIGNATURE,))
    columns = decode(*pack([rows.encode()]), np.zeros(4, np.int64))
    # Room behind the pieces is memory that nobody wrote; here is the worst that it can hold.
    columns.payload[len(payload) :] = FOREIGN
    return columns


@pytest.mark.parametrize("count", range(1, CONTEXT + 1))
def test_rows_cut_short_in_their_context_name_their_own_pieces_alone(count):
    columns = columns_of(range(1, count + 1))
    assert columns.payload.shape[0] > CONTEXT
    assert names_of(columns, 0, 1).instruments == set(range(1, count + 1))


def test_rows_name_their_context_and_the_head_of_each_row():
    rows = [4] + [9] * (ROW_STRIDE - 1) + [5] + [9] * (ROW_STRIDE - 1)
    assert names_of(columns_of([0, 1, 2, 3, *rows]), 0, 1).instruments == {0, 1, 2, 3, 4, 5}


def check_of(*accounts):
    return Request(Kind.OWNER_CHECK, (0,), accounts, ()).encode()


def test_payloads_name_no_more_accounts_in_a_step_than_the_law_reads():
    # What comes on top is rejected before it is read, and so is all that lists behind it.
    most = tuple(range(STEP_LISTED))
    for first, second in ((most[:-1], (STEP_LISTED, STEP_LISTED + 1)), (most, (STEP_LISTED,))):
        actions = [check_of(*first), check_of(*second), check_of(STEP_LISTED + 2)]
        columns = decode(*pack(actions), np.zeros(4, np.int64))
        assert names_of(columns, 0, 3).lean == set(first)
    columns = decode(*pack([check_of(*most[1:]), check_of(0)]), np.zeros(4, np.int64))
    assert names_of(columns, 0, 2).lean == set(most)


def test_funding_reads_the_accounts_of_its_markets_pool_and_of_any_if_the_step_may_list_it():
    pools = [SimpleNamespace(id=0, account=2, sleeve=3), SimpleNamespace(id=1, account=6, sleeve=7)]
    markets = [SimpleNamespace(id=5, pool=2), SimpleNamespace(id=4, pool=1)]
    names = names_of(decode(*pack([Funding(5).encode()]), np.zeros(4, np.int64)), 0, 1)
    assert accounts_read(names, 99, pools, markets) == ([6, 7], [6, 7])
    # A market that is not there has no pool, unless the step brings one.
    assert accounts_read(names, 99, pools, ()) == ([], [])
    listing = replace(names, listings=1)
    assert accounts_read(listing, 99, pools, ()) == ([2, 3, 6, 7], [2, 3, 6, 7])
    assert accounts_read(listing, 99, pools, markets) == ([6, 7], [6, 7])

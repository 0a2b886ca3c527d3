"""What a step reads is a matter of its own bytes."""

import numpy as np
import pytest

from clearing.codes import Kind
from clearing.decode import decode, pack
from clearing.forms import CONTEXT, ROW_STRIDE
from clearing.requests import NO_SIGNATURE, Request
from verifier.read_set import names_of

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

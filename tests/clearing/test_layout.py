"""Rows: one class is the dtype, and means the same compiled and interpreted."""

from typing import Annotated, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.compiler import law, law_entry
from clearing.layout import Rows, dtype_of, new_rows, pieces_of


class Header:
    version: int
    index: int


class Position:
    instrument: int
    lots: int


class Account:
    cash: int
    header: Header
    slots: Annotated[Rows[int], 4]
    positions: Annotated[Rows[Position], 3]


class State(NamedTuple):
    accounts: Rows[Account]
    drafts: Rows[Account]


@law
def change(account, position, lots):
    account.positions[position].lots += lots
    account.header.version += 1
    account.slots[position] = account.cash


@law_entry
def work_on_a_draft(state, row, position, lots, commit):
    state.drafts[0] = state.accounts[row]
    draft = state.drafts[0]
    change(draft, position, lots)
    draft.positions[0] = draft.positions[position]
    if commit:
        state.accounts[row] = draft
    return draft.positions[position].lots


def new_state():
    state = State(new_rows(Account, 4), new_rows(Account, 1))
    state.accounts[2].cash = 50
    return state


def test_a_class_becomes_an_aligned_record_of_int64_in_the_order_written():
    dtype = dtype_of(Account)
    assert dtype.names == ("cash", "header", "slots", "positions")
    assert dtype.itemsize == 8 * (1 + 2 + 4 + 3 * 2)
    assert dtype["positions"].shape == (3,) and dtype["slots"].base == np.int64
    assert dtype.fields is not None
    assert [dtype.fields[name][1] for name in dtype.names] == [0, 8, 24, 56]


def test_new_rows_are_zero_contiguous_and_writable():
    rows = np.asarray(new_rows(Account, 5))
    assert rows.shape == (5,)
    assert not pieces_of(rows).any()
    assert rows.flags.c_contiguous and rows.flags.writeable


def test_pieces_of_rows_are_a_view():
    rows = new_rows(Account, 2)
    rows[1].positions[2].lots = -9
    view = pieces_of(rows)
    assert view.shape == (2, 13) and view[1, 12] == -9
    view[0, 0] = 4
    assert rows[0].cash == 4


def test_a_change_through_nested_rows_reaches_the_state():
    state = new_state()
    assert work_on_a_draft(state, 2, 1, 7, True) == 7
    account = state.accounts[2]
    assert account.positions[1].lots == account.positions[0].lots == 7
    assert (account.header.version, account.slots[1], account.cash) == (1, 50, 50)
    assert not pieces_of(state.accounts)[[0, 1, 3]].any()


def test_an_uncommitted_draft_leaves_the_state_alone():
    state = new_state()
    before = pieces_of(state.accounts).copy()
    work_on_a_draft(state, 2, 1, 7, False)
    assert (pieces_of(state.accounts) == before).all()


def test_an_overflow_in_a_nested_field_raises():
    state = new_state()
    state.accounts[2].positions[1].lots = 2**63 - 1
    with pytest.raises(ArithmeticError):
        work_on_a_draft(state, 2, 1, 1, True)


@pytest.mark.parametrize(("row", "position"), [(4, 0), (0, 3), (0, 10**6)])
def test_an_index_out_of_bounds_raises(row, position):
    with pytest.raises(IndexError):
        work_on_a_draft(new_state(), row, position, 1, True)


@given(st.lists(st.tuples(*[st.integers(0, n) for n in (3, 2)], st.integers(-(2**40), 2**40))))
def test_sums_of_changes_arrive_in_each_position(changes):
    state = State(new_rows(Account, 4), new_rows(Account, 1))
    expected = np.zeros((4, 3), np.int64)
    for row, position, lots in changes:
        work_on_a_draft(state, row, position, lots, True)
        expected[row, position] += lots
        expected[row, 0] = expected[row, position]
    lots = [[state.accounts[i].positions[k].lots for k in range(3)] for i in range(4)]
    assert (np.array(lots) == expected).all()


class WithFloat:
    price: float


class WithoutLength:
    positions: Rows[Position]


class WithZeroLength:
    positions: Annotated[Rows[Position], 0]


class WithBoolRows:
    flags: Annotated[Rows[bool], 2]


class Empty:
    pass


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (WithFloat, r"WithFloat\.price"),
        (WithoutLength, r"WithoutLength\.positions"),
        (WithZeroLength, r"WithZeroLength\.positions"),
        (WithBoolRows, r"WithBoolRows\.flags"),
        (Empty, "no annotated fields"),
    ],
)
def test_a_field_that_is_not_int64_is_refused_by_name(cls, text):
    with pytest.raises(TypeError, match=text):
        dtype_of(cls)

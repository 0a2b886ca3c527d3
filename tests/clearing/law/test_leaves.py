"""Leaves: their bytes as the protocol spells them, one form each, and loading as the inverse."""

from struct import pack
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import account_leaves, leaves
from clearing.codes import Operation
from clearing.keccak import pieces, to_bytes
from clearing.layout import new_rows as new_typed_rows
from clearing.layout import pieces_of
from clearing.records import (
    Account,
    Asset,
    Fund,
    Globals,
    Instrument,
    Page,
    Params,
    Pool,
    Underlying,
    Withdrawal,
)
from clearing.units import (
    COLLATERALS_MAX,
    KEYS_MAX,
    PAGE_SLOTS,
    PAGES_MAX,
    POINTS_MAX,
    POSITIONS_MAX,
    PUBLISHERS_MAX,
    TIERS_MAX,
)

INT64 = (-(1 << 63), (1 << 63) - 1)
OWNER = bytes(12) + bytes(range(1, 21))
WORDS = [bytes([i]) * 32 for i in range(1, 8)]


def new_rows(cls, count) -> Any:
    """Zeroed rows, as the arrays that they are."""
    return new_typed_rows(cls, count)


def row(length=account_leaves.ACCOUNT_PIECES_MAX):
    """A row full of rubbish, so that a piece that is not written shows."""
    return np.full(length, -77, np.int64)


def encoded(encode, *records):
    pieces_out = row()
    return to_bytes(pieces_out[: encode(*records, pieces_out)])


def set_fields(record, **values):
    for name, value in values.items():
        if isinstance(value, bytes):
            record[name][:] = pieces(value)
        else:
            record[name] = value


def limbs(index):
    """A funding index as (high, low)."""
    return divmod(index, 1 << 62)


def index_bytes(index):
    """The twelve bytes of a funding index: one two's complement number."""
    return index.to_bytes(12, "big", signed=True)


def test_the_globals_leaf_is_as_the_protocol_spells_it():
    totals = new_rows(Globals, 1)[0]
    set_fields(
        totals,
        law_version=1,
        status=1,
        clock=2,
        account_count=3,
        instrument_count=4,
        fund_count=5,
        withdrawal_count=6,
        inbox_count=7,
        inbox_accumulator=WORDS[0],
        sequenced_count=8,
        custody=9,
        cash_total=-10,
        pot_total=-11,
        sequenced_accumulator=WORDS[1],
        withdrawals_root=WORDS[2],
        domain=WORDS[3],
    )
    names = totals.dtype.names
    for i, name in enumerate(names[names.index("asset_count") :], start=20):
        totals[name] = i
    expected = (
        pack(">8q", 1, 1, 2, 3, 4, 5, 6, 7)
        + WORDS[0]
        + pack(">4q", 8, 9, -10, -11)
        + WORDS[1]
        + WORDS[2]
        + WORDS[3]
        + pack(">9q", *range(20, 29))
        + bytes(3 * 8)
    )
    assert encoded(leaves.encode_globals, totals) == expected
    assert len(expected) == 10 * 32


def golden_account():
    account, pages = new_rows(Account, 1)[0], new_rows(Page, 4)
    set_fields(
        account,
        id=5,
        subaccount=6,
        cash=-7,
        owner=OWNER,
        order_floor=8,
        request_sequence=9,
        close_instrument=3,
        close_lots=-5,
        close_time=77,
        position_count=2,
        page_mask=1 | 1 << 15,
    )
    account.page_rows[:] = -1
    account.page_rows[0], account.page_rows[15] = 3, 1
    pages[3].digest[:] = pieces(WORDS[4])
    pages[1].digest[:] = pieces(WORDS[5])
    for place, (instrument, index, lots, cost) in enumerate(POSITIONS):
        high, low = limbs(index)
        set_fields(
            account.positions[place],
            instrument=instrument,
            lots=lots,
            entry_cost=cost,
            index_high=high,
            index_low=low,
        )
    return account, pages


POSITIONS = [
    (1, -(10**20) - 1, -3, -900),
    ((1 << 32) - 1, 10**25 + 7, 1 << 48, (1 << 62) - 1),
]


def test_the_account_leaf_is_as_the_protocol_spells_it():
    expected = (
        pack(">BBBBBHB", 1, 0, 2, 0, 0, 0x8001, 0)
        + pack(">QQq", 5, 6, -7)
        + OWNER
        + pack(">QQQQ", 8, 9, (3 << 50) + (1 << 50) - 5, 77)
    )
    for instrument, index, lots, cost in POSITIONS:
        expected += pack(">I", instrument) + index_bytes(index) + pack(">qq", lots, cost)
    expected += WORDS[4] + WORDS[5]
    account, pages = golden_account()
    assert encoded(account_leaves.encode_account, account, pages) == expected
    assert len(expected) == 32 * (3 + 2 + 2)


def test_the_instrument_leaf_is_as_the_protocol_spells_it():
    instrument = new_rows(Instrument, 1)[0]
    index = -(10**22) - 3
    high, low = limbs(index)
    set_fields(
        instrument,
        id=2,
        kind=1,
        status=3,
        tier=7,
        tier_hour=(1 << 32) - 1,
        underlying=4,
        strike=5,
        expiry=6,
        tick=7,
        lot_size=8,
        open_interest=9,
        mark_price=10,
        index_price=11,
        stable_price=12,
        price_time=13,
        funding_high=high,
        funding_low=low,
        funding_time=14,
        pot=-15,
        premium_sum=-16,
        premium_samples=17,
        open_interest_cap=18,
        position_cap=19,
        symbol=b"BTC-PERP".ljust(32, b"\0"),
    )
    names = instrument.dtype.names
    for i, name in enumerate(names[names.index("series") : names.index("debt")], start=30):
        instrument[name] = i
    whole = index.to_bytes(16, "big", signed=True)
    expected = (
        pack(">BBBBI", 1, 1, 3, 7, (1 << 32) - 1)
        + pack(">7q", 2, 4, 5, 6, 7, 8, 9)
        + pack(">4q", 10, 11, 12, 13)
        + whole
        + pack(">qq", 14, -15)
        + pack(">4q", -16, 17, 18, 19)
        + b"BTC-PERP".ljust(32, b"\0")
        + pack(">12q", *range(30, 42))
    )
    assert encoded(leaves.encode_instrument, instrument) == expected
    assert len(expected) == 9 * 32
    set_fields(instrument, operation=2, phase=1, side=-1, deadline=50, bankrupt=51, total=52)
    set_fields(instrument, weight=53, running=54, cursor=55, price=56, counted=57, spare=58)
    set_fields(instrument, chunks=WORDS[0])
    sweep = (
        pack(">QQ", 2 << 16 | 1 << 8 | 1, 50) + pack(">8q", *range(51, 59)) + bytes(16) + WORDS[0]
    )
    assert encoded(leaves.encode_instrument, instrument) == expected + sweep


def test_a_debt_stands_in_the_words_of_a_sweep_and_without_one_brings_them():
    instrument = new_rows(Instrument, 1)[0]
    instrument.kind, instrument.debt = 1, 59
    found = encoded(leaves.encode_instrument, instrument)
    assert found[9 * 32 :] == bytes(80) + pack(">q", 59) + bytes(40)


def test_a_calls_leaf_carries_its_book_behind_the_sweep():
    instrument = new_rows(Instrument, 1)[0]
    set_fields(instrument, kind=1, operation=3, phase=2, total=9, price=8, cursor=7, counted=6)
    pieces_of(instrument.rows)[:] = np.arange(68).reshape(2, 34)
    found = encoded(leaves.encode_instrument, instrument)
    assert found[9 * 32 : 9 * 32 + 8] == pack(">Q", 3 << 16 | 2 << 8)
    assert found[13 * 32 :] == pack(">68q", *range(68))
    assert len(found) == 30 * 32
    instrument.operation = 2
    assert len(encoded(leaves.encode_instrument, instrument)) == 13 * 32


def test_an_options_leaf_carries_both_sets_of_its_risk_rows():
    instrument = new_rows(Instrument, 1)[0]
    instrument.kind = 3
    plain = encoded(leaves.encode_instrument, instrument)
    for i in range(2):
        instrument.rows[i].number = 7 + i
        instrument.rows[i]["values"][:] = range(100 * i, 100 * i + POINTS_MAX)
    rows = [struct for i in range(2) for struct in (7 + i, *range(100 * i, 100 * i + POINTS_MAX))]
    expected = plain[: 9 * 32] + pack(f">{len(rows)}q", *rows)
    assert encoded(leaves.encode_instrument, instrument) == expected


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (Asset, leaves.ASSET_FIELDS),
        (Pool, leaves.POOL_FIELDS),
        (Underlying, leaves.UNDERLYING_FIELDS),
    ],
)
def test_a_leaf_that_is_its_record_is_the_version_the_fields_and_zeros(record, fields):
    rows = new_rows(record, 1)
    flat = pieces_of(rows)
    flat[0, :] = np.arange(2, 2 + flat.shape[1])
    pieces_out = row(1_100)
    length = leaves.encode_fields(flat[0], fields, pieces_out)
    expected = pack(f">{1 + fields}q", 1, *range(2, 2 + fields))
    assert to_bytes(pieces_out[:length]) == expected.ljust(32 * -(-len(expected) // 32), b"\0")
    loaded = new_rows(record, 1)
    leaves.load_fields(pieces_out, fields, pieces_of(loaded)[0])
    assert (pieces_of(loaded)[0, :fields] == flat[0, :fields]).all()
    assert not pieces_of(loaded)[0, fields:].any()


def test_fund_withdrawal_and_page_leaves_are_as_the_protocol_spells_them():
    fund, withdrawal, page = new_rows(Fund, 1)[0], new_rows(Withdrawal, 1)[0], new_rows(Page, 1)[0]
    set_fields(fund, id=2, asset=3, balance=4)
    assert encoded(leaves.encode_fund, fund) == pack(">4q", 1, 2, 3, 4)
    set_fields(withdrawal, index=1, asset=2, amount=3, account=4, recipient=OWNER)
    assert encoded(leaves.encode_withdrawal, withdrawal) == pack(">4q", 1, 2, 3, 4) + OWNER
    set_fields(page, account=5, number=6, known=1)
    for i in range(PAGE_SLOTS):
        set_fields(page.slots[i], sequence=10 + i, filled=30 + i)
    slots = b"".join(pack(">qq", 10 + i, 30 + i) for i in range(PAGE_SLOTS))
    assert encoded(account_leaves.encode_page, page) == pack(">4q", 1, 5, 6, 0) + slots


integers = st.sampled_from([0, 1, -1, *INT64]) | st.integers(*INT64)
indices = st.integers(-(1 << 95), (1 << 95) - 1)


def filled(data, record):
    """Put any integers into every field of a record."""
    flat = pieces_of(record)[0]
    seed = data.draw(st.integers(0, (1 << 32) - 1))
    flat[:] = np.random.default_rng(seed).integers(*INT64, flat.shape[0], endpoint=True)
    return record


@settings(max_examples=50)
@given(st.data())
def test_loading_globals_is_the_inverse_of_encoding_them(data):
    before, after = filled(data, new_rows(Globals, 1)), new_rows(Globals, 1)
    pieces_out = row()
    leaves.encode_globals(before[0], pieces_out)
    leaves.load_globals(pieces_out, after[0])
    assert before.tobytes() == after.tobytes()


@settings(max_examples=50)
@given(st.data(), indices, st.tuples(*[st.integers(0, 255)] * 3))
def test_loading_an_instrument_is_the_inverse_of_encoding_it(data, index, small):
    before, after = filled(data, new_rows(Instrument, 1)), new_rows(Instrument, 1)
    high, low = limbs(index)
    kind, status, tier = small[0] % 6, small[1], small[2]
    set_fields(before[0], funding_high=high, funding_low=low, kind=kind, status=status, tier=tier)
    pieces_out = row()
    before[0].tier_hour &= (1 << 32) - 1
    set_fields(before[0], operation=tier, phase=status, side=1 - 2 * (tier % 2))
    if kind not in (3, 4) and tier != Operation.CALL:
        before[0]["rows"] = 0
    if tier == 0:
        names = before.dtype.names
        for name in names[names.index("operation") : names.index("rows")]:
            before[0][name] = 0
    length = leaves.encode_instrument(before[0], pieces_out)
    assert leaves.load_instrument(pieces_out, length, after[0])
    assert before.tobytes() == after.tobytes()


@settings(max_examples=30)
@given(st.data())
def test_loading_a_fund_is_the_inverse_of_encoding_it(data):
    before, after = filled(data, new_rows(Fund, 1)), new_rows(Fund, 1)
    pieces_out = row()
    assert leaves.encode_fund(before[0], pieces_out) == leaves.FUND_PIECES
    leaves.load_fund(pieces_out, after[0])
    assert before.tobytes() == after.tobytes()


@settings(max_examples=30)
@given(st.data())
def test_loading_a_page_is_the_inverse_of_encoding_it(data):
    before, after = filled(data, new_rows(Page, 1)), new_rows(Page, 1)
    # What the account's leaf says of a page is loaded from there.
    for name in ("account", "number"):
        after[0][name] = before[0][name]
    after[0].digest[:] = before[0].digest
    before[0].known = 1
    pieces_out = row()
    assert account_leaves.encode_page(before[0], pieces_out) == account_leaves.PAGE_PIECES
    account_leaves.load_page(pieces_out, after[0])
    assert before.tobytes() == after.tobytes()


@settings(max_examples=50)
@given(st.data(), st.integers(0, TIERS_MAX), st.integers(0, PUBLISHERS_MAX))
def test_loading_params_is_the_inverse_of_encoding_them(data, tiers, publishers):
    before, after = filled(data, new_rows(Params, 1)), new_rows(Params, 1)
    set_fields(before[0], tier_count=tiers, publisher_count=publishers)
    pieces_of(before[0].tiers[tiers:]).fill(0)
    pieces_of(before[0].publishers[publishers:]).fill(0)
    flat, pieces_out = pieces_of(before)[0], row()
    length = leaves.encode_params(flat, tiers, publishers, pieces_out)
    plain = flat[: leaves.PARAMS_TIERS]
    used = [*before[0].tiers[:tiers], *before[0].publishers[:publishers]]
    expected = pack(f">{1 + len(plain)}q", 1, *plain)
    expected += b"".join(
        np.frombuffer(one.tobytes(), "<i8").astype(">i8").tobytes() for one in used
    )
    assert to_bytes(pieces_out[:length]) == expected.ljust(32 * -(-len(expected) // 32), b"\0")
    assert leaves.load_params(pieces_out, pieces_of(after)[0])
    assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("name", ["tier_count", "publisher_count"])
@pytest.mark.parametrize("count", [-1, 17, 1 << 62, -(1 << 63)])
def test_params_of_more_tiers_or_publishers_than_there_may_be_are_refused(name, count):
    params = new_rows(Params, 1)
    pieces_out = row()
    leaves.encode_params(pieces_of(params)[0], 0, 0, pieces_out)
    pieces_out[1 + params.dtype.names.index(name)] = count
    assert not leaves.load_params(pieces_out, pieces_of(params)[0])


@settings(max_examples=80)
@given(
    st.data(),
    st.lists(st.tuples(st.integers(0, (1 << 32) - 1), indices), max_size=POSITIONS_MAX),
    st.integers(0, (1 << PAGES_MAX) - 1),
    st.integers(0, 255),
)
def test_loading_an_account_is_the_inverse_of_encoding_it(data, positions, mask, mode):
    before, after = filled(data, new_rows(Account, 1)), new_rows(Account, 1)
    account, loaded = before[0], after[0]
    collaterals, keys = mode % (COLLATERALS_MAX + 1), mode % (KEYS_MAX + 1)
    set_fields(account, mode=mode, page_mask=mask, position_count=len(positions))
    set_fields(account, collateral_count=collaterals, key_count=keys)
    set_fields(account, close_instrument=mode, close_lots=(-mask if mode % 2 else mask) << 32)
    set_fields(account, call_instrument=mask, call_level=mode, call_lots=-mask)
    if mask == 0:
        for name in before.dtype.names:
            if name.startswith("call_"):
                account[name] = 0
    pieces_of(account.collaterals[collaterals:]).fill(0)
    pieces_of(account.keys[keys:]).fill(0)
    for key in account.keys[:keys]:
        key.address[0] = 0
        set_fields(key, scope=mode, first_instrument=mask, last_instrument=mask + 1)
    pieces_of(account.positions[len(positions) :]).fill(0)
    for place, (instrument, index) in enumerate(positions):
        high, low = limbs(index)
        set_fields(account.positions[place], instrument=instrument, index_high=high, index_low=low)
    pages, loaded_pages = filled(data, new_rows(Page, PAGES_MAX + 2)), new_rows(Page, PAGES_MAX + 2)
    numbers = [number for number in range(PAGES_MAX) if mask >> number & 1]
    account.page_rows[:] = -1
    for place, number in enumerate(numbers):
        account.page_rows[number] = 2 + place
    pieces_out = row()
    length = account_leaves.encode_account(account, pages, pieces_out)
    words = 2 + len(positions) + len(numbers) + collaterals
    ordered = 0 if mask == 0 else account_leaves.CALL_ORDER_PIECES
    assert length == 12 + 4 * words + ordered + account_leaves.KEY_PIECES * keys
    assert account_leaves.load_account(pieces_out, length, loaded, loaded_pages, 2) == len(numbers)
    assert before.tobytes() == after.tobytes()
    for place, number in enumerate(numbers):
        page = loaded_pages[2 + place]
        assert (page.account, page.number, page.known) == (account.id, number, 0)
        assert (page.digest == pages[2 + place].digest).all()


@pytest.mark.parametrize("change", [-4, -1, 1, 4])
def test_an_account_of_another_length_than_its_header_says_is_refused(change):
    account, pages = golden_account()
    pieces_out = row()
    length = account_leaves.encode_account(account, pages, pieces_out) + change
    loaded = new_rows(Account, 1)[0]
    assert account_leaves.load_account(pieces_out, length, loaded, new_rows(Page, 16), 0) == -1


def test_the_word_of_a_hold_stands_behind_the_risk_word():
    account, pages = golden_account()
    plain = encoded(account_leaves.encode_account, account, pages)
    set_fields(account, hold_until=77, hold_instrument=1 << 20, hold_group=-5)
    held = encoded(account_leaves.encode_account, account, pages)
    word = pack(">QQqQ", 77, 1 << 20, -5, 0)
    assert held == plain[:7] + b"\x02" + plain[8 : 3 * 32] + word + plain[3 * 32 :]
    set_fields(account, not_before=9)
    risky = encoded(account_leaves.encode_account, account, pages)
    assert risky == held[:7] + b"\x03" + held[8 : 3 * 32] + pack(">4Q", 0, 0, 0, 9) + held[3 * 32 :]
    loaded = new_rows(Account, 1)[0]
    pieces_out = row()
    length = account_leaves.encode_account(account, pages, pieces_out)
    assert account_leaves.load_account(pieces_out, length, loaded, new_rows(Page, 16), 0) == 2
    assert (loaded.hold_until, loaded.hold_instrument, loaded.hold_group) == (77, 1 << 20, -5)


def test_an_account_of_more_positions_than_there_may_be_is_refused():
    pieces_out = row(1_100)
    pieces_out[0] = 1 << 56 | (POSITIONS_MAX + 1) << 40
    loaded, pages = new_rows(Account, 1)[0], new_rows(Page, 16)
    length = 12 + 4 * (POSITIONS_MAX + 1)
    assert account_leaves.load_account(pieces_out, length, loaded, pages, 0) == -1
    assert loaded.id == 0


def test_an_order_in_a_call_stands_behind_the_header_and_the_risk_word():
    account, pages = golden_account()
    plain = encoded(account_leaves.encode_account, account, pages)
    account.auction_time = 13
    names = ("level", "lots", "before", "filled", "margin", "opened", "until")
    values = (32, -6, 7, 8, 9, 10, 11)
    set_fields(account, call_instrument=5)
    for name, value in zip(names, values, strict=True):
        account[f"call_{name}"] = value
    found = encoded(account_leaves.encode_account, account, pages)
    assert (plain[7], found[7]) == (0, 5)
    order = pack(">8q", 5 << 8 | 32, -6, 7, 8, 9, 10, 11, 0)
    assert found[96:] == pack(">4q", 13, 0, 0, 0) + order + plain[96:]


def test_whatever_an_account_leaf_does_not_name_shows_when_it_is_encoded_again():
    account, pages = golden_account()
    pieces_out = row()
    length = account_leaves.encode_account(account, pages, pieces_out)
    golden = pieces_out[:length].copy()
    # The version, and the last header byte but for its three lowest bits.
    faults = [(0, 1 << 57), (0, 8)]
    for place, flip in faults:
        forged = row()
        forged[:length] = golden
        forged[place] ^= flip
        loaded, loaded_pages = new_rows(Account, 1)[0], new_rows(Page, 16)
        assert account_leaves.load_account(forged, length, loaded, loaded_pages, 0) == 2
        again = row()
        assert account_leaves.encode_account(loaded, loaded_pages, again) == length
        assert (again[:length] == golden).all()
        assert (again[:length] != forged[:length]).any()

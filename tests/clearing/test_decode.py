"""Bulk decoding: the same as one at a time, for every action and every damaged one."""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.codes import Code, Kind
from clearing.decode import decode, find_unique, pack, recover_signers
from clearing.eip712 import bulk_digest, bulk_tree
from clearing.keccak import pieces, to_bytes
from clearing.keys import address_of, sign
from clearing.messages import Authorisation, Funding, Price, Trade, decode_action
from tests.support.actions import (
    BULK,
    DOMAIN,
    EXAMPLES,
    MAKER,
    OBSERVATION_EXAMPLE,
    PLAIN,
    TAKER,
    TRADE,
    actions,
    assert_decoded_alike,
    word_of,
)

ROOT = Path(__file__).parents[2]
KEYS = [bytes([number]) * 32 for number in (1, 2, 3)]


def decoded(*raws):
    return decode(*pack(list(raws)), pieces(DOMAIN))


def code_of(raw):
    return decoded(raw).actions[0].code


def damaged(raw):
    """Every truncation and extension, and every byte changed in five ways."""
    yield from (raw[:size] for size in range(len(raw)))
    yield from (raw + tail for tail in (b"\0", b"\x01", b"\xff", bytes(32)))
    for place in range(len(raw)):
        for byte in {raw[place] ^ 1, raw[place] ^ 0x80, 0, 255, (raw[place] + 13) & 255}:
            yield raw[:place] + bytes([byte]) + raw[place + 1 :]


def test_every_example_decodes_in_bulk_as_it_does_alone():
    assert_decoded_alike([action.encode() for action in EXAMPLES])


def test_actions_keep_their_places_across_many_chunks():
    assert_decoded_alike([action.encode() for action in EXAMPLES * 30])


def test_a_chunk_may_hold_prices_of_sixteen_observations_only():
    price = Price(1, (OBSERVATION_EXAMPLE,) * 16).encode()
    assert_decoded_alike([price] * 70)


@pytest.mark.parametrize("action", EXAMPLES, ids=lambda action: type(action).__name__)
def test_both_decoders_judge_damaged_bytes_alike(action):
    assert_decoded_alike(list(damaged(action.encode())))


@given(st.lists(actions, max_size=12))
def test_both_decoders_agree_on_any_actions(batch):
    raws = [action.encode() for action in batch]
    assert [decode_action(raw) for raw in raws] == batch
    assert_decoded_alike(raws)


@given(st.lists(st.binary(max_size=300), max_size=8), st.sampled_from(list(Kind)))
def test_no_bytes_make_the_decoder_raise(tails, kind):
    assert_decoded_alike(tails + [bytes([kind]) + tail for tail in tails])


@given(st.lists(actions, min_size=1, max_size=4), st.data())
def test_spliced_actions_are_judged_alike(batch, data):
    raws = [action.encode() for action in batch]
    left, right = data.draw(st.sampled_from(raws)), data.draw(st.sampled_from(raws))
    cut = data.draw(st.integers(0, len(left)))
    assert_decoded_alike([left[:cut] + right[cut:], left + right])


def test_no_actions_make_empty_columns():
    columns = decoded()
    assert (columns.action_count, columns.signature_count) == (0, 0)
    recover_signers(columns)
    assert columns.signers.shape == (0, 4)


@pytest.mark.parametrize("kind", [0, *range(max(Kind) + 1, 70), 127, 128, 255])
def test_kinds_of_other_law_versions_are_unknown(kind):
    """CLR-ACT-002"""
    assert code_of(bytes([kind]) + bytes(40)) == Code.UNKNOWN_KIND


def test_trailing_and_missing_bytes_are_malformed():
    """CLR-ACT-001"""
    raw = Funding(3).encode()
    assert code_of(raw) == Code.APPLIED
    assert [code_of(raw + b"\0"), code_of(raw[:-1]), code_of(b"")] == [Code.MALFORMED] * 3


def test_an_action_beyond_the_length_of_a_step_is_malformed_but_has_its_hash():
    assert_decoded_alike([bytes([Kind.TRADE]) * 2_049, bytes([8]) * 2_049, Funding(3).encode()])


def test_none_and_more_than_sixteen_observations_have_no_signatures_to_recover():
    """CLR-PRC-001"""
    none, many = (Price(1, (OBSERVATION_EXAMPLE,) * n).encode() for n in (0, 17))
    columns = decoded(none, many)
    assert [int(columns.actions[k].code) for k in range(2)] == [Code.QUORUM] * 2
    assert columns.signature_count == 0


def test_a_trade_without_a_venue_has_two_signatures():
    columns = decoded(*(action.encode() for action in EXAMPLES[:2]))
    assert [int(columns.actions[k].signature_count) for k in range(2)] == [3, 2]


def test_signers_of_single_and_bulk_signatures_are_the_owners():
    trade = Trade(9, 12, 1_000_025, -10, 45, address_of(KEYS[2]), 2, MAKER, TAKER)
    root, paths = bulk_tree([trade.maker_struct_hash(), *(bytes([i]) * 32 for i in range(4))])
    signed = replace(
        trade,
        maker_authorisation=Authorisation(sign(KEYS[0], bulk_digest(DOMAIN, root)), 0, paths[0]),
        taker_authorisation=Authorisation(
            sign(KEYS[1], PLAIN.digest(DOMAIN, trade.taker_struct_hash()))
        ),
        venue_authorisation=Authorisation(sign(KEYS[2], PLAIN.digest(DOMAIN, trade.struct_hash()))),
    )
    columns = decoded(signed.encode())
    recover_signers(columns)
    assert np.array_equal(columns.signers, [word_of(address_of(key)) for key in KEYS])


@pytest.mark.parametrize("count", [3, 20, 130, 400])
def test_paths_that_overlap_and_paths_that_do_not_climb_to_their_own_roots(count):
    """Whatever pairs were hashed before, and however few places there are to remember them."""
    numbers = random.Random(count)
    shared = [[numbers.randbytes(32) for _ in range(2)] for _ in range(12)]

    def authorised():
        depth = numbers.randrange(1, 13)
        path = [numbers.choice([*known, *known, numbers.randbytes(32)]) for known in shared]
        return Authorisation(bytes(65), numbers.randrange(1 << depth), tuple(path[:depth]))

    raws = [
        replace(
            TRADE,
            maker=replace(MAKER, sequence=numbers.randrange(1, 4)),
            maker_authorisation=authorised(),
            taker_authorisation=authorised(),
        ).encode()
        for _ in range(count)
    ]
    assert_decoded_alike(raws)


def test_threads_and_one_thread_find_the_same_signers():
    batch = [
        replace(TRADE, lots=i, taker_authorisation=Authorisation(sign(KEYS[i % 3], bytes(32))))
        for i in range(1, 20)
    ]
    one, two = (decoded(*(action.encode() for action in batch)) for _ in range(2))
    recover_signers(one)
    with ThreadPoolExecutor(1) as executor:
        recover_signers(two, executor, threads=2)
    assert one.signers.any()
    assert np.array_equal(one.signers, two.signers)


def test_a_bulk_signature_is_recovered_once_for_all_its_orders():
    makers = [replace(MAKER, slot=slot) for slot in range(8)]
    hashes = [order.struct_hash(bytes(20), 9, 2) for order in makers]
    root, paths = bulk_tree(hashes)
    signature = sign(KEYS[0], bulk_digest(DOMAIN, root))
    owned = [Authorisation(signature, i, path) for i, path in enumerate(paths)]
    columns = decoded(
        *(
            Trade(9, 1, 5, 0, 0, bytes(20), 2, order, TAKER, owner, BULK).encode()
            for order, owner in zip(makers, owned, strict=True)
        )
    )
    rows, places = np.zeros(16, np.int64), np.zeros(16, np.int64)
    table = np.full(64, -1, np.int64)
    assert find_unique(columns.signatures, columns.digests, table, rows, places) == 2
    recover_signers(columns)
    assert np.array_equal(columns.signers[::2], [word_of(address_of(KEYS[0]))] * 8)


def test_rows_that_share_only_the_digest_or_only_the_signature_stay_apart():
    signatures = np.zeros((3, 65), np.uint8)
    signatures[1, 64] = 1
    digests = np.zeros((3, 4), np.int64)
    digests[2, 0] = 1
    rows, places = np.zeros(3, np.int64), np.zeros(3, np.int64)
    assert find_unique(signatures, digests, np.full(8, -1, np.int64), rows, places) == 3
    assert places.tolist() == [0, 1, 2]


def test_a_flood_of_colliding_rows_is_still_numbered():
    signatures = np.zeros((100, 65), np.uint8)
    signatures[:, 0] = np.arange(100)
    digests, rows, places = (np.zeros(shape, np.int64) for shape in ((100, 4), 100, 100))
    unique = find_unique(signatures, digests, np.full(256, -1, np.int64), rows, places)
    assert unique == 100
    assert rows.tolist() == places.tolist() == list(range(100))


def test_read_only_and_strided_blobs_are_copied():
    blob, offsets = pack([TRADE.encode()])
    frozen = np.frombuffer(blob.tobytes(), np.uint8)
    strided = np.repeat(blob, 2)[::2]
    for other in (frozen, strided):
        columns = decode(other, offsets, pieces(DOMAIN))
        assert to_bytes(columns.digests[0]) == TRADE.signed(DOMAIN)[0][0]


@pytest.mark.parametrize(
    ("offsets", "problem"),
    [([0, 2, 1], "never fall"), ([0, 99], "never fall"), ([-1, 4], "never fall"), ([], "n \\+ 1")],
)
def test_offsets_outside_the_blob_are_refused(offsets, problem):
    blob = np.zeros(8, np.uint8)
    with pytest.raises(ValueError, match=problem):
        decode(blob, np.array(offsets, np.int64), pieces(DOMAIN))


def test_arrays_of_another_type_are_refused():
    with pytest.raises(ValueError, match="blob: expected one axis of uint8"):
        decode(np.zeros(8, np.int64), np.zeros(1, np.int64), pieces(DOMAIN))


def test_the_interpreted_run_decodes_alike():
    script = (
        "from clearing.compiler import INTERPRETED\n"
        "from tests.support.actions import EXAMPLES, assert_decoded_alike\n"
        "assert INTERPRETED\n"
        "raws = [action.encode() for action in EXAMPLES]\n"
        "odd = [raw[:-1] for raw in raws] + [b'', b'\\x08', bytes(3000)]\n"
        "assert_decoded_alike(raws * 9 + odd)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

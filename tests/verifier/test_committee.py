"""Batches whose step bytes a committee holds: who is on it, and which quorum the court takes."""

from dataclasses import replace
from typing import Any

import pytest

from clearing.keccak import keccak256
from tests.support.committee import WINDOWS, attest, committee_of, held, member_of, secret_of
from tests.verifier.court_world import SEQUENCER, Batch, World, make_config
from verifier import bls
from verifier.base.transactions import Finalise
from verifier.batch import PAIR_BYTES, Step, data_hash, steps_root
from verifier.batches import BatchStatus
from verifier.committee import (
    ATTESTATION_BYTES,
    NO_COMMITTEE,
    Attestation,
    Attested,
    Committee,
    Member,
)
from verifier.config import FINALITY_EPOCHS, CourtConfig
from verifier.errors import ConfigError, PostError
from verifier.header import DATA_COMMITTEE, Header
from verifier.host import gas

SIGNERS = (0, 2)


@pytest.fixture
def world():
    world = World(make_config(committee=committee_of(), **WINDOWS))
    world.fund()
    return world


def steps(world, count=3):
    return tuple(Step(world.now, (b"\x04" + bytes([i]),)) for i in range(count))


def build(world, signers=SIGNERS, count=3):
    """Return a batch on the tip that members hold."""
    batch = world.build(steps=steps(world, count))
    header, posted = held(batch.header, batch.data, signers)
    world.opened[header.batch_id()] = batch.opened
    return Batch(header, batch.opened, posted)


def with_attestation(batch, attestation):
    return replace(batch, data=batch.data[:-ATTESTATION_BYTES] + attestation.encode())


def refusal(world, batch):
    before = world.court.heads(), world.court.bonds.totals
    receipt = world.try_post(batch)
    assert (world.court.heads(), world.court.bonds.totals) == before
    return receipt.error


def test_a_quorum_lets_a_batch_in_without_its_steps(world):
    batch = build(world)
    receipt = world.try_post(batch)
    assert receipt.error is None, receipt.text
    assert world.court.batch(batch.id).status == BatchStatus.POSTED
    pairs = batch.data[:-ATTESTATION_BYTES]
    assert len(pairs) == 3 * PAIR_BYTES
    assert world.court.batch_data(batch.id) == pairs
    world.pass_window()
    assert world.send(SEQUENCER, Finalise(batch.id)).error is None


def test_more_signers_than_needed_are_welcome(world):
    assert refusal_free(world, build(world, (0, 1, 2)))


def test_inline_batches_go_on_beside_them(world):
    world.post(build(world))
    world.post()
    world.post(build(world))
    assert world.court.heads().tip_number == 3


@pytest.mark.parametrize("signers", [(), (1,)])
def test_a_short_quorum_is_refused(world, signers):
    batch = build(world)
    signature = bls.sign(secret_of(1), Attested.of(batch.header).digest())
    short = Attestation(sum(1 << place for place in signers), signature)
    assert refusal(world, with_attestation(batch, short)) is PostError.SHORT_QUORUM


def test_a_member_counts_once_however_often_it_signed(world):
    """One signature added twice is no quorum: the map cannot say it, the sum does not fit it."""
    batch = build(world)
    one = bls.sign(secret_of(0), Attested.of(batch.header).digest())
    twice = bls.aggregate([one, one])
    for signers in (0b001, 0b011, 0b101):
        error = refusal(world, with_attestation(batch, Attestation(signers, twice)))
        assert error is (
            PostError.SHORT_QUORUM if signers == 0b001 else PostError.WRONG_ATTESTATION
        )


@pytest.mark.parametrize("signers", [0b011, 0b110, 0b111])
def test_no_other_map_fits_a_signature(world, signers):
    batch = build(world)
    attestation = Attestation.decode(batch.data[-ATTESTATION_BYTES:])
    changed = replace(attestation, signers=signers)
    assert refusal(world, with_attestation(batch, changed)) is PostError.WRONG_ATTESTATION


@pytest.mark.parametrize("signers", [0b1101, 1 << 63 | 0b101])
def test_bits_beyond_the_members_are_refused(world, signers):
    batch = build(world)
    attestation = Attestation.decode(batch.data[-ATTESTATION_BYTES:])
    changed = replace(attestation, signers=signers)
    assert refusal(world, with_attestation(batch, changed)) is PostError.UNKNOWN_SIGNER


@pytest.mark.parametrize(
    "field", ["chain_id", "settlement", "generation", "number", "data_hash", "data_length"]
)
def test_a_quorum_of_another_place_or_other_data_is_refused(world, field):
    batch = build(world)
    attested = Attested.of(batch.header)
    value: Any = getattr(attested, field)
    other = b"\x77" * len(value) if isinstance(value, bytes) else value + 1
    changed: dict[str, Any] = {field: other}
    foreign = attest(replace(attested, **changed))
    assert refusal(world, with_attestation(batch, foreign)) is PostError.WRONG_ATTESTATION
    assert refusal_free(world, batch)


def test_signatures_of_strangers_do_not_count(world):
    batch = build(world)
    digest = Attested.of(batch.header).digest()
    strangers = bls.aggregate([bls.sign(secret_of(place), digest) for place in (7, 8)])
    changed = with_attestation(batch, Attestation(0b11, strangers))
    assert refusal(world, changed) is PostError.WRONG_ATTESTATION


@pytest.mark.parametrize(
    "signature",
    [bytes([0xC0]) + bytes(95), bytes([0x80]) + bytes(94) + b"\x02", bytes(96)],
    ids=["infinity", "a point outside the subgroup", "no point"],
)
def test_a_hostile_point_is_no_quorum(world, signature):
    hostile = with_attestation(build(world), Attestation(0b101, signature))
    assert refusal(world, hostile) is PostError.WRONG_ATTESTATION


def test_the_attestation_is_no_part_of_the_name(world):
    """Whoever re-orders signers makes another transaction, never another batch."""
    first, second = build(world, (0, 1)), build(world, (1, 2))
    assert first.data != second.data and first.id == second.id


def test_bytes_that_are_no_attestation_are_refused(world):
    batch = build(world)
    header = replace(batch.header, data_length=0)
    short = Batch(header, batch.opened, b"\0" * 10)
    assert refusal(world, short) is PostError.MALFORMED_ATTESTATION


def test_pairs_must_be_those_of_the_header(world):
    batch = build(world)
    pairs = batch.data[:-ATTESTATION_BYTES]

    def posted(pairs, **fields):
        header = replace(batch.header, data_hash=data_hash(pairs), data_length=len(pairs))
        header = replace(header, **fields)
        return Batch(header, batch.opened, pairs + attest(Attested.of(header)).encode())

    swapped = pairs[PAIR_BYTES : 2 * PAIR_BYTES] + pairs[:PAIR_BYTES] + pairs[2 * PAIR_BYTES :]
    assert refusal(world, posted(pairs[:-1])) is PostError.MALFORMED_DATA
    assert refusal(world, posted(pairs + b"\0")) is PostError.TRAILING_BYTES
    assert refusal(world, posted(pairs, step_count=2)) is PostError.TRAILING_BYTES
    assert refusal(world, posted(pairs, data_hash=bytes(32))) is PostError.WRONG_DATA_HASH
    assert refusal(world, posted(swapped)) is PostError.WRONG_STEPS_ROOT
    last = pairs[:-1] + bytes([pairs[-1] ^ 1])
    forged = steps_root([(last[i : i + 32], last[i + 32 : i + 64]) for i in range(0, 192, 64)])
    assert refusal(world, posted(last, steps_root=forged)) is PostError.WRONG_POST_ROOT
    assert refusal(world, Batch(batch.header, batch.opened, b"")) is PostError.WRONG_DATA_LENGTH


def test_a_court_without_a_committee_takes_no_such_batch():
    world = World()
    world.fund()
    assert refusal(world, build(world)) is PostError.UNKNOWN_DATA_KIND


def test_a_batch_has_no_more_steps_than_can_be_answered_for():
    config = make_config(committee=committee_of(), **WINDOWS)
    most = config.committee_steps_max
    assert 1 < most < config.batch_steps_max
    # All of them answered fit half of the blocks between two batches.
    room = config.batch_gap_blocks * config.block_gas_limit // 2
    assert most * gas.answering_max(16_409) <= room < (most + 1) * gas.answering_max(16_409)
    world = World(config)
    world.fund()
    assert refusal(world, build(world, count=most + 1)) is PostError.WRONG_STEP_COUNT
    assert refusal_free(world, build(world, count=most))


def test_a_quorum_costs_what_it_costs_to_check(world):
    two = world.try_post(build(world))
    three = world.try_post(build(world, (0, 1, 2)))
    assert three.gas_used - two.gas_used == gas.SIGNER_GAS


def refusal_free(world, batch):
    receipt = world.try_post(batch)
    return receipt.error is None


# The committee itself.


def problems(committee):
    with pytest.raises(ConfigError) as refused:
        make_config(committee=committee)
    return "; ".join(refused.value.problems)


def test_a_member_without_proof_of_possession_is_not_taken():
    members = committee_of().members
    stolen = Member(members[1].public_key, members[0].proof)
    assert "member 1 to prove possession" in problems(Committee((members[0], stolen), 2))


@pytest.mark.parametrize(
    "key",
    [bytes([0xC0]) + bytes(47), bytes([0x80]) + bytes(46) + b"\x04", b""],
    ids=["infinity", "a point outside the subgroup", "nothing"],
)
def test_a_member_with_a_hostile_key_is_not_taken(key):
    member = Member(key, member_of(0).proof)
    assert "member 1 to have a key" in problems(Committee((member_of(1), member), 1))


def test_a_key_stands_once():
    assert "one twice" in problems(Committee((member_of(0), member_of(0)), 1))


@pytest.mark.parametrize("count, threshold", [(3, 0), (3, 4), (0, 1), (3, -1)])
def test_a_threshold_is_among_the_members(count, threshold):
    assert "committee threshold of 1" in problems(committee_of(count, threshold))


def test_sixty_five_members_do_not_fit_the_map():
    member = member_of(0)
    assert "at most 64" in problems(Committee((member,) * 65, 1))


PLACE: dict[str, Any] = {"chain_id": 1, "settlement": b"\5" * 20, "sequencer": b"\6" * 20}


@pytest.mark.parametrize("preset", [CourtConfig.production, CourtConfig.devnet])
def test_every_preset_with_a_wall_clock_has_room_for_a_committee(preset):
    config = replace(preset(**PLACE), committee=committee_of())
    assert config.committee_steps_max >= 64


def test_a_third_of_a_committees_window_outlasts_what_a_reorganisation_takes_back():
    plain = CourtConfig.test(**PLACE)
    assert FINALITY_EPOCHS * plain.epoch_blocks == 6
    with pytest.raises(ConfigError) as short:
        replace(plain, committee=committee_of())
    assert "a third of challenge_window_blocks 10" in str(short.value)
    assert "above 3 epochs (6), was 3" in str(short.value)
    least: dict[str, Any] = {"challenge_window_blocks": 21, "max_unfinalised": 40}
    config = replace(plain, committee=committee_of(), **least)
    assert config.committee_steps_max >= 64
    with pytest.raises(ConfigError, match="was 6"):
        replace(config, challenge_window_blocks=20)
    # Nobody is asked for anything where all data are on the base layer.
    replace(config, challenge_window_blocks=20, committee=NO_COMMITTEE)


def test_the_digest_is_that_of_the_layout():
    """Pinned by hand: docs/protocol.md, section 9."""
    attested = Attested(7, b"\5" * 20, 2, 9, b"\xaa" * 32, 192)
    layout = (
        (7).to_bytes(8, "big") + b"\5" * 20 + (2).to_bytes(8, "big") + (9).to_bytes(8, "big")
        + b"\xaa" * 32 + (192).to_bytes(4, "big")
    )  # fmt: skip
    assert attested.digest() == keccak256(layout + b"\x1d")


def test_a_header_of_the_kind_encodes_like_any_other(world):
    header = build(world).header
    assert Header.decode(header.encode()) == header
    assert header.data_kind == DATA_COMMITTEE

"""Posting with a committee: its word, the way back to inline data, and answers to who asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearing.keys import address_of
from clearing.recovery import sign
from node.batcher import batch_data
from node.poster import Poster
from prover.gather import asks_of, gather, wanted_of
from prover.member import DataMember, MemberRefused
from prover.member_store import MemberStore
from tests.node.scenario import ALICE_KEY, BOB_KEY, SEQUENCER_KEY, price, trade
from tests.node.test_poster import COURT, Setting
from tests.prover.test_member import data_of
from tests.support.committee import WINDOWS, committee_of, secret_of
from verifier import bls
from verifier.base.transactions import AskStep, ProveFraud
from verifier.batch import PAIR_BYTES, data_hash
from verifier.batches import BatchStatus
from verifier.committee import Attestation, Attested
from verifier.header import DATA_COMMITTEE, DATA_INLINE, Header
from verifier.withheld import AskStatus, answer_closes

HELD_COURT = replace(COURT, committee=committee_of(), **WINDOWS)


class Members:
    """The real members without a network between; ``away`` are those that do not answer."""

    def __init__(self, directory):
        self.stores = [MemberStore(directory / str(place), "chain") for place in range(3)]
        self.members = [
            DataMember(HELD_COURT, store, secret_of(place), lambda: HELD_COURT.sequencer)
            for place, store in enumerate(self.stores)
        ]
        self.away: set[int] = set()
        self.asked = 0

    def attest(self, attested, step_count, data, sequencer_key):
        self.asked += 1
        signature = sign(sequencer_key, attested.digest())
        place = attested.generation, attested.number, step_count, data, signature
        signed = {}
        for number, member in enumerate(self.members):
            try:
                if number not in self.away:
                    signed[number] = member.attest(*place)
            except MemberRefused:
                continue
        if len(signed) < HELD_COURT.committee.threshold:
            return None
        signers = sum(1 << number for number in signed)
        return Attestation(signers, bls.aggregate(list(signed.values())))

    def fetch(self, header, pairs):
        found = (
            one.data(header.generation, header.number, header.data_hash) for one in self.members
        )
        return next((data for data in found if data is not None), None)


class HeldSetting(Setting):
    """A node whose batches a committee holds."""

    def __init__(self, directory):
        self.members = Members(directory)
        super().__init__(court=HELD_COURT)

    def new_poster(self):
        shell = self.shell
        return Poster(self.base, HELD_COURT, SEQUENCER_KEY, 1, shell.log, shell.seals, self.members)

    def header(self, number):
        return Header.decode(self.base.batches(number, 1)[0].record.header)

    def data(self, number):
        return batch_data(self.shell.log, self.shell.seals[number - 1])


@pytest.fixture
def setting(tmp_path):
    made = HeldSetting(tmp_path)
    made.tick(8)
    made.seal(price(made.shell.now_ms), trade(1))
    made.tick(2)
    yield made
    for store in made.members.stores:
        store.close()


def test_a_batch_is_posted_without_its_steps_and_members_hold_them(setting):
    header = setting.header(1)
    assert header.data_kind == DATA_COMMITTEE
    pairs = setting.base.batch_data(header.batch_id())
    assert pairs == setting.data(1)[: PAIR_BYTES * header.step_count]
    assert gather(setting.base, header, None, setting.members).data == setting.data(1)
    assert setting.poster.status.posted == 1 and not setting.poster.status.foreign_batch


def test_a_short_committee_is_no_reason_to_wait(setting):
    setting.members.away = {0, 1}
    setting.seal(trade(2))
    setting.tick(2)
    assert setting.header(2).data_kind == DATA_INLINE
    setting.members.away = {0}
    setting.seal(trade(3))
    setting.tick(2)
    assert setting.header(3).data_kind == DATA_COMMITTEE
    assert not setting.poster.status.foreign_batch


def test_members_that_signed_other_data_are_no_reason_to_wait(setting):
    """Whoever stole the key may have been there first; the honest batch goes inline."""
    forged = data_of(1)
    pairs = forged[:PAIR_BYTES]
    attested = Attested(
        HELD_COURT.chain_id, HELD_COURT.settlement, 0, 2, data_hash(pairs), len(pairs)
    )
    signature = sign(SEQUENCER_KEY, attested.digest())
    for member in setting.members.members[:2]:
        member.attest(0, 2, 1, forged, signature)
    setting.seal(trade(2))
    setting.tick(2)
    assert setting.header(2).data_kind == DATA_INLINE


def test_a_word_is_asked_for_once_however_often_the_header_changes(setting):
    asked = setting.members.asked
    setting.seal(trade(2))
    setting.tick(2)
    posted = setting.header(2)
    setting.chain.reorg(2)
    setting.tick(4)
    assert setting.members.asked == asked + 1
    assert setting.header(2).data_hash == posted.data_hash


def test_after_a_rollback_the_members_sign_for_the_new_generation(setting):
    setting.send(BOB_KEY, ProveFraud(setting.header(1).batch_id(), bytes(400)))
    setting.tick(6)
    header = setting.header(1)
    assert (header.generation, header.data_kind) == (1, DATA_COMMITTEE)
    assert all(store.batch_count == 2 for store in setting.members.stores)


def test_a_node_that_was_restarted_knows_its_batches(setting):
    setting.poster = setting.new_poster()
    setting.seal(trade(2))
    setting.tick(2)
    assert setting.poster.status.posted == 2 and not setting.poster.status.foreign_batch


def ask_all(setting, number):
    header = setting.header(number)
    pairs = gather(setting.base, header, None).pairs
    for step in range(header.step_count):
        setting.send(ALICE_KEY, AskStep(header.batch_id(), wanted_of(pairs, step)))
    return header


def test_who_asks_is_answered_from_the_log(setting):
    header = ask_all(setting, 1)
    setting.tick()
    assert setting.base.batch(header.batch_id()).open_asks == header.step_count
    setting.tick()
    asks = asks_of(setting.base, header.batch_id(), None)
    assert {ask.status for ask in asks} == {AskStatus.ANSWERED}
    assert gather(setting.base, header, None).data == setting.data(1)
    # What the answers cost is a credit of ours.
    assert setting.base.credit(address_of(SEQUENCER_KEY)) > 0
    setting.tick(HELD_COURT.final_after_blocks + 8)
    assert setting.base.batch(header.batch_id()).status == BatchStatus.FINALISED


def test_an_answer_that_was_reorganised_away_is_sent_again(setting):
    header = ask_all(setting, 1)
    setting.tick(2)
    assert setting.base.batch(header.batch_id()).open_asks == 0
    setting.chain.reorg(1)
    setting.tick(2)
    assert setting.base.batch(header.batch_id()).open_asks == 0
    assert not setting.poster.status.error


def test_an_answer_is_sent_once_while_it_waits(setting):
    header = ask_all(setting, 1)
    setting.tick()
    sent = setting.poster.submitted
    for _ in range(3):
        setting.step()
    assert setting.poster.submitted == sent
    setting.tick()
    assert setting.base.batch(header.batch_id()).open_asks == 0


def test_an_answer_that_comes_too_late_is_said_aloud(setting):
    header = setting.header(1)
    posted = setting.base.batch(header.batch_id()).record.posted_block
    ask_all(setting, 1)
    setting.chain.mine()
    closes = answer_closes(HELD_COURT.challenge_window_blocks, posted)
    setting.chain.mine(closes - setting.base.head().number)
    setting.step()
    assert "were not answered" in setting.poster.status.error

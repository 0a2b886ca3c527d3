"""Members that answer on the base layer by themselves: in their turns, once, for their money."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.keys import address_of
from prover.gather import asks_of, gather
from prover.member import DataMember
from prover.member_answers import Answers, turn_block
from tests.node.scenario import price, trade
from tests.node.test_poster_committee import HELD_COURT, HeldSetting, ask_all
from tests.support.committee import secret_of
from verifier.base.mempool import censoring, first_come
from verifier.base.transactions import Faucet, TransactionKind
from verifier.batches import BatchStatus
from verifier.withheld import AskStatus, answer_closes

KEYS = [bytes([9] * 31 + [place]) for place in range(3)]


class Away(HeldSetting):
    """A committee whose node has gone away after its first batch, and members with money."""

    def __init__(self, directory):
        super().__init__(directory)
        self.tick(8)
        for key in KEYS:
            self.send(key, Faucet(address_of(key), 10**13, 0))
        self.seal(price(self.shell.now_ms), trade(1))
        self.tick(2)
        self.said: list[str] = []
        self.answers = [
            Answers(self.base, member, key, self.said.append)
            for member, key in zip(self.members.members, KEYS, strict=True)
        ]

    def pass_blocks(self, count, places=(0, 1, 2), node=False):
        for _ in range(count):
            self.shell.now_ms += HELD_COURT.block_time_ms
            self.chain.mine()
            for place in places:
                self.answers[place].step()
            if node:
                self.step()

    def open_asks(self, header):
        view = self.base.batch(header.batch_id())
        assert view is not None
        return view.open_asks

    def sent(self):
        return [one.sent for one in self.answers]


@pytest.fixture
def away(tmp_path):
    made = Away(tmp_path)
    yield made
    for store in made.members.stores:
        store.close()


def test_while_the_node_is_away_the_first_member_answers_and_nobody_else_pays(away):
    header = ask_all(away, 1)
    away.pass_blocks(4)
    assert {ask.status for ask in asks_of(away.base, header.batch_id(), None)} == {
        AskStatus.ANSWERED
    }
    assert gather(away.base, header, None).data == away.data(1)
    assert away.sent() == [header.step_count, 0, 0]
    # What it cost is a credit of whose key paid.
    assert away.base.credit(address_of(KEYS[0])) > 0 and not away.said
    away.pass_blocks(30)
    away.step()
    away.pass_blocks(1)
    assert away.base.batch(header.batch_id()).status == BatchStatus.FINALISED


def test_while_the_node_is_there_no_member_pays(away):
    header = ask_all(away, 1)
    away.shell.now_ms += HELD_COURT.block_time_ms
    away.chain.mine()
    away.step()
    away.pass_blocks(5, node=True)
    assert away.open_asks(header) == 0 and away.sent() == [0, 0, 0]


@pytest.mark.parametrize("there", [1, 2])
def test_any_one_member_is_enough(away, there):
    header = ask_all(away, 1)
    posted = away.base.batch(header.batch_id()).record.posted_block
    closes = answer_closes(HELD_COURT.challenge_window_blocks, posted)
    away.pass_blocks(closes - away.base.head().number, places=(there,))
    assert away.open_asks(header) == 0
    assert away.sent()[there] == header.step_count


def test_without_any_of_them_the_asks_stay_open(away):
    header = ask_all(away, 1)
    away.pass_blocks(8, places=())
    assert away.open_asks(header) == header.step_count


def test_an_answer_that_a_reorganisation_drops_is_given_again(away):
    header = ask_all(away, 1)
    away.pass_blocks(5, places=(0,))
    assert away.open_asks(header) == 0
    newest = away.chain.block(away.chain.head().number)
    away.chain.reorg(1, drop=[one.transaction_hash for one in newest.receipts])
    away.pass_blocks(3, places=(0,))
    assert away.open_asks(header) == 0


def test_an_answer_that_no_block_takes_is_offered_again_dearer_in_its_own_place(away):
    header = ask_all(away, 1)
    away.chain.mempool.policy = censoring(kinds=[TransactionKind.ANSWER_STEP])
    away.pass_blocks(4, places=(0,))
    away.chain.mempool.policy = first_come
    before = away.base.account(address_of(KEYS[0])).nonce
    away.pass_blocks(1, places=(0,))
    assert away.open_asks(header) == 0 and away.sent()[0] == header.step_count
    assert away.base.account(address_of(KEYS[0])).nonce == before + header.step_count


def test_each_offer_of_an_answer_pays_twice_the_last_up_to_the_fee_of_a_proof(away):
    ask_all(away, 1)
    fees: list[int] = []

    def watching(waiting, number):
        answers = {
            one
            for one in waiting
            if one.signed.transaction.body.kind == TransactionKind.ANSWER_STEP
        }
        fees.extend({one.signed.transaction.fee_per_gas for one in answers} - set(fees))
        return [one for one in waiting if one not in answers]

    away.chain.mempool.policy = watching
    away.pass_blocks(20, places=(0,))
    low, high = HELD_COURT.fee_per_gas_min, HELD_COURT.proof_fee_per_gas
    assert fees == sorted({min(low << doubled, high) for doubled in range(len(fees))})
    assert fees[-1] == high > 2 * low


def test_who_has_no_money_says_so_and_the_next_one_answers(away):
    poor = bytes([8] * 32)
    away.answers[0] = Answers(away.base, away.members.members[0], poor, away.said.append)
    header = ask_all(away, 1)
    away.pass_blocks(8)
    assert away.open_asks(header) == 0 and away.sent() == [0, header.step_count, 0]
    assert len(away.said) == header.step_count and "fund the address" in away.said[0]
    assert address_of(poor).hex() in away.said[0]


def test_who_lacks_the_data_or_has_them_damaged_leaves_it_to_the_next(away, tmp_path):
    for file in (tmp_path / "0").glob("0-1"):
        file.unlink()
    for file in (tmp_path / "1").glob("0-1"):
        file.write_bytes(file.read_bytes()[:-1])
    header = ask_all(away, 1)
    away.pass_blocks(11)
    assert away.open_asks(header) == 0 and away.sent() == [0, 0, header.step_count]
    assert "expected its data here, was none" in away.said[0]
    assert any("restore the file" in text for text in away.said)


def test_who_is_not_on_the_committee_answers_nothing(away):
    stranger = DataMember(
        HELD_COURT, away.members.stores[0], secret_of(7), lambda: HELD_COURT.sequencer
    )
    away.answers = [Answers(away.base, stranger, KEYS[0])]
    header = ask_all(away, 1)
    away.pass_blocks(5, places=(0,))
    assert away.open_asks(header) == header.step_count and away.sent() == [0]


@given(st.integers(0, 10**6), st.integers(3, 10**6), st.integers(1, 64))
def test_turns_follow_each_other_and_all_of_them_come_in_time(asked, room, members):
    closes = asked + room
    turns = [turn_block(asked, closes, place, members) for place in range(members)]
    assert turns == sorted(turns) and asked <= turns[0] and turns[-1] < closes

"""Witnesses and proofs built by the prover are accepted by those who check them."""

from dataclasses import replace

import pytest

from clearing.genesis import word
from clearing.keccak import to_bytes
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.proofs import account_proof, withdrawal_proof
from prover.witness import build_evidence
from tests.prover.market import DEPOSIT, PROPOSER, START_MS, Market, columns_of
from verifier.account_leaf import ProvenCollateral, decode_account_leaf
from verifier.account_proof import AccountProof, verify_account_proof
from verifier.escrow import WithdrawalLeaf
from verifier.evidence import check_bad_step
from verifier.multiproof import ProofError, root_from

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, PROPOSER)


def opened(accounts=6):
    market = Market()
    engine = Engine(market.genesis, accounts_capacity=4)
    run(engine, market.opening(accounts))
    return market, engine


def run(engine, actions):
    return engine.advance(columns_of(engine, actions), START_MS)


def step_evidence(market, engine, actions):
    """Evidence of one honest step, built from a second engine that stands before it."""
    forge = BatchForge(engine)
    point = engine.checkpoint(columns_of(engine, actions))
    steps = forge.honest(actions, START_MS)
    assert len(forge.steps) == 1
    header = forge.finish(PLACE).header
    engine.rollback(point)
    built = build_evidence(engine, header, forge.pairs, 0, forge.steps[0].encode())
    assert check_bad_step(header, built.encode()) is False
    return steps, built


def ids_of(leaves):
    return [int.from_bytes(leaf[8:16], "big") for leaf in leaves]


def test_evidence_holds_existing_accounts_their_markets_and_the_pages_of_the_orders_alone():
    market, engine = opened()
    run(engine, [market.trade(0, 1, 2), market.trade(3, 4, 1)])
    orders = [market.order(0, 5, 10**6, slot=1), market.order(99, 5, 10**6, slot=1)]
    trade = market.trade(0, 99, 0, 1, 10**6, 1, *orders, signers=(0, 5))
    _, built = step_evidence(market, engine, [trade])
    assert ids_of(built.accounts) == [0]
    # Market 0 is the trade's, market 2 that of the account's position.
    assert ids_of(built.instruments) == [0, 2]
    # The order's page exists since the first trade; other pages of the account stay hashes.
    assert ids_of(built.pages) == [0]
    assert len(built.funds) == 3


def test_a_page_that_the_order_opens_is_not_in_the_evidence():
    market, engine = opened()
    orders = [market.order(0, 5, 10**6, slot=33), market.order(1, 5, 10**6, slot=34)]
    steps, built = step_evidence(market, engine, [market.trade(0, 1, 0, 1, 10**6, 1, *orders)])
    assert not steps.codes.any()
    assert built.pages == ()


def test_an_engine_that_stands_elsewhere_is_refused():
    market, engine = opened()
    forge = BatchForge(engine)
    forge.honest([market.trade(0, 1)], START_MS)
    header = forge.finish(PLACE).header
    with pytest.raises(ValueError, match="replay the steps before it"):
        build_evidence(engine, header, forge.pairs, 0, forge.steps[0].encode())


def test_an_account_proof_shows_the_account_to_whoever_knows_the_root():
    market, engine = opened(30)
    run(engine, [market.trade(7, 8, 1, lots=5), market.trade(8, 7, 2, lots=9)])
    proof = account_proof(engine, 7)
    shown = verify_account_proof(AccountProof.decode(proof.encode()), engine.root())
    row = engine.state.accounts[7]
    assert (shown.id, shown.cash, shown.subaccount) == (7, row.cash, 0)
    assert to_bytes(word(shown.owner)) == to_bytes(row.owner)
    assert [(p.instrument, p.lots) for p in shown.positions] == [(1, 5), (2, -9)]
    assert shown.positions[0].entry_cost == row.positions[0].entry_cost
    assert shown.pages.keys() == {n for n in range(16) if row.page_mask >> n & 1}
    assert shown.cash != DEPOSIT


def test_an_account_proof_shows_collateral_and_keys_too():
    _, engine = opened(30)
    key = bytes(range(1, 21))

    def widen(state):
        row = state.accounts[7]
        row.not_before, row.close_instrument, row.close_lots, row.close_time = 5, 2, -3, 4
        row.collateral_count, row.key_count = 2, 1
        for place, asset in enumerate((1, 64)):
            entry = row.collaterals[place]
            entry.asset, entry.amount, entry.unlock_time = asset, 70 + place, 9
        row.keys[0].address[:] = word(key)
        row.keys[0].scope, row.keys[0].limit = 4, 8

    engine.edit(widen)
    shown = verify_account_proof(account_proof(engine, 7), engine.root())
    assert shown.collaterals == (ProvenCollateral(1, 70, 9), ProvenCollateral(64, 71, 9))
    assert shown.keys == (key,)
    assert shown.positions == ()


@pytest.mark.parametrize("parts", range(8))
def test_an_account_with_any_of_its_optional_words_has_a_proof(parts):
    market, engine = opened(30)
    run(engine, [market.trade(7, 8, 1, lots=5), market.trade(8, 7, 2, lots=9)])
    shown = verify_account_proof(account_proof(engine, 7), engine.root())

    def widen(state):
        row = state.accounts[7]
        row.not_before = 5 * (parts & 1)
        row.hold_until = 6 * (parts >> 1 & 1)
        row.call_lots, row.call_margin = 7 * (parts >> 2 & 1), 8 * (parts >> 2 & 1)

    engine.edit(widen)
    proof = account_proof(engine, 7)
    assert proof.leaf[7] == parts
    assert verify_account_proof(proof, engine.root()) == shown
    assert [position.lots for position in shown.positions] == [5, -9]


@pytest.mark.parametrize("id", range(5))
def test_every_account_of_a_small_state_has_a_proof(id):
    _, engine = opened(5)
    assert verify_account_proof(account_proof(engine, id), engine.root()).id == id
    with pytest.raises(KeyError, match="below 5"):
        account_proof(engine, 5)


def test_a_proof_of_another_state_or_a_changed_leaf_is_refused():
    market, engine = opened(30)
    proof, root = account_proof(engine, 7), engine.root()
    run(engine, [market.deposit(7)])
    with pytest.raises(ProofError, match="a proof of state"):
        verify_account_proof(proof, engine.root())
    richer = bytearray(proof.leaf)
    richer[31] ^= 1
    with pytest.raises(ProofError, match="accounts root"):
        verify_account_proof(replace(proof, leaf=bytes(richer)), root)
    with pytest.raises(ProofError, match="expected a sibling"):
        verify_account_proof(replace(proof, siblings=proof.siblings[:-1]), root)
    with pytest.raises(ProofError, match="bytes"):
        AccountProof.decode(proof.encode()[:-1])


@pytest.mark.parametrize("place", [0, 3, 7, 33])
def test_a_leaf_with_a_reserved_bit_is_refused(place):
    _, engine = opened(2)
    leaf = bytearray(account_proof(engine, 0).leaf)
    leaf[place] ^= 0x80
    with pytest.raises(ProofError, match="reserved"):
        decode_account_leaf(bytes(leaf))


def test_a_withdrawal_is_proven_also_against_an_older_count():
    market, engine = opened()
    run(engine, [market.withdraw(i % 6, 1000 + i) for i in range(5)])
    older_root, older_count = to_bytes(engine.totals.withdrawals_root), 5
    run(engine, [market.withdraw(i % 6, 2000 + i) for i in range(18)])
    newer_root = to_bytes(engine.totals.withdrawals_root)
    for count, root in ((older_count, older_root), (23, newer_root)):
        proof = withdrawal_proof(engine, 3, count)
        leaf = WithdrawalLeaf.decode(proof.leaf)
        assert (leaf.index, leaf.account, leaf.amount) == (3, 3, 1003)
        assert root_from(20, count, [3], [leaf.hash()], proof.siblings) == root
    assert withdrawal_proof(engine, 22) == withdrawal_proof(engine, 22, 23)
    for index, count in ((5, 5), (0, 24), (-1, 5)):
        with pytest.raises(KeyError, match="a withdrawal below"):
            withdrawal_proof(engine, index, count)

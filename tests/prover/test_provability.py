"""The provability table: every row holds, none is missing, and a broken check shows.

Which rows there must be is worked out here from type hints and dataclasses, not from the dtypes and
forms that the table makes its rows of.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from inspect import signature
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from clearing import records
from clearing.codes import Kind
from clearing.forms import FORMS, NOBODY
from clearing.messages import (
    Authorisation,
    Cancel,
    InboxMessage,
    Order,
    Price,
    PriceObservation,
    Trade,
)
from novatio.cli.provability import KINDS
from prover.provability import Caught, House, Part, Row, rows, run_rows, states
from prover.snapshot import Snapshot
from verifier import evidence as bad_step
from verifier import posting
from verifier.base.transactions import ClaimWithdrawal
from verifier.batch import SUB_ROOTS, BatchData, Pair, Step
from verifier.committee import Attestation, Attested, Member
from verifier.errors import CourtError, PostError
from verifier.escrow import WithdrawalLeaf
from verifier.evidence import Evidence
from verifier.exit_claim import ExitClaim
from verifier.exit_opening import ExitOpening
from verifier.header import Header
from verifier.receipts import LeftOut, SignedReceipt, TwoReceipts
from verifier.rewards import commitment_of
from verifier.withheld import Wanted
from verifier.witness_leaves import WitnessLeaves

ROWS = rows()
RECORDS = {
    "globals": records.Globals,
    "params": records.Params,
    "account": records.Account,
    "page": records.Page,
    "instrument": records.Instrument,
    "call": records.Instrument,
    "underlying": records.Underlying,
    "asset": records.Asset,
    "pool": records.Pool,
    "fund": records.Fund,
    "withdrawal": records.Withdrawal,
}
# Refusals that answer no change of a field: tests/verifier has one for each of them.
ELSEWHERE = {"ACCOUNTS_FULL", "ALREADY_REVERTED", "ESCROW_SHORT", "POOL_UNPAID"}
# Rows of the state that are no part of it: working memory and drafts of an action.
NO_STATE = {"Scratch", "int"}


@pytest.fixture(scope="module")
def house() -> House:
    return House()


@pytest.mark.parametrize("part", Part)
def test_every_row_is_caught_as_it_says_and_its_twin_is_not(house: House, part: Part) -> None:
    results = list(run_rows(house, rows(part)))
    assert results
    failed = [result.explain() for result in results if not result.holds]
    assert not failed, "\n".join(failed)


def names_of(cls: type, base: str = "") -> Iterator[str]:
    """The dotted names of a record class, by its type hints."""
    for name, hint in get_type_hints(cls, include_extras=True).items():
        item = get_args(get_args(hint)[0])[0] if get_origin(hint) is Annotated else hint
        if item is int:
            yield base + name
        else:
            yield from names_of(item, f"{base}{name}.")


def rows_of(*parts: Part, subject: str = "") -> set[tuple[str, str]]:
    return {
        (row.subject, row.field)
        for row in ROWS
        if row.part in parts and subject in ("", row.subject)
    }


def test_no_two_rows_are_the_same() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_rows_of_the_state_are_its_fields() -> None:
    wanted = {(record, name) for record, cls in RECORDS.items() for name in names_of(cls)}
    derived = {tuple(name.split(".", 1)) for name in states.DERIVED}
    assert derived <= wanted
    assert rows_of(Part.STATE) == (wanted - derived) | {("root", name) for name in SUB_ROOTS}


def test_every_record_that_a_state_holds_has_rows() -> None:
    held = {
        get_args(hint)[0].__name__
        for hint in get_type_hints(records.State).values()
        if get_args(hint)
    }
    assert held - NO_STATE == {cls.__name__ for cls in RECORDS.values()}


def test_the_rows_of_header_and_data_are_their_fields() -> None:
    header = {("header", field.name) for field in fields(Header)}
    assert rows_of(Part.HEADER) - header == {
        ("header", name) for name in ("magic", "padding", "length")
    }
    assert header <= rows_of(Part.HEADER)
    data = {("data", field.name) for field in fields(BatchData)}
    data |= {("pair", name) for name in Pair._fields} | {("step", name) for name in Step._fields}
    assert {row for row in rows_of(Part.DATA) if row[0] != "size"} == data


def dotted(base: str, *classes: type) -> set[str]:
    return {f"{base}{field.name}" for cls in classes for field in fields(cls)}


def shaped_fields() -> dict[Kind, set[str]]:
    """The fields of the kinds that follow no form, written out by class."""
    trade = dotted("", Trade)
    nested = {"maker": Order, "taker": Order} | {
        f"{who}_authorisation": Authorisation for who in ("maker", "taker", "venue")
    }
    for name, cls in nested.items():
        trade = (trade - {name}) | dotted(f"{name}.", cls)
    message = dotted("message.", InboxMessage) - {"message.observations"}
    return {
        Kind.TRADE: trade,
        Kind.INBOX: message | dotted("message.observations.", PriceObservation),
        Kind.CANCEL: dotted("", Cancel),
        Kind.PRICE: (dotted("", Price) - {"observations"})
        | dotted("observations.", PriceObservation),
    }


def test_the_rows_of_actions_are_the_fields_of_every_kind() -> None:
    shaped = shaped_fields()
    for kind in Kind:
        wanted = shaped.get(kind)
        if wanted is None:
            form = FORMS[kind]
            wanted = {part.field.name for part in form.parts}
            wanted |= {"payload"} if form.payload else set()
            wanted |= set() if form.signed_by == NOBODY else {"signatures"}
        found = rows_of(Part.ACTION, subject=kind.name.lower())
        assert found == {(kind.name.lower(), name) for name in wanted}
    assert {row.subject for row in ROWS if row.part is Part.ACTION} == {
        kind.name.lower() for kind in Kind
    }


def test_the_rows_of_evidence_are_its_fields() -> None:
    assert rows_of(Part.EVIDENCE, subject="BAD_STEP") == {
        ("BAD_STEP", name) for name in dotted("", Evidence) | {"end", "length"}
    }
    left_out = (dotted("", LeftOut) - {"receipt"}) | dotted("receipt.", SignedReceipt)
    assert rows_of(Part.EVIDENCE, subject="LEFT_OUT") == {("LEFT_OUT", name) for name in left_out}
    two = rows_of(Part.EVIDENCE, subject="TWO_RECEIPTS")
    assert two == {("TWO_RECEIPTS", name) for name in dotted("", TwoReceipts)}


def test_the_rows_of_a_committee_are_the_fields_of_its_word_its_members_and_asks() -> None:
    wanted: dict[str, set[str]] = {
        "attested": dotted("", Attested),
        "attestation": dotted("", Attestation) | {"length"},
        "member": set(Member._fields),
        "ask": set(Wanted._fields),
    }
    for subject, names in wanted.items():
        assert rows_of(Part.COMMITTEE, subject=subject) == {(subject, name) for name in names}


def test_the_rows_of_a_claim_are_the_fields_of_its_call_and_its_leaf() -> None:
    claim = {("claim", field.name) for field in fields(ClaimWithdrawal)} | {("claim", "time")}
    assert rows_of(Part.CLAIM, subject="claim") == claim
    leaf = {("leaf", field.name) for field in fields(WithdrawalLeaf)}
    assert rows_of(Part.CLAIM, subject="leaf") == leaf


def test_the_rows_of_an_exit_are_the_fields_of_what_it_opens() -> None:
    wanted = {("opening", name) for name in dotted("", ExitOpening)}
    wanted |= {("claim", name) for name in dotted("", ExitClaim)}
    for record in ("account", "instrument", "underlying", "asset", "pool"):
        wanted |= {(record, name) for name in names_of(RECORDS[record])}
    wanted -= {tuple(name.split(".", 1)) for name in states.DERIVED}
    rest = rows_of(Part.EXIT) - wanted
    assert wanted <= rows_of(Part.EXIT)
    assert {subject for subject, _ in rest} == {
        "freeze", "opening", "claim", "payment", "surplus", "refund",
    }  # fmt: skip


def test_the_rows_of_commitments_and_snapshots_are_what_they_are_made_of() -> None:
    committed = {("commitment", name) for name in signature(commitment_of).parameters}
    assert committed <= rows_of(Part.REWARD, subject="commitment")
    head = {("head", name) for name in ("magic", "version", *Snapshot.__dataclass_fields__)}
    assert rows_of(Part.SNAPSHOT, subject="head") == head
    leaves = {name for name in WitnessLeaves.__dataclass_fields__} | {"withdrawals", "end"}
    assert {name for _, name in rows_of(Part.SNAPSHOT, subject="leaves")} == leaves


def test_what_can_be_refused_beside_posting_is_in_the_table() -> None:
    """Each refusal of the court, but for those of money and bounds, which no field is."""
    codes = {row.code for row in ROWS if row.caught is Caught.CHALLENGER}
    assert {code.name for code in CourtError} - codes == ELSEWHERE


def test_every_rule_of_posting_catches_something() -> None:
    codes = {row.code for row in ROWS if row.caught is Caught.POSTING}
    assert codes == {code.name for code in PostError}


def test_every_verdict_is_in_the_table() -> None:
    assert {row.caught for row in ROWS} == set(Caught) - {Caught.NOTHING, Caught.FAILED}


def test_the_command_knows_every_part() -> None:
    assert tuple(Part) == KINDS


# Whoever breaks a check must hear of it.


def failing(part: Part, *names: str) -> set[str]:
    """Which rows of a part, or of these fields of it, do not hold in a new house."""
    chosen = [row for row in rows(part) if not names or named(row) in names]
    assert chosen
    return {named(result.row) for result in run_rows(House(), chosen) if not result.holds}


def named(row: Row) -> str:
    return f"{row.subject}.{row.field}"


def test_a_court_that_forgets_a_rule_of_posting_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule for rule in posting.RULES if rule.__name__ != "_bond"]
    monkeypatch.setattr(posting, "RULES", rules)
    assert failing(Part.CALL) == {"call.bond"}


def test_a_court_that_does_not_look_at_step_hashes_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "check_steps", lambda data, root: None)
    assert failing(Part.DATA, "pair.step_hash", "step.time") == {"pair.step_hash", "step.time"}


def test_a_judge_who_never_convicts_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prover.provability.house.check_bad_step", lambda header, evidence: False)
    wrong = {named(row) for row in rows(Part.FRAUD) if row.caught is Caught.BAD_STEP}
    assert failing(Part.FRAUD) == wrong


def test_a_judge_who_takes_any_record_for_the_batchs_own_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bad_step, "_check_records", lambda header, evidence, hashed: None)
    names = {f"BAD_STEP.{name}" for name in ("post_root", "record_siblings", "prior_step_hash")}
    assert failing(Part.EVIDENCE, *names) == names


def test_a_judge_who_convicts_the_honest_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prover.provability.house.check_bad_step", lambda header, evidence: True)
    assert failing(Part.OPENING) == {named(row) for row in rows(Part.OPENING)}


def test_a_field_that_no_leaf_holds_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set(states.DERIVED)
    monkeypatch.setattr(states, "DERIVED", {})
    assert failing(Part.STATE, *names) == names


def test_a_row_that_cannot_be_run_fails_alone(house: House) -> None:
    (row, *_) = rows(Part.OPENING)

    def broken(_: House) -> Any:
        raise ValueError("nothing to change")

    (result,) = run_rows(house, [replace(row, attack=broken)])
    assert result.attack.caught is Caught.FAILED
    assert not result.holds
    assert "nothing to change" in result.explain()

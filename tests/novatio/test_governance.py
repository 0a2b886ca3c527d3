"""Governance and keys from outside: changes as people write them, proposals, and the commands."""

import json
from typing import Any

import pytest

from clearing.codes import Code, Kind, Scope
from clearing.genesis import genesis_state
from clearing.keys import address_of
from clearing.requests import Request
from clearing.units import PPM
from novatio import BadRequest, LocalSigner
from novatio.cli.key import SCOPES
from novatio.governance import (
    changed_params,
    differences,
    flat,
    market_payload,
    params_record,
    payload_of,
    propose,
)
from risk.proposals import Market
from tests.novatio.house import BUYER, GOVERNANCE, GUARDIAN, SELLER
from tests.novatio.test_cli import shown
from tests.support.world import genesis

ROBOT = address_of(b"\x09" * 32)


@pytest.fixture
def record():
    state: Any = genesis_state(genesis())
    return params_record(state.params_pieces[0].tolist())


def test_a_change_moves_what_it_names_and_the_version(record):
    changed = changed_params(
        record,
        {"price_band_ppm": 60_000, "tiers.1.initial_ppm": 9, "guardian": "0x" + "ab" * 20},
    )
    assert differences(record, changed) == [
        ("version", 1, 2),
        ("price_band_ppm", 50_000, 60_000),
        ("guardian", "0x" + "00" * 20, "0x" + "ab" * 20),
        ("tiers.1.initial_ppm", 100_000, 9),
    ]
    assert differences(record, params_record(payload_of(record))) == []


def test_nothing_stays_pending_in_a_change(record):
    record.pending_time = 5
    record.pending_hash[:] = 7
    changed = flat(changed_params(record, {}))
    assert (changed["pending_time"], changed["pending_hash"]) == (0, "0x" + "00" * 32)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("no_such", 1),
        ("tiers", 1),
        ("tiers.0", 1),
        ("tiers.8.initial_ppm", 1),
        ("tiers.-1.initial_ppm", 1),
        ("tiers.0.no_such", 1),
        ("publishers.16", "0x" + "ab" * 20),
        ("publishers.0", "0xab"),
        ("governance", 5),
        ("governance", "zz"),
        ("price_band_ppm", "60000"),
        ("price_band_ppm", True),
        ("price_band_ppm", 1.5),
        ("price_band_ppm", 1 << 63),
        ("price_band_ppm.0", 1),
    ],
)
def test_a_change_of_something_that_is_no_parameter_is_refused(record, path, value):
    with pytest.raises(BadRequest, match="parameter"):
        changed_params(record, {path: value})


def test_half_a_record_is_refused():
    with pytest.raises(BadRequest, match="fields, was 3"):
        params_record([1, 2, 3])


@pytest.mark.parametrize("symbol", ["", "x" * 33, "€"])
def test_a_symbol_is_short_and_ascii(symbol):
    with pytest.raises(BadRequest, match="symbol"):
        market_payload(symbol, [0] * 10)


def test_proposals_stay_within_a_legal_step(record):
    market = Market(deviation=0.2, tail_ratio=3.0, open_interest=10**12, daily_volume=10**13)
    found = {one.field: (one.before, one.after) for one in propose(record, 0, market)}
    assert found["initial_ppm"] == (50_000, 62_500)
    assert found["maintenance_ppm"] == (30_000, 37_500)
    assert "position_cap" not in found
    step = int(record.parameter_step_ppm)
    for before, after in found.values():
        assert abs(after - before) * PPM <= before * step


def test_proposals_never_take_maintenance_below_what_a_liquidation_costs(record):
    record.liquidation_penalty_ppm = 24_000
    market = Market(deviation=0.001, tail_ratio=1.0, open_interest=0, daily_volume=10**13)
    found = {one.field: one.after for one in propose(record, 0, market)}
    assert found["maintenance_ppm"] == 24_000 + int(record.insurance_fee_ppm) + 1


def test_there_is_no_proposal_for_a_tier_that_nobody_uses(record):
    with pytest.raises(BadRequest, match="tier"):
        propose(record, 3, Market(0.1, 2.0, 1, 1))


def band(house):
    rows = shown(house.cli("governance", "show", "-o", "json"))["parameters"]
    return {row["parameter"]: row["value"] for row in rows}["price_band_ppm"]


def test_parameters_are_announced_and_enacted_from_one_file(house, tmp_path):
    file = tmp_path / "changes.json"
    file.write_text(json.dumps({"price_band_ppm": 60_000}))
    dry = shown(house.cli("governance", "submit", file, "--dry-run", "-o", "json"))["changes"]
    assert dry[1] == {"parameter": "price_band_ppm", "before": 50_000, "after": 60_000}
    early = house.cli("governance", "enact", file, "-o", "json")
    assert early.exit_code == 4
    assert "CLR-GOV-001" in early.stderr + early.stdout
    stranger = house.cli("governance", "submit", file, key=BUYER)
    assert stranger.exit_code == 4
    assert "is not governance" in stranger.stderr
    announced = house.cli("governance", "submit", file, key=GOVERNANCE)
    assert announced.exit_code == 0, announced.output
    assert band(house) == 50_000
    house.publish("4000")
    enacted = house.cli("governance", "enact", file)
    assert enacted.exit_code == 0, enacted.output
    assert band(house) == 60_000


def test_a_proposal_is_written_for_submission_and_imposes_nothing(house, tmp_path):
    before = shown(house.cli("heads", "-o", "json"))["sequenced"]["sequence"]
    file = tmp_path / "proposal.json"
    result = house.cli(
        "governance", "propose", 0, "--deviation", "0.2", "--tail-ratio", "3",
        "--open-interest", 10**12, "--daily-volume", 10**13, "--write", file, "-o", "json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = {row["parameter"]: row["after"] for row in shown(result)["proposals"]}
    assert json.loads(file.read_text()) == rows
    assert rows["tiers.0.initial_ppm"] == 125_000
    dry = house.cli("governance", "submit", file, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert shown(house.cli("heads", "-o", "json"))["sequenced"]["sequence"] == before


def test_the_guardian_halts_and_governance_resumes(house):
    assert house.cli("governance", "halt", key=GUARDIAN).exit_code == 0
    refused = house.cli("key", "grant", 0, "0x" + ROBOT.hex(), "--scope", "trade", key=SELLER)
    assert refused.exit_code == 4
    assert "the law is halted" in refused.stderr
    assert house.cli("governance", "resume", key=GUARDIAN).exit_code == 4
    assert house.cli("governance", "resume", key=GOVERNANCE).exit_code == 0


def test_a_listing_by_a_stranger_is_rejected(house):
    result = house.cli(
        "governance", "list-market", "NEW", "--tick-micro", 1, "--lot-size-nano", 1,
        "--open-interest-cap", 1, "--position-cap", 1, key=BUYER,
    )  # fmt: skip
    assert result.exit_code == 4
    assert "is not governance" in result.stderr


def test_keys_are_granted_listed_and_revoked(house):
    address = "0x" + ROBOT.hex()
    granted = house.cli(
        "key", "grant", 0, address, "--scope", "trade", "--scope", "cancel", "--limit", "25",
        "--last-instrument", 4, key=SELLER,
    )  # fmt: skip
    assert granted.exit_code == 0, granted.output
    (row,) = shown(house.cli("key", "list", 0, "-o", "json"))["keys"]
    assert row["address"] == address
    assert row["scope"] == "trade,cancel"
    assert (row["first_instrument"], row["last_instrument"]) == (0, 4)
    assert int(row["limit_micro"]) == 25_000_000
    robot = LocalSigner(b"\x09" * 32)
    house.client.submit([house.client.cancel(0, 200, signer=robot)])[0].raise_for_rejection()
    (outcome,) = house.client.submit([house.client.withdraw(0, "1", signer=robot)])
    assert (outcome.code, outcome.acceptance) == (Code.KEY_SCOPE, "CLR-KEY-001")
    assert house.cli("key", "revoke", 0, address, key=SELLER).exit_code == 0
    again = house.cli("key", "revoke", 0, address, key=SELLER)
    assert again.exit_code == 4
    assert "CLR-KEY-003" in again.stderr + again.stdout
    assert shown(house.cli("key", "list", 0, "-o", "json"))["keys"] == []


def test_a_rotation_is_asked_about_and_is_the_owners_alone(house):
    address = "0x" + ROBOT.hex()
    asked = house.cli("key", "rotate", 0, address, key=BUYER, text="n\n")
    assert asked.exit_code == 130
    assert "go on?" in asked.output + asked.stderr
    assert house.cli("key", "rotate", 0, address, "--yes", key=BUYER).exit_code == 4
    assert house.cli("key", "rotate", 0, "0xab", "--yes", key=BUYER).exit_code == 2


def test_any_action_of_a_form_can_be_submitted(house):
    request = Request.of(
        Kind.KEY_REVOKE, account=0, key=1, sequence=house.client.heads().sequenced.sequence,
        expiry=1,
    )  # fmt: skip
    outcome = house.client.submit_request(request, signer=LocalSigner(SELLER))
    assert outcome.code == Code.EXPIRED


def test_the_commands_scopes_are_the_laws_bits_in_order():
    assert [Scope[name.upper()] for name in SCOPES] == [1 << bit for bit in range(len(SCOPES))]

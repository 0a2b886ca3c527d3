"""The command: what it prints, with which exit code it ends, and what it says to do next."""

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from clearing.codes import Code
from clearing.keys import address_of
from node.config import genesis_text
from node.log import RECORDS_OFFSET
from novatio.cli import main
from prover.forge import mint
from tests.novatio.house import BUYER, SELLER
from tests.prover.chain_world import ChainWorld
from verifier.base.service import BaseLayerServer, SteppedClock

HASH_CHARACTERS = 2 + 64
NOWHERE = "127.0.0.1:1"


def run(*arguments, text=None, env=None):
    return CliRunner().invoke(main, list(map(str, arguments)), input=text, env=env)


def shown(result):
    """The JSON that a command printed; whatever it said for people went elsewhere."""
    return json.loads(result.stdout)


def assert_ends_with_the_next_step(result):
    *_, last = result.stderr.strip().splitlines()
    assert last.startswith("next: "), result.stderr
    assert result.stderr.startswith("error: ")


def trade_file(house, **changes):
    sides = {
        "maker": {"account": 0, "side": "sell", "key_file": house.key_file(SELLER)},
        "taker": {"account": 1, "side": "buy", "key_file": house.key_file(BUYER)},
    }
    for side in sides.values():
        side |= {"size": "0.02", "limit_price": "4000", "slot": 77}
    return {"instrument": "BTC-PERP", **sides} | changes


# The shape of the command.


def commands(group=main, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def test_the_nouns_and_verbs_are_those_of_the_handbook():
    found = {" ".join(path) for path, _ in commands()}
    assert found >= {
        "devnet", "node", "base", "challenger", "keeper", "feed", "demo", "heads", "root list",
        "root show", "batch list", "batch show", "batch verify", "batch diff", "account show",
        "account proof", "account margin", "account set-mode", "trade submit",
        "withdraw request", "withdraw prove",
        "withdraw claim", "dispute list", "dispute show", "inspect log", "inspect view",
        "config check", "config show", "law list", "law eval", "governance show",
        "governance propose", "governance submit",
        "governance enact", "governance halt", "governance resume", "governance list-market",
        "key list", "key grant", "key revoke", "key rotate", "account statement", "account fills",
        "account fees", "account funding", "account margin-calls", "trade explain",
        "asset list", "account collateral", "account optimise", "inbox force withdraw",
        "inbox force cancel", "inbox force close", "inbox force liquidate", "inbox force price",
        "pool show", "pool deposit", "pool withdraw", "pool trade", "call order", "call fill",
        "watch", "committee member", "committee status", "committee keygen", "committee asks",
        "committee ask", "committee answer", "committee settle",
        "receipt get", "receipt check", "receipt prove", "bond list", "bond claim", "bond stake",
        "bond unstake", "inbox list",
        "freeze status", "freeze open", "freeze trigger", "state rebuild", "state snapshot write",
        "state snapshot verify", "exit build", "exit submit", "exit status",
    }  # fmt: skip


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_every_command_explains_itself(path):
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_help_loads_neither_the_compiler_nor_the_network():
    code = (
        "import sys; from novatio.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'numba', 'grpc', 'msgspec', 'google.protobuf'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "json", "law", "codes"),
        ("law", "-o", "json", "codes"),
        ("law", "codes", "-o", "json"),
    ],
)
def test_the_output_option_stands_anywhere(arguments):
    result = run(*arguments)
    assert {"code": 20, "name": "OFF_TICK", "acceptance": "CLR-TRD-008"} in shown(result)["codes"]


# Exit codes.


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("batch", "show", "many"),
        ("heads", "--colour"),
        ("heads", "-o", "yaml"),
        ("law", "eval", "fee", "value"),
        ("node", "--set", "listen=x"),
    ],
)
def test_2_is_a_misuse(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert_ends_with_the_next_step(result)
    assert "--help" in result.stderr


def test_2_is_also_a_number_that_no_unit_can_hold(house):
    result = house.cli("withdraw", "request", 0, "0.0000001", key=SELLER)
    assert result.exit_code == 2
    assert "INEXACT" in result.stderr
    assert_ends_with_the_next_step(result)


@pytest.mark.parametrize(
    "arguments",
    [
        ("account", "show", 99),
        ("batch", "show", 10**6),
        ("batch", "verify", 10**6),
        ("root", "show", 10**6),
        ("dispute", "show", 0),
        ("withdraw", "prove", 10**6),
        ("account", "proof", 99, "--batch", 0),
        ("instrument", "show", "DOGE-PERP"),
    ],
)
def test_3_is_something_that_is_not_there(house, arguments):
    result = house.cli(*arguments)
    assert result.exit_code == 3, result.output
    assert_ends_with_the_next_step(result)


def test_4_is_a_rejection_with_code_acceptance_and_operands(house):
    file = trade_file(house, price="4001")
    result = house.cli("trade", "submit", "-", "-o", "json", text=json.dumps(file))
    assert result.exit_code == 4
    [outcome] = shown(result)["outcomes"]
    assert (outcome["name"], outcome["acceptance"]) == ("LIMIT_PRICE", "CLR-TRD-009")
    assert outcome["operands"]["taker_limit_micro"] == "4000000"
    assert "LIMIT_PRICE (CLR-TRD-009)" in result.stderr
    assert_ends_with_the_next_step(result)


@pytest.mark.parametrize(
    "arguments",
    [
        ("heads", "--node", NOWHERE),
        ("root", "list", "--base", NOWHERE),
        ("batch", "list", "--node", NOWHERE),
    ],
)
def test_5_is_nobody_answering(arguments):
    result = run(*arguments)
    assert result.exit_code == 5
    assert_ends_with_the_next_step(result)


@pytest.fixture(scope="module")
def fraud(tmp_path_factory):
    """A base layer whose second batch gives somebody money, and the settings to look at it."""
    world = ChainWorld()
    world.opening_batch()
    world.forged_batch(mint(1, 1_000), honest=3)
    clock = SteppedClock(lambda: world.now)
    world.chain.clock = clock
    server = BaseLayerServer(world.chain, clock)
    server.start()
    directory = tmp_path_factory.mktemp("fraud")
    (directory / "genesis.json").write_text(genesis_text(world.market.genesis))
    settings = directory / "client.toml"
    settings.write_text(f'[client]\nbase = "{server.address}"\ngenesis = "genesis.json"\n')
    yield settings
    server.stop()


def test_an_honest_batch_is_valid(fraud):
    result = run("batch", "verify", 1, "--config", fraud, "-o", "json")
    assert result.exit_code == 0, result.output
    assert shown(result)["verdict"] == "VALID"


def test_6_is_a_batch_that_the_law_does_not_confirm(fraud):
    result = run("batch", "verify", 2, "--config", fraud, "-o", "json")
    assert result.exit_code == 6
    found = shown(result)
    assert (found["verdict"], found["judged_number"]) == ("INVALID", 2)
    assert found["evidence_bytes"] > 1_000
    assert_ends_with_the_next_step(result)
    assert "novatio batch diff 2" in result.stderr


def test_the_diff_names_the_step_its_leaves_and_what_was_committed_wrongly(fraud):
    verified = shown(run("batch", "verify", 2, "--config", fraud, "-o", "json"))
    result = run("batch", "diff", 2, "--config", fraud, "-o", "json")
    assert result.exit_code == 6
    found = shown(result)
    assert found["step"] == verified["step"]
    assert found["committed_root"] != found["law_root"]
    assert found["actions"] == [{"kind": "trade", "outcome": "APPLIED"}]
    assert {(leaf["leaf"], leaf["id"]) for leaf in found["leaves"]} >= {
        ("account", 1),
        ("account", 2),
        ("instrument", 0),
    }
    [custody] = [one for one in found["differences"] if one["field"] == "custody_micro"]
    assert int(custody["committed"]) - int(custody["law"]) == 1_000


def test_an_account_is_proven_from_the_base_layer_alone_up_to_the_fraud(fraud):
    result = run("account", "proof", 1, "--batch", 1, "--config", fraud, "-o", "json")
    assert result.exit_code == 0, result.output
    found = shown(result)
    assert (found["verified"], found["source"]) == (True, "base layer replay")
    assert found["cash_micro"] == str(10**10)
    assert run("account", "proof", 1, "--batch", 2, "--config", fraud).exit_code == 6


def test_7_is_a_log_whose_bytes_are_not_those_that_were_written(house, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(house.data / "log", copy / "log")
    assert run("inspect", "log", copy).exit_code == 0
    segment = max((copy / "log").iterdir(), key=lambda file: file.stat().st_size)
    damaged = bytearray(segment.read_bytes())
    damaged[RECORDS_OFFSET + 40] ^= 1
    segment.write_bytes(damaged)

    result = run("inspect", "log", copy)
    assert result.exit_code == 7
    assert segment.name in result.stderr
    assert_ends_with_the_next_step(result)


# What commands show.


def test_heads_are_whole_hashes_and_text_numbers(house):
    found = shown(house.cli("heads", "-o", "json"))
    assert found["status"] == "active"
    assert len(found["sequenced"]["state_root"]) == HASH_CHARACTERS
    assert isinstance(found["sequenced"]["sequence"], str)
    assert found["sequenced"]["time"].endswith("Z")
    assert {"sealed", "posted", "safe", "finalised", "withdrawable"} <= set(found)


def test_a_trade_in_human_units_is_submitted_once_and_answered_for_ever(house):
    def lots():
        held = shown(house.cli("account", "show", 1, "-o", "json"))["positions"]
        return int(held[0]["lots"]) if held else 0

    before = lots()
    file = trade_file(house)
    for side in ("maker", "taker"):
        file[side] |= {"slot": 78, "sequence": 5, "expiry_ms": 2**60}
    first = house.cli("trade", "submit", "-", "-o", "json", text=json.dumps(file))
    again = house.cli("trade", "submit", "-", "-o", "json", text=json.dumps(file))
    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    [one], [other] = shown(first)["outcomes"], shown(again)["outcomes"]
    assert one["code"] == Code.APPLIED
    assert one["proven"] is True
    assert (one["sequence"], one["repeated"]) == (other["sequence"], False)
    assert other["repeated"] is True
    assert len(one["action_hash"]) == HASH_CHARACTERS
    assert lots() - before == 20


def test_a_dry_run_signs_and_submits_nothing(house):
    before = shown(house.cli("heads", "-o", "json"))["sequenced"]["sequence"]
    file = json.dumps(trade_file(house))
    result = house.cli("trade", "submit", "-", "--dry-run", "-o", "json", text=file)
    [action] = shown(result)["actions"]
    assert action["action"].startswith("0x04")
    assert shown(house.cli("heads", "-o", "json"))["sequenced"]["sequence"] == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instrument": "DOGE-PERP"}, "DOGE-PERP"),
        ({"size": "0.0005"}, "whole number"),
        ({"size": 0.1}, "Expected `str | null`, got `float`"),
        ({"sizes": "1"}, "sizes"),
        ({"price": "4000.001"}, "nearest"),
    ],
)
def test_a_trade_that_says_something_impossible_is_not_sent(house, changes, said):
    file = json.dumps(trade_file(house, **changes))
    result = house.cli("trade", "submit", "-", text=file)
    assert result.exit_code in (2, 3)
    assert said in result.stderr
    assert_ends_with_the_next_step(result)


def test_margin_can_be_asked_what_if(house):
    result = house.cli("account", "margin", 0, "--fill", "BTC-PERP:-1@4000", "-o", "json")
    found = shown(result)
    assert found["legal"] is True
    assert found["before"]["equity_micro"] != "0"
    assert int(found["after"]["notional_micro"]) > int(found["before"]["notional_micro"])
    huge = house.cli("account", "margin", 0, "--fill", "BTC-PERP:100000", "-o", "json")
    assert shown(huge)["legal"] is False
    assert house.cli("account", "margin", 0, "--fill", "nonsense").exit_code == 2


def test_money_goes_out_by_request_proof_and_claim(house):
    asked = house.cli("withdraw", "request", 0, "1.5", key=SELLER)
    assert asked.exit_code == 0, asked.output

    def listed():
        found = house.cli("withdraw", "list", "--account", 0, "-o", "json")
        assert found.exit_code == 0, found.output
        rows = shown(found)["withdrawals"]
        return [row for row in rows if row["amount_micro"] == "1500000" and row["claimable"]]

    def provable():
        found = listed()
        return found and house.cli("withdraw", "prove", found[0]["index"]).exit_code == 0

    house.until(provable)
    index = listed()[0]["index"]
    proven = shown(house.cli("withdraw", "prove", index, "-o", "json"))
    assert (proven["verified"], proven["amount_micro"]) == (True, "1500000")

    tokens = house.base.account(address_of(SELLER)).token
    claimed = house.cli("withdraw", "claim", index, "-o", "json", key=SELLER)
    assert claimed.exit_code == 0, claimed.output
    assert house.base.account(address_of(SELLER)).token - tokens == 1_500_000
    again = house.cli("withdraw", "claim", index, key=SELLER)
    assert again.exit_code == 1  # any other error
    assert "ALREADY_CLAIMED" in again.stderr


def test_batches_and_roots_agree_and_can_be_verified(house):
    house.publish("4000")
    house.until(lambda: house.base.heads().tip_number > 0)
    number = house.base.heads().tip_number
    node = shown(house.cli("batch", "show", number, "-o", "json"))
    base = shown(house.cli("root", "show", number, "-o", "json"))
    assert node["post_root"] == base["post_root"]
    assert len(node["header"]) == 2 + 2 * 384
    result = house.cli("batch", "verify", number, "-o", "json")
    assert (result.exit_code, shown(result)["verdict"]) == (0, "VALID")
    assert shown(house.cli("batch", "diff", number, "-o", "json"))["differences"] == []
    assert shown(house.cli("batch", "list", "-o", "json"))["batches"][0]["number"] >= number
    assert shown(house.cli("root", "list", "-o", "json"))["roots"][0]["number"] >= number


def test_an_account_is_proven_under_a_root_of_the_base_layer(house):
    house.publish("4000")
    house.until(lambda: house.base.heads().tip_number > 0)
    result = house.cli("account", "proof", 1, "-o", "json")
    assert result.exit_code == 0, result.output
    found = shown(result)
    assert found["verified"] is True
    assert found["owner"] == "0x" + address_of(BUYER).hex()
    roots = shown(house.cli("root", "list", "--limit", 1000, "-o", "json"))["roots"]
    assert found["state_root"] in [root["post_root"] for root in roots]


def test_instruments_are_listed_in_human_units(house):
    [row] = shown(house.cli("instrument", "list", "-o", "json"))["instruments"]
    assert (row["symbol"], row["lot_size"], row["tick"]) == ("BTC-PERP", "0.001", "0.01")
    assert shown(house.cli("instrument", "show", "BTC-PERP", "-o", "json"))["id"] == 0


def test_no_dispute_is_listed_where_none_was(house):
    assert shown(house.cli("dispute", "list", "-o", "json")) == {"disputes": []}


def test_the_view_of_a_stopped_node_can_be_inspected(house, tmp_path):
    shutil.copytree(house.data / "view", tmp_path / "view")
    found = shown(run("inspect", "view", tmp_path, "-o", "json"))
    assert found["verified"] is True
    assert found["frames"] > 0
    assert run("inspect", "view", tmp_path / "nowhere").exit_code == 3


# Keys, configuration, law: without a node.


def test_a_key_is_made_shown_and_never_overwritten(tmp_path):
    path = tmp_path / "a.key"
    made = shown(run("key", "new", path, "-o", "json"))
    assert shown(run("key", "address", "--key", path, "-o", "json"))["address"] == made["address"]
    again = run("key", "new", path)
    assert again.exit_code == 2
    assert_ends_with_the_next_step(again)
    assert run("key", "address", env={"NOVATIO_KEY": ""}).exit_code == 2


def test_config_show_tells_where_each_value_comes_from(tmp_path):
    file = tmp_path / "novatio.toml"
    file.write_text('[client]\nnode = "127.0.0.1:1"\napi_key = "secret"\n')
    result = run(
        "config", "show", file, "--base", "127.0.0.1:3", "-o", "json",
        env={"NOVATIO_CLIENT_DEADLINE_MS": "77"},
    )  # fmt: skip
    rows = {row["key"]: row for row in shown(result)["values"]}
    assert (rows["client.node"]["value"], rows["client.node"]["origin"]) == (
        "127.0.0.1:1",
        str(file),
    )
    assert (rows["client.base"]["value"], rows["client.base"]["origin"]) == (
        "127.0.0.1:3",
        "flag client.base",
    )
    assert rows["client.deadline_ms"]["value"] == 77
    assert rows["client.deadline_ms"]["origin"] == "NOVATIO_CLIENT_DEADLINE_MS"
    assert rows["client.tls"]["origin"] == "default"
    assert "secret" not in result.output


def test_settings_are_found_where_the_devnet_puts_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOVATIO_CONFIG", raising=False)
    (tmp_path / "devnet").mkdir()
    (tmp_path / "devnet" / "novatio.toml").write_text('[client]\ngenesis = "genesis.json"\n')

    def genesis():
        rows = shown(run("config", "show", "-o", "json"))["values"]
        return next(row["value"] for row in rows if row["key"] == "client.genesis")

    assert genesis() == "devnet/genesis.json"
    (tmp_path / "novatio.toml").write_text('[client]\ngenesis = "other.json"\n')
    assert genesis() == "other.json"
    monkeypatch.setenv("NOVATIO_CONFIG", "devnet/novatio.toml")
    assert genesis() == "devnet/genesis.json"


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("client", "client"),
        ("node", "node"),
        ("base", "layer"),
        ("challenger", "challenger"),
        ("feed", "feed"),
        ("keeper", "keeper"),
    ],
)
def test_config_check_knows_every_kind_by_its_sections(tmp_path, name, section):
    file = tmp_path / "some.toml"
    file.write_text(f"[{section}]\n")
    result = run("config", "check", file, "-o", "json")
    assert result.exit_code == 0, result.output
    assert shown(result) == {"kind": name, "file": str(file), "valid": True}
    shown_rows = run("config", "show", file, "-o", "json")
    assert shown(shown_rows)["values"]


def test_config_check_reports_all_mistakes_at_once(tmp_path):
    file = tmp_path / "novatio.toml"
    file.write_text('[client]\nnods = "x"\ndeadline_ms = 0\n[cliant]\n')
    result = run("config", "check", file)
    assert result.exit_code == 2
    for mistake in ("client.nods", "client.node?", "deadline_ms", "cliant"):
        assert mistake in result.stderr
    assert_ends_with_the_next_step(result)


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    assert run("config", "check", tmp_path / "none.toml").exit_code == 3


def test_the_law_computes_a_fee_and_refuses_what_it_does_not_know():
    result = run("law", "eval", "fee", "value=1_000_001", "rate_ppm=500", "-o", "json")
    assert shown(result) == {
        "formula": "fee",
        "results": {"fee": 501},
        "units": {"fee": "micro-quote"},
    }
    assert run("law", "eval", "fees").exit_code == 3
    missing = run("law", "eval", "fee", "value=1")
    assert missing.exit_code == 2
    assert "novatio law show fee" in missing.stderr


def test_every_formula_is_listed_with_units():
    formulas = shown(run("law", "list", "-o", "json"))["formulas"]
    assert "fee" in [formula["name"] for formula in formulas]
    assert all(one["unit"] for formula in formulas for one in formula["arguments"])
    assert "rate_ppm" in run("law", "show", "fee").stdout


def test_formulas_are_found_by_words():
    found = run("law", "list", "SPAN", "credit", "-o", "json")
    names = [formula["name"] for formula in shown(found)["formulas"]]
    assert "span_inter_commodity_credit" in names and "fee" not in names
    people = run("law", "list", "span").stdout
    assert max(map(len, people.splitlines())) < 140
    nothing = run("law", "list", "zebra")
    assert nothing.exit_code == 3
    assert "zebra" in nothing.stderr


def test_formulas_are_listed_with_their_origin_and_what_they_take():
    people = run("law", "list", "price").stdout
    assert max(map(len, people.splitlines())) <= 100
    assert "liquidation_price (law): The mark less the penalty" in people
    assert "mark_price micro/lot, penalty_ppm ppm, held_lots lots" in people
    assert "fillable_price (peer): " in people
    formulas = shown(run("law", "list", "-o", "json"))["formulas"]
    assert {one["origin"] for one in formulas} == {"law", "peer"}
    assert all(bool(one["law"]) == (one["origin"] == "law") for one in formulas)
    only = shown(run("law", "list", "peer", "price", "-o", "json"))["formulas"]
    assert only and {one["origin"] for one in only} == {"peer"}


def test_a_formula_shows_its_origin_and_how_python_imports_it():
    people = run("law", "show", "liquidation_price").stdout
    assert "Origin: law; it calls clearing.actions.liquidate.penalty_and_fee." in people
    assert "\nfrom clearing.formulas import liquidation_price\n" in people
    assert "Origin: peer" in run("law", "show", "bankruptcy_price").stdout
    record = shown(run("law", "show", "bankruptcy_price", "-o", "json"))
    assert (record["origin"], record["law"]) == ("peer", [])
    assert record["python"] == "from clearing.formulas import bankruptcy_price"


def test_a_formula_shows_the_columns_of_its_tables():
    people = run("law", "show", "adl_allocation")
    assert "winners[].equity" in people.stdout
    assert "never a lot beyond the shortfall" in people.stdout
    record = shown(run("law", "show", "adl_allocation", "-o", "json"))
    (winners,) = [one for one in record["arguments"] if one["name"] == "winners"]
    assert [column["name"] for column in winners["columns"]] == ["lots", "notional", "equity", "id"]
    assert (winners["most"], record["expects"]) == (256, [])
    held = shown(run("law", "show", "bankruptcy_price", "-o", "json"))
    assert "lots other than 0" in held["expects"]


def test_every_result_of_a_formula_is_a_number_in_json():
    given = ("law", "eval", "adl_in_turn", "shortfall_lots=3", "lots=[1,5]")
    found = shown(run(*given, "-o", "json"))
    assert found["results"] == {"closed_lots": [1, 2], "left_lots": 0}
    rows = run(*given, "-o", "csv").stdout.splitlines()
    assert rows[0] == "name,value,unit" and rows[2] == "left_lots,0,lots"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fee", "value=1", "rate_pm=3"), ("missing rate_ppm", "rate_pm (meant rate_ppm?)")),
        (("fee", "value=1", "rate_ppm=99999999"), ("rate_ppm: expected -1000000 .. 1000000",)),
        (("median", "values=[1,true]"), ("values[1]: expected a whole number",)),
        (("median", "values=[]"), ("values: expected a list of 1 .. 16, was of 0",)),
        (("median", "values=7"), ("values: expected a list, was 7",)),
        (("median", "--json", '{"values": "' + "7" * 99 + '"}'), ("values=", "...")),
        (
            ("adl_allocation", "shortfall_lots=3", 'winners=[{"lots": 4}]'),
            ("winners[0]: missing notional, equity", "[id]", "may be left out"),
        ),
        (
            ("adl_in_turn", "shortfall_lots=3", "lots=[1,-5]"),
            ("lots[1]: expected 0 .. ", "was -5"),
        ),
        (
            ("liquidation_priority", 'accounts=[{"equity": 4, "maintenance": null}]'),
            ("accounts[0].maintenance: expected a whole number", "was None"),
        ),
        (
            ("worst_scenario", "scenario_pnl=[1,2]", "damp_ppm=[1]"),
            ("damp_ppm: expected 2 values", "was 1"),
        ),
        (("span_margin", "positions=[7]"), ("positions[0]: expected an object of lots",)),
    ],
)
def test_a_wrong_argument_of_a_formula_is_named_with_its_place(arguments, words):
    result = run("law", "eval", *arguments)
    assert result.exit_code == 2
    for word in words:
        assert word in result.stderr
    assert max(map(len, result.stderr.splitlines())) < 300
    assert_ends_with_the_next_step(result)

"""Configuration: file, environment and flags, and every mistake at once."""

from __future__ import annotations

import msgspec
import pytest

from node.clock import law_clock
from node.config import (
    Config,
    ConfigInvalid,
    court_config,
    describe,
    genesis_of,
    genesis_text,
    is_loopback,
    load,
    load_genesis,
    load_key,
    split_address,
)
from node.runner import limits_of
from tests.node.scenario import genesis

KEY_HASH = "ab" * 32


class Feed(msgspec.Struct, frozen=True):
    """A section of another process."""

    interval_ms: int = 5


class FeedConfig(msgspec.Struct, frozen=True):
    """Its configuration."""

    feed: Feed = Feed()


def problems_of(**arguments):
    with pytest.raises(ConfigInvalid) as caught:
        load(Config, **{"environ": {}, **arguments})
    return caught.value.problems


def test_the_defaults_are_a_valid_configuration():
    loaded = load(Config, environ={})
    assert loaded.config == Config()
    assert loaded.origins == {}
    limits_of(loaded.config, None)


def test_flags_win_over_the_environment_which_wins_over_the_file(tmp_path):
    path = tmp_path / "novatio.toml"
    path.write_text(
        '[node]\nlisten = "127.0.0.1:1"\nthreads = 24\ndata_dir = "a"\n'
        f'[[venues]]\nname = "one"\nkey_sha256 = "{KEY_HASH}"\n'
    )
    loaded = load(
        Config,
        path,
        environ={"NOVATIO_NODE_LISTEN": "127.0.0.1:2", "NOVATIO_NODE_THREADS": "28"},
        flags={"node.threads": "18"},
    )
    node = loaded.config.node
    assert (node.data_dir, node.listen, node.threads) == ("a", "127.0.0.1:2", 18)
    assert loaded.config.venues[0].name == "one"
    assert loaded.origins["node.data_dir"] == str(path)
    assert loaded.origins["node.listen"] == "NOVATIO_NODE_LISTEN"
    assert loaded.origins["node.threads"] == "flag node.threads"


def test_every_mistake_is_reported_at_once_with_where_it_stands(tmp_path):
    path = tmp_path / "novatio.toml"
    path.write_text('[nodes]\n[batch]\nstep_max = 3\ninterval_ms = "soon"\n[clock]\nrate = -1\n')
    problems = problems_of(
        path=path,
        environ={"NOVATIO_LIMITS_TAILS_MAX": "many"},
        flags={"node.listen": "0.0.0.0:7400"},
    )
    text = "\n".join(problems)
    assert len(problems) == 6
    assert "unknown section nodes; did you mean node?" in text
    assert "unknown key batch.step_max; did you mean batch.steps_max?" in text
    assert "batch.interval_ms: Expected `int`, got `str`" in text
    assert "clock.rate: Expected `int` >= 0" in text
    assert "NOVATIO_LIMITS_TAILS_MAX: limits.tails_max" in text
    assert "expected a loopback address" in text


def test_variables_of_other_sections_are_none_of_its_business():
    assert load(Config, environ={"NOVATIO_CACHE_DIR": "x", "NOVATIO_": "y"}).origins == {}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"tls.certificate": "a"}, "both certificate and private_key"),
        ({"tls.client_ca": "a"}, "mutual TLS is TLS"),
        (
            {"tls.certificate": "a", "tls.private_key": "b"},
            "venues: expected at least one",
        ),
        ({"node.metrics_listen": "0.0.0.0:1"}, "node.metrics_listen: expected a loopback"),
        ({"node.listen": "localhost"}, "expected host:port"),
        ({"node.threads": 16}, "node.threads: expected more than"),
        ({"limits.request_actions_max": 5000}, "at most batch.frame_actions_max"),
        ({"batch.steps_max": 100}, "to fit batch.steps_max"),
        ({"batch.bytes_max": 10**6}, "to fit batch.bytes_max"),
        ({"limits.request_bytes_max": 10}, "expected at least 16384"),
        ({"limits.queue_actions_max": 10}, "limits.queue_actions_max"),
        ({"limits.queue_bytes_max": 10}, "limits.queue_bytes_max"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(flags, expected):
    assert any(expected in problem for problem in problems_of(flags=flags))


@pytest.mark.parametrize(
    ("venues", "expected"),
    [
        ('[[venues]]\nname = "a"\n', "exactly one of key_sha256 and certificate_name"),
        (f'[[venues]]\nname = "A b"\nkey_sha256 = "{KEY_HASH}"\n', "venues[0]"),
        ('[[venues]]\nname = "a"\nkey_sha256 = "zz"\n', "64 hex digits"),
        ('[[venues]]\nname = "a"\ncertificate_name = "x"\n', "expected tls.client_ca"),
        (f'[[venues]]\nname = "a"\nkey_sha256 = "{KEY_HASH}"\nburst = 5\n', "burst"),
        (f'[[venues]]\nname = "a"\nkey_sha256 = "{KEY_HASH}"\n' * 2, "distinct names"),
        ('[[venues]]\nname = "a"\nquota = 3\n', "unknown field"),
    ],
)
def test_a_venue_that_cannot_be_told_apart_or_let_in_is_refused(tmp_path, venues, expected):
    path = tmp_path / "novatio.toml"
    path.write_text(venues)
    assert any(expected in problem for problem in problems_of(path=path))


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path):
    assert "expected a readable file" in problems_of(path=tmp_path / "none.toml")[0]
    bad = tmp_path / "bad.toml"
    bad.write_text("[node\n")
    assert "expected TOML" in problems_of(path=bad)[0]


def test_every_key_is_described():
    described = {key: text for key, text, _ in describe(Config)}
    assert len(described) > 30
    assert [key for key, text in described.items() if not text] == []


def test_other_processes_load_sections_of_their_own():
    assert load(FeedConfig, environ={"NOVATIO_FEED_INTERVAL_MS": "7"}).config.feed.interval_ms == 7


def test_a_genesis_file_holds_the_whole_genesis(tmp_path):
    path = tmp_path / "genesis.json"
    path.write_text(genesis_text(genesis()))
    assert load_genesis(path) == genesis()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        genesis_text(genesis()).replace('"price_quorum": 1', '"price_quorum": 2'),
        genesis_text(genesis()).replace('"price_quorum"', '"quorum"'),
        genesis_text(genesis()).replace('"settlement": "0x', '"settlement": "0xzz'),
    ],
)
def test_a_genesis_that_is_none_is_refused(text):
    with pytest.raises(ConfigInvalid, match="genesis"):
        genesis_of(text)


def test_a_key_file_holds_64_hex_digits(tmp_path):
    path = tmp_path / "key"
    path.write_text("0x" + "12" * 32 + "\n")
    assert load_key(path) == bytes([0x12]) * 32
    path.write_text("12")
    with pytest.raises(ConfigInvalid, match="64 hex digits"):
        load_key(path)
    with pytest.raises(ConfigInvalid, match="expected a key file"):
        load_key(tmp_path / "none")


def test_addresses_are_told_apart():
    assert split_address("[::1]:80") == ("::1", 80)
    assert is_loopback("127.0.0.9") and is_loopback("::1") and is_loopback("localhost")
    assert not is_loopback("0.0.0.0") and not is_loopback("example.org")


def test_a_scaled_clock_runs_from_its_origin_at_its_rate():
    config = load(
        Config,
        environ={},
        flags={"clock.origin_ms": 5_000, "clock.rate": 60, "clock.started_ms": 100},
    ).config
    assert law_clock(config.clock, lambda: 110)() == 5_600
    assert law_clock(Config().clock, lambda: 110)() == 110


def test_the_court_bounds_frame_and_batch():
    court = court_config("production", genesis(), bytes([1]) * 20)
    with pytest.raises(ConfigInvalid, match="court's caps"):
        limits_of(Config(), court)
    flags = {"limits.request_bytes_max": 500_000}
    limits, policy = limits_of(load(Config, environ={}, flags=flags).config, court)
    assert policy.bytes_max == court.batch_bytes_max
    assert limits.frame_bytes_max >= 500_000

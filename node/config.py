"""Configuration: one TOML file, overridden by the environment, overridden by flags.

Every key is `section.key` in the file, `NOVATIO_<SECTION>_<KEY>` in the environment and
`section.key` among the flags. Unknown keys are errors, and all errors are reported at once. Any
process can load its own sections with `load`; the node's are those of `Config`.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from clearing.genesis import (
    Genesis,
    GenesisAsset,
    GenesisError,
    GenesisInstrument,
    GenesisPool,
    GenesisTier,
    GenesisUnderlying,
)
from clearing.units import ACTION_BYTES_MAX, ACTIONS_PER_STEP
from verifier.config import CourtConfig

PREFIX = "NOVATIO_"

T = TypeVar("T", bound=msgspec.Struct)

Positive = Annotated[int, Meta(ge=1, le=2**40)]


class ConfigInvalid(ValueError):
    """The configuration cannot be used; `problems` lists every reason."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("configuration:\n  " + "\n  ".join(self.problems))


class NodeSection(msgspec.Struct, frozen=True, kw_only=True):
    """Where the node lives."""

    data_dir: Annotated[str, Meta(description="directory of log and view", min_length=1)] = "data"
    listen: Annotated[str, Meta(description="host:port of the gRPC server")] = "127.0.0.1:7400"
    metrics_listen: Annotated[str, Meta(description="host:port of /metrics; empty: none")] = ""
    key_file: Annotated[
        str, Meta(description="file with the sequencer's private key, 64 hex digits")
    ] = ""
    accounts_capacity: Annotated[
        Positive, Meta(description="accounts to make room for at the start")
    ] = 1024
    threads: Annotated[int, Meta(description="threads that serve calls", ge=2, le=1024)] = 32
    recovery_threads: Annotated[int, Meta(description="threads that recover", ge=1, le=64)] = 2
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level logged")
    ] = "info"


class TlsSection(msgspec.Struct, frozen=True, kw_only=True):
    """Who may read along. Without a certificate the node speaks plain text, on loopback only."""

    certificate: Annotated[str, Meta(description="PEM file of the server's chain")] = ""
    private_key: Annotated[str, Meta(description="PEM file of its key")] = ""
    client_ca: Annotated[
        str, Meta(description="PEM file; with it, clients need a certificate of this authority")
    ] = ""


class Venue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may submit, and how much. Exactly one of the two credentials is given."""

    name: Annotated[str, Meta(description="name in logs and metrics", pattern="^[a-z0-9-]{1,32}$")]
    key_sha256: Annotated[str, Meta(description="SHA-256 of the API key, 64 hex digits")] = ""
    certificate_name: Annotated[
        str, Meta(description="common name of the client's certificate")
    ] = ""
    actions_per_second: Annotated[Positive, Meta(description="sustained quota")] = 10_000
    burst: Annotated[Positive, Meta(description="actions above the sustained quota")] = 20_000
    in_flight_max: Annotated[Positive, Meta(description="submissions at the same time")] = 64


class LimitsSection(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of everything that a client can make grow."""

    request_actions_max: Annotated[Positive, Meta(description="actions of one submission")] = 1024
    request_bytes_max: Annotated[Positive, Meta(description="bytes of one submission")] = 1 << 20
    queue_actions_max: Annotated[Positive, Meta(description="actions that wait")] = 65_536
    queue_bytes_max: Annotated[Positive, Meta(description="bytes that wait")] = 64 << 20
    deadline_ms_max: Annotated[
        Positive, Meta(description="longest deadline that is waited for")
    ] = 60_000
    tail_events_max: Annotated[Positive, Meta(description="events that a tail may fall behind")] = (
        4096
    )
    tails_max: Annotated[Positive, Meta(description="tails at the same time")] = 8
    streams_max: Annotated[Positive, Meta(description="submission streams at the same time")] = 8


class BatchSection(msgspec.Struct, frozen=True, kw_only=True):
    """When frames and batches end. The court's caps bound these too."""

    steps_max: Annotated[int, Meta(description="steps of a batch", ge=1, le=4096)] = 4096
    bytes_max: Annotated[Positive, Meta(description="bytes of a batch's data")] = 8 << 20
    interval_ms: Annotated[Positive, Meta(description="longest time that a batch is open")] = 1000
    frame_actions_max: Annotated[Positive, Meta(description="actions of a frame")] = 2048
    inbox_per_frame_max: Annotated[Positive, Meta(description="inbox messages of a frame")] = 256


class BaseSection(msgspec.Struct, frozen=True, kw_only=True):
    """The base layer."""

    address: Annotated[
        str, Meta(description="host:port of the base layer's service; empty: post nothing")
    ] = "127.0.0.1:7401"
    poll_ms: Annotated[Positive, Meta(description="time between two looks at it")] = 200
    fee_per_gas: Annotated[Positive, Meta(description="gwei that a transaction offers")] = 2


class CommitteeSection(msgspec.Struct, frozen=True, kw_only=True):
    """Where the members of the data committee are."""

    members: Annotated[
        str, Meta(description="host:port of each member, comma-separated; empty: ask none")
    ] = ""
    authority: Annotated[
        str, Meta(description="PEM file of who signed their certificates; empty: plain text")
    ] = ""
    deadline_ms: Annotated[int, Meta(description="longest wait for a member", ge=1, le=60_000)] = (
        2_000
    )


class ClockSection(msgspec.Struct, frozen=True, kw_only=True):
    """The law's time: origin + rate * (now - started), or the wall clock when rate is zero."""

    origin_ms: Annotated[int, Meta(description="law time at the start", ge=0)] = 0
    rate: Annotated[int, Meta(description="law ms a real ms; 0: wall clock", ge=0, le=10**6)] = 0
    started_ms: Annotated[int, Meta(description="wall time of the start", ge=0)] = 0


class ChainSection(msgspec.Struct, frozen=True, kw_only=True):
    """Which chain."""

    genesis: Annotated[str, Meta(description="JSON file of the genesis")] = "genesis.json"
    court: Annotated[
        Literal["production", "devnet", "test"], Meta(description="preset of the court")
    ] = "devnet"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The node's configuration."""

    node: NodeSection = NodeSection()
    tls: TlsSection = TlsSection()
    venues: tuple[Venue, ...] = ()
    limits: LimitsSection = LimitsSection()
    batch: BatchSection = BatchSection()
    base: BaseSection = BaseSection()
    committee: CommitteeSection = CommitteeSection()
    clock: ClockSection = ClockSection()
    chain: ChainSection = ChainSection()


class Loaded(NamedTuple, Generic[T]):
    """A configuration and where each of its keys came from."""

    config: T
    origins: Mapping[str, str]


def load(
    cls: type[T],
    path: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded[T]:
    """Load sections of `cls` from a TOML file, `environ` and `flags`, the last one winning.

    `flags` maps `section.key` to a value or its text. Raises `ConfigInvalid` with every problem.
    """
    problems: list[str] = []
    reader = _Reader(cls, problems)
    if path is not None:
        reader.file(Path(path))
    reader.environment(os.environ if environ is None else environ)
    for key, value in (flags or {}).items():
        reader.put(key, value, f"flag {key}")
    config = reader.build()
    if isinstance(config, Config):
        problems += node_problems(config)
    if problems or config is None:
        raise ConfigInvalid(problems)
    return Loaded(config, reader.origins)


def describe(cls: type[msgspec.Struct]) -> Iterator[tuple[str, str, Any]]:
    """Yield (section.key, description, default) of every key of `cls`."""
    for section in msgspec.structs.fields(cls):
        kind = _section_of(section.type)
        for key in msgspec.structs.fields(kind):
            default = None if key.default is msgspec.NODEFAULT else key.default
            yield f"{section.name}.{key.name}", _description(kind, key.name), default


class _Reader:
    """Gathers values and problems, key by key."""

    def __init__(self, cls: type[msgspec.Struct], problems: list[str]) -> None:
        self.origins: dict[str, str] = {}
        self._cls = cls
        self._problems = problems
        self._sections = {field.name: field for field in msgspec.structs.fields(cls)}
        self._values: dict[str, dict[str, Any]] = {}
        self._lists: dict[str, Any] = {}

    def file(self, path: Path) -> None:
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            self._problems.append(f"{path}: expected a readable file, was: {error.strerror}")
            return
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self._problems.append(f"{path}: expected TOML, was: {error}")
            return
        for section, values in document.items():
            if section in self._sections and _is_list(self._sections[section].type):
                self._list(section, values, str(path))
            elif section not in self._sections:
                self._problems.append(f"{path}: {_unknown('section', section, self._sections)}")
            elif not isinstance(values, dict):
                self._problems.append(f"{path}: {section}: expected a table, was {values!r}")
            else:
                for key, value in values.items():
                    self.put(f"{section}.{key}", value, str(path))

    def environment(self, environ: Mapping[str, str]) -> None:
        for name, text in environ.items():
            section, _, key = name.removeprefix(PREFIX).lower().partition("_")
            known = section in self._sections and not _is_list(self._sections[section].type)
            if name.startswith(PREFIX) and known and key:
                self.put(f"{section}.{key}", text, name)

    def put(self, name: str, value: Any, origin: str) -> None:
        section, _, key = name.partition(".")
        if section not in self._sections or _is_list(self._sections[section].type):
            self._problems.append(f"{origin}: {_unknown('section', section, self._sections)}")
            return
        kind = _section_of(self._sections[section].type)
        hints = get_type_hints(kind, include_extras=True)
        if key not in kind.__struct_fields__:
            self._problems.append(f"{origin}: {_unknown('key', name, _names(kind, section))}")
            return
        # The environment and flags hold text; the file has types.
        strict = not origin.startswith((PREFIX, "flag "))
        try:
            found = msgspec.convert(value, hints[key], strict=strict)
        except msgspec.ValidationError as error:
            self._problems.append(f"{origin}: {name}: {error}; was {value!r}")
            return
        self._values.setdefault(section, {})[key] = found
        self.origins[name] = origin

    def _list(self, section: str, values: Any, origin: str) -> None:
        kind = _section_of(self._sections[section].type)
        found = []
        for place, value in enumerate(values if isinstance(values, list) else [values]):
            try:
                found.append(msgspec.convert(value, kind))
            except msgspec.ValidationError as error:
                self._problems.append(f"{origin}: {section}[{place}]: {error}")
        self._lists[section] = tuple(found)
        self.origins[section] = origin

    def build(self) -> Any:
        parts: dict[str, Any] = dict(self._lists)
        for name, field in self._sections.items():
            if not _is_list(field.type):
                parts[name] = _section_of(field.type)(**self._values.get(name, {}))
        return self._cls(**parts)


def _is_list(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is tuple


def _section_of(kind: Any) -> type[msgspec.Struct]:
    section: type[msgspec.Struct] = kind.__args__[0] if _is_list(kind) else kind
    return section


def _names(kind: type[msgspec.Struct], section: str) -> list[str]:
    return [f"{section}.{name}" for name in kind.__struct_fields__]


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}"
    return f"unknown {what} {name}; {hint}"


def _description(kind: type[msgspec.Struct], key: str) -> str:
    hint = get_type_hints(kind, include_extras=True)[key]
    texts = [
        meta.description
        for meta in getattr(hint, "__metadata__", ())
        if isinstance(meta, Meta) and meta.description
    ]
    return str(texts[-1]) if texts else ""


def split_address(text: str) -> tuple[str, int]:
    """Return (host, port) of `host:port`. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) < 1 << 16:
        raise ValueError(f"expected host:port, was {text!r}")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine and nobody else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def node_problems(config: Config) -> Iterator[str]:
    """Yield everything that is wrong about valid values together."""
    yield from _address_problems(config)
    yield from _venue_problems(config)
    limits, batch = config.limits, config.batch
    if limits.tails_max + limits.streams_max >= config.node.threads:
        yield (
            "node.threads: expected more than limits.tails_max + limits.streams_max "
            f"({limits.tails_max + limits.streams_max}), each of which takes one for long, "
            f"was {config.node.threads}"
        )
    if limits.request_actions_max > batch.frame_actions_max:
        yield (
            f"limits.request_actions_max: expected at most batch.frame_actions_max "
            f"({batch.frame_actions_max}), was {limits.request_actions_max}"
        )
    if batch.frame_actions_max + batch.inbox_per_frame_max > batch.steps_max:
        yield (
            "batch.frame_actions_max: expected a frame (with batch.inbox_per_frame_max) to fit "
            f"batch.steps_max ({batch.steps_max}) with each action a step of its own, "
            f"was {batch.frame_actions_max} + {batch.inbox_per_frame_max}"
        )
    # Pair, head and length of each action, were each a step of its own.
    overhead = (batch.frame_actions_max + batch.inbox_per_frame_max) * 75
    if limits.request_bytes_max + overhead > batch.bytes_max:
        yield (
            f"limits.request_bytes_max: expected a submission and {overhead} bytes around it to "
            f"fit batch.bytes_max ({batch.bytes_max}), was {limits.request_bytes_max}"
        )
    if limits.request_bytes_max < ACTION_BYTES_MAX * ACTIONS_PER_STEP:
        yield (
            f"limits.request_bytes_max: expected at least {ACTION_BYTES_MAX * ACTIONS_PER_STEP}, "
            f"was {limits.request_bytes_max}"
        )
    if limits.queue_actions_max < limits.request_actions_max:
        yield "limits.queue_actions_max: expected at least limits.request_actions_max"
    if limits.queue_bytes_max < limits.request_bytes_max:
        yield "limits.queue_bytes_max: expected at least limits.request_bytes_max"


def _address_problems(config: Config) -> Iterator[str]:
    tls = config.tls
    for name, text, plain in (
        ("node.listen", config.node.listen, not tls.certificate),
        ("node.metrics_listen", config.node.metrics_listen, True),
        ("base.address", config.base.address, False),
    ):
        if not text and name != "node.listen":
            continue
        try:
            host, _ = split_address(text)
        except ValueError as error:
            yield f"{name}: {error}"
            continue
        if plain and not is_loopback(host):
            yield (
                f"{name}: expected a loopback address, because this speaks plain text, was {host}; "
                "set tls.certificate and tls.private_key, or listen on 127.0.0.1"
            )
    if bool(tls.certificate) != bool(tls.private_key):
        yield "tls: expected both certificate and private_key, or neither"
    if tls.client_ca and not tls.certificate:
        yield "tls.client_ca: expected tls.certificate too; mutual TLS is TLS"


def _venue_problems(config: Config) -> Iterator[str]:
    names = [venue.name for venue in config.venues]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"venues: expected distinct names, {name} is there {names.count(name)} times"
    for place, venue in enumerate(config.venues):
        where = f"venues[{place}] ({venue.name})"
        if bool(venue.key_sha256) == bool(venue.certificate_name):
            yield f"{where}: expected exactly one of key_sha256 and certificate_name"
        if venue.key_sha256 and not _is_hex(venue.key_sha256, 32):
            yield f"{where}: key_sha256: expected 64 hex digits"
        if venue.certificate_name and not config.tls.client_ca:
            yield f"{where}: certificate_name: expected tls.client_ca, which checks it"
        if venue.burst < config.limits.request_actions_max:
            yield (
                f"{where}: burst: expected at least limits.request_actions_max "
                f"({config.limits.request_actions_max}), was {venue.burst}"
            )
    if not config.venues and config.tls.certificate:
        yield "venues: expected at least one; only a plain node on loopback serves anybody"


def _is_hex(text: str, size: int) -> bool:
    try:
        return len(bytes.fromhex(text)) == size
    except ValueError:
        return False


# Genesis.


def genesis_text(genesis: Genesis) -> str:
    """Return the JSON of a genesis: addresses in hex, everything else as it is."""

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return "0x" + value.hex()
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    return json.dumps(plain(asdict(genesis)), indent=2) + "\n"


_GENESIS_RECORDS: dict[str, type[Any]] = {
    "tiers": GenesisTier,
    "instruments": GenesisInstrument,
    "underlyings": GenesisUnderlying,
    "assets": GenesisAsset,
    "pools": GenesisPool,
}


def genesis_of(text: str) -> Genesis:
    """Return the genesis that `text` holds. Raises `ConfigInvalid`."""
    try:
        document = json.loads(text)
        known = {field.name for field in fields(Genesis)}
        unknown = sorted(set(document) - known)
        if unknown:
            raise ConfigInvalid([f"genesis: {_unknown('key', name, known)}" for name in unknown])
        for name in ("settlement", "governance", "guardian"):
            if name in document:
                document[name] = _address(document[name])
        document["publishers"] = tuple(map(_address, document["publishers"]))
        for name, record in _GENESIS_RECORDS.items():
            if name in document:
                document[name] = tuple(_record_of(record, row) for row in document[name])
        genesis = Genesis(**document)
        genesis.check()
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigInvalid([f"genesis: expected the JSON of a genesis, was: {error!r}"]) from error
    except GenesisError as error:
        raise ConfigInvalid([str(error)]) from error
    return genesis


def _record_of(record: type[Any], row: dict[str, Any]) -> Any:
    """Return the declared record; its lists are tuples."""
    return record(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})


def load_genesis(path: str | os.PathLike[str]) -> Genesis:
    """Read a genesis file. Raises `ConfigInvalid`."""
    try:
        return genesis_of(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigInvalid(
            [f"chain.genesis: expected a readable file {path}, was: {error.strerror}"]
        ) from error


def court_config(preset: str, genesis: Genesis, sequencer: bytes) -> CourtConfig:
    """Return the preset of the court for this chain and sequencer."""
    make = {
        "production": CourtConfig.production,
        "devnet": CourtConfig.devnet,
        "test": CourtConfig.test,
    }[preset]
    return make(chain_id=genesis.chain_id, settlement=genesis.settlement, sequencer=sequencer)


def load_key(path: str | os.PathLike[str]) -> bytes:
    """Return the 32 bytes of a private key file: 64 hex digits. Raises `ConfigInvalid`."""
    try:
        text = Path(path).read_text("ascii").strip().removeprefix("0x")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid([f"{path}: expected a key file, was: {error}"]) from error
    if not _is_hex(text, 32):
        raise ConfigInvalid([f"{path}: expected 64 hex digits, was {len(text)} characters"])
    return bytes.fromhex(text)


def _address(text: str) -> bytes:
    if not _is_hex(text.removeprefix("0x"), 20):
        raise ConfigInvalid([f"genesis: expected an address of 40 hex digits, was {text!r}"])
    return bytes.fromhex(text.removeprefix("0x"))

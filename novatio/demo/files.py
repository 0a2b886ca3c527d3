"""The configuration and key files of a small world, as its processes read them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.config import ClockSection, genesis_text
from novatio.world import PUBLISHERS, World

__all__ = ["Layout", "Pace", "toml", "write_files", "write_secret"]


DEADLINE_WALL_MS_MAX: Final = 60_000

Files = dict[str, dict[str, Mapping[str, str | int | bool]]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a world runs: law ms a wall ms, and wall ms of blocks, batches and looks."""

    rate: int
    block_wall_ms: int = 150
    batch_wall_ms: int = 600
    poll_wall_ms: int = 60
    keeper_wall_ms: int = 200

    @property
    def block_ms(self) -> int:
        """Law ms between two blocks."""
        return self.block_wall_ms * self.rate


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a world's files are and where its servers listen; `members` are the committee's."""

    directory: Path
    base: str
    node: str
    members: tuple[str, ...] = ()

    def config(self, role: str) -> str:
        """Return the path of a role's TOML file."""
        return str(self.directory / f"{role}.toml")

    @property
    def genesis(self) -> str:
        """Return the path of the genesis file."""
        return str(self.directory / "genesis.json")

    @property
    def committee(self) -> str:
        """Return the path of the committee's file."""
        return str(self.directory / "committee.json")

    @property
    def publishers(self) -> str:
        """Return the path of the file with the publishers' keys."""
        return str(self.directory / "feed.keys")

    def key_file(self, role: str) -> str:
        """Return the path of a role's key file."""
        return str(self.directory / f"{role}.key")


def toml(sections: Mapping[str, Mapping[str, str | int | bool]]) -> str:
    """Return sections of plain values as TOML."""
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        for key, value in values.items():
            if isinstance(value, bool):
                lines.append(f"{key} = {str(value).lower()}")
            elif isinstance(value, int):
                lines.append(f"{key} = {value}")
            else:
                # JSON's strings are TOML's, but for one character.
                quoted = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
                lines.append(f"{key} = {quoted}")
        lines.append("")
    return "\n".join(lines)


def write_files(
    layout: Layout,
    world: World,
    clock: ClockSection,
    pace: Pace,
    feed: Mapping[str, str | int | bool],
) -> None:
    """Write keys, genesis and one TOML file a process; `feed` adds to the feed's section."""
    for role in ("operator", "challenger", "keeper"):
        write_secret(layout.key_file(role), world.key(role).hex() + "\n")
    keys = [world.key("publisher", i).hex() for i in range(PUBLISHERS)]
    write_secret(layout.publishers, "\n".join(keys) + "\n")
    Path(layout.genesis).write_text(genesis_text(world.genesis()), "utf-8")
    ticking = {
        "origin_ms": clock.origin_ms,
        "rate": clock.rate,
        "started_ms": clock.started_ms,
    }
    files = {
        **_base_files(layout, world, pace),
        **_party_files(layout, world, pace, feed),
        **_member_files(layout, world, pace),
    }
    if layout.members:
        files["base"]["layer"] = {**files["base"]["layer"], "committee": layout.committee}
        for role in ("node", "challenger"):
            files[role]["committee"] = {"members": ",".join(layout.members)}
    for role, sections in files.items():
        # The base layer's blocks are all the time that these know.
        timeless = role == "challenger" or role.startswith("member")
        timed = sections if timeless else {**sections, "clock": ticking}
        Path(layout.config(role)).write_text(toml(timed), "utf-8")


def _base_files(layout: Layout, world: World, pace: Pace) -> Files:
    """Return the base layer's files: at the presets' pace, and at the demo's."""
    return {
        "base": {
            "layer": {
                "listen": layout.base,
                "journal": str(layout.directory / "base.journal"),
                "sequencer": world.address("operator").hex(),
                "seed": world.seed,
                "block_ms": pace.block_wall_ms,
            },
            "chain": {"genesis": layout.genesis},
        },
        "fast-base": {
            "world": {
                "listen": layout.base,
                "seed": world.seed,
                "accounts": world.accounts,
                "start_ms": world.start_ms,
                "block_ms": world.block_ms,
                "block_wall_ms": pace.block_wall_ms,
            },
        },
    }


def _member_files(layout: Layout, world: World, pace: Pace) -> Files:
    """Write the committee and its members' keys, and return the members' files."""
    if not layout.members:
        return {}
    from verifier import bls

    files: Files = {}
    listed = []
    for place, address in enumerate(layout.members):
        role = f"member-{place}"
        secret = world.member_secret(place)
        listed.append(
            {
                "public_key": "0x" + bls.public_key(secret).hex(),
                "proof": "0x" + bls.prove_possession(secret).hex(),
            }
        )
        write_secret(layout.key_file(role), secret.hex() + "\n")
        write_secret(layout.key_file(f"{role}-answers"), world.key("answers", place).hex() + "\n")
        files[role] = {
            "member": {
                "base": layout.base,
                "listen": address,
                "key_file": layout.key_file(role),
                "data_dir": str(layout.directory / role),
                "answer_key_file": layout.key_file(f"{role}-answers"),
                "poll_ms": pace.poll_wall_ms,
            }
        }
    committee = {"threshold": len(listed) // 2 + 1, "members": listed}
    Path(layout.committee).write_text(json.dumps(committee, indent=2) + "\n", "utf-8")
    return files


def _party_files(
    layout: Layout, world: World, pace: Pace, feed: Mapping[str, str | int | bool]
) -> Files:
    """Return the files of node, challenger, keeper and feed."""
    return {
        "node": {
            "node": {
                "data_dir": str(layout.directory / "node-data"),
                "listen": layout.node,
                "key_file": layout.key_file("operator"),
                "log_level": "warning",
            },
            # Deadlines are measured by the law's clock too.
            "limits": {"deadline_ms_max": DEADLINE_WALL_MS_MAX * pace.rate},
            "batch": {"interval_ms": pace.batch_wall_ms * pace.rate},
            "base": {"address": layout.base, "poll_ms": pace.poll_wall_ms},
            "chain": {"genesis": layout.genesis},
        },
        "challenger": {
            "challenger": {
                "base": layout.base,
                "genesis": layout.genesis,
                "key_file": layout.key_file("challenger"),
                "data_dir": str(layout.directory / "challenger-data"),
                "poll_ms": pace.poll_wall_ms,
            },
        },
        "keeper": {
            "keeper": {
                "node": layout.node,
                "key_file": layout.key_file("keeper"),
                "account": 0,
                "interval_ms": pace.keeper_wall_ms,
            },
        },
        "feed": {
            "feed": {"node": layout.node, "keys": layout.publishers, "seed": world.seed, **feed},
        },
    }


def write_secret(path: str, text: str) -> None:
    """Write a file that nobody else may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)

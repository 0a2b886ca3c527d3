"""Settings of the client commands: one TOML file, then the environment, then flags.

Keys are ``client.<key>`` in the file, ``NOVATIO_CLIENT_<KEY>`` in the environment. Without
--config, ``NOVATIO_CONFIG`` names the file, and else ``novatio.toml`` of the working directory is
read if it is there, and else that of ``devnet``, where ``novatio devnet`` puts one. Files that it
names are relative to its own directory. The private key itself may stand in ``NOVATIO_KEY``, never
in the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from node.config import CommitteeSection, load
from novatio._wire import Tls

__all__ = ["ClientSection", "Settings", "find_file", "load_settings", "loaded_settings", "tls_of"]

CONFIG_VARIABLE = "NOVATIO_CONFIG"
CONFIG_FILES = ("novatio.toml", "devnet/novatio.toml")

_PATHS = ("genesis", "key_file", "tls_authority", "tls_certificate", "tls_key")
# Flag of the command line -> key of the section.
_FLAGS = {"node": "node", "base": "base", "key": "key_file"}


class ClientSection(msgspec.Struct, frozen=True, kw_only=True):
    """Whom client commands talk to, and as whom."""

    node: Annotated[str, Meta(description="host:port of the node")] = "127.0.0.1:7400"
    base: Annotated[str, Meta(description="host:port of the base layer")] = "127.0.0.1:7401"
    genesis: Annotated[str, Meta(description="JSON file of the genesis, for replays")] = (
        "genesis.json"
    )
    key_file: Annotated[str, Meta(description="key file, mode 600; empty: NOVATIO_KEY")] = ""
    api_key: Annotated[str, Meta(description="key of the venue, if the node asks for one")] = ""
    deadline_ms: Annotated[
        int, Meta(description="longest wait for an answer", ge=1, le=600_000)
    ] = 5_000
    tls: Annotated[bool, Meta(description="speak TLS with the node")] = False
    tls_authority: Annotated[str, Meta(description="PEM file; empty: the system's")] = ""
    tls_certificate: Annotated[str, Meta(description="PEM file of our certificate")] = ""
    tls_key: Annotated[str, Meta(description="PEM file of its key")] = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the client commands."""

    client: ClientSection = ClientSection()
    committee: CommitteeSection = CommitteeSection()


def find_file(options: Mapping[str, str]) -> str | None:
    """Return the file that settings are read from, None if there is none."""
    named = options.get("config") or os.environ.get(CONFIG_VARIABLE)
    if named:
        return named
    return next((name for name in CONFIG_FILES if Path(name).exists()), None)


def loaded_settings(options: Mapping[str, str]) -> tuple[Settings, Mapping[str, str]]:
    """Return the settings and the origin of each key that is not a default.

    Raises node.config.ConfigInvalid with all problems.
    """
    flags = {f"client.{key}": options[flag] for flag, key in _FLAGS.items() if flag in options}
    file = find_file(options)
    found = load(Settings, file, flags=flags)
    return _anchored(found.config, found.origins, file), found.origins


def load_settings(options: Mapping[str, str]) -> Settings:
    """Return the settings. Raises node.config.ConfigInvalid with all problems."""
    return loaded_settings(options)[0]


def _anchored(settings: Settings, origins: Mapping[str, str], file: str | None) -> Settings:
    """Return the settings with the paths that the file names made relative to its directory."""
    if file is None:
        return settings
    moved = {
        key: str(Path(file).parent / getattr(settings.client, key))
        for key in _PATHS
        if origins.get(f"client.{key}") == str(Path(file)) and getattr(settings.client, key)
    }
    committee = settings.committee
    if origins.get("committee.authority") == str(Path(file)) and committee.authority:
        authority = str(Path(file).parent / committee.authority)
        committee = msgspec.structs.replace(committee, authority=authority)
    client = msgspec.structs.replace(settings.client, **moved)
    return Settings(client=client, committee=committee)


def tls_of(section: ClientSection) -> Tls | None:
    """Return the files of TLS, None for plain text."""
    if not section.tls:
        return None
    return Tls(
        section.tls_authority or None,
        section.tls_certificate or None,
        section.tls_key or None,
    )

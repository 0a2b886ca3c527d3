"""The data committee in configurations: who it is, where its members are, and how to reach them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import grpc

from node.config import CommitteeSection, ConfigInvalid, is_loopback, split_address
from prover.member_service import CommitteeClient
from verifier.committee import Committee, Member


def addresses_of(section: CommitteeSection) -> list[str]:
    """Return the members' addresses. Raises ConfigInvalid."""
    addresses = [one.strip() for one in section.members.split(",") if one.strip()]
    problems = []
    for address in addresses:
        try:
            host, _ = split_address(address)
        except ValueError as error:
            problems.append(f"committee.members: {error}")
            continue
        if not section.authority and not is_loopback(host):
            problems.append(
                f"committee.members: expected loopback addresses for plain text, was {host}; "
                "set committee.authority"
            )
    if problems:
        raise ConfigInvalid(problems)
    return addresses


def connect(section: CommitteeSection, committee: Committee) -> CommitteeClient | None:
    """Return the members of a court's committee, None if none are named.

    Raises ConfigInvalid.
    """
    addresses = addresses_of(section)
    if not addresses:
        return None
    credentials = None
    if section.authority:
        try:
            authority = Path(section.authority).read_bytes()
        except OSError as error:
            raise ConfigInvalid(
                [f"committee.authority: expected a readable file, was: {error}"]
            ) from error
        credentials = grpc.ssl_channel_credentials(authority)
    seconds = section.deadline_ms / 1000
    return CommitteeClient(committee, addresses, credentials, deadline_seconds=seconds)


def load_committee(path: str | os.PathLike[str]) -> Committee:
    """Read a committee file. Raises ConfigInvalid with every problem."""
    try:
        document: Any = json.loads(Path(path).read_text("utf-8"))
        members = tuple(
            Member(_bytes(one["public_key"]), _bytes(one["proof"])) for one in document["members"]
        )
        committee = Committee(members, int(document["threshold"]))
    except OSError as error:
        raise ConfigInvalid(
            [f"layer.committee: expected a readable file {path}, was: {error.strerror}"]
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigInvalid(
            [f"{path}: expected the JSON of a committee, members and threshold, was: {error!r}"]
        ) from error
    problems = [f"{path}: {problem}" for problem in committee.problems()]
    if problems:
        raise ConfigInvalid(problems)
    return committee


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))

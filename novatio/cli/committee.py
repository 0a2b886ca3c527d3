"""``novatio committee``: members that hold step bytes, and asking for what they withhold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import NATURAL, NUMBER_MAX, App, Noun, pass_app
from novatio.cli.process import Process
from novatio.cli.withdraw import WAIT
from novatio.errors import BadRequest, NotFound, Unavailable

if TYPE_CHECKING:
    from verifier.base.interface import BaseLayer
    from verifier.header import Header

HASH_BYTES = 32

committee = Noun("committee", help="The data committee: run a member, look, ask for steps.")
COMMANDS = [committee]


def _member(config: str | None, flags: dict[str, str]) -> int:
    from novatio.processes import run_member

    return run_member(config, flags)


committee.add_command(Process("member", "Hold step bytes for a committee.", _member))


@committee.command("keygen")
@click.argument("file", type=click.Path())
@pass_app
def make_key(app: App, file: str) -> None:
    """Write a fresh BLS secret to FILE, which must not exist, and show key and proof.

    Both go into the committee's file, which the base layer is started with.
    """
    from novatio.signing import write_secret
    from verifier import bls

    secret = bls.new_secret()
    write_secret(file, secret)
    proof = bls.prove_possession(secret)
    app.show({"file": file, "public_key": bls.public_key(secret), "proof": proof})


@committee.command("status")
@pass_app
def show_status(app: App) -> None:
    """Ask every member that the settings name who it is and what it holds."""
    from node.committee import addresses_of

    base = app.base()
    members = app.members(base)
    if members is None:
        raise NotFound(
            "expected the members' addresses in the settings, was none",
            reason="NO_MEMBERS",
            next_step="set committee.members, host:port of each, comma-separated",
        )
    rows: list[dict[str, Any]] = []
    for address, status in zip(addresses_of(app.settings.committee), members.status(), strict=True):
        rows.append(
            {
                "address": address,
                "state": "unreachable" if status is None else "serving",
                "registered": None if status is None else status.registered,
                "batches": None if status is None else status.batch_count,
                "data_bytes": None if status is None else status.data_bytes,
                "public_key": None if status is None else status.public_key,
            }
        )
    found = base.config().committee
    app.show_rows("members", rows, ("address", "state", "registered", "batches", "data_bytes"))
    serving = {row["public_key"] for row in rows if row["registered"]}
    if len(serving) < found.threshold:
        raise Unavailable(
            f"expected {found.threshold} members of {len(found.members)} to serve, was "
            f"{len(serving)}; batches are posted inline meanwhile",
            next_step="start the members that are missing",
        )


@committee.command("asks")
@click.argument("batch")
@pass_app
def list_asks(app: App, batch: str) -> None:
    """List who asked for which steps of BATCH, a number or a name."""
    from prover.gather import asks_of

    base = app.base()
    rows = [
        {
            "step": ask.step,
            "state": ask.status.name.lower(),
            "block": ask.block,
            "asker": ask.asker,
            "step_hash": ask.step_hash,
        }
        for ask in asks_of(base, _name_of(base, batch), None)
    ]
    app.show_rows("asks", rows, ("step", "state", "block", "asker"))


@committee.command("ask", params=[WAIT])
@click.argument("batch")
@click.argument("step", type=NATURAL)
@pass_app
def ask(app: App, batch: str, step: int, wait_seconds: float) -> None:
    """Ask the base layer for STEP of BATCH, and prepay the dearest answer; --key pays."""
    from novatio.base import send, wait_for
    from prover.gather import wanted_of
    from verifier.base.transactions import AskStep
    from verifier.batch import decode_pairs

    base = app.base()
    name = _name_of(base, batch)
    header, posted = _header_of(base, name, step), base.batch_data(name)
    if posted is None:
        raise _no_batch(batch)
    size = header.step_count
    wanted = wanted_of(decode_pairs(posted[: 2 * HASH_BYTES * size], size), step)
    receipt = wait_for(base, send(base, app.signer(), AskStep(name, wanted)), wait_seconds)
    app.show(_record(name, step, receipt))


@committee.command("answer", params=[WAIT])
@click.argument("batch")
@click.argument("step", type=NATURAL)
@pass_app
def answer(app: App, batch: str, step: int, wait_seconds: float) -> None:
    """Answer the ask for STEP of BATCH with what members show; the cost comes back as a credit."""
    from novatio.base import send, wait_for
    from prover.gather import gather
    from verifier.base.transactions import AnswerStep
    from verifier.batch import BatchData

    base = app.base()
    name = _name_of(base, batch)
    header = _header_of(base, name, step)
    data = gather(base, header, None, app.members(base)).data
    if data is None:
        raise Unavailable(
            f"batch {batch}: expected a member that shows its steps, was none",
            next_step="novatio committee status",
        )
    step_bytes = BatchData.decode(data, header.step_count).steps[step].encode()
    body = AnswerStep(name, step, step_bytes)
    receipt = wait_for(base, send(base, app.signer(), body), wait_seconds)
    app.show(_record(name, step, receipt))


@committee.command("settle", params=[WAIT])
@click.argument("batch")
@click.argument("step", type=NATURAL)
@pass_app
def settle(app: App, batch: str, step: int, wait_seconds: float) -> None:
    """End the unanswered ask for STEP of BATCH: the batch falls, the asker gets his money back."""
    from novatio.base import send, wait_for
    from verifier.base.transactions import SettleAsk

    base = app.base()
    name = _name_of(base, batch)
    receipt = wait_for(base, send(base, app.signer(), SettleAsk(name, step)), wait_seconds)
    app.show(_record(name, step, receipt))


def _header_of(base: BaseLayer, name: bytes, step: int) -> Header:
    """Return the header of a batch that has the step."""
    from verifier.header import Header

    view = base.batch(name)
    if view is None or not view.record.header:
        raise _no_batch("0x" + name.hex())
    header = Header.decode(view.record.header)
    if step >= header.step_count:
        raise BadRequest(f"step: expected one below {header.step_count}, was {step}")
    return header


def _record(name: bytes, step: int, receipt: Any) -> dict[str, Any]:
    return {
        "batch_id": name,
        "step": step,
        "events": ", ".join(type(event).__name__ for event in receipt.events),
        "block": receipt.block_number,
        "transaction_hash": receipt.transaction_hash,
    }


def _name_of(base: BaseLayer, text: str) -> bytes:
    """Return the name of a batch that is canonical under a number, or of any by its name."""
    if text.isascii() and text.isdecimal():
        number = int(text) if len(text) <= len(str(NUMBER_MAX)) else NUMBER_MAX
        found = base.batches(number, 1) if number < NUMBER_MAX else []
        if not found:
            raise _no_batch(text)
        return found[0].record.batch_id
    try:
        name = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        name = b""
    if len(name) != HASH_BYTES:
        raise BadRequest(f"batch: expected a number or a name of 32 bytes in hex, was {text}")
    return name


def _no_batch(text: str) -> NotFound:
    return NotFound(
        f"batch {text}: expected one on the base layer, was none",
        reason="NO_SUCH_BATCH",
        next_step="novatio root list",
    )

"""Leaving a frozen house: claims built from base-layer bytes, filed and paid for everybody.

An exit file holds what the court is sent, so that it can be built on one machine and submitted on
another. Submitting is idempotent: what somebody else did already counts as done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from novatio.base import send, wait_for
from novatio.errors import BadRequest, NotReady, RefusedByCourt
from novatio.signing import Signer
from prover.engine import Engine
from prover.exits import claimants, exit_claim, exit_opening
from verifier.base.interface import BaseLayer, Mode
from verifier.base.transactions import BeginExit, Body, ClaimExit, Finalise, PayExit
from verifier.batches import BatchRecord
from verifier.exit_claim import Worth, late_close, worth_of
from verifier.exit_opening import terms_of

__all__ = ["BuiltExit", "Done", "build_exit", "read_exit", "submit_exit"]

IN_FLIGHT_MAX = 64  # transactions that wait for a block together
DONE_ALREADY = frozenset(("ALREADY_FILED", "ALREADY_PAID", "ALREADY_FINALISED", "EXIT_BEGUN"))


@dataclass(frozen=True)
class BuiltExit:
    """What an exit at the state after a batch is begun with, and the claims of accounts."""

    number: int
    batch_id: bytes
    opening: bytes
    claims: tuple[tuple[int, bytes], ...]

    def text(self) -> str:
        """Return the exit file."""
        return json.dumps(
            {
                "number": self.number,
                "batch_id": self.batch_id.hex(),
                "opening": self.opening.hex(),
                "claims": [
                    {"account": account, "claim": claim.hex()} for account, claim in self.claims
                ],
            },
            indent=1,
        )


class Done(NamedTuple):
    """What one submission did, and what has to be waited for; `waits_for_block` 0: nothing."""

    finalised: int
    begun: bool
    filed: int
    paid: int
    unpaid: int
    waits_for_block: int


def build_exit(
    engine: Engine, record: BatchRecord, accounts: Iterable[int] | None = None
) -> tuple[BuiltExit, list[Worth]]:
    """Return the exit of accounts, by default of all that hold anything, and what each is worth.

    ``engine`` stands after the batch of ``record``. Raises KeyError for an account that is not
    there.
    """
    opening = exit_opening(engine).encode()
    terms = terms_of(record, opening, 0, 0)
    chosen = claimants(engine) if accounts is None else accounts
    claims = {account: exit_claim(engine, account) for account in chosen}
    built = BuiltExit(
        record.number,
        record.batch_id,
        opening,
        tuple((account, claim.encode()) for account, claim in claims.items()),
    )
    return built, [worth_of(terms, claim) for claim in claims.values()]


def read_exit(text: str | bytes) -> BuiltExit:
    """Inverse of ``BuiltExit.text``, of whatever a file holds. Raises BadRequest."""
    try:
        found: Any = json.loads(text)
        return BuiltExit(
            int(found["number"]),
            bytes.fromhex(found["batch_id"]),
            bytes.fromhex(found["opening"]),
            tuple((int(one["account"]), bytes.fromhex(one["claim"])) for one in found["claims"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(
            f"exit file: expected one that exit build wrote, was: {error!r}",
            reason="MALFORMED_EXIT",
            next_step="novatio exit build --into <file>",
        ) from error


def submit_exit(
    base: BaseLayer,
    signer: Signer,
    built: BuiltExit,
    seconds: float,
    say: Callable[[str], None] = lambda text: None,
) -> Done:
    """Do whatever of the exit is due now: finalise, begin, file, pay.

    Raises NotReady before the freeze, BadRequest for an exit of another batch.
    """
    if base.standing().mode != Mode.FROZEN:
        raise NotReady(
            "exit: expected a frozen house, was one that goes on; withdraw as usual",
            reason="NOT_FROZEN",
            next_step="novatio freeze status",
        )
    finalised, opens = _finalise(base, signer, seconds, say)
    if opens:
        return Done(finalised, False, 0, 0, len(built.claims), opens)
    final = base.heads()
    if final.finalised_id != built.batch_id:
        raise BadRequest(
            f"exit: expected claims against the last final batch {final.finalised_number}, was "
            f"{built.number}; what was posted later survived, or fell",
            reason="ANOTHER_BATCH",
            next_step="novatio exit build --into <file>",
        )
    begun = base.standing().claims_close_block == 0
    if begun:
        _send_all(base, signer, [BeginExit(built.opening)], seconds)
        say("the exit has begun")
    standing = base.standing()
    closes = standing.claims_close_block
    late_closes = late_close(closes, standing.exit_ends_block)
    new = [claim for account, claim in built.claims if base.exit_claim(account) is None]
    if base.head().number >= late_closes:
        say(f"{len(new)} claims are filed no more: the last block for it was {late_closes}")
        new = []
    _send_all(base, signer, [ClaimExit(claim) for claim in new], seconds)
    say(f"{len(new)} claims filed")
    # Accounts of pools stand first in the file: their shares are paid out of what they get, so
    # these wait too while somebody before them does, who may be a pool.
    now = base.head().number
    due: list[int] = []
    waiting: list[int] = []  # the last block of each in which it is not paid yet
    for account, _ in built.claims:
        filed = base.exit_claim(account)
        if filed is not None and not filed.paid:
            late = filed.late or (filed.worth.shares and waiting)
            waits = late_closes if late else closes
            if now < waits:
                waiting.append(waits)
            else:
                due.append(account)
    _send_all(base, signer, [PayExit(account) for account in due], seconds)
    waits_for = min(waiting) + 1 if waiting else 0
    return Done(finalised, begun, len(new), len(due), len(waiting), waits_for)


def _finalise(
    base: BaseLayer, signer: Signer, seconds: float, say: Callable[[str], None]
) -> tuple[int, int]:
    """Make final what outlived its window; return how many, and when the next one does, or 0."""
    done = 0
    while found := base.batches(base.heads().finalised_number + 1, IN_FLIGHT_MAX):
        next_block = base.head().number + 1
        due = [one for one in found if one.closes_block < next_block]
        if not due:
            return done, found[0].closes_block + 1
        _send_all(base, signer, [Finalise(one.record.batch_id) for one in due], seconds)
        done += len(due)
        say(f"{done} batches made final")
    return done, 0


def _send_all(base: BaseLayer, signer: Signer, bodies: Sequence[Body], seconds: float) -> None:
    """Send transactions in their order and wait for all; what was done already is done."""
    for first in range(0, len(bodies), IN_FLIGHT_MAX):
        part = bodies[first : first + IN_FLIGHT_MAX]
        nonce = base.account(signer.address).nonce
        sent = [send(base, signer, body, nonce + ahead) for ahead, body in enumerate(part)]
        for submitted in sent:
            try:
                wait_for(base, submitted, seconds)
            except RefusedByCourt as error:
                if error.reason not in DONE_ALREADY:
                    raise

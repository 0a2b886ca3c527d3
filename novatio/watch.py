"""``novatio watch``: the challenger in front of a person, who sees what it sees.

It is the process of ``novatio challenger``, with another way to tell: a line for every verdict, for
every move of the heads, and for whatever somebody has to look at. Without a key it only observes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Event
from typing import Any

from novatio.output import plain
from novatio.processes import look_again
from prover.challenger import (
    Alert,
    AskSteps,
    Effect,
    FinaliseBatch,
    Observed,
    Report,
    SettleAsks,
)
from prover.challenger_process import ChallengerProcess
from prover.gather import StepSource
from prover.pursuit import CommitTo, Prove, Settle
from prover.replica import Replica, Verdict
from verifier.base.interface import BaseLayer

__all__ = ["Watch"]

Say = Callable[[str], None]
Record = dict[str, Any]


class Watch:
    """Watches one base layer and says what happens, a line an event.

    With a key it proves what is wrong, as ``novatio challenger`` does. ``form`` is ``json`` for a
    JSON object a line, anything else for sentences. What stays as it is from one look to the next
    is said once. ``invalid`` counts batches found wrong, ``unavailable`` looks at one without data.
    """

    def __init__(
        self,
        base: BaseLayer,
        replica: Replica,
        private_key: bytes | None,
        members: StepSource | None,
        form: str,
        say: Say,
    ) -> None:
        """Raises BaseLayerUnavailable, or ValueError for a base layer of another genesis."""
        self.invalid = 0
        self.unavailable = 0
        self._acts = private_key is not None
        self._form = form
        self._say = say
        self._heads: Record = {}
        self._said: set[str] = set()
        self._said_before: set[str] = set()
        self._process = ChallengerProcess(
            base, replica, private_key, notify=self._take, members=members
        )

    def look(self) -> None:
        """Look once. Raises BlockUnknown and BaseLayerUnavailable: look again later."""
        self._process.tick()
        self._turn()
        seen = self._process.challenger.seen
        heads = {} if seen is None else _heads_of(seen)
        moved = {key: value for key, value in heads.items() if key != "block"}
        if moved != self._heads:
            self._heads = moved
            self._tell("heads", heads)

    def follow(self, stop: Event, pause_seconds: float) -> None:
        """Look again and again until ``stop``; what fails is said, and tried again."""
        look_again(self.look, stop, pause_seconds, self._lost)

    def _lost(self, reason: str) -> None:
        self._tell("unreachable", {"reason": reason})
        self._turn()
        # That it is back is news even where nothing moved.
        self._heads = {}

    def _turn(self) -> None:
        """End a look: what it said need not be said again in the next one."""
        self._said_before, self._said = self._said, set()

    def _take(self, effect: Effect) -> None:
        match effect:
            case Report(judgement):
                self.invalid += judgement.verdict is Verdict.INVALID
                self.unavailable += judgement.verdict is Verdict.UNAVAILABLE
                record: Record = {
                    "number": judgement.number,
                    "verdict": judgement.verdict.value,
                    "batch_id": judgement.batch_id,
                }
                if judgement.verdict is Verdict.INVALID:
                    record |= {"step": judgement.step, "evidence_bytes": len(judgement.evidence)}
                elif judgement.verdict is Verdict.UNAVAILABLE:
                    record["reason"] = judgement.reason
                self._tell("verdict", record)
            case CommitTo(_, number, _):
                self._act("commit to a proof", number)
            case Settle(_, generation):
                self._tell("reward", {"generation": generation})
            case Prove(_, number, _):
                self._act("prove", number)
            case AskSteps(_, number, steps):
                self._act(f"ask for {len(steps)} steps", number)
            case SettleAsks(_, number):
                self._act("take back", number)
            case FinaliseBatch(_, number) if self._acts:
                self._act("finalise", number)
            case Alert(text):
                self._tell("alert", {"text": text})

    def _act(self, what: str, number: int) -> None:
        """Say what is done, or, without a key, what somebody with one should do."""
        self._tell("action", {"what": what, "number": number, "done": self._acts})

    def _tell(self, event: str, record: Record) -> None:
        as_json = self._form == "json"
        line = json.dumps(plain({"event": event, **record})) if as_json else ""
        line = line or _SENTENCES[event](record)
        self._said.add(line)
        if line not in self._said_before:
            self._say(line)


def _heads_of(seen: Observed) -> Record:
    return {
        "block": seen.head.number,
        "tip": seen.heads.tip_number,
        "final": seen.heads.finalised_number,
        "generation": seen.heads.generation,
    }


def _verdict(record: Record) -> str:
    number, verdict = record["number"], record["verdict"]
    if verdict == "invalid":
        return (
            f"batch {number}: INVALID, step {record['step']} breaks the law; "
            f"see: novatio batch diff {number}"
        )
    if verdict == "unavailable":
        return f"batch {number}: UNAVAILABLE, {record['reason']}"
    return f"batch {number}: valid"


def _action(record: Record) -> str:
    if record["done"]:
        return f"batch {record['number']}: sending a transaction to {record['what']}"
    return (
        f"ALERT: batch {record['number']}: somebody must {record['what']} before its window "
        "closes; this watch has no key: novatio watch --mode defend --key <file>"
    )


_SENTENCES: dict[str, Callable[[Record], str]] = {
    "heads": lambda one: (
        f"block {one['block']}: batch {one['tip']} posted, {one['final']} final, "
        f"generation {one['generation']}"
    ),
    "verdict": _verdict,
    "action": _action,
    "reward": lambda one: f"generation {one['generation']}: settling the reward for its proof",
    "alert": lambda one: f"ALERT: {one['text']}",
    "unreachable": lambda one: f"looked in vain: {one['reason']}",
}

"""Batches made by hand: honest steps, and steps that break the law on purpose.

For demonstrations, tests and the simulator. A forged step is posted like any other; the court can
tell it only by running the law on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from clearing.codes import Code, Kind
from clearing.decode import Columns, pack, recover_signers
from clearing.keccak import to_bytes
from clearing.records import State
from clearing.units import LAW_VERSION
from prover.engine import Engine, Steps
from prover.tree import Pieces
from verifier.batch import BatchData, Opening, Pair, Step, data_hash, steps_root
from verifier.header import DATA_INLINE, Header

Mutation: TypeAlias = Callable[[State], None]
Preparation: TypeAlias = Callable[[State, Columns], None]


@dataclass(frozen=True)
class Place:
    """Where a batch is to stand on the base layer."""

    generation: int
    number: int
    parent_id: bytes
    base_number: int
    base_hash: bytes
    proposer: bytes


@dataclass(frozen=True)
class Posting:
    """What is sent to the court."""

    header: Header
    data: bytes
    opening: Opening


class BatchForge:
    """Builds one batch on top of an engine, which moves along, also into forged states."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pre_root = engine.root()
        self.pairs: list[Pair] = []
        self.steps: list[Step] = []

    def honest(self, actions: Sequence[bytes], time: int) -> Steps:
        """Run actions at law time ``time`` (ms), in as many steps as they need."""
        columns = self._columns(actions)
        ran = self.engine.advance(columns, time)
        self._record(actions, ran, time)
        return ran

    def forged(
        self,
        actions: Sequence[bytes],
        time: int,
        prepare: Preparation | None = None,
        mutate: Mutation | None = None,
    ) -> Pieces:
        """Run actions, all in one step, and cheat.

        ``prepare`` may change the state and the recovered signers before the law runs: what it does
        to the params holds for this step only and never reaches their leaf. ``mutate`` may change
        the state afterwards. At most 8 actions. Returns their codes, int64[n].
        """
        columns = self._columns(actions)
        params = cast(Any, self.engine.state.params).copy()
        if prepare is not None:
            prepare(self.engine.state, columns)
        codes, root = self.engine.replay_step(columns, time, 0, len(actions))
        cast(Any, self.engine.state.params)[:] = params
        if mutate is not None:
            self.engine.edit(mutate)
            root = self.engine.root()
        step = Step(time, tuple(actions))
        self.steps.append(step)
        self.pairs.append(Pair(step.hash(), root))
        return codes

    def finish(self, place: Place) -> Posting:
        """Return the batch. Needs at least one step."""
        data = BatchData(tuple(self.pairs), tuple(self.steps)).encode()
        genesis = self.engine.genesis
        header = Header(
            law_version=LAW_VERSION,
            chain_id=genesis.chain_id,
            settlement=genesis.settlement,
            generation=place.generation,
            number=place.number,
            parent_id=place.parent_id,
            base_number=place.base_number,
            base_hash=place.base_hash,
            pre_root=self.pre_root,
            post_root=self.pairs[-1].post_root,
            steps_root=steps_root(self.pairs),
            step_count=len(self.pairs),
            data_kind=DATA_INLINE,
            data_hash=data_hash(data),
            data_length=len(data),
            proposer=place.proposer,
        )
        return Posting(header, data, self.engine.opening())

    def _columns(self, actions: Sequence[bytes]) -> Columns:
        columns = self.engine.decode(*pack(actions))
        recover_signers(columns)
        return columns

    def _record(self, actions: Sequence[bytes], ran: Steps, time: int) -> None:
        for index in range(ran.step_hashes.shape[0]):
            first, stop = int(ran.firsts[index]), int(ran.firsts[index + 1])
            self.steps.append(Step(time, tuple(actions[first:stop])))
            self.pairs.append(
                Pair(to_bytes(ran.step_hashes[index]), to_bytes(ran.post_roots[index]))
            )


def mint(account: int, amount: int) -> Mutation:
    """Give an account cash, and balance the books, so that no total shows it."""

    def mutate(state: State) -> None:
        totals = cast(Any, state.globals)[0]
        cast(Any, state.accounts)[account].cash += amount
        totals.cash_total += amount
        totals.custody += amount

    return mutate


def without_margin(state: State, columns: Columns) -> None:
    """Prepare a step in which no position needs margin."""
    params = cast(Any, state.params)[0]
    for tier in params.tiers:
        tier.initial_ppm = tier.maintenance_ppm = 0
        tier.open_interest_lower = tier.open_interest_upper - 1
    params.transfer_margin_ppm = 0


def with_forged_signatures(state: State, columns: Columns) -> None:
    """Prepare a step in which every owner and venue seems to have signed."""
    accounts = cast(Any, state.accounts)
    count = int(cast(Any, state.globals)[0].account_count)
    for action in cast(Any, columns.actions)[: columns.action_count]:
        if action.code != Code.APPLIED:
            continue
        first = int(action.signature_first)
        signers = columns.signers[first : first + int(action.signature_count)]
        if action.kind == Kind.TRADE:
            ids = [int(action.maker.account), int(action.taker.account)]
            signers[2:] = action.address
        else:
            ids = [int(action.account)] if len(signers) else []
        for place, id in enumerate(ids):
            if id < count:
                signers[place] = accounts[id].owner

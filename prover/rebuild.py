"""The state from base-layer bytes alone: no node, no operator, nobody's word.

Every batch is replayed by the law and compared step by step, so what is rebuilt is also verified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clearing.genesis import Genesis
from prover.replica import MIGRATIONS, Replica, Verdict
from prover.snapshot import SnapshotError, load_snapshot
from verifier.base.interface import BaseLayer
from verifier.batches import BatchStatus
from verifier.errors import VerifierError
from verifier.evidence import Migration
from verifier.header import Header

Progress = Callable[[int, int], None]


class RebuildError(VerifierError):
    """The base layer does not hold what would give the state; the text says what is missing."""


def rebuild(
    base: BaseLayer,
    genesis: Genesis,
    number: int | None = None,
    *,
    snapshot: bytes | None = None,
    progress: Progress = lambda done, total: None,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> Replica:
    """Return a replica after batch ``number``, by default the last final one.

    With ``snapshot`` it begins there instead of at genesis, once the base layer says that its batch
    is final and has its root. Raises RebuildError, or SnapshotError.
    """
    # Nothing is pinned to a block: a replay may outlast what the base layer retains of old ones,
    # and final batches stay.
    last = base.heads().finalised_number if number is None else number
    replica = Replica(genesis, migrations=migrations)
    committed = base.batches(0, 1)[0].record.batch_id
    if committed != replica.genesis_id:
        raise RebuildError(
            f"rebuild: expected genesis batch {committed.hex()} of the base layer, was "
            f"{replica.genesis_id.hex()}. Next: name the chain's genesis file."
        )
    if snapshot is not None:
        _begin_at(base, genesis, replica, snapshot, last)
    first = replica.number
    while replica.number < last:
        _follow(base, replica)
        replica.release(replica.number)
        progress(replica.number - first, last - first)
    return replica


def check_snapshot(base: BaseLayer, genesis: Genesis, snapshot: bytes) -> Replica:
    """Return a replica that stands in the snapshot's state, which a final batch has.

    Its batch must be final as of the base layer's final block. Raises SnapshotError.
    """
    replica = Replica(genesis)
    _begin_at(base, genesis, replica, snapshot, base.heads().finalised_number)
    return replica


def _begin_at(
    base: BaseLayer, genesis: Genesis, replica: Replica, snapshot: bytes, last: int
) -> None:
    engine, claimed = load_snapshot(genesis, snapshot)
    # As of the final block: what the head alone calls final may still be reorganised away.
    view = base.batch(claimed.batch_id, base.head().finalised_hash)
    status = "unknown" if view is None else view.status.name.lower()
    if view is None or view.status != BatchStatus.FINALISED or view.record.number > last:
        raise SnapshotError(
            f"snapshot: expected one of a final batch up to {last}, was of {claimed.number}, which "
            f"is {status}. Next: wait until it is final, or take an older one."
        )
    if (view.record.number, view.record.post_root) != (claimed.number, claimed.root):
        raise SnapshotError(
            f"snapshot: expected batch {view.record.number} of root "
            f"{view.record.post_root.hex()}, was {claimed.number} of {claimed.root.hex()}. Next: "
            "take it from another source."
        )
    replica.stand(engine, claimed.number, claimed.batch_id)


def _follow(base: BaseLayer, replica: Replica) -> None:
    """Replay the next batch."""
    found = base.batches(replica.number + 1, 1)
    if not found:
        raise RebuildError(
            f"rebuild: expected batch {replica.number + 1} on the base layer, was none. Next: "
            "name a batch up to its tip."
        )
    record = found[0].record
    header = Header.decode(record.header)
    if header.parent_id != replica.batch_id:
        raise RebuildError(
            f"rebuild: expected batch {record.number} on {replica.batch_id.hex()}, was one on "
            f"{header.parent_id.hex()}; the base layer moved meanwhile. Next: the same command "
            "again."
        )
    judged = replica.judge(header, base.batch_data(record.batch_id))
    if judged.verdict is Verdict.INVALID:
        raise RebuildError(
            f"rebuild: expected the law's roots in batch {record.number}, was another one at step "
            f"{judged.step}. Next: novatio batch diff {record.number}"
        )
    if judged.verdict is Verdict.UNAVAILABLE:
        raise RebuildError(
            f"rebuild: expected the data of batch {record.number}, was: {judged.reason}. Next: "
            "begin at a snapshot of a later batch."
        )

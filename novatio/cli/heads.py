"""``novatio heads``: how far everything has come."""

from __future__ import annotations

from typing import Any

from novatio.cli._app import App, Command, pass_app


def _head(head: Any) -> dict[str, Any]:
    return {
        "number": head.number,
        "sequence": head.sequence,
        "state_root": head.state_root or None,
    }


@pass_app
def _heads(app: App) -> None:
    from node.v1 import node_pb2 as pb

    found = app.client().heads()
    record: dict[str, Any] = {
        "status": pb.NodeStatus.Name(found.status).removeprefix("NODE_STATUS_").lower(),
        "sequenced": {
            "sequence": found.sequenced.sequence,
            "token": found.sequenced.token,
            "time_ms": found.sequenced.time_ms,
            "state_root": found.sequenced.state_root,
        },
    }
    names = ("sealed", "posted", "safe", "finalised", "withdrawable")
    record |= {name: _head(getattr(found, name)) for name in names}
    record |= {
        "generation": found.generation,
        "base_block": found.base_block,
        "inbox_consumed": found.inbox_consumed,
        "inbox_available": found.inbox_available,
        "foreign_batch": found.foreign_batch,
        "posting_error": found.posting_error or None,
        "posting_mode": pb.PostingMode.Name(found.posting_mode)
        .removeprefix("POSTING_MODE_")
        .lower(),
        "lag_ms": found.lag_ms,
        "opens_time_ms": found.opens_time_ms or None,
        "freezes_time_ms": found.freezes_time_ms or None,
    }
    if app.form == "json":
        app.show(record)
        return
    app.note(
        f"node {record['status']}, generation {found.generation}, base block {found.base_block}, "
        f"inbox {found.inbox_consumed} of {found.inbox_available}"
    )
    if found.posting_mode in (pb.POSTING_MODE_OPEN, pb.POSTING_MODE_FROZEN):
        app.note(f"posting is {record['posting_mode']}, the clock lags {found.lag_ms} ms")
    if found.posting_error:
        app.note(f"posting: {found.posting_error}")
    rows = [{"head": "sequenced", "batch": None, **record["sequenced"]}]
    rows += [{"head": name, "batch": record[name]["number"], **record[name]} for name in names]
    app.show_rows("heads", rows, ("head", "batch", "sequence", "state_root"))


heads = Command(
    "heads",
    callback=_heads,
    help="Show how far sequence, batches and base layer have come.",
    short_help="Show how far sequence and batches have come.",
)
COMMANDS = [heads]

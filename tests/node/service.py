"""A node in this process, on a real disk, and what its tests ask of it over gRPC."""

from __future__ import annotations

import os
import time

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from node.config import Config, load
from node.events import InboxArrived
from node.runner import Node
from node.v1 import node_pb2 as pb
from node.v1 import node_pb2_grpc
from tests.node.scenario import DEPOSITS, SEQUENCER_KEY, START_MS, genesis, price

SECONDS = 20.0


class Client:
    """A node in this process and a client of it."""

    def __init__(self, directory, clock=lambda: START_MS, toml: str = "", **flags) -> None:
        path = directory / "node.toml"
        path.write_text(toml)
        settings = {
            "node.data_dir": str(directory / "data"),
            "node.listen": "127.0.0.1:0",
            **{name.replace("__", "."): value for name, value in flags.items()},
        }
        self.config = load(Config, path, environ={}, flags=settings).config
        self.node = Node(self.config, genesis(), SEQUENCER_KEY, None, clock=clock)
        self.node.start()
        self.channel = grpc.insecure_channel(self.node.address)
        self.stub = node_pb2_grpc.NodeServiceStub(self.channel)

    def fund(self) -> Client:
        self.node.shell.send(InboxArrived(0, DEPOSITS))
        self.submit(price(START_MS))
        return self

    def submit(self, *actions: bytes, timeout: float | None = SECONDS, metadata=()):
        request = pb.SubmitRequest(submission=submission(*actions))
        return self.stub.Submit(request, timeout=timeout, metadata=metadata).outcomes

    def stop(self) -> None:
        self.channel.close()
        assert self.node.stop()

    def break_disk(self) -> None:
        """Let every write from now on fail; none is under way, so the next frame is the first."""

        def fail() -> bool:
            if self.node.shell.log.durable_tail != self.node.shell.log.tail:
                return False  # the last outcome is synced a little after its answer
            descriptors = self.node.disk._descriptors
            for descriptor in descriptors.values():
                os.close(descriptor)
            descriptors.update(dict.fromkeys(descriptors, 10**6))
            return True

        while not self.node.shell.call(fail, SECONDS):
            time.sleep(0.005)

    def stop_broken(self) -> None:
        self.node.disk._descriptors.clear()
        self.channel.close()
        self.node.stop()


def submission(*actions: bytes) -> pb.Submission:
    return pb.Submission(actions=b"".join(actions), lengths=[len(action) for action in actions])


def refused(call, *arguments, **keywords):
    """Make a call that must fail; return (code, ErrorInfo, retry in ms or None)."""
    with pytest.raises(grpc.RpcError) as caught:
        answer = call(*arguments, **keywords)
        if not hasattr(answer, "DESCRIPTOR"):
            list(answer)
    status = rpc_status.from_call(caught.value)
    info, retry = error_details_pb2.ErrorInfo(), None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
        else:
            unpacked = error_details_pb2.RetryInfo()
            assert detail.Unpack(unpacked)
            retry = unpacked.retry_delay.ToMilliseconds()
    assert info.domain == "novatio"
    return caught.value.code(), info, retry

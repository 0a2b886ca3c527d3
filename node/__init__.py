"""The operator: intake, sequencer, write-ahead log, batcher, poster and read API.

Sockets, threads and disks live here. Each part is a state machine that takes an event and returns
effects, so that a whole world can run in one thread on a seed; the law itself is in `clearing`.
"""

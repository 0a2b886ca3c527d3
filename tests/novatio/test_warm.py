"""Warming up: afterwards no call has to wait for the compiler."""

import json
import os
import subprocess
import sys

# Formulas are for people at a terminal, who may wait; steps have their own way to the actions.
LEFT_OUT = ("clearing.formulas.", "clearing.step.run_actions")


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_every_kernel_of_node_replica_and_court_is_compiled_and_each_stage_says_so():
    done = run(
        "import json, novatio.warm as warm\n"
        "assert warm.main() == 0\n"
        "print(json.dumps(warm.uncompiled()))",
        NUMBA_DISABLE_JIT="0",
    )
    assert done.returncode == 0, done.stderr
    left = [name for name in json.loads(done.stdout) if not name.startswith(LEFT_OUT)]
    assert left == []
    lines = done.stderr.splitlines()
    assert lines[0] == "[warm 1/6] hashes ..."
    assert lines[5].startswith("[warm 6/6]")
    assert "ready in" in lines[6]


def test_without_a_compiler_there_is_nothing_to_warm():
    done = run("import novatio.warm as warm; raise SystemExit(warm.main())", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr
    assert "NUMBA_DISABLE_JIT" in done.stderr

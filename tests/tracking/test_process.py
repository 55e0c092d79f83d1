"""A run names the process that writes it, for as long as that lives."""

import os
import subprocess
import sys
import time

from mlflow.tracking import MlflowClient

from lenet.tracking import process
from lenet.tracking.store import Store


class TestProcess:
    def test_a_run_names_its_process(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a")
        run.close("FINISHED")
        tags = client.get_run(run.id).data.tags
        assert int(tags["lenet.pid"]) == os.getpid()
        assert tags["lenet.process_start"] == process.process_start(os.getpid()) != ""

    def test_a_process_keeps_its_start_and_a_dead_one_has_none(self) -> None:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        start = process.process_start(child.pid)
        assert start is not None
        assert start == process.process_start(child.pid)
        child.kill()
        # Dead but not yet waited for by its parent, too.
        for _ in range(100):
            if process.process_start(child.pid) is None:
                break
            time.sleep(0.01)
        assert process.process_start(child.pid) is None
        child.communicate()
        assert process.process_start(child.pid) is None

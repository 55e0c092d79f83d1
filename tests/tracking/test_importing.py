import subprocess
import sys


def test_collections_are_on_again_after_mlflow_was_imported():
    code = (
        "import gc, sys\n"
        "from lenet.tracking.importing import without_collections\n"
        "with without_collections():\n"
        "    assert not gc.isenabled()\n"
        "    import mlflow\n"
        "assert gc.isenabled()\n"
        "assert gc.get_freeze_count() > 1000\n"
        "with without_collections():\n"
        "    assert gc.isenabled()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

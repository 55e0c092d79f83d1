"""`python -m tests.reliability.dying FUNCTION NUMBER before|after COMMAND …`: a command that kills itself (SIGKILL)
at the so-manieth call of a function, before the call or after it, to the point where chance would hardly hit."""

import importlib
import os
import runpy
import signal
import sys

FUNCTIONS = {
    "os.fsync": ("os", "fsync"),
    "os.replace": ("os", "replace"),
    **{
        name: ("mlflow.tracking.client:MlflowClient", name)
        for name in (
            "create_run",
            "log_batch",
            "log_inputs",
            "set_tag",
            "delete_tag",
            "update_run",
            "set_terminated",
        )
    },
}


def main() -> None:
    name, number, moment, module, *arguments = sys.argv[1:]
    place, attribute = FUNCTIONS[name]
    home, _, owner = place.partition(":")
    holder = importlib.import_module(home)
    holder = getattr(holder, owner) if owner else holder
    function = getattr(holder, attribute)
    left = int(number)

    def dying(*given, **named):
        nonlocal left
        left -= 1
        if left == 0 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*given, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, attribute, dying)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

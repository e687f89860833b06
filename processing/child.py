"""The child process: `python -m processing.child CONTROL LEASH FAULTS`, descriptors that the worker hands down.

It loads the processors once, says `ready`, and then runs one job after the other until the worker lets go. It loads no
project settings and knows no database, except where its first order says `django`: then `django.setup()` runs first.
Orders and reports are JSON lines (processing/runner.py is the other end).
"""

import os
import sys

from processing import guard


def main(control: int, leash: int, faults: int) -> None:
    """Never returns while the worker wants this process."""
    guard.split(leash, closed_in_guard=(control, faults))
    _serve(control, faults)


def _serve(descriptor: int, faults: int) -> None:
    # Loaded after the fork, so that the guard stays small.
    import faulthandler
    import traceback

    from processing import limits
    from processing.child_control import Control
    from processing.child_job import Order, run
    from processing.registry import load

    faulthandler.enable(faults)
    limits.apply_for_good()
    control = Control(descriptor)
    setup, _ = control.next_order()
    try:
        if setup["django"]:
            import django

            django.setup()
        registry = load(setup["modules"])
    except BaseException as error:  # noqa: BLE001 - an author's module may raise anything; the worker says so
        message = f"{type(error).__name__}: {error}"
        control.send({"type": "broken", "message": message, "traceback": traceback.format_exc()[-16_000:]})
        return
    control.send({"type": "ready"})
    while True:
        order, descriptors = control.next_order()
        fields = {name: value for name, value in order.items() if name != "type"}
        if descriptors:
            fields["source"] = descriptors[0]
        ending = run(Order(**fields), registry, control)
        for one in descriptors:
            os.close(one)
        control.send(ending)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))

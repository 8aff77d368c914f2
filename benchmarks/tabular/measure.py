"""Run a command and write what it took with all its children: JSON into the file named.

    python measure.py TOOK.json TIMEOUT_SECONDS COMMAND...

A process of its own because a child's peak memory is never less than its parent's was.
"""

import json
import os
import subprocess
import sys
import threading
import time

started = time.perf_counter()
child = subprocess.Popen(sys.argv[3:])
timer = threading.Timer(float(sys.argv[2]), child.kill)
timer.start()
_, status, usage = os.wait4(child.pid, 0)
timer.cancel()
with open(sys.argv[1], "w") as file:
    json.dump({"status": os.waitstatus_to_exitcode(status),
               "wall_s": round(time.perf_counter() - started, 2),
               "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
               "peak_mib": usage.ru_maxrss // (2 ** 20 if sys.platform == "darwin" else 2 ** 10)},
              file)

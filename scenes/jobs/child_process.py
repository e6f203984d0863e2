"""The command `blemish` as a process that does not outlive the one that started it, whatever ends that."""

# `python -c CHILD_PROGRAM ARGUMENTS` is `blemish ARGUMENTS`, which ends as soon as its standard input, a pipe that
# the process that started it holds open, is closed: at the latest by the system, when that process is killed. It ends
# as by Ctrl-C, so that it leaves nothing behind, or hard where it does not get round to that.
CHILD_PROGRAM = """\
import os, signal, sys, threading, time
def end():
    while os.read(0, 1024):
        pass
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
        time.sleep(10)
    os._exit(1)
threading.Thread(target=end, daemon=True).start()
sys.argv[0] = "blemish"
from blemish import main
main()
"""

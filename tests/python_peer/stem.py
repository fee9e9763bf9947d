"""Starts peers without the second or two in which each of them would load the package: it loads it once, and forks.

    python tests/python_peer/stem.py --database PLACE [the flags of peer.py]

`PLACE` only says what kind of databases there will be. Once it has said `{"ready": true}`, each line on stdin asks for a peer:
`{"database": WHERE, "without": [CAPABILITY], "log": PATH, "port": N}`. The peer connects to that port of 127.0.0.1 and speaks there
as `peer.py` does on its stdin and stdout; what else it has to say goes to the log. At the end of stdin there are no more.
"""

import gc
import json
import os
import random
import signal
import socket
import sys

import peer
import project


def main():
    arguments = peer.parse_arguments()
    answers = peer.take_stdout()
    peer.load(arguments)
    load_what_peers_need()
    # What is loaded stays for good: no peer has to look through it for what could go, nor so get a copy of its own.
    gc.freeze()
    # Nobody waits for those who go.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    peer.say(answers, {"ready": True})
    for line in sys.stdin:
        wanted = json.loads(line)
        if os.fork() == 0:
            become(wanted, arguments)


def load_what_peers_need():
    """Load what is otherwise loaded when the first command or request comes."""
    import waitress  # noqa: F401
    from django.core.wsgi import get_wsgi_application
    from django.urls import get_resolver

    import commands  # noqa: F401
    import server  # noqa: F401

    get_wsgi_application()
    get_resolver().url_patterns  # noqa: B018


def become(wanted, arguments):
    """Be the peer that is wanted, and never come back."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for opened, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(opened, number)
    try:
        project.use_database(wanted["database"])
        line = socket.create_connection(("127.0.0.1", wanted["port"]))
        arguments.without = wanted["without"]
        peer.live(arguments, line.makefile("r", encoding="utf-8"), line.makefile("w", encoding="utf-8"))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()

"""Starts peers without the second or two in which each of them would load the package: it loads it once, and forks.

    python tests/python_peer/stem.py --database PLACE [the flags of peer.py]

The tables of a new database are made once as well, in a template. For peers on PostgreSQL, `PLACE` is the URL of an empty database
which becomes it; those that are to be copies of it are made by whoever asks. For peers on SQLite, `PLACE` is `sqlite`: their template
is a file of our own, and a file that is not there yet becomes a copy of it.

Once it has said `{"ready": true}`, each line on stdin asks for a peer:
`{"database": WHERE, "is_copy": BOOLEAN, "without": [CAPABILITY], "log": PATH, "port": N}`. The peer connects to that port of 127.0.0.1
and speaks there as `peer.py` does on its stdin and stdout; what else it has to say goes to the log. At the end of stdin there are no
more.
"""

import gc
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile

import peer
import project


def main():
    arguments = peer.parse_arguments()
    answers = peer.take_stdout()
    peer.load(arguments)
    load_what_peers_need()
    # What is loaded stays for good: no peer has to look through it for what could go, nor so get a copy of its own.
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="morango-stem-") as folder:
        on_a_server = arguments.database.startswith("postgres")
        template = arguments.database if on_a_server else os.path.join(folder, "template.db")
        fill(template)
        # Nobody waits for those who go.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        peer.say(answers, {"ready": True})
        for line in sys.stdin:
            wanted = json.loads(line)
            if os.fork() == 0:
                become(wanted, arguments, None if on_a_server else template)


def fill(template):
    """Make the tables in a process of its own: no connection to a database may be there when a peer is forked."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            project.use_database(template)
            project.prepare_database()
            from django.db import connections

            connections.close_all()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit("the tables of the template cannot be made")


def load_what_peers_need():
    """Load what is otherwise loaded when the first command or request comes."""
    import waitress  # noqa: F401
    from django.core.wsgi import get_wsgi_application
    from django.urls import get_resolver

    import commands  # noqa: F401
    import server  # noqa: F401

    get_wsgi_application()
    get_resolver().url_patterns  # noqa: B018


def become(wanted, arguments, template):
    """Be the peer that is wanted, and never come back. The template is that of files, if it is to be on one."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for opened, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(opened, number)
    try:
        has_tables = wanted["is_copy"]
        if template and not os.path.exists(wanted["database"]):
            shutil.copyfile(template, wanted["database"])
            has_tables = True
        project.use_database(wanted["database"])
        line = socket.create_connection(("127.0.0.1", wanted["port"]))
        arguments.without = wanted["without"]
        if not has_tables:
            project.prepare_database()
        peer.live(arguments, line.makefile("r", encoding="utf-8"), line.makefile("w", encoding="utf-8"))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()

"""Starts a peer as a test would, and gives it commands: `Peer("school.db")` and then `peer.create_root()`, and so on."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent / "peer.py"


class Refused(Exception):
    """The peer answered a command with an error."""

    def __init__(self, error):
        super().__init__("{class}: {message}".format(**error))
        self.error = error


class Peer:
    """A peer in a process of its own. Each command is a method; it answers what stands under `ok`."""

    def __init__(self, database, *flags, environment=None):
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--database", str(database), *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        )
        ready = self._answer()
        self.url = ready["url"]
        self.instance_id = ready["instance_id"]

    def __getattr__(self, name):
        def command(**arguments):
            self.process.stdin.write(json.dumps(dict(arguments, do=name)) + "\n")
            self.process.stdin.flush()
            answer = self._answer()
            if "error" in answer:
                raise Refused(answer["error"])
            return answer["ok"]

        return command

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError("the peer is gone; its last words are on stderr")
        return json.loads(line)

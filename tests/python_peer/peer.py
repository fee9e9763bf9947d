"""A real Morango peer in Python, for a test to start and to command.

    python tests/python_peer/peer.py --database PATH [--port 0]

It makes the database if there is none, serves it on 127.0.0.1, says so with one JSON line on stdout, and then answers
each JSON line on stdin with exactly one on stdout: `{"ok": …}` or `{"error": {…}}`. At the end of stdin it is gone.
Everything else it has to say goes to stderr. README.md lists what it can be told.
"""

import argparse
import json
import os
import sys
import traceback

import older
import pace
import project


def main():
    arguments = parse_arguments()
    answers = take_stdout()
    load(arguments)
    project.prepare_database()
    sys.stdin.reconfigure(encoding="utf-8")
    live(arguments, sys.stdin, answers)


def load(arguments):
    """Load the package, and set up what does not hang on the database."""
    older.mend()
    project.configure(
        arguments.database,
        without_models=arguments.without_model,
        with_extra=arguments.with_extra,
        verbose=arguments.verbose,
        hurried=not arguments.unhurried,
    )


def live(arguments, lines, answers):
    """Serve from a database that lacks nothing, and answer each line, to the last one; then be gone."""
    pace.count()
    if not arguments.unhurried:
        pace.hurry()

    from commands import COMMANDS
    from commands.peer import without_capabilities
    from morango.models.core import InstanceIDModel
    from server import serve

    without_capabilities(arguments.without)
    instance, _ = InstanceIDModel.get_or_create_current_instance()
    port = serve(arguments.port)
    url = "http://127.0.0.1:{}/".format(port)
    say(answers, {"ready": True, "url": url, "instance_id": instance.id})
    for line in lines:
        if line.strip():
            say(answers, obey(line, COMMANDS))
    answers.flush()
    # Requests may be on their way in other threads; nobody waits for their answers any more.
    os._exit(0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="path of a SQLite file, which is made if it is not there, or URL of a PostgreSQL database that is there")
    parser.add_argument("--port", type=int, default=0, help="port to serve on; 0 picks a free one")
    parser.add_argument("--without", action="append", default=[], metavar="CAPABILITY", help="leave a capability out")
    parser.add_argument("--without-model", action="append", default=[], metavar="NAME", help="leave a model out of the sync")
    parser.add_argument("--with-extra", action="store_true", help="add the model `bulletin` and the field `nickname` of `user`")
    parser.add_argument("--unhurried", action="store_true", help="leave the package as slow as it ships, to measure it")
    parser.add_argument("--verbose", action="store_true", help="log all there is to stderr")
    return parser.parse_args()


def take_stdout():
    """Keep stdout for the answers alone; whatever else prints there goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def say(answers, value):
    answers.write(json.dumps(value, default=str) + "\n")
    answers.flush()


def obey(line, commands):
    try:
        arguments = json.loads(line)
        name = arguments.pop("do")
        if name not in commands:
            raise LookupError("no command {!r}; there are: {}".format(name, ", ".join(sorted(commands))))
        return {"ok": commands[name](**arguments)}
    except Exception as error:
        return {"error": describe(error)}


def describe(error):
    """An error with what lies behind it, and with the answer of the other side if that is where it came from."""
    said = {
        "class": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }
    response = getattr(error, "response", None)
    if response is not None:
        said["response"] = {"status": response.status_code, "body": response.text[:2000]}
    if error.__cause__ is not None:
        said["cause"] = describe(error.__cause__)
    return said


if __name__ == "__main__":
    main()

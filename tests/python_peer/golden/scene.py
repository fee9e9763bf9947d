"""Two peers and a small school, for the fixtures that only a conversation can make."""

import json
import os
import platform
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from control import Peer

PASSWORD = "secret"


@contextmanager
def server_and_tablet():
    with tempfile.TemporaryDirectory() as folder:
        with peer(folder, "server") as server, peer(folder, "tablet") as tablet:
            server.folder = tablet.folder = folder
            yield server, tablet


def peer(folder, name):
    environment = dict(os.environ, MORANGO_SYSTEM_ID="system of the " + name, MORANGO_NODE_ID="node of the " + name)
    return Peer(Path(folder) / (name + ".db"), environment=environment)


def found_a_school(server):
    """Something of every model but the sampler, and an account for whom it may concern."""
    dataset = server.create_root(dataset={"description": "Harbour School", "allow_guests": True})["dataset"]["id"]

    def make(model, **fields):
        return server.create(model=model, fields=dict(fields, dataset_id=dataset))["id"]

    facility = make("facility", name="Main house")
    upper = make("classroom", facility_id=facility, name="Upper school")
    lower = make("classroom", facility_id=facility, name="7b", parent_id=upper)
    ada = make("user", username="ada", full_name="Ada Größe ✓", birth_year=2012)
    make("membership", user_id=ada, classroom_id=lower)
    make("assignment", user_id=ada, title="Read chapter 2", due="2026-03-29T01:30:00Z")
    make(
        "contentlog",
        user_id=ada,
        content="fractions",
        progress=0.75,
        seconds=90,
        started="2026-01-02T03:04:05.678901Z",
        extra={"tries": [1, 2.5, None, True], "ñ": "\u2028"},
    )
    make("feedback", user_id=ada, text="a \"quoted\"\nline\twith \\ and …")
    server.add_user(username="admin", password=PASSWORD, role="admin")
    server.add_user(username="ada", password=PASSWORD, role="learner", user_id=ada)
    return {"dataset": dataset, "facility": facility, "upper": upper, "lower": lower, "ada": ada}


def request_whole(server, tablet, school):
    return tablet.request_certificate(
        url=server.url,
        primary_partition=school["dataset"],
        scope_definition="full-facility",
        scope_params={"dataset_id": school["dataset"]},
        userargs="admin",
        password=PASSWORD,
    )


def request_single(server, tablet, school):
    return tablet.request_certificate(
        url=server.url,
        primary_partition=school["dataset"],
        scope_definition="single-user",
        scope_params={"dataset_id": school["dataset"], "user_id": school["ada"]},
        userargs={"username": "ada", "language": "en"},
        password=PASSWORD,
    )


def anywhere(made, folder):
    """The same without a word of the machine on which it was made."""
    text = json.dumps(made)
    for found, instead in (
        (folder, "/data"),
        (platform.platform(), "Linux"),
        (platform.node(), "device"),
        (sys.version, platform.python_version()),
    ):
        text = text.replace(found, instead)
    return json.loads(text)

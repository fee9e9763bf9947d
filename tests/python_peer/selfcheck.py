"""Two Python peers live through what the interoperability tests ask of a Python and a Rust one.

A school server and a tablet: the tablet gets a certificate, pulls the school, both change the same person, the tablet
pushes, a classroom is deleted, a learner gets only what is theirs, a line breaks and holds again. Run it by hand:

    python tests/python_peer/selfcheck.py

With the URL of a PostgreSQL server as its argument, all of them are on databases there. Versions older than 0.6.8 fail where a
line breaks or a learner's work is passed on: that they cannot do.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from control import Peer
from control import Refused

RECORDS = 5000


def main():
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), *sys.argv[1:])
        started = time.monotonic()
        server = Peer(place.database("server"))
        tell("a peer is ready", started)
        with server, Peer(place.database("tablet")) as tablet:
            school = found_a_school(server)
            whole = everything_is_pulled(server, tablet, school)
            both_change_the_same_person(server, tablet, school, whole)
            a_deletion_travels_and_takes_along_what_hangs_on_it(server, tablet, school, whole)
            a_learner_gets_only_what_is_theirs(server, place.database("phone"), school)
            a_broken_line_holds_again(server, tablet, school, whole)
            an_old_dialect_is_understood(server, tablet, school, whole)
            a_certificate_is_pushed(server, tablet)
            many_records_are_pulled(server, tablet, school, whole)
        the_unknown_waits_and_arrives_later(place)
    print("all is well")


class Place:
    """Where the peers have their databases: in files, or on a PostgreSQL server."""

    def __init__(self, folder, server=None):
        self.folder = folder
        self.server = server
        self.made = set()

    def database(self, name):
        if self.server is None:
            return self.folder / (name + ".db")
        unique = "selfcheck_{}_{}".format(name, os.getpid())
        if unique not in self.made:
            import psycopg2

            connection = psycopg2.connect(self.server)
            connection.autocommit = True
            connection.cursor().execute("CREATE DATABASE " + unique)
            connection.close()
            self.made.add(unique)
        return self.server.rpartition("/")[0] + "/" + unique


def found_a_school(server):
    dataset = server.create_root(dataset={"description": "Harbour School", "allow_guests": True})["dataset"]["id"]
    facility = server.create(model="facility", fields={"dataset_id": dataset, "name": "Main house"})["id"]
    room = dict(dataset_id=dataset, facility_id=facility)
    upper = server.create(model="classroom", fields=dict(room, name="Upper school"))["id"]
    lower = server.create(model="classroom", fields=dict(room, name="7b", parent_id=upper))["id"]
    ada = server.create(model="user", fields={"dataset_id": dataset, "username": "ada", "birth_year": 2012})["id"]
    bert = server.create(model="user", fields={"dataset_id": dataset, "username": "bert"})["id"]
    for user in (ada, bert):
        server.create(model="membership", fields={"dataset_id": dataset, "user_id": user, "classroom_id": lower})
        server.create(
            model="contentlog",
            fields={"dataset_id": dataset, "user_id": user, "content": "fractions", "started": "2026-01-02T03:04:05.678901Z"},
        )
    server.add_user(username="admin", password="secret", role="admin")
    server.add_user(username="ada", password="also secret", role="learner", user_id=ada)
    return {"dataset": dataset, "upper": upper, "lower": lower, "ada": ada, "bert": bert}


def everything_is_pulled(server, tablet, school):
    started = time.monotonic()
    whole = tablet.request_certificate(
        url=server.url,
        primary_partition=school["dataset"],
        scope_definition="full-facility",
        scope_params={"dataset_id": school["dataset"]},
        userargs="admin",
        password="secret",
    )
    tell("a certificate is requested", started)
    started = time.monotonic()
    result = tablet.sync(url=server.url, client_certificate=whole, direction="pull")
    tell("ten records are pulled", started)
    assert result["records_transferred"] == result["records_total"] == 10, result
    assert_same_rows(server, tablet)
    assert tablet.dump_rows(model="contentlog")[0]["started"] == "2026-01-02T03:04:05.678Z"
    assert tablet.sync(url=server.url, client_certificate=whole, direction="pull")["records_total"] == 0
    return whole


def both_change_the_same_person(server, tablet, school, whole):
    server.update(model="user", id=school["ada"], fields={"full_name": "Ada at the server"})
    tablet.update(model="user", id=school["ada"], fields={"full_name": "Ada on the tablet"})
    tablet.sync(url=server.url, client_certificate=whole, direction="pull")
    merged = record(tablet, school["ada"])
    assert "Ada on the tablet" in merged["serialized"], merged
    assert "Ada at the server" in merged["conflicting_serialized_data"], merged
    assert merged["last_saved_instance"] == tablet.instance_id, merged
    assert tablet.sync(url=server.url, client_certificate=whole, direction="push")["records_total"] == 1
    assert record(server, school["ada"])["serialized"] == merged["serialized"]
    assert_same_rows(server, tablet)


def a_deletion_travels_and_takes_along_what_hangs_on_it(server, tablet, school, whole):
    assert tablet.delete(model="classroom", id=school["upper"]) == {"school.Classroom": 2, "school.Membership": 2}
    assert tablet.sync(url=server.url, client_certificate=whole, direction="push")["records_total"] == 4
    assert server.rows(model="classroom") == [] and server.rows(model="membership") == []
    kept = record(server, school["upper"])
    assert kept["deleted"] and not kept["hard_deleted"] and "Upper school" in kept["serialized"], kept
    server.hard_delete(model="user", id=school["bert"])
    tablet.sync(url=server.url, client_certificate=whole, direction="pull")
    forgotten = record(tablet, school["bert"])
    assert forgotten["hard_deleted"] and forgotten["serialized"] == "{}", forgotten
    assert_same_rows(server, tablet)


def a_learner_gets_only_what_is_theirs(server, database, school):
    with Peer(database) as phone:
        request = dict(url=server.url, parent_id=school["dataset"], userargs="ada", password="also secret")
        own = {"dataset_id": school["dataset"], "user_id": school["ada"]}
        assert refusal(phone.request_certificate, **request, scope_definition="full-facility", scope_params=own) == 403
        others = dict(own, user_id=school["bert"])
        assert refusal(phone.request_certificate, **request, scope_definition="single-user", scope_params=others) == 403
        wrong = dict(request, password="wrong")
        assert refusal(phone.request_certificate, **wrong, scope_definition="single-user", scope_params=own) in (401, 403)
        mine = phone.request_certificate(**request, scope_definition="single-user", scope_params=own)
        phone.sync(url=server.url, client_certificate=mine, direction="pull")
        assert [user["username"] for user in phone.rows(model="user")] == ["ada"]
        phone.create(model="feedback", fields={"dataset_id": school["dataset"], "user_id": school["ada"], "text": "nice"})
        assert phone.sync(url=server.url, client_certificate=mine, direction="push")["records_total"] == 1
        assert len(server.rows(model="feedback")) == 1
        everything = [school["dataset"]]
        assert refusal(phone.sync, url=server.url, client_certificate=mine, direction="pull", filter=everything) == 403


def a_broken_line_holds_again(server, tablet, school, whole):
    make_logs(server, school, 30)
    broken = tablet.sync(url=server.url, client_certificate=whole, direction="pull", chunk_size=10, stop_after_chunks=1)
    assert broken["stopped"] and broken["records_transferred"] == 10, broken
    resumed = tablet.sync(url=server.url, direction="pull", chunk_size=10, resume=broken["sync_session_id"])
    assert resumed["transfer_session_id"] == broken["transfer_session_id"]
    assert resumed["records_transferred"] == resumed["records_total"] == broken["records_total"], resumed
    tablet.sync(url=server.url, client_certificate=whole, direction="pull")
    assert_same_rows(server, tablet)


def an_old_dialect_is_understood(server, tablet, school, whole):
    before = server.set_capabilities(capabilities=["GZIP_BUFFER_POST"])
    assert before == ["GZIP_BUFFER_POST"]
    tablet.update(model="user", id=school["ada"], fields={"full_name": "Ada of old"})
    assert tablet.sync(url=server.url, client_certificate=whole, direction="push")["records_total"] >= 1
    assert_same_rows(server, tablet)
    server.set_capabilities(capabilities=["GZIP_BUFFER_POST", "FSIC_V2_FORMAT", "ASYNC_OPERATIONS"])


def a_certificate_is_pushed(server, tablet):
    server.set_capabilities(
        capabilities=["GZIP_BUFFER_POST", "FSIC_V2_FORMAT", "ASYNC_OPERATIONS", "ALLOW_CERTIFICATE_PUSHING"]
    )
    root = tablet.create_root(dataset={"description": "A school from the tablet"})["certificate"]["id"]
    pushed = tablet.push_certificate(
        url=server.url, parent_id=root, scope_definition="full-facility", scope_params={"dataset_id": root}
    )
    result = tablet.sync(
        url=server.url, client_certificate=root, server_certificate=pushed, direction="push", filter=[root]
    )
    assert result["records_total"] == 1, result
    assert server.get(model="dataset", id=root)["description"] == "A school from the tablet"


def many_records_are_pulled(server, tablet, school, whole):
    started = time.monotonic()
    make_logs(server, school, RECORDS)
    tell("{} rows are made".format(RECORDS), started)
    started = time.monotonic()
    result = tablet.sync(url=server.url, client_certificate=whole, direction="pull")
    tell("{} records are pulled".format(RECORDS), started)
    assert result["records_transferred"] == RECORDS, result
    assert_same_rows(server, tablet)


def the_unknown_waits_and_arrives_later(place):
    old_database = place.database("old")
    with Peer(place.database("new"), "--with-extra") as new, Peer(old_database, "--without-model", "assignment") as old:
        dataset = new.create_root()["dataset"]["id"]
        user = new.create(model="user", fields={"dataset_id": dataset, "username": "eve", "nickname": "E"})["id"]
        new.create(model="bulletin", fields={"dataset_id": dataset, "text": "hello"})
        new.create(model="assignment", fields={"dataset_id": dataset, "user_id": user, "title": "read"})
        new.add_user(username="admin", password="secret")
        whole = old.request_certificate(
            url=new.url,
            parent_id=dataset,
            scope_definition="full-facility",
            scope_params={"dataset_id": dataset},
            userargs={"username": "admin", "language": "en"},
            password="secret",
        )
        assert old.sync(url=new.url, client_certificate=whole, direction="pull")["records_total"] == 4
        waiting = {record["model_name"] for record in old.dump_store() if record["dirty_bit"]}
        assert waiting == {"assignment", "bulletin"}, waiting
        old.update(model="user", id=user, fields={"full_name": "Eve"})
        old.sync(url=new.url, client_certificate=whole, direction="push")
        assert new.get(model="user", id=user)["nickname"] == "E"
    with Peer(old_database, "--with-extra") as old:
        old.deserialize()
        assert len(old.rows(model="bulletin")) == len(old.rows(model="assignment")) == 1


def make_logs(server, school, count):
    # With microseconds the rows would differ: what travels has milliseconds, and `.000` comes back as no fraction at all.
    fields = {"content": "lesson {n}", "extra": {"tries": 3}, "started": "2026-01-02T03:04:05.678Z"}
    fields.update({"dataset_id": school["dataset"], "user_id": school["ada"]})
    server.create_many(model="contentlog", count=count, fields=fields)


def record(peer, id):
    return next(record for record in peer.dump_store() if record["id"] == id)


def assert_same_rows(one, other):
    for model in ("dataset", "facility", "classroom", "user", "membership", "contentlog", "feedback"):
        ours, theirs = (peer.dump_rows(model=model) for peer in (one, other))
        different = [row for row in [*ours, *theirs] if row not in ours or row not in theirs] if ours != theirs else []
        assert not different, different[:4]


def refusal(command, **arguments):
    """The HTTP status with which the other side refused."""
    try:
        command(**arguments)
    except Refused as refused:
        error = refused.error
        while "response" not in error:
            error = error["cause"]
        return error["response"]["status"]
    raise AssertionError("{} was allowed".format(arguments))


def tell(what, started):
    print("{:8.3f} s  {}".format(time.monotonic() - started, what))


if __name__ == "__main__":
    main()

"""`buffer.json`: buffer records in the form that travels: one of each model, the sampler in many dresses, odd ones.

Each case says with which fields the row was made, so that the same can be made elsewhere and compared.
"""

from golden.scene import anywhere
from golden.scene import found_a_school
from golden.scene import request_whole
from golden.scene import server_and_tablet

SAMPLERS = {
    "defaults": {},
    "ordinary": {
        "small": -7,
        "whole": 123456,
        "big": 9007199254740993,
        "ratio": 0.1,
        "flag": True,
        "word": "word",
        "prose": "two\nlines",
        "moment": "2026-02-28T23:59:59.123Z",
        "day": "2024-02-29",
        "clock": "13:14:15",
        "price": "1234.5678",
        "uuid": "00112233-4455-6677-8899-aabbccddeeff",
        "json": {"a": [1, 2.5, None, True, "x"], "b": {}},
        "data": "AAECAwT+/w==",
    },
    "least": {
        "small": -32768,
        "whole": -2147483648,
        "big": -9223372036854775808,
        "ratio": -1.7976931348623157e308,
        "moment": "0001-01-01T00:00:00Z",
        "day": "0001-01-01",
        "clock": "00:00:00",
        "price": "-99999999.9999",
    },
    "greatest": {
        "small": 32767,
        "whole": 2147483647,
        "big": 9223372036854775807,
        "ratio": 1.7976931348623157e308,
        "moment": "9999-12-31T23:59:59.999Z",
        "day": "9999-12-31",
        "clock": "23:59:59",
        "price": "99999999.9999",
        "uuid": "ffffffff-ffff-ffff-ffff-ffffffffffff",
    },
    "whole number in a float": {"ratio": 3},
    "smallest float": {"ratio": 5e-324},
    "large float": {"ratio": 1e16},
    "larger float": {"ratio": 1e22},
    "small float": {"ratio": 0.00001},
    "minus zero": {"ratio": -0.0},
    "sum of floats": {"ratio": 0.30000000000000004},
    "milliseconds that are zero": {"moment": "2026-01-01T00:00:00.000Z", "clock": "01:02:03.000"},
    "less than a millisecond": {"moment": "2026-01-01T00:00:00.000999Z", "clock": "01:02:03.000999"},
    "microseconds": {"moment": "2026-01-01T00:00:00.999999Z", "clock": "01:02:03.999999"},
    "another time zone": {"moment": "2026-07-01T12:00:00+05:30"},
    "a price without a fraction": {"price": "5"},
    "a price of nothing": {"price": "0"},
    "a small price": {"price": "0.0001"},
    "letters of the world": {"word": "é e\u0301 ß 日本 \U0001f600 \u2028 \u007f </script>", "prose": "\"\\/\b\f\n\r\t\u0001"},
    "empty texts": {"word": "", "prose": "", "data": ""},
    "json: an empty list": {"json": []},
    "json: a text": {"json": "\"text\""},
    "json: null": {"json": None},
    "json: letters": {"json": '{"ñ": "\\u00f1 \U0001f600", "n": 1.0, "e": 1e5, "big": 12345678901234567890}'},
}


def build(previous):
    with server_and_tablet() as (server, tablet):
        school = found_a_school(server)
        samplers = {name: make_sampler(server, school, fields) for name, fields in SAMPLERS.items()}
        whole = request_whole(server, tablet, school)
        made = {
            "about": "Queued by morango 0.8.15 for a pull, as `GET buffers/` gives them.",
            "dataset_id": school["dataset"],
            "of_each_model": {},
            "samplers": [],
            "odd": [],
        }
        for record in pulled(server, tablet, whole):
            if record["model_name"] != "sampler":
                # Of two classrooms, the one that has a parent.
                made["of_each_model"].setdefault(record["model_name"], record)
                if record["_self_ref_fk"]:
                    made["of_each_model"][record["model_name"]] = record
                continue
            name = name_of(samplers, record)
            made["samplers"].append({"name": name, "fields": sampler_fields(SAMPLERS[name]), "record": record})
        made["of_each_model"]["sampler"] = next(each["record"] for each in made["samplers"] if each["name"] == "ordinary")
        made["samplers"].sort(key=lambda each: list(SAMPLERS).index(each["name"]))
        made["odd"] = odd_records(server, tablet, school, whole)
        return anywhere(made, server.folder)


def make_sampler(server, school, fields):
    return server.create(model="sampler", fields=dict(sampler_fields(fields), dataset_id=school["dataset"]))["id"]


def sampler_fields(fields):
    """Those of the case, and a moment: the default would be now."""
    return dict({"moment": "2026-01-01T00:00:00Z"}, **fields)


def name_of(samplers, record):
    return next(name for name, id in samplers.items() if id == record["model_uuid"])


def odd_records(server, tablet, school, whole):
    """Records with a history: changed by two, in conflict, deleted, hard deleted, changed after a deletion."""
    server.update(model="user", id=school["ada"], fields={"full_name": "Ada, by the server"})
    tablet.update(model="facility", id=school["facility"], fields={"name": "Main house, by the tablet"})
    tablet.sync(url=server.url, client_certificate=whole, direction="push")
    for classroom in (school["upper"], school["lower"]):
        tablet.update(model="classroom", id=classroom, fields={"name": "by the tablet"})
    server.update(model="classroom", id=school["upper"], fields={"name": "by the server, serialized"})
    server.serialize()
    server.update(model="classroom", id=school["lower"], fields={"name": "by the server, not serialized"})
    server.update(model="facility", id=school["facility"], fields={"name": "Main house, by the server"})
    log = server.rows(model="contentlog")[0]["id"]
    feedback = server.rows(model="feedback")[0]["id"]
    server.delete(model="contentlog", id=log)
    server.hard_delete(model="feedback", id=feedback)
    # The tablet pushes; the server finds both conflicts and settles them as itself.
    tablet.sync(url=server.url, client_certificate=whole, direction="push")
    names = {
        school["ada"]: "changed again by the same instance",
        school["facility"]: "changed by two, one after the other",
        school["upper"]: "in conflict when it was dequeued: theirs is kept beside ours",
        school["lower"]: "in conflict when it was serialized: a changed row met a received record",
        log: "deleted",
        feedback: "hard deleted",
    }
    return [{"name": names[record["model_uuid"]], "record": record} for record in pulled(server, tablet, whole)]


def pulled(server, tablet, whole):
    server.start_recording()
    tablet.sync(url=server.url, client_certificate=whole, direction="pull")
    return [
        record
        for exchange in server.stop_recording()
        if exchange["path"].endswith("/buffers/")
        for record in exchange["answer"]["results"]
    ]

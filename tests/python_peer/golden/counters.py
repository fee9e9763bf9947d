"""`fsic.json`: what the package calculates from counters. Each case is an input and the package's own answer to it.

Instances are called `a`, `b`, … and partitions `S`, `S:x`, … to be read by people; where the package works on its
database they are spelled out to 32 digits before and shortened again after.
"""

import copy
import json

A, B, C = "a", "b", "c"

# name, {"super": …, "sub": …}
RAW = {
    "nothing": {"super": {}, "sub": {}},
    "one partition": {"super": {}, "sub": {"S": {A: 3}}},
    "a part behind the whole": {"super": {}, "sub": {"S": {A: 5}, "S:x": {A: 3}}},
    "a part level with the whole": {"super": {}, "sub": {"S": {A: 5}, "S:x": {A: 5, B: 2}}},
    "a part ahead of the whole": {"super": {}, "sub": {"S": {A: 5}, "S:x": {A: 8}}},
    "three storeys, rising": {"super": {}, "sub": {"S": {A: 1}, "S:x": {A: 2}, "S:x:y": {A: 3}}},
    "three storeys, falling": {"super": {}, "sub": {"S": {A: 3}, "S:x": {A: 2}, "S:x:y": {A: 1}}},
    "three storeys, the middle one highest": {"super": {}, "sub": {"S": {A: 1}, "S:x": {A: 3, B: 1}, "S:x:y": {A: 2, B: 2}}},
    "the whole is above the filter": {"super": {"": {A: 4, B: 9}, "S": {A: 6}}, "sub": {"S:x": {A: 5, B: 9}, "S:y": {C: 1}}},
    "only above the filter": {"super": {"S": {A: 6, B: 2}}, "sub": {}},
    "above, equal": {"super": {"S": {A: 6}}, "sub": {"S:x": {A: 6}}},
    "above, lower": {"super": {"S": {A: 2}}, "sub": {"S:x": {A: 6}}},
    "two above, the longer lower": {"super": {"": {A: 9}, "S": {A: 6, B: 1}}, "sub": {"S:x": {A: 3}}},
    "names that begin alike without a colon": {"super": {}, "sub": {"S:F1": {A: 3}, "S:F10": {A: 2, B: 4}}},
    "an emptied partition stays": {"super": {}, "sub": {"S": {A: 7, B: 7}, "S:x": {A: 7, B: 7}}},
    "siblings": {"super": {"S": {A: 1}}, "sub": {"S:x": {A: 2}, "S:y": {A: 3}, "S:z": {B: 1}}},
    "the same partition above and below": {"super": {"S": {A: 4}}, "sub": {"S": {A: 4, B: 1}, "S:x": {A: 4, B: 2}}},
    "the everything partition": {"super": {}, "sub": {"": {A: 4}, "S": {A: 4, B: 2}, "T": {A: 5}}},
}

EXPANSIONS = (
    # raw, filter
    ("nothing", ["S"]),
    ("one partition", ["S"]),
    ("a part behind the whole", ["S"]),
    ("a part ahead of the whole", ["S"]),
    ("the whole is above the filter", ["S:x", "S:y"]),
    ("the whole is above the filter", ["S:x", "S:y", "S:z"]),
    ("only above the filter", ["S:x"]),
    ("only above the filter", ["S:x", "S:x:y"]),
    ("only above the filter", ["S:x", "T"]),
    ("above, lower", ["S:x"]),
    ("two above, the longer lower", ["S:x"]),
    ("siblings", ["S:x", "S:y", "S:z"]),
    ("the same partition above and below", ["S", "S:x"]),
    ("the everything partition", [""]),
    ("names that begin alike without a colon", ["S:F1"]),
)

DIFFERENCES_V2 = (
    # name, sender, receiver: both expanded
    ("the receiver has nothing", {"S": {A: 3, B: 1}}, {}),
    ("the receiver has everything", {"S": {A: 3}}, {"S": {A: 3}}),
    ("the receiver is ahead", {"S": {A: 3}}, {"S": {A: 4}}),
    ("the receiver is behind in one of two", {"S": {A: 3, B: 8}}, {"S": {A: 3, B: 2}}),
    ("the receiver has it under the whole", {"S:x": {A: 3}}, {"S": {A: 3}}),
    ("the receiver has part of it under the whole", {"S:x": {A: 5}}, {"S": {A: 3}, "S:x": {A: 2}}),
    ("the receiver has it only under a part", {"S": {A: 3}}, {"S:x": {A: 3}}),
    ("the receiver has one part", {"S:x": {A: 3}, "S:y": {A: 3}}, {"S:x": {A: 3}}),
    ("an instance the sender does not know", {"S": {A: 3}}, {"S": {A: 3, B: 7}}),
    ("names that begin alike without a colon", {"S:F10": {A: 3}}, {"S:F1": {A: 3}}),
    ("the sender's part is ahead of its whole", {"S": {A: 3}, "S:x": {A: 6}}, {"S": {A: 4}}),
    ("everything against a part", {"": {A: 3}}, {"S": {A: 9}}),
    ("a part against everything", {"S": {A: 3}}, {"": {A: 9}}),
    ("both have nothing", {}, {}),
)

DIFFERENCES_V1 = (
    ("the receiver has nothing", {A: 3, B: 1}, {}),
    ("the receiver has everything", {A: 3}, {A: 3}),
    ("the receiver is behind in one", {A: 3, B: 8}, {A: 4, B: 2}),
    ("a counter of zero is nothing to send", {A: 0}, {}),
    ("an instance the sender does not know", {A: 3}, {B: 7}),
)

WHOLE_EXCHANGES = (
    # name, filter, sender raw, receiver raw: as they come off the wire
    ("first meeting", ["S"], {"super": {}, "sub": {"S": {A: 3}}}, {"super": {}, "sub": {}}),
    ("the receiver was served the whole before", ["S:x"], {"super": {}, "sub": {"S:x": {A: 5}}}, {"super": {"S": {A: 4}}, "sub": {}}),
    ("the sender knows the whole", ["S:x"], {"super": {"S": {A: 5, B: 2}}, "sub": {}}, {"super": {}, "sub": {"S:x": {A: 5}}}),
    ("two users, one of them up to date", ["S:u1", "S:u2"], {"super": {"S": {A: 9}}, "sub": {}}, {"super": {}, "sub": {"S:u1": {A: 9}}}),
    ("parts ahead on either side", ["S"], {"super": {}, "sub": {"S": {A: 2}, "S:x": {A: 7}}}, {"super": {}, "sub": {"S": {A: 2}, "S:y": {A: 7}}}),
    ("nothing new", ["S"], {"super": {}, "sub": {"S": {A: 2, B: 3}}}, {"super": {}, "sub": {"S": {A: 2, B: 3}}}),
)

# Rows of the database max counters, store records with the instances of their record max counters (the first one
# saved them last), and what the package makes of them for a filter.
DATABASES = {
    "one school": {
        "counters": [["S", A, 4], ["S", B, 2]],
        "records": [["S:r1", [A]], ["S:r2", [B, A]]],
    },
    "an instance whose records others have all overwritten": {
        "counters": [["S", A, 4], ["S", B, 2], ["S:x", B, 3]],
        "records": [["S:r1", [A, B]], ["S:x:r2", [A]]],
    },
    "an instance without a record": {
        "counters": [["S", A, 4], ["S", C, 7]],
        "records": [["S:r1", [A]]],
    },
    "whole, part and everything": {
        "counters": [["", A, 9], ["", B, 1], ["S", A, 5], ["S", B, 3], ["S:x", A, 9], ["S:x", B, 4], ["T", A, 2]],
        "records": [["S:x:r1", [A, B]], ["S:y:r2", [B, A]], ["T:r3", [A]]],
    },
}
DATABASE_FILTERS = (["S"], ["S:x"], ["S:x", "S:y"], ["S", "S:x"], ["T", "S:x"])

RAISINGS = (
    # name, filter, counters there were, received fsic, version 2?
    ("into nothing", ["S"], [], {"super": {}, "sub": {"S": {A: 3}, "S:x": {B: 2}}}, True),
    ("higher and new ones", ["S"], [["S", A, 1], ["S", B, 9]], {"super": {}, "sub": {"S": {A: 3, C: 1}}}, True),
    ("super partitions are not taken over", ["S:x"], [], {"super": {"S": {A: 3}}, "sub": {"S:x": {B: 2}}}, True),
    ("version 1, two prefixes", ["S:x", "S:y"], [["S:x", A, 2]], {A: 3, B: 1}, False),
    ("version 1, nothing new", ["S"], [["S", A, 5]], {A: 3}, False),
    ("fault: version 2 lowers a counter that was higher", ["S"], [["S", A, 9]], {"super": {}, "sub": {"S": {A: 3}}}, True),
)


def build(previous):
    return {
        "about": "Calculated by morango 0.8.15; `a`, `b`, `c` stand for instances. A case whose name begins with "
        "`fault:` shows what not to do.",
        "remove_redundant_instance_counters": redundancies(),
        "expand_fsic_for_use": expansions(),
        "calculate_directional_fsic_diff_v2": differences_v2(),
        "calculate_directional_fsic_diff": differences_v1(),
        "whole_exchange_v2": whole_exchanges(),
        "calculate_filter_specific_instance_counters": from_databases(),
        "update_fsics": raisings(),
    }


def redundancies():
    from morango.models.fsic_utils import remove_redundant_instance_counters

    cases = []
    for name, raw in RAW.items():
        output = copy.deepcopy(raw)
        remove_redundant_instance_counters(output)
        cases.append({"name": name, "input": raw, "output": output})
    return cases


def expansions():
    from morango.models.fsic_utils import expand_fsic_for_use

    return [
        {
            "name": "{}, for {}".format(name, ", ".join(map(repr, prefixes))),
            "input": RAW[name],
            "filter": prefixes,
            "output": expand_fsic_for_use(copy.deepcopy(RAW[name]), prefixes),
        }
        for name, prefixes in EXPANSIONS
    ]


def differences_v2():
    from morango.models.fsic_utils import calculate_directional_fsic_diff_v2

    return [
        {"name": name, "sender": sender, "receiver": receiver, "output": calculate_directional_fsic_diff_v2(sender, receiver)}
        for name, sender, receiver in DIFFERENCES_V2
    ]


def differences_v1():
    from morango.models.fsic_utils import calculate_directional_fsic_diff

    return [
        {"name": name, "sender": sender, "receiver": receiver, "output": calculate_directional_fsic_diff(sender, receiver)}
        for name, sender, receiver in DIFFERENCES_V1
    ]


def whole_exchanges():
    from morango.models.fsic_utils import calculate_directional_fsic_diff_v2
    from morango.models.fsic_utils import expand_fsic_for_use

    return [
        {
            "name": name,
            "filter": prefixes,
            "sender": sender,
            "receiver": receiver,
            "output": calculate_directional_fsic_diff_v2(
                expand_fsic_for_use(copy.deepcopy(sender), prefixes),
                expand_fsic_for_use(copy.deepcopy(receiver), prefixes),
            ),
        }
        for name, prefixes, sender, receiver in WHOLE_EXCHANGES
    ]


def from_databases():
    cases = []
    for name, database in DATABASES.items():
        for prefixes in DATABASE_FILTERS:
            for version in (2, 1):
                for side in ("producer", "receiver"):
                    cases.append(
                        {
                            "name": "{}, for {}".format(name, ", ".join(prefixes)),
                            "counters": database["counters"],
                            "records": [
                                {"partition": partition, "last_saved_instance": instances[0], "record_max_counters": instances}
                                for partition, instances in database["records"]
                            ],
                            "filter": prefixes,
                            "version": version,
                            "side": side,
                            "output": from_database(database, prefixes, version, side),
                        }
                    )
    return cases


def from_database(database, prefixes, version, side):
    from django.db import transaction

    from morango.models.certificates import Filter
    from morango.models.core import DatabaseMaxCounter
    from morango.models.core import RecordMaxCounter
    from morango.models.core import Store

    with transaction.atomic():
        insert_counters(database["counters"])
        for number, (partition, instances) in enumerate(database["records"]):
            record_id = "{:032x}".format(number)
            Store.objects.create(
                id=record_id, profile="school", serialized="{}", last_saved_instance=long(instances[0]),
                last_saved_counter=1, partition=partition, source_id=record_id, model_name="facility",
            )
            for instance in instances:
                RecordMaxCounter.objects.create(store_model_id=record_id, instance_id=long(instance), counter=1)
        found = DatabaseMaxCounter.calculate_filter_specific_instance_counters(
            Filter("\n".join(prefixes)), is_producer=side == "producer", v2_format=version == 2
        )
        transaction.set_rollback(True)
    return short(found)


def raisings():
    from django.db import transaction

    from morango.models.certificates import Filter
    from morango.models.core import DatabaseMaxCounter

    cases = []
    for name, prefixes, counters, received, v2_format in RAISINGS:
        with transaction.atomic():
            insert_counters(counters)
            DatabaseMaxCounter.update_fsics(long(received), Filter("\n".join(prefixes)), v2_format=v2_format)
            rows = DatabaseMaxCounter.objects.order_by("partition", "instance_id")
            after = [[row.partition, short(row.instance_id), row.counter] for row in rows]
            transaction.set_rollback(True)
        cases.append(
            {
                "name": name,
                "filter": prefixes,
                "before": counters,
                "received": received,
                "version": 2 if v2_format else 1,
                "after": after,
            }
        )
    return cases


def insert_counters(counters):
    from morango.models.core import DatabaseMaxCounter

    for partition, instance, counter in counters:
        DatabaseMaxCounter.objects.create(partition=partition, instance_id=long(instance), counter=counter)


def long(value):
    """The same with each instance spelled out to 32 digits, in a text or in all of a structure's keys."""
    return _replace(value, {instance: instance * 32 for instance in (A, B, C)})


def short(value):
    return _replace(value, {instance * 32: instance for instance in (A, B, C)})


def _replace(value, names):
    if isinstance(value, str):
        return names.get(value, value)
    text = json.dumps(value, sort_keys=True)
    for name, other in names.items():
        text = text.replace('"{}":'.format(name), '"{}":'.format(other))
    return json.loads(text)

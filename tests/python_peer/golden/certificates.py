"""`certificates.json`: keys, identifiers, signatures, a chain that is good and chains that are refused.

Everything in it is calculated by the package. The private keys are made for this file and used nowhere else; when the
file exists its keys are used again, and as neither signatures nor ids have anything random in them, the file then
comes out the same.
"""

import hashlib
import json

ROLES = ("root", "child", "grandchild", "stranger")
INSTANCE_IDS = (
    "531e0917d8d7fd5c65dc6c090d6e8e6d",
    "ffffffffffffffffffffffffffffffff",
    "0000abcd000000000000000000000000",
    "00000000ffffffffffffffffffffffff",
    "00010000000000000000000000000000",
)


def build(previous):
    from morango.models.certificates import Certificate
    from morango.models.fields.crypto import Key

    keys = {}
    for role in ROLES:
        known = previous.get("keys", {}).get(role, {}).get("private_key_pem")
        keys[role] = Key(private_key_string=known) if known else Key()

    chain = good_chain(keys)
    Certificate.save_certificate_chain(wire(chain[:1]))
    return {
        "about": "Calculated by morango 0.8.15. The keys were made for this file and protect nothing.",
        "keys": {role: describe_key(key) for role, key in keys.items()},
        "hash_ids": hash_ids(),
        "record_ids": record_ids(chain[0].id),
        "certificate_ids": [certificate_id(certificate) for certificate in chain],
        "proquints": proquints(),
        "instance_ids": instance_ids(),
        "signatures": [
            {"key": "root", "text": text, "signature": keys["root"].sign(text)}
            for text in ("", "nonce:session", "5f" * 16 + ":" + "a0" * 16, "größer als ’n Byte ✓")
        ],
        "chain": wire(chain),
        "scopes": [scope(certificate) for certificate in chain],
        "refused": refused_chains(keys, chain),
    }


def good_chain(keys):
    root = certificate(keys["root"], None, keys["root"], "full-facility", {}, salt="")
    child = certificate(keys["child"], root, keys["root"], "full-facility", {"dataset_id": root.id}, salt="c1" * 16)
    grandchild = certificate(
        keys["grandchild"],
        child,
        keys["child"],
        "single-user",
        {"dataset_id": root.id, "user_id": "0123456789abcdef0123456789abcdef"},
        salt="c2" * 16,
    )
    return [root, child, grandchild]


def certificate(key, parent, signer, scope_definition_id, scope_params, salt, profile="school"):
    """A certificate for `key`, signed by `signer`, without any of the checks it may be made to fail."""
    from morango.models.certificates import Certificate
    from morango.models.fields.crypto import Key

    made = Certificate(
        parent_id=parent.id if parent else None,
        profile=profile,
        scope_definition_id=scope_definition_id,
        scope_version=1,
        public_key=Key(public_key_string=key.get_public_key_string()),
        salt=salt,
    )
    made.id = made.calculate_uuid()
    made.scope_params = json.dumps(scope_params if parent or scope_params else {"dataset_id": made.id})
    made.serialized = made.serialize()
    made.signature = signer.sign(made.serialized)
    return made


def wire(chain):
    from morango.api.serializers import CertificateSerializer

    return [
        dict(CertificateSerializer(made).data, parent=made.parent_id)
        for made in chain
    ]


def describe_key(key):
    from cryptography.hazmat.primitives import serialization

    public = key._private_key.public_key()
    subject_public_key_info = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    return {
        "private_key_pem": key.get_private_key_string(),
        "public_key": key.get_public_key_string(),
        "public_key_pkcs1_pem": public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.PKCS1
        ).decode(),
        "public_key_subject_public_key_info": "".join(subject_public_key_info.splitlines()[1:-1]),
        "public_key_subject_public_key_info_pem": subject_public_key_info,
    }


def hash_ids():
    from morango.models.fields.uuids import sha2_uuid

    texts = ("", "a", "a::b", "partition::source::model", "größer ✓")
    return [{"text": text, "id": sha2_uuid(text)} for text in texts]


def record_ids(dataset_id):
    """One record of each way to come to an id."""
    from school import models

    user = models.User(dataset_id=dataset_id, _morango_source_id="11" * 16)
    user.id = user.calculate_uuid()
    facility = models.Facility(dataset_id=dataset_id, _morango_source_id="22" * 16)
    facility.id = facility.calculate_uuid()
    classroom = models.Classroom(dataset_id=dataset_id, facility_id=facility.id, _morango_source_id="33" * 16)
    classroom.id = classroom.calculate_uuid()
    membership = models.Membership(dataset_id=dataset_id, user_id=user.id, classroom_id=classroom.id)
    membership.id = membership.calculate_uuid()
    dataset = models.Dataset(_morango_source_id=dataset_id)
    dataset.id = dataset.calculate_uuid()
    log = models.ContentLog(dataset_id=dataset_id, user_id=user.id, _morango_source_id="44" * 16)
    log.id = log.calculate_uuid()
    return [
        {
            "model_name": row.morango_model_name,
            "source_id": row._morango_source_id,
            "calculated_partition": row.calculate_partition(),
            "id": row.id,
            "partition": row._morango_partition,
        }
        for row in (dataset, facility, classroom, user, membership, log)
    ]


def certificate_id(made):
    parts = (made.public_key.get_public_key_string(), made.profile, made.salt)
    return {
        "public_key": parts[0],
        "profile": made.profile,
        "salt": made.salt,
        "hashed_text": ":".join(part for part in parts if part),
        "id": made.calculate_uuid(),
    }


def proquints():
    from morango.models.core import InstanceIDModel

    return [{"instance_id": id, "proquint": InstanceIDModel(id=id).get_proquint()} for id in INSTANCE_IDS]


def instance_ids():
    """How the two environment variables become part of the instance id."""
    from morango.models.fields.uuids import sha2_uuid
    from morango.models.utils import _do_salted_hash

    cases = (("a1" * 16, "system one", "node one"), ("b2" * 16, "SYSTEM One", "Node ONE"), ("c3" * 16, "", ""))
    return [
        {
            "database_id": database_id,
            "system": system,
            "node": node,
            "system_id": _do_salted_hash(system),
            "node_id": _do_salted_hash(node),
            "id": sha2_uuid(database_id, _do_salted_hash(system), _do_salted_hash(node)),
        }
        for database_id, system, node in cases
    ]


def scope(made):
    from morango.models.certificates import Scope

    found = Scope(made.scope_definition, made.scope_params)
    return {
        "certificate_id": made.id,
        "read": list(found.read_filter),
        "write": list(found.write_filter),
    }


def refused_chains(keys, chain):
    root, child, grandchild = chain
    stranger = keys["stranger"]
    other_root_id = hashlib.sha256(b"another school").hexdigest()[:32]
    whole = {"dataset_id": root.id}

    wrong_signature = certificate(stranger, root, stranger, "full-facility", whole, salt="d1" * 16)
    wrong_id = certificate(stranger, root, keys["root"], "full-facility", whole, salt="d2" * 16)
    wrong_id.id = "f" * 32
    wrong_id.serialized = wrong_id.serialize()
    wrong_id.signature = keys["root"].sign(wrong_id.serialized)
    too_wide = certificate(stranger, grandchild, keys["grandchild"], "full-facility", whole, salt="d3" * 16)
    other_school = certificate(
        stranger, root, keys["root"], "full-facility", {"dataset_id": other_root_id}, salt="d4" * 16
    )
    other_profile = certificate(stranger, root, keys["root"], "full-facility", whole, salt="d5" * 16, profile="other")
    greedy_root = certificate(stranger, None, stranger, "full-facility", {"dataset_id": other_root_id}, salt="")
    changed = certificate(stranger, root, keys["root"], "full-facility", whole, salt="d6" * 16)
    changed.serialized = changed.serialized.replace(": ", ":")

    cases = (
        ("signed by a stranger instead of its parent", [root, wrong_signature]),
        ("its id is not the one calculated", [root, wrong_id]),
        ("its scope is wider than its parent's", [root, child, grandchild, too_wide]),
        ("its scope is that of another school", [root, other_school]),
        ("its profile is not its parent's", [root, other_profile]),
        ("a root whose scope does not begin with its own id", [greedy_root]),
        ("its text was written anew after signing", [root, changed]),
        ("the chain does not begin with a root", [child]),
        ("a link of the chain is missing", [root, grandchild]),
    )
    return [{"why": why, "error": refusal(made), "chain": wire(made)} for why, made in cases]


def refusal(chain):
    """The name of the error with which the package refuses the chain, in a store that has none of it."""
    from django.db import transaction

    from morango.models.certificates import Certificate

    with transaction.atomic():
        Certificate.objects.all().delete()
        try:
            Certificate.save_certificate_chain(wire(chain))
            outcome = None
        except Exception as error:
            outcome = type(error).__name__
        transaction.set_rollback(True)
    assert outcome is not None, "the package took a chain that was to be refused"
    return outcome

"""Certificates of this peer: made, requested from others, pushed to others; and the accounts for those who request."""

import json

from django.db import transaction
from morango.models.certificates import Certificate
from morango.models.fields.crypto import SharedKey
from school.accounts import Account

from commands.rows import as_it_travels
from commands.rows import built
from commands.syncing import connect
from school.models import MODELS


def create_root(profile="school", scope_definition="full-facility", scope_params=None, dataset=None):
    """Found a school: a root certificate and, under its id, the dataset row with the fields given."""
    with transaction.atomic():
        certificate = Certificate.generate_root_certificate(scope_definition, **(scope_params or {}))
        if certificate.profile != profile:
            raise LookupError("{} is of the profile {}".format(scope_definition, certificate.profile))
        row = built(MODELS["dataset"], dataset or {"description": "a school"}, source_id=certificate.id)
        row.save()
    return {"certificate": describe(certificate), "dataset": as_it_travels(row)}


def certificates():
    """All certificates that this peer knows, its own and others'."""
    return [describe(certificate) for certificate in Certificate.objects.order_by("id")]


def add_user(username, password, role="admin", user_id=""):
    """An account that may request certificates: an `admin` any, a `learner` one for its own `user_id`."""
    account = Account(username=username, role=role, user_id=user_id or "")
    account.set_password(password)
    account.full_clean()
    account.save()
    return {"username": username, "role": role}


def request_certificate(
    url, scope_definition, scope_params, userargs, password, parent_id=None, primary_partition=None, retries=0
):
    """Ask a server for a certificate under one of its own, named by id or found below a primary partition."""
    with connect(url, retries=retries) as connection:
        if parent_id is not None:
            chain = connection._get_certificate_chain(params={"ancestors_of": parent_id}).json()
            if not chain:
                raise LookupError("the server holds no key for a certificate {}".format(parent_id))
            parent = Certificate.deserialize(chain[-1]["serialized"], chain[-1]["signature"])
        else:
            found = connection.get_remote_certificates(primary_partition)
            if not found:
                raise LookupError("the server holds no key for a certificate of {}".format(primary_partition))
            parent = found[0]
        certificate = connection.certificate_signing_request(
            parent, scope_definition, scope_params, userargs=userargs, password=password
        )
    return certificate.id


def push_certificate(url, parent_id, scope_definition, scope_params, retries=0):
    """Sign a certificate for a server that lets itself be given one."""
    with connect(url, retries=retries) as connection:
        certificate = connection.push_signed_client_certificate_chain(
            Certificate.objects.get(id=parent_id), scope_definition, scope_params
        )
    return certificate.id


def shared_key(force_new=False):
    """The public key of the pair that others may put into certificates for this peer; made if there is none."""
    return SharedKey.get_or_create_shared_key(force_new=force_new).public_key.get_public_key_string()


def describe(certificate):
    return {
        "id": certificate.id,
        "parent": certificate.parent_id,
        "profile": certificate.profile,
        "scope_definition": certificate.scope_definition_id,
        "scope_params": json.loads(certificate.scope_params),
        "has_private_key": certificate.has_private_key(),
        "serialized": certificate.serialized,
        "signature": certificate.signature,
    }


COMMANDS = (create_root, certificates, add_user, request_certificate, push_certificate, shared_key)

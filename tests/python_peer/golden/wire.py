"""`wire.json`: whole conversations between two Python peers, request by request, as the server heard and answered them."""

import requests

from control import Refused
from golden.scene import anywhere
from golden.scene import found_a_school
from golden.scene import PASSWORD
from golden.scene import peer
from golden.scene import request_single
from golden.scene import request_whole
from golden.scene import server_and_tablet

BASE = "api/morango/v1/"
ALL = ["ASYNC_OPERATIONS", "FSIC_V2_FORMAT", "GZIP_BUFFER_POST"]
DIALECTS = {
    "without_fsic_v2": ["ASYNC_OPERATIONS", "GZIP_BUFFER_POST"],
    "of_old": [],
    # The package cannot do this itself: it sends `client_fsic` before it has one, and fails at what is missing in it.
    "with_fsic_v2_without_async_which_fails": ["FSIC_V2_FORMAT", "GZIP_BUFFER_POST"],
}
UNKNOWN = "0" * 32


def build(previous):
    with server_and_tablet() as (server, tablet):
        school = found_a_school(server)
        made = {
            "about": "Recorded between two peers with morango 0.8.15. Bodies that were gzipped stand unpacked; bodies that are JSON stand "
            "as JSON.",
            "signing_request": recorded(server, lambda: request_whole(server, tablet, school)),
        }
        whole = certificates_of(tablet, "full-facility")[0]
        meet = Meetings(server, tablet, whole)

        made["pull_in_chunks_of_4"] = meet("pull", chunk_size=4)
        made["pull_of_nothing"] = meet("pull")
        change_something(tablet, school)
        made["push_in_chunks_of_2"] = meet("push", chunk_size=2)
        made["push_of_nothing"] = meet("push")
        with peer(server.folder, "phone") as phone:
            made["signing_request_of_a_learner"] = recorded(server, lambda: request_single(server, phone, school))
            single = certificates_of(phone, "single-user")[0]
            made["pull_of_a_learner"] = Meetings(server, phone, single)("pull")
            made["push_of_a_learner"] = Meetings(server, phone, single)("push")

        for dialect, capabilities in DIALECTS.items():
            server.set_capabilities(capabilities=capabilities)
            change_something(tablet, school)
            made["push_" + dialect] = meet("push", chunk_size=2)
            change_something(server, school)
            made["pull_" + dialect] = meet("pull", chunk_size=2)
        server.set_capabilities(capabilities=ALL)

        made["certificate_pushed"] = push_a_certificate(server, tablet)
        server.set_capabilities(capabilities=ALL)
        change_something(server, school)
        made["pull_broken_after_the_first_chunk"] = meet("pull", chunk_size=1, stop_after_chunks=1)
        made["pull_resumed"] = meet("pull", chunk_size=1, resume=tablet.dump_sessions()["sync"][-1]["id"])
        made["refused"] = refusals(server, tablet, school, whole, request_single(server, tablet, school))
        return anywhere(made, server.folder)


class Meetings:
    """Syncs of the tablet with the server, each of which answers what was said."""

    def __init__(self, server, tablet, certificate):
        self.server, self.tablet, self.certificate = server, tablet, certificate

    def __call__(self, direction, **options):
        arguments = dict(options, url=self.server.url, direction=direction)
        if "resume" not in options:
            arguments["client_certificate"] = self.certificate
        return recorded(self.server, lambda: self.tablet.sync(**arguments))


def recorded(server, conversation):
    """What was said in a conversation, also in one that went wrong at the server."""
    server.start_recording()
    try:
        conversation()
    except Refused:
        heard = server.stop_recording()
        if heard[-1]["status"] < 400:
            raise
        return heard
    return server.stop_recording()


def certificates_of(peer, scope_definition):
    return [
        certificate["id"]
        for certificate in peer.certificates()
        if certificate["scope_definition"] == scope_definition and certificate["has_private_key"]
    ]


def change_something(peer, school):
    """A new record, a changed one and a deleted one."""
    fields = {"dataset_id": school["dataset"], "user_id": school["ada"], "text": "again"}
    for feedback in peer.rows(model="feedback"):
        peer.delete(model="feedback", id=feedback["id"])
    peer.create(model="feedback", fields=fields)
    peer.update(model="facility", id=school["facility"], fields={"name": "Main house, painted by " + peer.instance_id[:4]})


def push_a_certificate(server, tablet):
    server.set_capabilities(capabilities=[*ALL, "ALLOW_CERTIFICATE_PUSHING"])
    root = tablet.create_root(dataset={"description": "A school from the tablet"})["certificate"]["id"]
    return recorded(
        server,
        lambda: tablet.push_certificate(
            url=server.url, parent_id=root, scope_definition="full-facility", scope_params={"dataset_id": root}
        ),
    )


def refusals(server, tablet, school, whole, single):
    """What a server says to those who ask for what they cannot have, with the reason for each."""
    said = []

    def refuse(why, method, path, **options):
        heard = recorded(server, lambda: requests.request(method, server.url + BASE + path, **options))
        assert heard[-1]["status"] >= 400, (why, heard[-1])
        said.append(dict(heard[-1], why=why))

    refuse_certificates(refuse, server, school)
    refuse_sync_sessions(refuse, server, tablet, whole)
    refuse_transfers(refuse, server, tablet, school, whole, single)
    return said


def refuse_certificates(refuse, server, school):
    admin, learner = ("admin", PASSWORD), ("ada", PASSWORD)
    asked = {
        "parent": school["dataset"],
        "profile": "school",
        "scope_definition": "full-facility",
        "scope_version": 1,
        "scope_params": '{"dataset_id": "%s"}' % school["dataset"],
        "public_key": server.certificates()[0]["serialized"].split('"public_key_string": "')[1].rstrip('"}'),
    }
    refuse("no credentials", "POST", "certificates/", json=asked)
    refuse("a wrong password", "POST", "certificates/", json=asked, auth=("admin", "wrong"))
    refuse("a scope that the account may not grant", "POST", "certificates/", json=asked, auth=learner)
    refuse("an unknown parent", "POST", "certificates/", json=dict(asked, parent=UNKNOWN), auth=admin)
    refuse("a public key that is none", "POST", "certificates/", json=dict(asked, public_key="garbage"), auth=admin)
    elsewhere = dict(asked, scope_params='{"dataset_id": "%s"}' % UNKNOWN)
    refuse("a scope outside the parent's", "POST", "certificates/", json=elsewhere, auth=admin)
    refuse("another profile", "POST", "certificates/", json=dict(asked, profile="other"), auth=admin)
    refuse("an unknown scope definition", "POST", "certificates/", json=dict(asked, scope_definition="none"), auth=admin)
    refuse("certificate pushing is off", "GET", "publickey/")
    refuse("a body that is no JSON", "POST", "certificates/", data="{", headers={"Content-Type": "application/json"}, auth=admin)


def refuse_sync_sessions(refuse, server, tablet, whole):
    asked = next(
        exchange["body"]
        for exchange in recorded(server, lambda: tablet.sync(url=server.url, client_certificate=whole, direction="pull"))
        if exchange["path"].endswith("/syncsessions/")
    )
    refuse("a nonce that was used before", "POST", "syncsessions/", json=asked)
    refuse("a signature over something else", "POST", "syncsessions/", json=dict(asked, id=UNKNOWN))
    refuse("an unknown server certificate", "POST", "syncsessions/", json=dict(asked, server_certificate_id=UNKNOWN))
    refuse("a chain that ends in another certificate", "POST", "syncsessions/", json=dict(asked, client_certificate_id=UNKNOWN))
    refuse("a session that is closed", "GET", "syncsessions/{}/".format(asked["id"]))
    refuse("an unknown session", "DELETE", "syncsessions/{}/".format(UNKNOWN))


def refuse_transfers(refuse, server, tablet, school, whole, single):
    options = {"url": server.url, "direction": "pull", "stop_after_chunks": 1, "chunk_size": 1}
    server.update(model="facility", id=school["facility"], fields={"name": "Main house, once more"})
    left_open = tablet.sync(client_certificate=whole, **options)
    learners = tablet.sync(client_certificate=single, close=False, **dict(options, direction="push"))
    asked = {"id": "1" * 32, "filter": school["dataset"], "push": False, "client_fsic": "{}"}

    refuse("an unknown sync session", "POST", "transfersessions/", json=dict(asked, sync_session_id=UNKNOWN))
    asked["sync_session_id"] = learners["sync_session_id"]
    refuse("a pull of more than the client may read", "POST", "transfersessions/", json=asked)
    refuse("a push of more than the client may write", "POST", "transfersessions/", json=dict(asked, push=True))
    pull = "transfersessions/{}/".format(left_open["transfer_session_id"])
    refuse("an unknown transfer session", "GET", "transfersessions/{}/".format(UNKNOWN))
    refuse("an unknown transfer session", "PATCH", "transfersessions/{}/".format(UNKNOWN), json={"records_transferred": 1})
    refuse("an unknown transfer session", "DELETE", "transfersessions/{}/".format(UNKNOWN))
    refuse("a transfer session as a whole", "PUT", pull, json=asked)
    refuse("buffers of no transfer session", "GET", "buffers/?limit=5&offset=0")
    refuse("buffers of an unknown transfer session", "GET", "buffers/?transfer_session_id=" + UNKNOWN)
    record = {"transfer_session": left_open["transfer_session_id"], "model_uuid": UNKNOWN, "rmcb_list": []}
    refuse("a push into a pull", "POST", "buffers/", json=[record])
    refuse("a push into an unknown transfer session", "POST", "buffers/", json=[dict(record, transfer_session=UNKNOWN)])

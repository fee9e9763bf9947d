"""Meeting another peer as its client, and the two steps that need no other peer."""

import time
from contextlib import contextmanager

from morango.models.certificates import Certificate
from morango.models.certificates import Filter
from morango.models.core import TransferSession
from morango.sync.controller import MorangoProfileController

import older
import pace

PROFILE = "school"
STAGES = ("initializing", "serializing", "queuing", "transferring", "dequeuing", "deserializing", "cleanup")


class StoppedOnPurpose(Exception):
    """The number of chunks after which the caller wanted the line to break is reached."""


def serialize(filter=None):
    """Bring changed rows into the store, of everything or of what lies under the prefixes given."""
    MorangoProfileController(PROFILE).serialize_into_store(filter=filter_of(filter))


def deserialize(filter=None, skip_erroring=False):
    """Bring dirty records of the store into the rows, of everything or of what lies under the prefixes given."""
    MorangoProfileController(PROFILE).deserialize_from_store(filter=filter_of(filter), skip_erroring=skip_erroring)


def sync(
    url,
    direction,
    client_certificate=None,
    server_certificate=None,
    filter=None,
    chunk_size=500,
    pauses=False,
    retries=0,
    stop_after_chunks=None,
    resume=None,
    close=True,
):
    """Pull from or push to a server, as the package's own client does it."""
    slept_before = pace.slept_seconds()
    with connect(url, retries=retries) as connection, pace.pauses(pauses):
        if resume is None:
            session_client = begin(connection, client_certificate, server_certificate, chunk_size)
        else:
            session_client = connection.resume_sync_session(resume, chunk_size=chunk_size)
        client = transfer_client(session_client, direction)
        stages = stages_of(client)
        sync_session = session_client.sync_session
        transfer, stopped = run(client, filter_of(filter) or usual_filter(sync_session, direction), stop_after_chunks)
        if close and not stopped:
            connection.close_sync_session(sync_session)
    told = report(sync_session, transfer, stopped)
    told.update(stages=stages, seconds_paused=pace.slept_seconds() - slept_before)
    return told


def begin(connection, client_certificate, server_certificate, chunk_size):
    ours = Certificate.objects.get(id=client_certificate)
    theirs = connection.get_remote_certificates(ours.get_root().id)
    if server_certificate is not None:
        theirs = [certificate for certificate in theirs if certificate.id == server_certificate]
    if not theirs:
        raise LookupError("the server holds no key for the certificate wanted under {}".format(ours.get_root().id))
    return connection.create_sync_session(ours, theirs[0], chunk_size=chunk_size)


def transfer_client(session_client, direction):
    if direction == "pull":
        return session_client.get_pull_client()
    if direction == "push":
        return session_client.get_push_client()
    raise LookupError("direction is `pull` or `push`, not {!r}".format(direction))


def stages_of(client):
    """The seconds of each stage, both sides' part of it, filled in while the client runs. Versions without stages tell none."""
    seconds, begun = {}, {}
    # The stage at which a session already stands is not told to begin: it does so now.
    watched_since = time.monotonic()
    signals = getattr(getattr(client, "controller", None), "signals", None)

    def watch(stage):
        signal = getattr(signals, stage, None)
        if signal is None:
            return

        def begin(**_):
            begun.setdefault(stage, time.monotonic())

        def end(**_):
            seconds[stage] = time.monotonic() - begun.get(stage, watched_since)

        signal.started.connect(begin)
        signal.completed.connect(end)

    for stage in STAGES:
        watch(stage)
    return seconds


def usual_filter(sync_session, direction):
    """What was begun in this session already, or all that the client's certificate lets through."""
    begun = TransferSession.objects.filter(sync_session=sync_session, push=direction == "push", active=True).first()
    if begun is not None:
        return begun.get_filter()
    scope = sync_session.client_certificate.get_scope()
    return scope.read_filter if direction == "pull" else scope.write_filter


def run(client, filter, stop_after_chunks):
    """Go through all the stages; the transfer session, and whether it was stopped on purpose on the way."""
    reached = [0]

    def count_chunk(transfer_session, **_):
        # The signal is also given for steps in which nothing was transferred.
        if transfer_session.records_transferred > reached[-1]:
            reached.append(transfer_session.records_transferred)
        if stop_after_chunks is not None and len(reached) > stop_after_chunks:
            raise StoppedOnPurpose

    client.signals.transferring.in_progress.connect(count_chunk)
    try:
        client.initialize(filter)
        transfer = client.current_transfer_session
        client.run()
    except StoppedOnPurpose:
        return client.current_transfer_session, True
    # Old versions forget the session as they finish.
    client.finalize()
    return transfer, False


def report(sync_session, transfer, stopped):
    transfer.refresh_from_db()
    return {
        "sync_session_id": sync_session.id,
        "transfer_session_id": transfer.id,
        "records_total": transfer.records_total,
        "records_transferred": transfer.records_transferred,
        "bytes_sent": transfer.bytes_sent,
        "bytes_received": transfer.bytes_received,
        "filter": list(transfer.get_filter()),
        "stage": getattr(transfer, "transfer_stage", None),
        "stage_status": getattr(transfer, "transfer_stage_status", None),
        "stopped": stopped,
    }


@contextmanager
def connect(url, retries):
    """A connection to a server, closed at the end."""
    controller = MorangoProfileController(PROFILE)
    # Old versions cannot be told how often to try again.
    options = {"retries": retries} if older.takes(controller.create_network_connection, "retries") else {}
    connection = controller.create_network_connection(url, **options)
    try:
        yield connection
    finally:
        connection.close()


def filter_of(prefixes):
    return None if prefixes is None else Filter("\n".join(prefixes))


COMMANDS = (serialize, deserialize, sync)

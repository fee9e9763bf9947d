//! Certificates that were verified, and the private keys of those that are ours.
//!
//! A certificate is kept as the text that was signed, byte for byte; columns beside it are there to find it by. A private
//! key is kept as PKCS#1 in PEM, as Python peers keep theirs: whoever can read the file can speak in our name.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use morango::id::CertificateId;
use morango::identity::{Certificate, IdentityError, PrivateKey};
use morango::port::{CertificateQuery, StoredCertificate};
use morango::{Error, ErrorKind, limits};

use crate::connection::Connection;
use crate::error::Fault;
use crate::schema::fact;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;

/// Keeps verified certificates, and the private key of one of them. Those already here stay as they are, except one whose key is not
/// here: the last takes its place.
pub(crate) fn save_certificates(
    storage: &DieselStorage,
    certificates: &[Certificate],
    key: Option<(&CertificateId, &PrivateKey)>,
) -> morango::Result<()> {
    storage.write("save certificates", |connection| {
        for certificate in certificates {
            insert(connection, certificate)?;
        }
        if let Some(last) = certificates.last() {
            replace(connection, last)?;
        }
        match key {
            Some((id, key)) => save_key(connection, id, key),
            None => Ok(()),
        }
    })
}

/// One certificate.
pub(crate) fn certificate(storage: &DieselStorage, id: &CertificateId) -> morango::Result<Option<StoredCertificate>> {
    storage.read("read a certificate", |connection| load_one(connection, id))
}

/// The certificates that answer a query: with `AncestorsOf` root first, otherwise by their ids.
pub(crate) fn certificates(
    storage: &DieselStorage,
    query: &CertificateQuery,
) -> morango::Result<Vec<StoredCertificate>> {
    storage.read("list certificates", |connection| match query {
        CertificateQuery::Owned { profile } => load(connection, of_profile(sql(OWNED), profile.as_deref())),
        CertificateQuery::Below { primary_partition, profile } => {
            load(connection, of_profile(owned_below(primary_partition), profile.as_deref()))
        }
        CertificateQuery::AncestorsOf { id, profile } => ancestors(connection, id, profile.as_deref()),
    })
}

/// The private key of a certificate, where it is here.
pub(crate) fn private_key(storage: &DieselStorage, id: &CertificateId) -> morango::Result<Option<PrivateKey>> {
    storage.read("read a private key", |connection| {
        let found = sql("SELECT private_key FROM morango_certificate WHERE id = ").bind(id).returns::<Nullable<Text>>();
        let Some(pem) = found.get_result::<Option<String>>(connection).optional()?.flatten() else {
            return Ok(None);
        };
        PrivateKey::from_store(&pem)
            .map(Some)
            .map_err(|error| damaged(format!("read the private key of the certificate {id}"), error))
    })
}

/// The name of the fact that is the key which others put into certificates for this peer.
const SHARED_KEY_FACT: &str = "shared_key";

/// The key that others put into certificates for this peer, where there is one.
pub(crate) fn shared_key(storage: &DieselStorage) -> morango::Result<Option<PrivateKey>> {
    storage.read("read the shared key", load_shared_key)
}

/// Keeps the key that others put into certificates for this peer, unless there is one; returns the one that is kept.
pub(crate) fn keep_shared_key(storage: &DieselStorage, key: &PrivateKey) -> morango::Result<PrivateKey> {
    storage.write("keep the shared key", |connection| {
        sql("INSERT INTO morango_fact (name, value) VALUES (")
            .bind(SHARED_KEY_FACT)
            .sql(", ")
            .bind(key.to_pkcs1_pem().as_str())
            .sql(") ON CONFLICT (name) DO NOTHING")
            .execute(connection)?;
        Ok(load_shared_key(connection)?.unwrap_or_else(|| key.clone()))
    })
}

fn load_shared_key(connection: &mut Connection<'_>) -> Result<Option<PrivateKey>, Fault> {
    let read =
        |pem: String| PrivateKey::from_store(&pem).map_err(|error| damaged("read the shared key".to_owned(), error));
    fact(connection, SHARED_KEY_FACT)?.map(read).transpose()
}

fn insert(connection: &mut Connection<'_>, certificate: &Certificate) -> Result<(), Fault> {
    let (id, parent) = (certificate.id(), certificate.parent_id());
    sql("INSERT INTO morango_certificate (id, parent, profile, scope_definition, serialized, signature) VALUES (")
        .bind(&id)
        .sql(", ")
        .bind(parent.as_ref())
        .sql(", ")
        .bind_all([
            certificate.profile(),
            certificate.scope_definition_id(),
            certificate.serialized(),
            certificate.signature(),
        ])
        .sql(") ON CONFLICT (id) DO NOTHING")
        .execute(connection)?;
    Ok(())
}

/// Puts a certificate in the place of another of its id, unless that one's private key is here. What the id covers, key and profile,
/// is the same.
fn replace(connection: &mut Connection<'_>, certificate: &Certificate) -> Result<(), Fault> {
    let (id, parent) = (certificate.id(), certificate.parent_id());
    sql("UPDATE morango_certificate SET parent = ")
        .bind(parent.as_ref())
        .sql(", scope_definition = ")
        .bind(certificate.scope_definition_id())
        .sql(", serialized = ")
        .bind(certificate.serialized())
        .sql(", signature = ")
        .bind(certificate.signature())
        .sql(" WHERE private_key IS NULL AND id = ")
        .bind(&id)
        .sql(" AND serialized <> ")
        .bind(certificate.serialized())
        .execute(connection)?;
    Ok(())
}

fn save_key(connection: &mut Connection<'_>, id: &CertificateId, key: &PrivateKey) -> Result<(), Fault> {
    let refused = |why: &str| {
        Fault::from(Error::new(ErrorKind::InvalidInput, format!("save the private key of the certificate {id}: {why}")))
    };
    let stored = load_one(connection, id)?.ok_or_else(|| refused("the certificate is not here"))?;
    if stored.certificate.public_key() != key.public_key() {
        return Err(refused("it is the key of another one"));
    }
    let pem = key.to_pkcs1_pem();
    sql("UPDATE morango_certificate SET private_key = ")
        .bind(pem.as_str())
        .sql(" WHERE private_key IS NULL AND id = ")
        .bind(id)
        .execute(connection)?;
    Ok(())
}

/// What is read of a certificate: text, signature, and whether there is a key.
type Row = (Text, Text, BigInt);

const COLUMNS: &str = "SELECT serialized, signature, CAST(CASE WHEN private_key IS NULL THEN 0 ELSE 1 END AS BIGINT)
     FROM morango_certificate";

const OWNED: &str =
    "SELECT serialized, signature, CAST(1 AS BIGINT) FROM morango_certificate WHERE private_key IS NOT NULL";

/// A certificate and all below it that are ours. `UNION` keeps a circle from going round for ever.
fn owned_below(root: &CertificateId) -> Statement<'_> {
    sql("WITH RECURSIVE below (id) AS (VALUES (")
        .bind(root)
        .sql(") UNION SELECT morango_certificate.id FROM morango_certificate JOIN below ON parent = below.id) ")
        .sql(OWNED)
        .sql(" AND id IN (SELECT id FROM below)")
}

/// Narrows a statement about certificates to one profile, and orders them.
fn of_profile<'a>(found: Statement<'a>, profile: Option<&'a str>) -> Statement<'a, Row> {
    let found = match profile {
        Some(profile) => found.sql(" AND profile = ").bind(profile),
        None => found,
    };
    found.sql(" ORDER BY id").limit(limits::CERTIFICATES_LISTED_MAX).returns()
}

/// The chain of a certificate whose private key is here, root first; nothing for any other.
fn ancestors(
    connection: &mut Connection<'_>,
    id: &CertificateId,
    profile: Option<&str>,
) -> Result<Vec<StoredCertificate>, Fault> {
    let mut chain = Vec::new();
    let mut next = Some(*id);
    while let Some(id) = next {
        let Some(stored) = load_one(connection, &id)? else { break };
        let is_asked_for = profile.is_none_or(|profile| stored.certificate.profile() == profile);
        if (chain.is_empty() && !stored.has_private_key) || !is_asked_for {
            return Ok(Vec::new());
        }
        if chain.len() == limits::CHAIN_CERTIFICATES_MAX {
            let message = format!("follow the chain of a certificate: it has more than {} links", chain.len());
            return Err(Error::new(ErrorKind::LimitExceeded, message).into());
        }
        next = stored.certificate.parent_id();
        chain.push(stored);
    }
    chain.reverse();
    Ok(chain)
}

fn load_one(connection: &mut Connection<'_>, id: &CertificateId) -> Result<Option<StoredCertificate>, Fault> {
    Ok(load(connection, sql(COLUMNS).sql(" WHERE id = ").bind(id).returns())?.pop())
}

fn load(connection: &mut Connection<'_>, statement: Statement<'_, Row>) -> Result<Vec<StoredCertificate>, Fault> {
    let found = statement.load::<(String, String, i64)>(connection)?;
    found
        .into_iter()
        .map(|(serialized, signature, has_key)| {
            let certificate = Certificate::from_store(serialized, signature)
                .map_err(|error| damaged("read a stored certificate".to_owned(), error))?;
            Ok(StoredCertificate { certificate, has_private_key: has_key == 1 })
        })
        .collect()
}

fn damaged(operation: String, error: IdentityError) -> Fault {
    Error::new(ErrorKind::StorageCorrupt, operation).with_source(error).into()
}

//! `morangoinfo/1/`: what a peer says of itself.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::WireError;
use super::loose::{from_json, or_default, to_json};
use crate::port::PeerInfo;
use crate::session::Capabilities;

#[derive(Deserialize)]
struct Info {
    instance_id: String,
    #[serde(default, deserialize_with = "or_default")]
    instance_hash: String,
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    #[serde(default, deserialize_with = "or_default")]
    system_os: String,
    #[serde(default, deserialize_with = "or_default")]
    capabilities: Vec<String>,
}

/// Reads what a peer says of itself. All but the instance id may be missing.
///
/// # Errors
/// The body is no JSON object with an `instance_id`.
pub fn read_info(body: &[u8]) -> Result<PeerInfo, WireError> {
    let info: Info = from_json("what a Morango peer says of itself", body)?;
    Ok(PeerInfo {
        instance_id: info.instance_id,
        instance_hash: info.instance_hash,
        version: info.version,
        system_os: info.system_os,
        capabilities: Capabilities::from_names(info.capabilities.iter().map(String::as_str)),
    })
}

/// Writes what we say of ourselves, with the application's own keys beside it. Ours win where two have one name.
pub fn write_info(info: &PeerInfo, of_application: &Map<String, Value>) -> Vec<u8> {
    let mut object = of_application.clone();
    let capabilities: Vec<&str> = info.capabilities.names().collect();
    let ours = [
        ("instance_hash", Value::from(info.instance_hash.as_str())),
        ("instance_id", Value::from(info.instance_id.as_str())),
        ("system_os", Value::from(info.system_os.as_str())),
        ("version", Value::from(info.version.as_str())),
        ("capabilities", Value::from(capabilities)),
    ];
    object.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    to_json(&object)
}

//! What the measured peer can be told: the commands of the Python peer that a measurement needs, and a few of its own.

use std::path::Path;

use morango::client::HttpPeer;
use morango::id::CertificateId;
use morango::port::Credentials;
use morango::prelude::*;
use morango_diesel::Syncable;
use morango_examples::school::{self, Dataset};
use serde_json::{Value, json};

use crate::answers::Answers;
use crate::crowd::Crowd;
use crate::home::{Home, over};
use crate::watch::Watch;
use crate::writer::Writer;
use crate::{Outcome, capture, data, floor, holdings, partitions};

/// The compression that a peer elsewhere is spoken to with, unless an application chooses another.
const COMPRESSION_LEVEL: u32 = 2;

/// A device and what goes on in it.
pub(crate) struct Peer {
    home: Home,
    engine: Engine,
    answers: Answers,
    writer: Option<Writer>,
    watch: Option<Watch>,
    crowd: Option<Crowd>,
}

impl Peer {
    pub(crate) fn new(home: Home, engine: Engine, answers: Answers) -> Self {
        Self { home, engine, answers, writer: None, watch: None, crowd: None }
    }

    /// Does what a command says. Of what it does not name, nothing is assumed.
    pub(crate) fn obey(&mut self, command: &Value) -> Outcome<Value> {
        match text(command, "do")? {
            "create_root" => self.create_root(),
            "add_user" => Ok(Value::Null),
            "request_certificate" => self.request_certificate(command),
            "fill" => {
                let (dataset, records) = (text(command, "dataset")?.parse()?, number(command, "records")?);
                let learners = number(command, "learners")?;
                over!(&mut self.home.connect()?, connection => data::fill(connection, dataset, records, learners))?;
                Ok(Value::Null)
            }
            "change" => {
                let (records, after) = (number(command, "records")?, number(command, "after")?);
                data::change(&mut self.home.connect()?, records, after, text(command, "mark")?).map(Value::from)
            }
            "receive_partitions" => {
                let (dataset, partitions) = (text(command, "dataset")?.parse()?, number(command, "partitions")?);
                partitions::receive(self.engine.storage().as_ref(), dataset, partitions)?;
                Ok(Value::Null)
            }
            "serialize" => {
                self.engine.serialize(school::PROFILE, &Filter::everything())?;
                Ok(Value::Null)
            }
            "sync" => self.sync(command),
            "start_writer" => {
                self.writer = Some(Writer::start(&self.home, text(command, "dataset")?.parse()?)?);
                Ok(Value::Null)
            }
            "stop_writer" => self.writer.take().ok_or("no writer writes")?.stop(),
            "floor" => floor::measure(text(command, "database")?, number(command, "records")?),
            "capture" => capture::measure(text(command, "folder")?, number(command, "records")?),
            "answers" => Ok(self.answers.told()),
            "holdings" => holdings::of(&self.engine, &self.home),
            "start_watch" => {
                self.watch = Some(Watch::start(&self.home)?);
                Ok(Value::Null)
            }
            "stop_watch" => self.watch.take().ok_or("nobody watches")?.stop(),
            "gather" => {
                let (folder, dataset) = (Path::new(text(command, "folder")?), text(command, "dataset")?);
                let numbers = (number(command, "devices")?, number(command, "records")?);
                self.crowd = Some(Crowd::gather(folder, &texts(command, "urls")?, dataset, numbers)?);
                Ok(Value::Null)
            }
            "sync_all" => {
                let round = usize::try_from(number(command, "round")?)?;
                Ok(self.crowd()?.sync(&texts(command, "urls")?, round))
            }
            "holdings_of_all" => self.crowd()?.holdings(),
            other => Err(format!("no command {other:?}").into()),
        }
    }

    fn crowd(&self) -> Outcome<&Crowd> {
        Ok(self.crowd.as_ref().ok_or("nobody was gathered")?)
    }

    fn create_root(&self) -> Outcome<Value> {
        let root = self.engine.create_root_certificate(school::PROFILE, school::FULL_FACILITY, &[])?;
        let row = Dataset { id: root.id().into(), description: "measured".to_owned(), allow_guests: false };
        over!(&mut self.home.connect()?, connection => row.create(connection))?;
        Ok(json!({"certificate": {"id": root.id().to_string()}}))
    }

    fn request_certificate(&self, command: &Value) -> Outcome<Value> {
        let peer = HttpPeer::new(text(command, "url")?)?;
        let root: CertificateId = text(command, "primary_partition")?.parse()?;
        let params = command["scope_params"].as_object().ok_or("`scope_params` is no object")?;
        let params: Vec<(&str, &str)> =
            params.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
        let credentials = Credentials::new(text(command, "userargs")?, text(command, "password")?);
        let scope = text(command, "scope_definition")?;
        let certificate = self.engine.request_certificate(&peer, root, scope, &params, &credentials)?;
        Ok(json!(certificate.id().to_string()))
    }

    fn sync(&self, command: &Value) -> Outcome<Value> {
        // A peer on this machine is spoken to without compression; a measured line only stands for a long one.
        let peer = match command["is_far"].as_bool() {
            Some(true) => HttpPeer::builder(text(command, "url")?).compression_level(COMPRESSION_LEVEL).build()?,
            Some(false) | None => HttpPeer::new(text(command, "url")?)?,
        };
        let certificate: CertificateId = text(command, "client_certificate")?.parse()?;
        let options = match text(command, "direction")? {
            "pull" => SyncOptions::pull(),
            "push" => SyncOptions::push(),
            other => return Err(format!("direction is `pull` or `push`, not {other:?}").into()),
        };
        let report = self.engine.sync(&peer, certificate, options)?;
        let transfer = report.pull.as_ref().or(report.push.as_ref()).ok_or("a sync without a transfer")?;
        if !transfer.is_clean() {
            return Err(format!("not everything arrived as it should: {report}").into());
        }
        let stages: serde_json::Map<String, Value> =
            transfer.stages.iter().map(|(stage, took)| (stage.to_string(), json!(took.as_secs_f64()))).collect();
        Ok(json!({
            "records_total": transfer.records_total,
            "records_transferred": transfer.records_transferred,
            "conflicts": transfer.conflicts(),
            "bytes_sent": report.traffic.bytes_sent,
            "bytes_received": report.traffic.bytes_received,
            "requests": report.traffic.requests,
            "stages": stages,
        }))
    }
}

pub(crate) fn text<'a>(command: &'a Value, name: &str) -> Outcome<&'a str> {
    command[name].as_str().ok_or_else(|| format!("`{name}` is no text").into())
}

fn texts(command: &Value, name: &str) -> Outcome<Vec<String>> {
    let texts: Option<Vec<String>> =
        command[name].as_array().and_then(|list| list.iter().map(|it| it.as_str().map(str::to_owned)).collect());
    texts.ok_or_else(|| format!("`{name}` is no list of texts").into())
}

fn number(command: &Value, name: &str) -> Outcome<u64> {
    command[name].as_u64().ok_or_else(|| format!("`{name}` is no number").into())
}

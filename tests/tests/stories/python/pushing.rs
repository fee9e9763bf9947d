//! A school is brought to a server that knows nothing of it.
//!
//! Goal: a certificate that either side pushes opens the way, and none can be pushed to a server that does not allow it. Method:
//! the client founds the school, gives the server a certificate for all of it, and pushes the school's records.

use morango::client::HttpPeer;
use morango::prelude::*;
use morango::session::{Capabilities, Capability};
use morango_examples::school::FULL_FACILITY;
use morango_tests::compare::assert_equal_to_python;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::python::{PythonPeer, Refused, text};
use serde_json::json;

use super::meeting::{Caller, Cast};
use super::school::furnish;
use super::side::Side;

pub(super) fn a_school_is_brought_to_a_server_by_giving_it_a_certificate(cast: Cast) {
    let mut rust = Device::on(cast.ours, "Rust");
    let mut python = PythonPeer::of_kind(cast.theirs, rust.folder(), "python", &[]);
    match cast.caller {
        Caller::Rust => bring_to_python(&rust, &mut python),
        Caller::Python => bring_to_rust(&mut rust, &mut python),
    }
    assert_equal_to_python(&rust, &mut python, &[]);
}

fn bring_to_python(rust: &Device, python: &mut PythonPeer) {
    let root = rust.found_school();
    let dataset = root.id().to_string();
    furnish(&mut Side::Rust(rust), &dataset);
    let push = |url: &str| {
        let peer = HttpPeer::new(url).expect("the peer's address");
        rust.engine.push_certificate(&peer, &root, FULL_FACILITY, &[("dataset_id", &dataset)])
    };
    let error = push(&python.url).expect_err("it does not allow that");
    assert_eq!(error.kind(), ErrorKind::PeerRefused, "{error:?}");

    let all = ["ALLOW_CERTIFICATE_PUSHING", "ASYNC_OPERATIONS", "FSIC_V2_FORMAT", "GZIP_BUFFER_POST"];
    python.run("set_capabilities", json!({"capabilities": all}));
    let pushed = push(&python.url).expect("it allows that now");
    let again = push(&python.url).expect("it may be given another one");

    assert_ne!(pushed.id(), again.id(), "each has a nonce of its own");
    assert_eq!(pushed.public_key(), again.public_key(), "there is one shared key");
    rust.sync(&python.url, &root, SyncOptions::both_ways().server_certificate(&pushed));
}

fn bring_to_rust(rust: &mut Device, python: &mut PythonPeer) {
    let founded =
        python.run("create_root", json!({"dataset": {"description": "Harbour School", "allow_guests": true}}));
    let dataset = text(&founded["dataset"], "id");
    furnish(&mut Side::Python(python), &dataset);
    let request = |url: &str| json!({"url": url, "parent_id": dataset, "scope_definition": FULL_FACILITY, "scope_params": {"dataset_id": dataset}});
    let url = rust.serve(SchoolAccounts::admin());
    let Refused(error) = python.attempt("push_certificate", request(&url)).expect_err("we do not allow that");
    assert_eq!(error["class"], "MorangoServerDoesNotAllowNewCertPush", "{error}");

    rust.limit(Capabilities::ours().with(Capability::AllowCertificatePushing));
    let url = rust.serve(SchoolAccounts::admin());
    let pushed = python.run("push_certificate", request(&url));

    let id: CertificateId = pushed.as_str().and_then(|id| id.parse().ok()).expect("its id");
    let ours = rust.engine.certificates().expect("they can be listed");
    assert!(ours.iter().any(|stored| stored.certificate.id() == id), "we can speak in its name");
    for direction in ["push", "pull"] {
        python.run("sync", json!({"url": url, "direction": direction, "client_certificate": dataset}));
    }
}

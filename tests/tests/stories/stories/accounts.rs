//! Who the application's users are is the application's to say.
//!
//! Goal: whatever somebody shows to be given a certificate reaches the application as it was typed, and its word counts.
//! Method: a server with two schools, an application that knows which user belongs to which, and a client that asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use morango::client::HttpPeer;
use morango::port::{Accounts, Credentials, GrantRequest};
use morango::prelude::*;
use morango_examples::school::{FULL_FACILITY, PROFILE};
use morango_tests::device::Device;

use super::given::Between;

const PASSWORD: &str = "pässword: 100% & = \"more\"";

/// What was shown: the values of the user part, and the password.
type Shown = Arc<Mutex<Vec<(BTreeMap<String, String>, String)>>>;

/// Users by name and school. A guest needs no password.
struct Users {
    users: Vec<(&'static str, String)>,
    shown: Shown,
}

impl Accounts for Users {
    fn authorize(&self, credentials: &Credentials, request: &GrantRequest<'_>) -> morango::Result<()> {
        let values = credentials.user_values();
        self.shown.lock().expect("nobody panicked").push((values.clone(), credentials.password.clone()));
        let value = |name: &str| values.get(name).map_or("", String::as_str);
        let is_known = self.users.iter().any(|(name, school)| *name == value("username") && school == value("school"));
        let is_proven = credentials.password == PASSWORD || value("username") == "guest";
        if !is_known || !is_proven {
            return Err(morango::Error::unauthenticated("log in: nobody has this name and password"));
        }
        if request.scope_params.get("dataset_id") == Some(value("school")) {
            Ok(())
        } else {
            Err(morango::Error::forbidden("grant a certificate of another school"))
        }
    }
}

pub(super) fn an_account_of_one_school_gets_nothing_of_another_on_the_same_server(on: Between) {
    let mut server = Device::on(on.server, "server");
    let [harbour, hill] = [(); 2]
        .map(|()| server.engine.create_root_certificate(PROFILE, FULL_FACILITY, &[]).expect("a root certificate"));
    let schools = [&harbour, &hill].map(|root| root.id().to_string());
    let users = vec![("ada", schools[0].clone()), ("ada", schools[1].clone()), ("guest", schools[1].clone())];
    let shown = Shown::default();
    let url = server.serve(Users { users, shown: Arc::clone(&shown) });
    let client = Device::on(on.client, "client");
    let peer = HttpPeer::new(&url).expect("a peer's address");
    let ask = |root: &Certificate, user: &str, school: &str, password: &str| {
        let dataset = root.id().to_string();
        let credentials = Credentials::new(format!("username={user}&school={school}"), password);
        client
            .engine
            .request_certificate(&peer, root, FULL_FACILITY, &[("dataset_id", &dataset)], &credentials)
            .map_err(|error| error.kind())
    };

    assert_eq!(ask(&hill, "ada", &schools[0], PASSWORD), Err(ErrorKind::Forbidden));
    assert_eq!(ask(&harbour, "ada", &schools[1], PASSWORD), Err(ErrorKind::Forbidden));
    assert_eq!(ask(&harbour, "guest", &schools[0], PASSWORD), Err(ErrorKind::Unauthenticated));
    assert_eq!(ask(&harbour, "ada", &schools[0], ""), Err(ErrorKind::Unauthenticated));
    let of_harbour = ask(&harbour, "ada", &schools[0], PASSWORD).expect("it is her school");
    let of_hill = ask(&hill, "guest", &schools[1], "").expect("a guest needs no password");

    assert_eq!((of_harbour.parent_id(), of_hill.parent_id()), (Some(harbour.id()), Some(hill.id())));
    let shown = shown.lock().expect("nobody panicked");
    let values = |user: &str, school: &str| {
        BTreeMap::from([("username".to_owned(), user.to_owned()), ("school".to_owned(), school.to_owned())])
    };
    assert_eq!(shown[0], (values("ada", &schools[0]), PASSWORD.to_owned()), "nothing is lost on the way");
    assert_eq!(shown.last(), Some(&(values("guest", &schools[1]), String::new())));
}

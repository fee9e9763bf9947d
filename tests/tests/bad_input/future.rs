//! Records that claim what this instance is yet to save.

use morango::prelude::*;
use serde_json::{Value, json};

use super::papers::Papers;
use super::school::{FAR, School, member};
use super::visitor::instance;

/// What is made of a record; the instance is that of the city's server.
type Claim = fn(&mut Value, &str);

/// The class as a visitor gets it, changed and sent back with what `claim` says of it.
fn send_back(school: &School, class: SyncId, claim: Claim) {
    let visitor = school.visitor();
    let pulled = visitor.pull(&school.dataset.to_string());
    let mut record = pulled.into_iter().find(|record| record["model_uuid"] == class.to_string()).expect("it is there");
    let push = visitor.open_push(&school.dataset.to_string(), 1);
    record["transfer_session"] = json!(push);
    record["rmcb_list"] = json!([]);
    claim(&mut record, &school.city.engine.instance().id.to_string());
    for counter in record["rmcb_list"].as_array_mut().expect("a list") {
        counter["transfer_session"] = json!(push);
        counter["model_uuid"] = json!(class.to_string());
    }
    assert_eq!(visitor.push(&[record]).status, 201);
    visitor.finish_push(&push);
}

fn rename(school: &School, class: SyncId, name: &str) {
    let statement = format!("UPDATE classroom SET name = '{name}' WHERE id = '{class}'");
    assert_eq!(school.city.execute(&statement), 1, "the class has a row");
}

#[test]
fn a_record_that_claims_our_own_future_does_not_keep_our_changes_from_others() {
    let claims: [(&str, Claim); 3] = [
        ("knows it", |record, city| {
            record["last_saved_instance"] = json!(instance());
            record["last_saved_counter"] = json!(1);
            record["rmcb_list"] = json!([
                { "instance_id": instance(), "counter": 1 }, { "instance_id": city, "counter": FAR },
            ]);
        }),
        ("was saved in it", |record, city| {
            record["last_saved_instance"] = json!(city);
            record["last_saved_counter"] = json!(FAR);
            record["rmcb_list"] = json!([{ "instance_id": city, "counter": FAR }]);
        }),
        ("was saved in it, and does not say so twice", |record, city| {
            record["last_saved_instance"] = json!(city);
            record["last_saved_counter"] = json!(FAR);
        }),
    ];
    for (how, claim) in claims {
        let school = School::open();
        let home = member("home");
        let certificate = Papers::member().certificate();
        let class = school.add_class(&school.city, "before");
        school.city.serialize();
        send_back(&school, class, claim);
        home.sync(&school.url, &certificate, SyncOptions::pull());

        rename(&school, class, "after");
        home.sync(&school.url, &certificate, SyncOptions::pull());

        let text = home.record(&class).serialized;
        assert!(text.contains("after"), "a record that {how}: {text}");
        school.assert_syncs(&home);
    }
}

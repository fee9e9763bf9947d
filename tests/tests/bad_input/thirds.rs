//! What a peer says of a third one: that it has more of it than it has, and that records know more of it than there is.
//!
//! Nothing is signed by its instance, so whoever may write a partition is believed there, as `docs/permissions.md` says. Here is held how
//! far that goes: up to the filter, and to the counter that was told, and no farther.

use std::collections::BTreeSet;

use morango::prelude::*;
use morango::session::Direction;
use morango_examples::school::Feedback;
use morango_tests::compare::assert_none_fell;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::proxy::Proxy;
use serde_json::{Value, json};

use super::papers::Papers;
use super::school::{FAR, School, certificate, impatient, member};
use super::visitor::{Visitor, id_of, instance};

/// A partition's path, an instance and a counter.
type Claim = (String, String, i64);

/// What a device was, and what it claimed.
struct Before {
    instance: String,
    claims: BTreeSet<Claim>,
}

impl Before {
    fn of(device: &Device) -> Self {
        Self { instance: device.engine.instance().id.to_string(), claims: device.counters() }
    }
}

/// A third device, with what it saved since it last met the city's server.
struct Third {
    device: Device,
    url: String,
    /// Where the liar may write.
    path: String,
    /// In that partition.
    feedback: SyncId,
    /// In another one.
    class: SyncId,
    /// The counter under which it saved them.
    counter: i64,
}

impl Third {
    fn of(school: &School) -> Self {
        let mut device = school.synced_member("third");
        let path = format!("{}:user-wo:{}", school.dataset, school.ada);
        let feedback = give_feedback(school, &device, "too fast");
        let class = school.add_class(&device, "of the third");
        device.serialize();
        let counter = device.record(&feedback).last_saved.counter;
        let url = device.serve(SchoolAccounts::admin());
        Self { device, url, path, feedback, class, counter }
    }

    fn id(&self) -> String {
        self.device.engine.instance().id.to_string()
    }

    /// A sync of what lies where the liar may write, and of nothing else.
    fn there(&self, options: SyncOptions) -> SyncOptions {
        options.filter(Filter::new([self.path.as_str()]).expect("a prefix"))
    }

    /// Changes the feedback, which is a later change of this instance.
    fn change(&self) {
        let statement = format!("UPDATE feedback SET text = 'still too fast' WHERE id = '{}'", self.feedback);
        assert_eq!(self.device.execute(&statement), 1, "it has a row");
    }

    /// What a liar says of this device: that it has as much of it as there is, in all ways in which that can be said.
    fn claims(&self, own: &str) -> Value {
        let lie = json!({ self.id(): self.counter, own: FAR });
        json!({ "sub": { &self.path: lie, format!("{}:more", self.path): lie }, "super": { "": lie, &self.path[..32]: lie } })
    }
}

/// What a device came to claim of others since `before`.
///
/// Of itself it knows best. Whoever says to know more makes another instance of it, as of a database that was restored, and of
/// neither is the lie kept.
#[track_caller]
fn grown(device: &Device, before: &Before) -> Vec<Claim> {
    let own = [&before.instance, &device.engine.instance().id.to_string()];
    let after = device.counters();
    assert_none_fell(&before.claims, &after);
    let (of_itself, of_others): (Vec<Claim>, Vec<Claim>) =
        after.difference(&before.claims).cloned().partition(|(_, instance, _)| own.contains(&instance));
    assert!(of_itself.iter().all(|(_, _, counter)| *counter < FAR), "{of_itself:?}");
    of_others
}

/// Asserts that what a device claims of others has grown within this filter alone.
#[track_caller]
fn assert_grew_within(device: &Device, before: &Before, path: &str) {
    for claim in grown(device, before) {
        assert!(claim.0.starts_with(path), "{claim:?} is outside");
    }
}

/// A third device, one that has all of it, what the server was, and who is about to lie to that.
fn with_a_liar(school: &School) -> (Third, Device, Before, Visitor) {
    let third = Third::of(school);
    let home = school.synced_member("home");
    home.sync(&third.url, &certificate(), SyncOptions::pull());
    let before = Before::of(&school.city);
    let liar = school.visitor_with(Papers::learner(&school.ada.to_string()));
    (third, home, before, liar)
}

fn give_feedback(school: &School, device: &Device, text: &str) -> SyncId {
    let (dataset_id, user_id) = (school.dataset, school.ada);
    device.create(Feedback { id: SyncId::unset(), dataset_id, user_id, text: text.to_owned() }).id
}

/// Pushes one good record below a path, with these counters.
fn push(visitor: &Visitor, path: &str, claims: &Value, spoil: impl FnOnce(&mut Value)) -> SyncId {
    let transfer = visitor.open_transfer(Direction::Push, path);
    visitor.proceed(&transfer, "serializing", &json!({ "client_fsic": claims.to_string() }));
    visitor.proceed(&transfer, "queuing", &json!({ "records_total": 1 }));
    let mut record = visitor.record(&transfer, path, "the liar's");
    spoil(&mut record);
    assert_eq!(visitor.push(std::slice::from_ref(&record)).status, 201);
    visitor.finish_push(&transfer);
    id_of(&record)
}

#[test]
fn a_client_that_claims_to_have_all_of_a_third_is_believed_within_the_filter_and_up_to_that_counter() {
    let school = School::open();
    let (third, home, before, liar) = with_a_liar(&school);
    let sent = push(&liar, &third.path, &third.claims(&before.instance), |_| ());
    assert!(school.city.store().contains_key(&sent));
    assert_grew_within(&school.city, &before, &third.path);
    assert!(school.city.counters().contains(&(third.path.clone(), third.id(), third.counter)), "it may say so there");

    // Where the lie was told, and nowhere else, what it covers does not come: no signature could tell it from the truth.
    for device in [&home, &third.device] {
        device.sync(&school.url, &certificate(), third.there(SyncOptions::both_ways()));
        assert!(!school.city.store().contains_key(&third.feedback), "it counts as known");
    }
    // It is not lost, and comes with its next change.
    assert!(home.store().contains_key(&third.feedback));
    third.change();
    third.device.sync(&school.url, &certificate(), third.there(SyncOptions::push()));
    assert!(school.city.record(&third.feedback).serialized.contains("still too fast"));
    home.sync(&school.url, &certificate(), SyncOptions::both_ways());
    assert!(school.city.store().contains_key(&third.class), "what is in another partition comes as if nobody had lied");
    school.assert_syncs(&home);
}

#[test]
fn a_third_of_whom_more_is_claimed_than_it_ever_told_hides_nothing() {
    let school = School::open();
    let third = Third::of(&school);
    let liar = school.visitor_with(Papers::learner(&school.ada.to_string()));
    let claims = json!({ "sub": { &third.path: { third.id(): FAR } }, "super": {} });
    push(&liar, &third.path, &claims, |_| ());
    third.device.sync(&school.url, &certificate(), third.there(SyncOptions::both_ways()));
    assert!(school.city.store().contains_key(&third.feedback), "it knows that nobody has it");
    school.assert_syncs(&third.device);
    third.change();
    third.device.sync(&school.url, &certificate(), SyncOptions::push());
    assert!(school.city.record(&third.feedback).serialized.contains("still too fast"));
    school.assert_works_on();
}

#[test]
fn a_record_that_says_to_know_the_future_of_a_third_claims_nothing_of_it() {
    for saved_by_third in [false, true] {
        println!("saved by the third: {saved_by_third}");
        let school = School::open();
        let (third, home, before, liar) = with_a_liar(&school);
        let claims = json!({ "sub": { &third.path: { instance(): 1 } }, "super": {} });
        let sent = push(&liar, &third.path, &claims, |record| {
            let mut counter = record["rmcb_list"][0].clone();
            counter["instance_id"] = json!(third.id());
            counter["counter"] = json!(FAR);
            record["rmcb_list"].as_array_mut().expect("a list").push(counter);
            if saved_by_third {
                record["last_saved_instance"] = json!(third.id());
                record["last_saved_counter"] = json!(FAR);
            }
        });
        assert!(school.city.store().contains_key(&sent), "who may write there may say who wrote it");
        assert_eq!(
            grown(&school.city, &before),
            [(third.path.clone(), instance(), 1)],
            "no more is claimed than was told"
        );

        home.sync(&school.url, &certificate(), SyncOptions::both_ways());
        let store = school.city.store();
        assert!(store.contains_key(&third.feedback) && store.contains_key(&third.class), "all of the third's comes");
        third.change();
        third.device.sync(&school.url, &certificate(), SyncOptions::both_ways());
        assert!(school.city.record(&third.feedback).serialized.contains("still too fast"), "and what it saves later");
        school.assert_syncs(&home);
    }
}

#[test]
fn a_server_that_claims_to_have_all_of_a_third_is_believed_within_the_filter_and_up_to_that_counter() {
    let school = School::open();
    let home = school.synced_member("home");
    let third = Third::of(&school);
    third.device.sync(&school.url, &certificate(), SyncOptions::push());
    let other = give_feedback(&school, &school.city, "too slow");
    let before = Before::of(&home);
    // It keeps what the third saved to itself, and says that this was all.
    let (claims, kept_back) = (third.claims(&before.instance), json!(third.feedback.to_string()));
    let proxy = Proxy::start(&school.url, move |request, onward| {
        onward.forward(request).change(|answer| match request.call().as_str() {
            "PATCH transfersessions/ID/" | "GET transfersessions/ID/" => {
                let mut body = answer.value();
                body["server_fsic"] = json!(claims.to_string());
                if body["records_total"].is_number() {
                    body["records_total"] = json!(1);
                }
                answer.with_value(&body)
            }
            "GET buffers/" => {
                let mut body = answer.value();
                body["results"].as_array_mut().expect("a page").retain(|record| record["model_uuid"] != kept_back);
                answer.with_value(&body)
            }
            _ => answer,
        })
    });
    home.engine
        .sync(&impatient(&proxy.url()), &certificate(), third.there(SyncOptions::pull()))
        .expect("nothing shows that it lies");
    assert!(home.store().contains_key(&other));
    assert_grew_within(&home, &before, &third.path);
    assert!(home.counters().contains(&(third.path.clone(), third.id(), third.counter)), "it may say so there");

    home.sync(&school.url, &certificate(), third.there(SyncOptions::pull()));
    assert!(!home.store().contains_key(&third.feedback), "it counts as known");
    third.change();
    third.device.sync(&school.url, &certificate(), SyncOptions::push());
    home.sync(&school.url, &certificate(), third.there(SyncOptions::pull()));
    assert!(home.record(&third.feedback).serialized.contains("still too fast"), "it comes with its next change");
    home.sync(&school.url, &certificate(), SyncOptions::pull());
    assert!(home.store().contains_key(&third.class), "what is in another partition comes as if nobody had lied");
    school.assert_syncs(&home);
    school.assert_syncs(&member("another"));
}

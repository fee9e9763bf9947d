//! Databases that were put back to an earlier state, and peers that say so though it is not true.
//!
//! Goal: no stamp ever stands for two contents, all devices end with the same, and a peer that lies does no harm. Method: devices
//! around a hub that is always right, of which one after another is put back without a trace, in every dialect; and a client that
//! makes the claims of a liar.

use std::collections::BTreeMap;
use std::time::Duration;

use morango::counter::{Fsic, Stamp};
use morango::hook::RenewalCause;
use morango::port::Storage as _;

use super::broken_line::{BrokenLine, Lost};
use super::dialects::every_set;
use super::resume::HandClock;
use super::*;

/// A client of the laptop claims to know up to this counter of it.
fn claim(pair: &Pair, counter: i64) {
    let instance = pair.laptop.own_counters().expect("it has one").instance;
    let sub = BTreeMap::from([(pair.notes(), BTreeMap::from([(instance, counter)]))]);
    let told = Fsic { sub, ..Fsic::default() };
    let request = pair.open(Capabilities::ours(), Direction::Pull);
    let peer = pair.peer();
    let id = peer.create_transfer_session(&request).expect("a pull").id;
    let go =
        ProceedRequest { stage: Some(Stage::Serializing), client_fsic: Some(told.into()), ..ProceedRequest::default() };
    let mut answer = peer.proceed(&id, &go).expect("it is asked");
    while answer.status != Some(StageStatus::Completed) {
        assert_ne!(answer.status, Some(StageStatus::Errored), "a claim stops nothing");
        answer = peer.transfer_session(&id).expect("it is open");
    }
    let told = answer.server_fsic.expect("it has serialized");
    assert!(told.sub.values().flatten().all(|(of, counter)| *of != instance || *counter < 900), "nobody repeats it");
    pair.responder.close_transfer_session(&id).expect("it is closed");
}

#[test]
fn a_peer_that_lies_about_us_makes_a_few_instances_an_hour_and_does_no_harm() {
    let (clock, renewals) = (HandClock::default(), Arc::new(Mutex::new(Vec::new())));
    let (seen, hand) = (Arc::clone(&renewals), clock.clone());
    let watch = move |event: &Event| {
        if let Event::InstanceRenewed { former: Some(former), current, cause } = event {
            seen.lock().expect("nobody panics with it").push((*former, *current, *cause));
        }
    };
    let pair = Pair::built("whole-notebook", |laptop| laptop.clock(hand).on_event(watch), |phone| phone);
    let first = pair.laptop.own_counters().expect("it has one").instance;
    for number in 0..5 {
        pair.laptop.save(&pair.notes(), &format!("{number}"), "milk");
    }
    pair.sync(SyncOptions::both_ways()).expect("a good sync");
    pair.laptop.save(&pair.notes(), "0", "bread");

    let mut before = first;
    for counter in [900, 901, i64::from(u32::MAX), 902, 903, 904] {
        claim(&pair, counter);
        let now = pair.laptop.own_counters().expect("it has one").instance;
        let told = renewals.lock().expect("a list").clone();
        assert!(told.len() <= limits::RENEWALS_MAX, "not more often, whatever it says");
        if now != before {
            assert_eq!(told.last(), Some(&(before, now, RenewalCause::KnownElsewhere)));
        }
        before = now;
    }
    assert_eq!(renewals.lock().expect("a list").len(), limits::RENEWALS_MAX);
    assert_eq!(pair.responder.info(&Caller::default()).instance_id, before.to_string());
    let told = pair.laptop.own_counters().expect("it has one").told;
    claim(&pair, told);
    clock.advance(Duration::from_secs(2 * 60 * 60));
    claim(&pair, told);
    assert_eq!(
        renewals.lock().expect("a list").len(),
        limits::RENEWALS_MAX,
        "a claim that can be true changes nothing"
    );
    claim(&pair, 900);
    assert_eq!(renewals.lock().expect("a list").len(), limits::RENEWALS_MAX + 1, "an hour later it may be true again");

    pair.sync(SyncOptions::both_ways()).expect("a good sync");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert!(pair.phone.rows().values().any(|text| text == "bread"));
    assert_eq!(pair.sync(SyncOptions::both_ways()).expect("a good sync").records_transferred(), 0);
}

/// Undocked and docked, with a network card, the phone is two instances. A backup of the time before its last undocked edits is put in
/// place while it is docked, so that nobody looks at what comes of the undocked one.
#[test]
fn whoever_is_put_back_as_another_instance_is_found_out_before_it_is_the_first_again() {
    let renewals = Arc::new(Mutex::new(Vec::new()));
    let phone = |pair: &Pair, node_id: &str| {
        let facts = SystemFacts { node_id: node_id.to_owned(), ..SystemFacts::default() };
        let seen = Arc::clone(&renewals);
        let watch = move |event: &Event| {
            if let Event::InstanceRenewed { former, current, cause } = event {
                seen.lock().expect("nobody panics with it").push((*former, *current, *cause));
            }
        };
        builder(&pair.phone).system_facts(facts).on_event(watch).build().expect("an engine")
    };
    let mut pair = Pair::new();
    let sync = |pair: &Pair| pair.sync(SyncOptions::both_ways()).expect("a good sync");
    let mut history = History::new();
    pair.engine = phone(&pair, "");
    let undocked = pair.engine.instance().id;
    let edited = pair.phone.save(&pair.notes(), "edited twice", "milk");
    sync(&pair);
    let backup = pair.phone.copied();
    pair.phone.save(&pair.notes(), "edited twice", "bread");
    sync(&pair);
    check(&mut history, &[pair.phone.clone(), pair.laptop.clone()], "before");

    pair.phone.put_back(&backup);
    pair.engine = phone(&pair, "a card");
    let docked = pair.engine.instance().id;
    sync(&pair);
    assert_eq!(pair.phone.rows()[&edited], "bread", "it comes back from the laptop");
    assert!(renewals.lock().expect("a list").is_empty(), "the docked one is no other");
    pair.engine = phone(&pair, "");

    let current = pair.engine.instance().id;
    assert!(![undocked, docked].contains(&current), "its numbers stand for something else already");
    assert_eq!(pair.phone.own_counters().expect("it has one").instance, current);
    assert_eq!(*renewals.lock().expect("a list"), [(Some(docked), current, RenewalCause::KnownElsewhere)]);
    pair.phone.save(&pair.notes(), "edited twice", "cheese");
    pair.phone.save(&pair.notes(), "new", "eggs");
    sync(&pair);
    check(&mut history, &[pair.phone.clone(), pair.laptop.clone()], "after");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert_eq!(pair.laptop.rows()[&edited], "cheese");
    pair.engine = phone(&pair, "");
    assert_eq!(pair.engine.instance().id, current, "it goes on as what it is");
    assert_eq!(renewals.lock().expect("a list").len(), 1);
}

/// Every content that ever stood under a stamp.
type History = BTreeMap<(SyncId, Stamp), String>;

fn check(history: &mut History, devices: &[Memory], told: &str) {
    for device in devices {
        for (id, record) in device.store() {
            let stood = history.entry((id, record.last_saved)).or_insert_with(|| record.serialized.clone());
            assert_eq!(*stood, record.serialized, "{told}: {} stands for two contents of {id}", record.last_saved);
        }
    }
}

#[test]
fn whoever_is_put_back_without_a_trace_is_found_out_in_every_dialect_and_all_end_equal() {
    for seed in [0x10_ad, 0xbead, 0xf00d, 0x5eed_u64] {
        let mut dice = seed;
        let mut below = |bound: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(dice >> 33).expect("31 bits") % bound
        };
        let (devices, root) = devices::<4>();
        let mut backups: Vec<Option<Memory>> = vec![None; devices.len()];
        let (mut history, mut put_back, mut renewed) = (History::new(), 0, 0);
        let clock = HandClock::default();
        let meet = |client: usize, can: [Capabilities; 2]| {
            clock.advance(Duration::from_secs(2 * 60 * 60));
            let [client_can, hub_can] = can;
            let engine = |device: usize, can| {
                builder(&devices[device]).clock(clock.clone()).capabilities(can).build().expect("an engine")
            };
            let peer = LocalPeer::new(engine(0, hub_can).responder(Ada));
            engine(client, client_can).sync(&peer, &root, SyncOptions::both_ways()).expect("a good sync")
        };
        for step in 0..80 {
            let told = format!("seed {seed:#x}, step {step}");
            for _ in 0..=below(3) {
                let partition = format!("{}:{}", root.id(), ["a", "b"][below(2)]);
                devices[below(4)].save(&partition, ["x", "y", "z"][below(3)], &told);
            }
            let client = 1 + below(3);
            match below(6) {
                0 => backups[client] = Some(devices[client].copied()),
                1 => {
                    if let Some(backup) = backups[client].take() {
                        devices[client].put_back(&backup);
                        put_back += 1;
                    }
                }
                _ => {
                    let can =
                        [every_set()[below(every_set().len())].clone(), every_set()[below(every_set().len())].clone()];
                    renewed += usize::from(meet(client, can).renewed().is_some());
                    check(&mut history, &devices, &told);
                }
            }
        }
        let all = || [Capabilities::ours(), Capabilities::ours()];
        let is_quiet =
            (0..10).any(|_| (1..4).map(|client| meet(client, all()).records_transferred()).sum::<u64>() == 0);
        assert!(is_quiet, "seed {seed:#x}: they go on for ever");
        check(&mut history, &devices, "at rest");
        for device in &devices[1..] {
            assert_eq!(device.rows(), devices[0].rows(), "seed {seed:#x}");
        }
        assert!(put_back > 0 && renewed > 0 && renewed <= put_back, "seed {seed:#x}: {renewed} of {put_back}");
    }
}

fn meet(client: &Memory, server: &Memory, root: &Certificate, options: SyncOptions) -> Result<SyncReport> {
    engine(client).sync(&LocalPeer::new(engine(server).responder(Ada)), root, options)
}

#[test]
fn who_finds_out_in_a_push_that_it_was_put_back_leaves_no_promise_behind() {
    for can in every_set() {
        let ([hub, other, device], root) = devices();
        let notes = format!("{}:notes", root.id());
        device.save(&notes, "first", "milk");
        meet(&device, &hub, &root, SyncOptions::both_ways()).expect("a good sync");
        let backup = device.copied();
        // What the hub knows of it from now on tells it later that it was put back; what the other has, nobody else has.
        device.save(&notes, "known", "bread");
        meet(&device, &hub, &root, SyncOptions::both_ways()).expect("a good sync");
        for number in 0..3 {
            device.save(&notes, &format!("elsewhere {number}"), "butter");
            meet(&device, &other, &root, SyncOptions::both_ways()).expect("a good sync");
        }
        device.put_back(&backup);
        for number in 0..9 {
            device.save(&notes, &format!("since {number}"), "jam");
            engine(&device).serialize(PROFILE, &Filter::everything()).expect("it is serialized");
        }

        let peer = LocalPeer::new(builder(&hub).capabilities(can.clone()).build().expect("an engine").responder(Ada));
        let report = engine(&device).sync(&peer, &root, SyncOptions::push()).expect("a good sync");

        assert!(report.renewed().is_some(), "{can:?}");
        assert_eq!(report.records_transferred(), 9, "{can:?}: all that is new was sent, once");
        meet(&other, &hub, &root, SyncOptions::both_ways()).expect("a good sync");
        assert_eq!(hub.rows(), other.rows(), "{can:?}");
        assert_eq!(hub.rows().len(), 1 + 1 + 3 + 9, "{can:?}");
        assert!(!hub.has_leftovers() && !device.has_leftovers(), "{can:?}");
    }
}

#[test]
fn what_was_said_as_another_instance_is_not_gone_on_with() {
    // Each time the line breaks at another call, and the device becomes another instance before it goes on.
    for call in 0.. {
        let ([hub, device], root) = devices();
        let notes = format!("{}:notes", root.id());
        for number in 0..4 {
            device.save(&notes, &format!("d{number}"), "milk");
            hub.save(&notes, &format!("h{number}"), "bread");
        }
        let options = || SyncOptions::both_ways().chunk_size(1).resume_if_possible();
        let line = BrokenLine::new(LocalPeer::new(engine(&hub).responder(Ada)), call, Lost::Answer);
        let broken = engine(&device).sync(&line, &root, options());
        let left = broken.as_ref().err().and_then(Error::sync_session);
        engine(&device).renew_database_id().expect("it is another one");
        if let Some(id) = left {
            let peer = LocalPeer::new(engine(&hub).responder(Ada));
            let refused = engine(&device.copied()).resume(&peer, id, options()).expect_err("that was another one");
            assert_eq!(refused.kind(), ErrorKind::SessionGone, "call {call}");
        }
        let report = meet(&device, &hub, &root, options()).expect("a good sync");
        assert!(left.is_none_or(|id| id != report.sync_session), "call {call}: it is a sync of its own");
        assert_eq!(device.rows(), hub.rows(), "call {call}");
        assert_eq!(device.rows().len(), 8, "call {call}");
        if broken.is_ok() {
            assert!(call > 10, "the line broke on the way");
            break;
        }
    }
}

#[test]
fn a_database_that_was_put_back_takes_nothing_for_its_own_that_it_was_before() {
    let ([hub, source, device], root) = devices();
    let notes = format!("{}:notes", root.id());
    source.save(&notes, "first", "milk");
    meet(&source, &hub, &root, SyncOptions::both_ways()).expect("a good sync");
    let kept = meet(&device, &hub, &root, SyncOptions::both_ways().keep_open()).expect("a good sync").sync_session;
    let backup = device.copied();
    for number in 0..2 {
        source.save(&notes, &format!("later {number}"), "bread");
        meet(&source, &device, &root, SyncOptions::both_ways()).expect("a good sync");
    }
    meet(&source, &hub, &root, SyncOptions::both_ways()).expect("a good sync");
    hub.save(&notes, "of the hub", "butter");
    // It says what it has, and is put back before anything comes.
    let mut queued = false;
    for call in 0.. {
        let (device, hub) = (device.copied(), hub.copied());
        let line = BrokenLine::new(LocalPeer::new(engine(&hub).responder(Ada)), call, Lost::Answer);
        let broken = engine(&device).resume(&line, kept, SyncOptions::pull().keep_open());
        device.put_back(&backup);
        engine(&device).renew_database_id().expect("that was noticed");
        let again = meet(&device, &hub, &root, SyncOptions::both_ways().resume_if_possible());
        again.unwrap_or_else(|error| panic!("call {call}: {error:?}"));
        assert_eq!(device.rows(), hub.rows(), "call {call}");
        if broken.is_ok() {
            break;
        }
        queued |= call > 5;
    }
    assert!(queued, "the line broke after the hub had queued");
}

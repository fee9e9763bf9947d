//! What triggers of the application do to deserializing on PostgreSQL.
//!
//! Goal: a record's own fault is noted with it and stops nobody else. Method: triggers that refuse aloud and without a word.

use morango::port::WaitingKind;

use super::database::MARKED;
use super::faults::with_shelf;
use super::library::{Device, deleted, foreign_book, kinds, retitled};

fn refuse(device: &mut Device, when: &str, row: &str, how: &str) {
    device.run(&format!(
        "CREATE TABLE IF NOT EXISTS attempts (title TEXT);
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO attempts VALUES ('tried');
             IF {row}.title = 'Dune' THEN {how}; END IF;
             RETURN {row};
         END $$;
         CREATE TRIGGER refuse BEFORE {when} ON books FOR EACH ROW EXECUTE FUNCTION refuse()"
    ));
}

#[test]
fn in_whatever_way_a_trigger_refuses_one_row_it_takes_no_other_with_it() {
    for how in ["RAISE 'not here'", "RETURN NULL"] {
        let (mut device, shelf) = with_shelf();
        refuse(&mut device, "INSERT", "NEW", how);
        let books = ["Emma", "Dune", "Solaris"].map(|title| foreign_book(title, shelf.id));
        device.dequeue(books.to_vec());
        let report = device.deserialize();
        assert_eq!((report.written, kinds(&report.failures)), (2, vec![WaitingKind::Database]), "{how}: {report:?}");
        assert_eq!(device.titles(), ["Emma", "Solaris"], "{how}");
        assert_eq!(device.number("SELECT count(*) FROM attempts"), 2, "{how}: of the refused row nothing is left");
        device.run("DROP FUNCTION refuse CASCADE");
        assert_eq!(device.deserialize().written, 1, "{how}");

        refuse(&mut device, "UPDATE", "OLD", how);
        device.dequeue(vec![retitled(&books[0], 2, "Emma, again"), retitled(&books[1], 2, "Dune, again")]);
        assert_eq!(kinds(&device.deserialize().failures), [WaitingKind::Database], "{how}");
        device.run("DROP FUNCTION refuse CASCADE");
        refuse(&mut device, "DELETE", "OLD", how);
        device.dequeue(vec![deleted(&books[1], 3), deleted(&books[2], 3)]);
        let report = device.deserialize();
        assert_eq!((report.deleted, kinds(&report.failures)), (1, vec![WaitingKind::Database]), "{how}: {report:?}");
        device.run("DROP FUNCTION refuse CASCADE");
        assert_eq!(device.deserialize().deleted, 1, "{how}");
        assert_eq!(device.number(MARKED), 0);
    }
}

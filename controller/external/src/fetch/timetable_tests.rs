use std::collections::BTreeMap;

use super::*;
use crate::provider::{
    Version,
    aws::{Base, Identity},
};

const MINUTE: Duration = Duration::from_secs(60);

fn seat(ids: &[String], interval: Duration) -> Seat {
    let identity = Identity {
        base: Base::Ambient,
        roles: vec![],
        region: "r".into(),
    };
    let units = ids.iter().map(|id| Address::Value {
        id: id.clone(),
        version: Version::parse(""),
    });
    Seat {
        lane: (identity.principal(), "r".into()),
        units: units.collect(),
        interval,
    }
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap()
}

/// Whoever came a moment before the slot was made was due again at the slot's own moment.
#[test]
fn who_asked_a_moment_before_the_slot_was_made_is_not_due_again_at_once() {
    for (before, expected) in [(0, 60_000), (10, 60_000), (1_000, 60_000), (1_001, 0)] {
        let mut table = Timetable::default();
        table.refreshed("first", at(1_000_000), &seat(&["a".to_owned()], MINUTE));
        table.refreshed(
            "second",
            at(1_000_000 - before),
            &seat(&["b".to_owned()], MINUTE),
        );
        let due = table.due("second").unwrap().as_millisecond();
        assert_eq!(due, 1_000_000 + expected, "{before}");
    }
}

/// Runs a table for some minutes: who is due is refreshed. Returns, for each moment at which
/// anything was due, how many units were read.
fn run(table: &mut Timetable, seats: &BTreeMap<String, Seat>, until: i64) -> BTreeMap<i64, usize> {
    let mut reads = BTreeMap::new();
    loop {
        let due = seats
            .keys()
            .map(|who| (table.due(who).unwrap().as_millisecond(), who));
        let now = due.clone().map(|(due, _)| due).min().unwrap();
        if now > until {
            return reads;
        }
        let who: Vec<String> = due
            .filter(|(due, _)| *due == now)
            .map(|(_, who)| who.clone())
            .collect();
        let units: BTreeSet<&Address> = who.iter().flat_map(|who| &seats[who].units).collect();
        reads.insert(now, units.len());
        for who in who {
            table.refreshed(&who, at(now), &seats[&who]);
        }
    }
}

fn thousand_over_a_hundred() -> BTreeMap<String, Seat> {
    let one = |index: usize| {
        (
            format!("ns/es-{index}"),
            seat(&[format!("secret-{}", index % 100)], MINUTE),
        )
    };
    (0..1_000).map(one).collect()
}

fn requests(reads: &BTreeMap<i64, usize>) -> usize {
    reads
        .values()
        .map(|units| units.div_ceil(UNITS_OF_A_SLOT))
        .sum()
}

#[test]
fn a_thousand_over_a_hundred_secrets_cost_five_requests_a_minute() {
    let mut table = Timetable::default();
    let seats = thousand_over_a_hundred();
    for (who, seat) in &seats {
        table.refreshed(who, at(0), seat);
    }
    let first = run(&mut table, &seats, 60_000);
    assert!(requests(&first) <= 5, "{first:?}");
    let later = run(&mut table, &seats, 660_000);
    assert_eq!(requests(&later), 50, "ten minutes");
    // Spread: no two of the five ticks within eight seconds.
    let ticks: Vec<i64> = later.keys().copied().collect();
    assert!(
        ticks.windows(2).all(|pair| pair[1] - pair[0] >= 7_000),
        "{ticks:?}"
    );
}

#[test]
fn nobody_is_refreshed_later_than_its_interval() {
    let mut table = Timetable::default();
    let mut seats = thousand_over_a_hundred();
    seats.insert(
        "ns/slow".into(),
        seat(&["secret-3".into()], Duration::from_secs(3_600)),
    );
    seats.insert(
        "ns/odd".into(),
        seat(
            &["secret-4".into(), "own".into()],
            Duration::from_millis(90_500),
        ),
    );
    for (who, seat) in &seats {
        table.refreshed(who, at(123_456), seat);
        let due = table.due(who).unwrap().as_millisecond() - 123_456;
        assert!(
            due > 0 && due <= i64::try_from(seat.interval.as_millis()).unwrap(),
            "{who} {due}"
        );
    }
    // Who is slower comes along with who is faster and costs nothing.
    let slow = table.due("ns/slow").unwrap().as_millisecond();
    let quick = table.due("ns/es-103").unwrap().as_millisecond();
    assert_eq!((slow - quick) % 60_000, 0);
}

#[test]
fn what_comes_at_different_times_after_a_restart_stays_so() {
    let mut table = Timetable::default();
    for batch in 0..5_i64 {
        for index in 0..20 {
            let seat = seat(&[format!("{batch}-{index}")], MINUTE);
            table.refreshed(&format!("{batch}/{index}"), at(batch * 12_000), &seat);
        }
        let due = table.due(&format!("{batch}/0")).unwrap();
        assert_eq!(due, at(batch * 12_000 + 60_000));
    }
}

#[test]
fn who_leaves_makes_room() {
    let mut table = Timetable::default();
    for index in 0..40 {
        table.refreshed(
            &index.to_string(),
            at(0),
            &seat(&[index.to_string()], MINUTE),
        );
    }
    assert_eq!(table.slots.len(), 2);
    for index in 0..40 {
        table.leave(&index.to_string());
    }
    assert!(table.slots.is_empty() && table.units.is_empty() && table.len() == 0);
}

#[test]
fn a_unit_moves_to_whoever_reads_it_most_often() {
    let mut table = Timetable::default();
    table.refreshed("slow", at(0), &seat(&["s".into()], 10 * MINUTE));
    table.refreshed("fast", at(7_000), &seat(&["s".into()], MINUTE));
    assert_eq!(table.due("fast"), Some(at(67_000)));
    table.refreshed(
        "slow",
        at(67_000),
        &seat(&["s".into(), "t".into()], 10 * MINUTE),
    );
    assert_eq!(table.due("slow"), Some(at(667_000)));
    table.leave("fast");
    table.leave("slow");
    assert!(table.units.is_empty());
}

//! When what falls due: spread over time, but in whole batches.
//!
//! ExternalSecrets that read the same secrets, or secrets that fit into one batch, sit in one slot
//! and fall due at the same tick of it. Slots of one interval are spread evenly, so that neither AWS
//! nor the API server sees a wave. A tick is never later than the interval asks for, but for a
//! moment at the first one; that one mostly comes earlier, and after it the interval is exact.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use jiff::Timestamp;

use super::LaneId;
use crate::provider::Address;

/// How many units share a slot: as many as one request reads.
const UNITS_OF_A_SLOT: usize = 20;
/// How near a new slot may be to another before it is moved into the widest gap instead.
const NEAR: i128 = 1_000;

/// What an ExternalSecret reads and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    /// The principal and region of most of its units.
    pub(crate) lane: LaneId,
    /// What it reads there.
    pub(crate) units: BTreeSet<Address>,
    /// How often.
    pub(crate) interval: Duration,
}

/// Who sits where.
#[derive(Default)]
pub(crate) struct Timetable {
    members: HashMap<String, Member>,
    units: HashMap<u64, Unit>,
    slots: HashMap<u64, Slot>,
    next_slot: u64,
    hasher: RandomState,
}

struct Member {
    slot: u64,
    refreshed: Timestamp,
    interval: Duration,
    units: Vec<u64>,
    lane: u64,
}

struct Unit {
    slot: u64,
    users: usize,
}

/// Ticks whenever the time in milliseconds is `phase` beyond a multiple of `period`.
struct Slot {
    lane: u64,
    period: i128,
    phase: i128,
    units: usize,
    members: usize,
}

impl Timetable {
    /// Notes that `who` was refreshed at `at` and sits in `seat` from now on.
    pub(crate) fn refreshed(&mut self, who: &str, at: Timestamp, seat: &Seat) {
        let lane = self.hasher.hash_one(&seat.lane);
        let units: Vec<u64> = seat
            .units
            .iter()
            .map(|unit| self.hasher.hash_one((lane, unit)))
            .collect();
        if let Some(member) = self.members.get_mut(who) {
            if (member.lane, member.interval) == (lane, seat.interval) && member.units == units {
                member.refreshed = at;
                return;
            }
            self.leave(who);
        }
        let slot = self.slot_for(lane, &units, seat.interval, at);
        self.change(slot, |slot| slot.members += 1);
        for unit in &units {
            self.sit(*unit, slot);
        }
        let member = Member {
            slot,
            refreshed: at,
            interval: seat.interval,
            units,
            lane,
        };
        self.members.insert(who.to_owned(), member);
    }

    /// When `who` is due: the last tick of its slot within its interval. `None` if it has no seat.
    pub(crate) fn due(&self, who: &str) -> Option<Timestamp> {
        let member = self.members.get(who)?;
        let slot = self.slots.get(&member.slot)?;
        let asked = i128::from(member.refreshed.as_millisecond());
        let next = asked - (asked - slot.phase).rem_euclid(slot.period) + slot.period;
        let refreshed = if next - asked <= moment(member.interval) {
            next
        } else {
            asked
        };
        let latest = refreshed + millis(member.interval);
        let tick = latest - (latest - slot.phase).rem_euclid(slot.period);
        let due = if tick > refreshed { tick } else { latest };
        Timestamp::from_millisecond(i64::try_from(due).ok()?).ok()
    }

    /// Forgets `who`.
    pub(crate) fn leave(&mut self, who: &str) {
        let Some(member) = self.members.remove(who) else {
            return;
        };
        for id in &member.units {
            let Some(unit) = self.units.get_mut(id) else {
                continue;
            };
            unit.users -= 1;
            if unit.users == 0 {
                let slot = unit.slot;
                self.units.remove(id);
                self.change(slot, |slot| slot.units -= 1);
            }
        }
        self.change(member.slot, |slot| slot.members -= 1);
    }

    /// Changes a slot, and drops it when nobody and nothing is left in it.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        change(slot);
        if slot.members == 0 && slot.units == 0 {
            self.slots.remove(&id);
        }
    }

    /// How many have a seat.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The slot where most of the units are already, else one with room, else a new one.
    fn slot_for(&mut self, lane: u64, units: &[u64], interval: Duration, now: Timestamp) -> u64 {
        let period = millis(interval);
        let mut overlaps: HashMap<u64, usize> = HashMap::new();
        for unit in units {
            if let Some(unit) = self.units.get(unit)
                && self
                    .slots
                    .get(&unit.slot)
                    .is_some_and(|slot| slot.period <= period)
            {
                *overlaps.entry(unit.slot).or_default() += 1;
            }
        }
        let best = overlaps
            .into_iter()
            .max_by_key(|(slot, overlap)| (*overlap, u64::MAX - slot));
        if let Some((slot, _)) = best {
            return slot;
        }
        let with_room = self.slots.iter().filter(|(_, slot)| {
            (slot.lane, slot.period) == (lane, period)
                && slot.units + units.len() <= UNITS_OF_A_SLOT
        });
        if let Some(slot) = with_room
            .map(|(id, _)| *id)
            .min()
            .filter(|_| !units.is_empty())
        {
            return slot;
        }
        let phase = self.phase_for(
            lane,
            period,
            i128::from(now.as_millisecond()).rem_euclid(period),
        );
        self.next_slot += 1;
        self.slots.insert(
            self.next_slot,
            Slot {
                lane,
                period,
                phase,
                units: 0,
                members: 0,
            },
        );
        self.next_slot
    }

    /// Now, if no other slot of this interval is near, so that what already comes at different
    /// times stays so; else the middle of the widest gap.
    fn phase_for(&self, lane: u64, period: i128, now: i128) -> i128 {
        let same = self
            .slots
            .values()
            .filter(|slot| (slot.lane, slot.period) == (lane, period));
        let mut taken: Vec<i128> = same.map(|slot| slot.phase).collect();
        taken.sort_unstable();
        let distance = |phase: &i128| {
            let apart = (phase - now).rem_euclid(period);
            apart.min(period - apart)
        };
        if taken.iter().all(|phase| distance(phase) > NEAR) {
            return now;
        }
        let after = taken.iter().skip(1).chain(taken.first());
        let gaps = taken.iter().zip(after).map(|(from, to)| {
            let gap = (to - from).rem_euclid(period);
            (if gap == 0 { period } else { gap }, *from)
        });
        // The first of the widest, so that the outcome does not depend on anything but the order.
        let widest = gaps.rev_max();
        widest.map_or(now, |(gap, from)| (from + gap / 2).rem_euclid(period))
    }

    fn sit(&mut self, unit: u64, slot: u64) {
        let period_of =
            |slots: &HashMap<u64, Slot>, id| slots.get(&id).map(|slot: &Slot| slot.period);
        let here = period_of(&self.slots, slot);
        let entry = self
            .units
            .entry(unit)
            .or_insert_with(|| Unit { slot: 0, users: 0 });
        entry.users += 1;
        // A unit goes with whoever reads it most often.
        let there = period_of(&self.slots, entry.slot);
        if there.is_none() || here < there {
            let old = std::mem::replace(&mut entry.slot, slot);
            self.change(old, |slot| slot.units -= 1);
            self.change(slot, |slot| slot.units += 1);
        }
    }
}

/// The first of the greatest, where [`Iterator::max`] gives the last.
trait FirstMax: Iterator<Item = (i128, i128)> + Sized {
    fn rev_max(self) -> Option<(i128, i128)> {
        self.fold(None, |best, next| match best {
            Some((gap, _)) if gap >= next.0 => best,
            _ => Some(next),
        })
    }
}

impl<I: Iterator<Item = (i128, i128)>> FirstMax for I {}

/// Whoever asked so shortly before a tick has had its turn at it, and does not ask again. That is so
/// for those that were asked for together, when the first of them has made the slot.
fn moment(interval: Duration) -> i128 {
    NEAR.min(millis(interval) / 60)
}

fn millis(interval: Duration) -> i128 {
    i128::try_from(interval.as_millis())
        .unwrap_or(i128::MAX)
        .max(1)
}

#[cfg(test)]
#[path = "timetable_tests.rs"]
mod tests;

//! How many finished chains a ring's driver is told of at a time.

use std::time::{Duration, Instant};

/// The most chains that one call waits for.
const MOST: u16 = 32;
/// Calls after which the driver's speed is looked at.
const CALLS: u32 = 32;
/// So many are enough to see that it has become half as fast, or that it keeps no more in flight.
const FEW_CALLS: u32 = 8;
/// What is tried must be faster by so many hundredths, as the same twice is never equal.
const FASTER: u32 = 3;
/// A driver that lets so much time pass has nothing to do, which says nothing of its speed.
const PAUSE: Duration = Duration::from_millis(4);
/// What comes after so long may be something else altogether, and is tried at once.
const LONG_PAUSE: Duration = Duration::from_millis(500);
/// How long it is left in peace after a try that did not make it faster; twice as long each time.
const SHORTEST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_millis(1600);

/// A call costs a system call here, and in the front-end and the guest much more than that: under software emulation more than a request. A
/// driver that keeps many requests in flight is faster when it is called once for several; one that does not waits in
/// vain. Nothing tells the one from the other but their speed: so twice or half as many are tried now and then, and kept if it gets
/// faster.
#[derive(Debug)]
pub struct Pace {
    /// Chains to a call, as a rule.
    rule: u16,
    /// What is tried in its place, and the time for a chain before that.
    trial: Option<(u16, Duration)>,
    seen: Seen,
    last_call: Option<Instant>,
    tries_more: bool,
    rests_until: Option<Instant>,
    rest: Duration,
}

/// What was seen since the rule, or the trial, began.
#[derive(Debug, Default)]
struct Seen {
    calls: u32,
    chains: u32,
    most: u16,
    time: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rule: 1,
            trial: None,
            seen: Seen::default(),
            last_call: None,
            tries_more: true,
            rests_until: None,
            rest: SHORTEST_REST,
        }
    }
}

impl Pace {
    /// How many chains the next call is to be for.
    pub fn chains(&self) -> u16 {
        self.trial.map_or(self.rule, |(chains, _)| chains)
    }

    /// The driver is called for `done` chains.
    pub fn called(&mut self, done: u16, now: Instant) {
        let time = self.last_call.replace(now).map(|last| now.saturating_duration_since(last));
        let Some(time) = time.filter(|time| *time < PAUSE) else {
            self.seen = Seen::default();
            if time.is_some_and(|time| time >= LONG_PAUSE) {
                (self.rests_until, self.rest, self.tries_more) = (None, SHORTEST_REST, true);
            }
            return;
        };
        self.seen.calls += 1;
        self.seen.chains += u32::from(done);
        self.seen.most = self.seen.most.max(done);
        self.seen.time += time;
        let each = self.seen.time / self.seen.chains.max(1);
        match self.trial {
            // Where no call was for more than before, all that was tried was to wait.
            Some((chains, before))
                if self.seen.calls == FEW_CALLS
                    && (each > before * 2 || chains > self.rule && self.seen.most <= self.rule) =>
            {
                self.fails(now);
            }
            Some((chains, before)) if self.seen.calls == CALLS => {
                if each * 100 < before * (100 - FASTER) {
                    (self.rule, self.trial, self.rest) = (chains, None, SHORTEST_REST);
                    self.seen = Seen::default();
                } else {
                    self.fails(now);
                }
            }
            None if self.rule > 1 && self.seen.calls == FEW_CALLS && self.seen.most <= self.rule / 2 => {
                // It does not keep that many in flight any more.
                self.rule = 1 << self.seen.most.max(1).ilog2();
                self.seen = Seen::default();
            }
            None if self.seen.calls == CALLS => {
                self.seen = Seen::default();
                if self.rests_until.is_none_or(|until| now >= until) {
                    let more = self.rule == 1 || self.tries_more && self.rule < MOST;
                    self.trial = Some((if more { self.rule * 2 } else { self.rule / 2 }, each));
                }
            }
            _ => {}
        }
    }

    fn fails(&mut self, now: Instant) {
        self.trial = None;
        self.seen = Seen::default();
        self.tries_more = !self.tries_more;
        self.rests_until = now.checked_add(self.rest);
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }
}

#[cfg(test)]
mod tests {
    use super::super::gather::LONGEST;
    use super::*;

    /// A guest with so many requests in flight that takes some time for each, and some for each call.
    struct Guest {
        in_flight: u16,
        each: Duration,
        call: Duration,
    }

    /// Has it read for so long; chains to a call in the last tenth of that, and the share of its time for which it waited for calls that were
    /// held back.
    fn read(pace: &mut Pace, now: &mut Instant, guest: &Guest, time: Duration) -> (f64, f64) {
        let start = *now;
        let (mut idle, mut calls, mut chains) = (Duration::ZERO, 0, 0);
        while *now - start < time {
            *now += guest.call + guest.each;
            let (mut done, held) = (1, *now);
            while done < pace.chains() && *now - held < LONGEST {
                if done < guest.in_flight {
                    (done, *now) = (done + 1, *now + guest.each);
                } else {
                    idle += LONGEST - (*now - held);
                    *now = held + LONGEST;
                }
            }
            pace.called(done, *now);
            if (*now - start) * 10 > time * 9 {
                (calls, chains) = (calls + 1, chains + u32::from(done));
            }
        }
        (f64::from(chains) / f64::from(calls), idle.as_secs_f64() / (*now - start).as_secs_f64())
    }

    const EMULATED: (Duration, Duration) = (Duration::from_micros(60), Duration::from_micros(100));
    const FAST: (Duration, Duration) = (Duration::from_micros(3), Duration::from_micros(6));

    #[test]
    fn a_driver_with_one_request_in_flight_is_called_for_each_and_hardly_waits() {
        for (each, call) in [EMULATED, FAST] {
            let guest = Guest { in_flight: 1, each, call };
            let (chains, idle) = read(&mut Pace::default(), &mut Instant::now(), &guest, Duration::from_secs(10));
            assert!(chains < 1.01, "{chains}");
            assert!(idle < 0.02, "{idle}");
        }
    }

    #[test]
    fn a_driver_with_many_in_flight_is_called_once_for_several() {
        for (each, call) in [EMULATED, FAST] {
            let guest = Guest { in_flight: 32, each, call };
            let (chains, idle) = read(&mut Pace::default(), &mut Instant::now(), &guest, Duration::from_secs(1));
            assert!(chains >= 3.5, "{chains}");
            assert!(idle < 0.02, "{idle}");
        }
    }

    #[test]
    fn a_driver_hardly_waits_however_many_it_keeps_in_flight() {
        for in_flight in 2..=40 {
            for (each, call) in [EMULATED, FAST] {
                let guest = Guest { in_flight, each, call };
                let (_, idle) = read(&mut Pace::default(), &mut Instant::now(), &guest, Duration::from_secs(5));
                assert!(idle < 0.04, "{in_flight} in flight: {idle}");
            }
        }
    }

    #[test]
    fn another_habit_of_the_driver_is_noticed() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        let guest = |in_flight| Guest { in_flight, each: EMULATED.0, call: EMULATED.1 };
        let (chains, _) = read(&mut pace, &mut now, &guest(1), Duration::from_secs(10));
        assert!(chains < 1.01, "{chains}");
        let (chains, _) = read(&mut pace, &mut now, &guest(32), Duration::from_secs(3));
        assert!(chains >= 3.5, "{chains}");
        let (chains, idle) = read(&mut pace, &mut now, &guest(1), Duration::from_secs(1));
        assert!(chains < 1.01, "{chains}");
        assert!(idle < 0.02, "{idle}");
    }

    #[test]
    fn what_comes_after_a_long_pause_is_tried_at_once() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        let guest = |in_flight| Guest { in_flight, each: EMULATED.0, call: EMULATED.1 };
        let _ = read(&mut pace, &mut now, &guest(1), Duration::from_secs(5));
        now += LONG_PAUSE;
        let (chains, _) = read(&mut pace, &mut now, &guest(32), Duration::from_millis(100));
        assert!(chains >= 3.5, "{chains}");
    }

    #[test]
    fn a_driver_that_pauses_says_nothing_of_its_speed() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        for _ in 0..10_000 {
            now += PAUSE;
            pace.called(1, now);
            assert_eq!(pace.chains(), 1);
        }
    }
}

//! Tray, lock, medium and events under random operations, against a model that is told only what was done.
//!
//! The model is written from the contract, not from the code: per nexus two lists of what it must still be told.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use spindle::drive::{Drive, DriveEvent, Listener, Medium, Tray};
use spindle::scsi::{LogicalUnit, Nexus, Reset};

use crate::support::disc::{block, patterned};
use crate::support::initiator::{Answer, Initiator};

const NEXUSES: [u16; 2] = [0, 7];

#[derive(Debug, Clone)]
enum Operation {
    TestUnitReady(usize),
    Read(usize),
    PollEvents(usize),
    Eject(usize),
    Load(usize),
    Prevent(usize, bool, bool),
    HostOpen(bool),
    HostClose,
    HostRemove,
    HostInsert,
    HostChange(bool),
    RequestEject,
    Reset(bool),
    NexusLoss(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let nexus = 0..NEXUSES.len();
    prop_oneof![
        4 => nexus.clone().prop_map(TestUnitReady),
        4 => nexus.clone().prop_map(Read),
        4 => nexus.clone().prop_map(PollEvents),
        2 => nexus.clone().prop_map(Eject),
        2 => nexus.clone().prop_map(Load),
        3 => (nexus.clone(), any::<bool>(), any::<bool>()).prop_map(|(nexus, on, kind)| Prevent(nexus, on, kind)),
        2 => any::<bool>().prop_map(HostOpen),
        2 => Just(HostClose),
        1 => Just(HostRemove),
        2 => Just(HostInsert),
        2 => any::<bool>().prop_map(HostChange),
        1 => Just(RequestEject),
        1 => any::<bool>().prop_map(Reset),
        1 => nexus.prop_map(NexusLoss),
    ]
}

/// What one initiator must still be told, and what it holds.
#[derive(Debug, Default)]
struct Told {
    /// 06/29/00, 06/3A/00, 06/28/00, in the order in which they must come.
    reset: bool,
    removed: bool,
    arrived: bool,
    events: Vec<u8>,
    /// EjectRequests that it was told and that no eject of its has answered: for this medium, and for others; two at most.
    asked: u8,
    asked_for_others: u8,
    plain: bool,
    persistent: bool,
    /// It has sent a command since it last met the drive anew.
    known: bool,
}

impl Told {
    fn anew() -> Self {
        Self { reset: true, known: true, ..Self::default() }
    }

    fn next_attention(&mut self) -> Option<(u8, u8, u8)> {
        let order = [(&mut self.reset, 0x29), (&mut self.removed, 0x3A), (&mut self.arrived, 0x28)];
        order.into_iter().find_map(|(pending, asc)| std::mem::take(pending).then_some((6, asc, 0)))
    }
}

/// What a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Tray { open: bool },
    Medium { present: bool },
    Lock { locked: bool },
    EjectRequested,
}

#[derive(Default)]
struct Ear(Mutex<Vec<Heard>>);

impl Listener for Ear {
    fn drive_event(&self, _: &Drive, event: &DriveEvent) {
        self.0.lock().unwrap().push(match event {
            DriveEvent::TrayMoved { open } => Heard::Tray { open: *open },
            DriveEvent::MediumChanged { medium } => Heard::Medium { present: medium.is_some() },
            DriveEvent::LockChanged { locked } => Heard::Lock { locked: *locked },
            DriveEvent::EjectRequested => Heard::EjectRequested,
            DriveEvent::StateLoaded => panic!("no state is loaded"),
            DriveEvent::ReadError { .. } => panic!("no block is bad"),
        });
    }
}

struct Model {
    /// What the listener must have heard of this operation.
    heard: Vec<Heard>,
    open: bool,
    /// Seed of the disc in the tray.
    disc: Option<u32>,
    nexuses: [Told; NEXUSES.len()],
}

impl Model {
    fn locked(&self) -> bool {
        self.nexuses.iter().any(|told| told.plain || told.persistent)
    }

    fn locked_plainly(&self) -> bool {
        self.nexuses.iter().any(|told| told.plain)
    }

    fn known(&mut self) -> impl Iterator<Item = &mut Told> {
        self.nexuses.iter_mut().filter(|told| told.known)
    }

    /// Every initiator loses sight of the medium: whatever it was not told of it yet is void.
    fn out(&mut self) {
        if !self.open && self.disc.is_some() {
            for told in self.known() {
                (told.removed, told.arrived) = (true, false);
                told.events = vec![3];
                told.asked_for_others = (told.asked_for_others + told.asked).min(2);
                told.asked = 0;
            }
        }
        self.set_open(true);
    }

    fn set_open(&mut self, open: bool) {
        if self.open != open {
            self.open = open;
            self.heard.push(Heard::Tray { open });
        }
    }

    /// Changes who holds the lock.
    fn lock(&mut self, change: impl FnOnce(&mut [Told])) {
        let before = self.locked();
        change(&mut self.nexuses);
        let locked = self.locked();
        if locked != before {
            self.heard.push(Heard::Lock { locked });
        }
    }

    fn put(&mut self, disc: Option<u32>) {
        self.heard.push(Heard::Medium { present: disc.is_some() });
        self.disc = disc;
    }

    fn close(&mut self) {
        if self.open && self.disc.is_some() {
            for told in self.known() {
                told.arrived = true;
                told.events.retain(|&event| event != 2);
                told.events.push(2);
            }
        }
        self.set_open(false);
    }

    fn unlock(&mut self) {
        self.lock(|nexuses| nexuses.iter_mut().for_each(|told| (told.plain, told.persistent) = (false, false)));
    }

    /// The host opens the tray; false when it may not.
    fn host_open(&mut self, force: bool) -> bool {
        if !self.open && self.locked() {
            if !force {
                return false;
            }
            self.unlock();
        }
        self.out();
        true
    }

    fn not_ready(&self) -> Option<(u8, u8, u8)> {
        match (self.open, self.disc) {
            (true, _) => Some((2, 0x3A, 2)),
            (false, None) => Some((2, 0x3A, 1)),
            (false, Some(_)) => None,
        }
    }

    fn meet(&mut self, nexus: usize) -> &mut Told {
        let told = &mut self.nexuses[nexus];
        if !told.known {
            let persistent = told.persistent;
            *told = Told { persistent, ..Told::anew() };
        }
        told
    }
}

struct Pair {
    drive: Arc<Drive>,
    ear: Arc<Ear>,
    guests: Vec<Initiator>,
    model: Model,
    next_seed: u32,
}

impl Pair {
    fn new() -> Self {
        let (drive, guest) = Initiator::fresh();
        let ear = Arc::new(Ear::default());
        drive.listen(Arc::clone(&ear) as Arc<dyn Listener>);
        let guests = NEXUSES.iter().map(|&nexus| guest.other(nexus)).collect();
        let nexuses = [Told::default(), Told::default()];
        let model = Model { heard: Vec::new(), open: false, disc: None, nexuses };
        Self { drive, ear, guests, model, next_seed: 1 }
    }

    fn disc(&mut self) -> (u32, Arc<Medium>) {
        self.next_seed += 1;
        (self.next_seed, patterned(self.next_seed, 20))
    }

    /// Sends a command that reports unit attentions; `outcome` is what it does when none is pending.
    fn command(
        &mut self,
        nexus: usize,
        cdb: &[u8],
        outcome: impl FnOnce(&mut Model) -> Option<(u8, u8, u8)>,
    ) -> Answer {
        let expected = match self.model.meet(nexus).next_attention() {
            Some(attention) => Some(attention),
            None => outcome(&mut self.model),
        };
        let answer = self.guests[nexus].run(cdb, 2048);
        assert_eq!(
            (answer.status, answer.kaq()),
            (if expected.is_some() { 2 } else { 0 }, expected.unwrap_or_default())
        );
        answer
    }

    fn step(&mut self, operation: &Operation) {
        match *operation {
            Operation::TestUnitReady(nexus) => {
                self.command(nexus, &[0; 6], |model| model.not_ready());
            }
            Operation::Read(nexus) => {
                let answer = self.command(nexus, &[0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], |model| model.not_ready());
                match (answer.status, self.model.disc) {
                    (0, Some(seed)) => assert_eq!(answer.data, block(seed, 9), "a byte of another disc"),
                    (0, None) => panic!("a read from no disc"),
                    _ => assert!(answer.data.is_empty()),
                }
            }
            Operation::PollEvents(nexus) => {
                let events = &mut self.model.meet(nexus).events;
                let event = if events.is_empty() { 0 } else { events.remove(0) };
                if event == 1 {
                    let asked = &mut self.model.nexuses[nexus].asked;
                    *asked = (*asked + 1).min(2);
                }
                let status = u8::from(!self.model.open && self.model.disc.is_some()) << 1 | u8::from(self.model.open);
                let answer = self.guests[nexus].run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good();
                assert_eq!((answer[2], answer[4] & 0xF, answer[5]), (4, event, status));
            }
            Operation::Eject(nexus) => {
                self.command(nexus, &[0x1B, 0, 0, 0, 2, 0], |model| {
                    let told = &mut model.nexuses[nexus];
                    let late = told.asked_for_others > 0;
                    let oldest = if late { &mut told.asked_for_others } else { &mut told.asked };
                    *oldest = oldest.saturating_sub(1);
                    if !model.open && model.locked_plainly() {
                        return Some((if model.disc.is_some() { 5 } else { 2 }, 0x53, 2));
                    }
                    // An answer to a request for another disc leaves this one in.
                    if !model.open && late {
                        return Some((6, 0x28, 0));
                    }
                    model.out();
                    None
                });
            }
            Operation::Load(nexus) => {
                self.command(nexus, &[0x1B, 0, 0, 0, 3, 0], |model| {
                    model.close();
                    None
                });
            }
            Operation::Prevent(nexus, on, persistent) => {
                let bits = u8::from(persistent) << 1 | u8::from(on);
                self.command(nexus, &[0x1E, 0, 0, 0, bits, 0], |model| {
                    model.lock(|nexuses| {
                        let told = &mut nexuses[nexus];
                        *(if persistent { &mut told.persistent } else { &mut told.plain }) = on;
                    });
                    None
                });
            }
            Operation::HostOpen(force) => {
                let may = self.model.host_open(force);
                assert_eq!(self.drive.open_tray(force).is_ok(), may);
            }
            Operation::HostClose => {
                self.model.close();
                self.drive.close_tray();
            }
            Operation::HostRemove => {
                let may = self.model.open && self.model.disc.is_some();
                if may {
                    self.model.put(None);
                }
                assert_eq!(self.drive.remove_medium().is_some(), may);
            }
            Operation::HostInsert => {
                let (seed, medium) = self.disc();
                let may = self.model.open && self.model.disc.is_none();
                if may {
                    self.model.put(Some(seed));
                }
                assert_eq!(self.drive.insert_medium(medium).is_ok(), may);
            }
            Operation::HostChange(force) => {
                let (seed, medium) = self.disc();
                let may = if self.model.disc.is_none() {
                    self.model.out();
                    true
                } else {
                    self.model.host_open(force)
                };
                if may {
                    // Always a removal and then a new medium.
                    if self.model.disc.is_some() {
                        self.model.put(None);
                    }
                    self.model.put(Some(seed));
                    self.model.close();
                }
                assert_eq!(self.drive.change_medium(medium, force).is_ok(), may);
            }
            Operation::RequestEject => {
                for told in self.model.nexuses.iter_mut().filter(|told| told.plain || told.persistent) {
                    told.events.retain(|&event| event != 1);
                    told.events.push(1);
                }
                self.model.heard.push(Heard::EjectRequested);
                self.drive.request_eject();
            }
            Operation::Reset(power) => {
                self.model.unlock();
                self.model.known().for_each(|told| *told = Told::anew());
                self.drive.reset(if power { Reset::PowerOn } else { Reset::LogicalUnit });
            }
            Operation::NexusLoss(nexus) => {
                self.model.lock(|nexuses| {
                    let told = &mut nexuses[nexus];
                    // A persistent prevent state outlives the nexus, so the drive goes on to count it.
                    *told = if told.persistent { Told { persistent: true, ..Told::anew() } } else { Told::default() };
                });
                self.drive.reset(Reset::NexusLoss(Nexus(NEXUSES[nexus])));
            }
        }
        self.compare();
    }

    fn compare(&mut self) {
        let heard = std::mem::take(&mut *self.ear.0.lock().unwrap());
        assert_eq!(heard, std::mem::take(&mut self.model.heard));
        let snapshot = self.drive.snapshot();
        assert_eq!(snapshot.tray == Tray::Open, self.model.open);
        assert_eq!(snapshot.medium.is_some(), self.model.disc.is_some());
        let locked: Vec<_> = NEXUSES
            .into_iter()
            .zip(&self.model.nexuses)
            .filter(|(_, told)| told.plain || told.persistent)
            .map(|(nexus, _)| Nexus(nexus))
            .collect();
        assert_eq!(snapshot.locked_by, locked);
        let asked = |told: &Told| told.asked > 0 || told.events.contains(&1);
        let waits =
            !self.model.open && self.model.nexuses.iter().any(|told| (told.plain || told.persistent) && asked(told));
        assert_eq!(self.drive.wait_answered(std::time::Duration::ZERO, || false), !waits);
    }
}

#[test]
fn any_order_of_operations_does_what_the_model_says() {
    let config = Config { cases: 250, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&prop::collection::vec(operation(), 1..80), |operations| {
            let mut pair = Pair::new();
            for operation in &operations {
                pair.step(operation);
            }
            Ok(())
        })
        .unwrap();
}

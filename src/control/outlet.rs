//! Lines on their way to one client: as many as it can be trusted not to read.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Lines that wait for a client that does not read; one event more and it loses its connection.
const MOST_LINES: usize = 1024;
/// The same in bytes: a line may be longer than this, but then it waits alone.
const MOST_BYTES: usize = 1 << 20;

/// A queue of lines between the threads that have news for a client and the one that writes to it.
#[derive(Debug, Default)]
pub struct Outlet {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Arc<str>>,
    bytes: usize,
    closed: bool,
}

impl Waiting {
    fn has_room_for(&self, line: &str) -> bool {
        self.lines.is_empty() || self.lines.len() < MOST_LINES && self.bytes + line.len() <= MOST_BYTES
    }

    fn push(&mut self, line: Arc<str>) {
        self.bytes += line.len();
        self.lines.push_back(line);
    }
}

impl Outlet {
    /// Adds a line if there is room; false if there is none. Never waits. A closed outlet takes it and forgets it.
    pub fn offer(&self, line: Arc<str>) -> bool {
        let mut waiting = self.waiting();
        let room = waiting.closed || waiting.has_room_for(&line);
        if room && !waiting.closed {
            waiting.push(line);
            drop(waiting);
            self.changed.notify_all();
        }
        room
    }

    /// Adds a line, waiting until there is room; false once the outlet is closed.
    pub fn put(&self, line: Arc<str>) -> bool {
        let full = |waiting: &mut Waiting| !waiting.closed && !waiting.has_room_for(&line);
        let mut waiting = self.changed.wait_while(self.waiting(), full).unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return false;
        }
        waiting.push(line);
        drop(waiting);
        self.changed.notify_all();
        true
    }

    /// Takes the oldest line, waiting for one; none once the outlet is closed and empty.
    pub fn take(&self) -> Option<Arc<str>> {
        let none = |waiting: &mut Waiting| !waiting.closed && waiting.lines.is_empty();
        let mut waiting = self.changed.wait_while(self.waiting(), none).unwrap_or_else(PoisonError::into_inner);
        let line = waiting.lines.pop_front()?;
        waiting.bytes -= line.len();
        drop(waiting);
        self.changed.notify_all();
        Some(line)
    }

    /// Nothing more is added; what is in it is still taken.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_all();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::sys::join::join_within;

    #[test]
    fn lines_and_bytes_are_bounded_and_one_long_line_passes() {
        let long: Arc<str> = "x".repeat(MOST_BYTES + 1).into();
        let outlet = Outlet::default();
        assert!(outlet.offer(Arc::clone(&long)));
        assert!(!outlet.offer("short".into()));
        assert_eq!(outlet.take(), Some(long));
        let half: Arc<str> = "x".repeat(MOST_BYTES / 2).into();
        assert!(outlet.offer(Arc::clone(&half)) && outlet.offer(half));
        assert!(!outlet.offer("x".into()));
        while outlet.waiting().bytes > 0 {
            outlet.take();
        }
        assert!((0..MOST_LINES).all(|_| outlet.offer("x".into())));
        assert!(!outlet.offer("x".into()));
    }

    /// What `wait` returns on a thread of its own: it waits, and no longer than until `come`.
    fn waits<T: Send + 'static>(outlet: &Arc<Outlet>, wait: fn(&Outlet) -> T, come: impl FnOnce(&Outlet)) -> T {
        let own = Arc::clone(outlet);
        let thread = thread::spawn(move || wait(&own));
        // One that does not wait has ended by then.
        thread::sleep(Duration::from_millis(20));
        assert!(!thread.is_finished(), "it does not wait");
        come(outlet);
        join_within(thread, Duration::from_secs(60)).expect("it waits for ever").unwrap()
    }

    #[test]
    fn who_waits_goes_on_when_there_is_room_a_line_or_the_end() {
        let outlet = Arc::<Outlet>::default();
        let line = |text: &str| Some(text.into());
        assert_eq!(waits(&outlet, Outlet::take, |outlet| assert!(outlet.offer("one".into()))), line("one"));
        assert_eq!(waits(&outlet, Outlet::take, |outlet| assert!(outlet.put("two".into()))), line("two"));
        assert!(outlet.put("x".repeat(MOST_BYTES).into()));
        let put: fn(&Outlet) -> bool = |outlet| outlet.put("three".into());
        assert!(waits(&outlet, put, |outlet| drop(outlet.take())));
        assert_eq!(outlet.take(), line("three"));
        assert_eq!(waits(&outlet, Outlet::take, Outlet::close), None);
    }

    #[test]
    fn what_comes_after_the_end_is_forgotten_and_what_came_before_is_not() {
        let outlet = Arc::<Outlet>::default();
        let long: Arc<str> = "x".repeat(MOST_BYTES).into();
        assert!(outlet.put(Arc::clone(&long)));
        // Full, and then closed.
        let put: fn(&Outlet) -> bool = |outlet| outlet.put("more".into());
        assert!(!waits(&outlet, put, Outlet::close));
        assert!(outlet.offer("more".into()) && !outlet.put("more".into()));
        assert_eq!((outlet.take(), outlet.take()), (Some(long), None));
    }
}

//! Work on many pieces at once whose results are wanted in order.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Takes pieces from `next` until there is none, has `work` done on them by as many threads as there are processors, and gives the
/// results to `take` in the order of the pieces. `next` and `take` run on this thread.
///
/// # Errors
/// What `next` or `take` report; work that has begun is finished, nothing else is started. A thread that ends by a fault is
/// an error.
pub fn ordered<T: Send, R: Send>(
    mut next: impl FnMut() -> io::Result<Option<T>>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> io::Result<()>,
) -> io::Result<()> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (jobs, todo) = channel::<(u64, T)>();
    let todo = Mutex::new(todo);
    let (done, results) = channel::<(u64, Option<R>)>();
    thread::scope(|scope| {
        // Gone when this ends, however it ends: that is what ends the threads.
        let jobs = jobs;
        for _ in 0..workers {
            let done = done.clone();
            let (todo, work) = (&todo, &work);
            scope.spawn(move || {
                loop {
                    let job = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, piece)) = job else { return };
                    // A piece without a result would be waited for without end.
                    let result = catch_unwind(AssertUnwindSafe(|| work(piece))).ok();
                    if done.send((number, result)).is_err() {
                        return;
                    }
                }
            });
        }
        let (mut given, mut taken, mut more) = (0, 0, true);
        let mut waiting = BTreeMap::new();
        loop {
            while more && given - taken < workers as u64 * 4 {
                match next()? {
                    Some(piece) => {
                        jobs.send((given, piece)).map_err(|_| fault())?;
                        given += 1;
                    }
                    None => more = false,
                }
            }
            if given == taken {
                return Ok(());
            }
            let (number, result) = results.recv().map_err(|_| fault())?;
            waiting.insert(number, result.ok_or_else(fault)?);
            while let Some(result) = waiting.remove(&taken) {
                take(result)?;
                taken += 1;
            }
        }
    })
}

/// A thread has panicked.
pub fn fault() -> io::Error {
    io::Error::other("a thread ended by a fault of Spindle's own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_errors_end_it() {
        let numbers = |last| {
            let mut numbers = 0..last;
            move || Ok(numbers.next())
        };
        let mut taken = Vec::new();
        ordered(
            numbers(1000),
            |n: u32| n * 2,
            |n| {
                taken.push(n);
                Ok(())
            },
        )
        .unwrap();
        assert!(taken.iter().copied().eq((0..1000).map(|n| n * 2)));

        let error = ordered(numbers(1000), |n| n, |n| if n < 10 { Ok(()) } else { Err(io::Error::other("full")) });
        assert_eq!(error.unwrap_err().to_string(), "full");
        let mut left = 5;
        let failing = || {
            left -= 1;
            if left > 0 { Ok(Some(left)) } else { Err(io::Error::other("scratched")) }
        };
        assert_eq!(ordered(failing, |n| n, |_| Ok(())).unwrap_err().to_string(), "scratched");
    }
}

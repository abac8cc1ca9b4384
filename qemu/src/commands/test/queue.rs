//! Which guest runs next, and how many run at the same time: one for each processor, because an emulated guest keeps one busy, as
//! long as there is enough memory.

use std::{
    collections::VecDeque,
    fs,
    num::NonZero,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Context, Result};

/// What all guests together may use.
pub(super) struct Room {
    pub(super) guests: NonZero<usize>,
    /// MiB.
    pub(super) memory: u64,
}

impl Room {
    /// This many guests, or one for each processor.
    pub(super) fn find(guests: Option<NonZero<usize>>) -> Result<Self> {
        let guests = match guests {
            Some(guests) => guests,
            None => thread::available_parallelism().context("count the processors")?,
        };
        let table = fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
        let available = available(&table).context("/proc/meminfo has no MemAvailable")?;
        Ok(Self {
            guests,
            memory: available >> 10,
        })
    }
}

/// KiB.
fn available(table: &str) -> Option<u64> {
    let row = |line: &str| {
        line.strip_prefix("MemAvailable:")?
            .strip_suffix("kB")?
            .trim()
            .parse()
            .ok()
    };
    table.lines().find_map(row)
}

struct State<J> {
    /// Each with its memory.
    waiting: VecDeque<(u64, J)>,
    running: usize,
    free: u64,
}

impl<J> State<J> {
    /// The first for which there is room; if none runs, the first of all.
    fn next(&self) -> Option<usize> {
        let fits = |(memory, _): &(u64, J)| *memory <= self.free;
        let first = (self.running == 0 && !self.waiting.is_empty()).then_some(0);
        self.waiting.iter().position(fits).or(first)
    }
}

/// Does all jobs, in their order as far as there is room; each comes with the memory that it needs (MiB). The results are in the
/// order in which the jobs ended.
pub(super) fn empty<J: Send, R: Send>(
    jobs: impl IntoIterator<Item = (u64, J)>,
    room: &Room,
    work: impl Fn(J) -> R + Sync,
) -> Vec<R> {
    let state = Mutex::new(State {
        waiting: jobs.into_iter().collect(),
        running: 0,
        free: room.memory,
    });
    let changed = Condvar::new();
    let results = Mutex::new(Vec::new());
    let next = || {
        let stuck = |state: &mut State<J>| !state.waiting.is_empty() && state.next().is_none();
        let waited = changed.wait_while(lock(&state), stuck);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let (memory, job) = state.next().and_then(|at| state.waiting.remove(at))?;
        let taken = memory.min(state.free);
        state.free -= taken;
        state.running += 1;
        Some((taken, job))
    };
    let end = |taken: u64| {
        let mut state = lock(&state);
        state.free += taken;
        state.running -= 1;
        changed.notify_all();
    };
    thread::scope(|scope| {
        for _ in 0..room.guests.get() {
            scope.spawn(|| {
                while let Some((taken, job)) = next() {
                    let result = work(job);
                    lock(&results).push(result);
                    end(taken);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    use super::*;

    fn room(guests: usize, memory: u64) -> Room {
        let guests = NonZero::new(guests).unwrap();
        Room { guests, memory }
    }

    #[test]
    fn the_available_memory_is_read() {
        let table = "MemTotal:       24582196 kB\nMemAvailable:   19071232 kB\n";
        assert_eq!(available(table), Some(19_071_232));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn one_at_a_time_they_keep_their_order() {
        let jobs = (1..=5).map(|number| (1, number));
        assert_eq!(empty(jobs, &room(1, 9), |job| job), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn together_they_take_no_more_memory_than_there_is() {
        let used = AtomicU64::new(0);
        let jobs = [3, 3, 2, 1, 2, 3, 1].map(|memory| (memory, memory));
        let work = |memory| {
            let together = used.fetch_add(memory, Ordering::SeqCst) + memory;
            thread::sleep(Duration::from_millis(5));
            used.fetch_sub(memory, Ordering::SeqCst);
            together
        };
        let together = empty(jobs, &room(7, 4), work);
        assert_eq!(together.len(), jobs.len());
        assert!(together.iter().all(|used| *used <= 4), "{together:?}");
        assert!(together.contains(&4), "{together:?}");
    }

    #[test]
    fn a_guest_for_which_there_is_never_room_runs_alone() {
        let running = AtomicU64::new(0);
        let work = |memory| {
            let others = running.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
            running.fetch_sub(1, Ordering::SeqCst);
            (memory, others)
        };
        let jobs = [9, 1, 1, 9].map(|memory| (memory, memory));
        let ended = empty(jobs, &room(3, 4), work);
        assert_eq!(ended.iter().filter(|one| one.0 == 9).count(), 2);
        let alone = |(memory, others): &(u64, u64)| *memory < 9 || *others == 0;
        assert!(ended.iter().all(alone), "{ended:?}");
    }
}

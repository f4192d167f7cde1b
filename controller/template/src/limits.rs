//! What one render may cost, and the account that every function charges before it works.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::run::Failure;

/// What one render may cost. The defaults are far above what a Secret, one megabyte at most, needs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest result, in bytes.
    pub output_bytes: usize,
    /// What all functions together may make, in bytes, counted when made and never given back.
    pub made_bytes: usize,
    /// Steps: nodes run, list items visited, and a share of every long text read.
    pub steps: u64,
    /// How many slow functions may run: key generation, bcrypt, scrypt.
    pub slow_calls: u32,
    /// How long it may take. Looked at between steps: one slow function can overrun it.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A Secret holds 1 MiB after decoding, so 1.4 MiB in base64.
            output_bytes: 2 << 20,
            // A tenth of what the controller may use in all.
            made_bytes: 32 << 20,
            steps: 1_000_000,
            // An htpasswd file of this many users; each call is between 5 ms and 3 s.
            slow_calls: 64,
            time: Duration::from_secs(5),
        }
    }
}

/// The limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Exceeded {
    /// The result is too long.
    #[error("the result is longer than {0} bytes")]
    Output(usize),
    /// The source is too long.
    #[error("the source is longer than {0} bytes")]
    Source(usize),
    /// The functions made too much.
    #[error("its functions make more than {0} bytes")]
    Made(usize),
    /// Too many steps.
    #[error("it needs more than {0} steps")]
    Steps(u64),
    /// Too many slow functions.
    #[error("it calls slow functions (keys, certificates, password hashes) more than {0} times")]
    SlowCalls(u32),
    /// Too much time.
    #[error("it takes longer than {} ms", .0.as_millis())]
    Time(Duration),
    /// Blocks, parentheses or templates inside each other.
    #[error("it is nested deeper than {0} levels")]
    Depth(usize),
}

/// The account of one render.
pub(crate) struct Budget {
    limits: Limits,
    made: Cell<usize>,
    steps: Cell<u64>,
    slow_calls: Cell<u32>,
    started: Instant,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            made: Cell::new(0),
            steps: Cell::new(0),
            slow_calls: Cell::new(0),
            started: Instant::now(),
        }
    }

    pub(crate) fn output_bytes(&self) -> usize {
        self.limits.output_bytes
    }

    /// Charges work. The clock is read every [`STEPS_PER_LOOK`] steps.
    pub(crate) fn step(&self, count: u64) -> Result<(), Failure> {
        let before = self.steps.get();
        let now = before.saturating_add(count);
        self.steps.set(now);
        if now > self.limits.steps {
            return Err(Exceeded::Steps(self.limits.steps).into());
        }
        if before / STEPS_PER_LOOK != now / STEPS_PER_LOOK {
            self.look_at_clock()?;
        }
        Ok(())
    }

    /// Charges memory that is about to be taken.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<(), Failure> {
        let made = self.made.get().saturating_add(bytes);
        if made > self.limits.made_bytes {
            return Err(Exceeded::Made(self.limits.made_bytes).into());
        }
        self.made.set(made);
        self.step(1 + bytes as u64 / BYTES_PER_STEP)
    }

    /// Charges `count` things of `bytes` each.
    pub(crate) fn allocate_many(&self, count: usize, bytes: usize) -> Result<(), Failure> {
        self.allocate(count.saturating_mul(bytes))
    }

    /// Charges one call of a function that takes long by its nature.
    pub(crate) fn slow_call(&self) -> Result<(), Failure> {
        let calls = self.slow_calls.get() + 1;
        if calls > self.limits.slow_calls {
            return Err(Exceeded::SlowCalls(self.limits.slow_calls).into());
        }
        self.slow_calls.set(calls);
        self.look_at_clock()
    }

    fn look_at_clock(&self) -> Result<(), Failure> {
        if self.started.elapsed() > self.limits.time {
            return Err(Exceeded::Time(self.limits.time).into());
        }
        Ok(())
    }
}

/// A clock reading costs about as much as this many steps.
const STEPS_PER_LOOK: u64 = 256;

/// Copying this much takes about as long as one step.
const BYTES_PER_STEP: u64 = 1024;

//! The time of a run, and the clocks of its devices, which need not agree with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use morango::port::Clock;

/// The time of a run: it goes when somebody moves it. Its copies are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time(Arc<AtomicU64>);

impl Time {
    /// Lets time pass.
    pub(crate) fn pass(&self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).expect("a run lasts less than millions of years");
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// How much has passed since the run began.
    pub(crate) fn passed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The clock of a device. Its copies are one.
#[derive(Debug, Clone)]
pub(crate) struct NodeClock {
    time: Time,
    wrong_by_seconds: Arc<AtomicI64>,
    /// By how many thousandths it goes too fast.
    drift: i32,
}

impl NodeClock {
    /// A clock that drifts.
    pub(crate) fn new(time: Time, drift: i32) -> Self {
        Self { time, wrong_by_seconds: Arc::default(), drift }
    }

    /// Somebody sets it, forward or back.
    pub(crate) fn set_by(&self, seconds: i64) {
        self.wrong_by_seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Somebody sets it right.
    pub(crate) fn set_right(&self) {
        self.wrong_by_seconds.store(0, Ordering::SeqCst);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> DateTime<Utc> {
        const BEGAN_SECONDS: i64 = 1_700_000_000;
        let passed = i64::try_from(self.time.passed().as_millis()).expect("a run lasts less than millions of years");
        let drifted = passed + passed / 1_000 * i64::from(self.drift);
        let wrong_by = self.wrong_by_seconds.load(Ordering::SeqCst);
        let began = DateTime::from_timestamp(BEGAN_SECONDS, 0).expect("a time");
        began + TimeDelta::milliseconds(drifted) + TimeDelta::seconds(wrong_by)
    }

    fn elapsed(&self) -> Duration {
        self.time.passed()
    }

    fn pause(&self, duration: Duration) {
        self.time.pass(duration.max(Duration::from_millis(1)));
    }
}

//! A failing plan becomes a short one: steps, and what goes wrong in them, are taken out as long as it goes on to fail.

use std::time::{Duration, Instant};

use crate::plan::{Act, Plan, Step};
use crate::world::Failure;

/// Takes out of a failing plan what it can do without, as long as there is time. Each of its tries is a run of its own.
pub fn shrink(plan: &Plan, failure: Failure, patience: Duration) -> (Plan, Failure) {
    let mut shrinking = Shrinking { plan: plan.clone(), failure, until: Instant::now() + patience };
    shrinking.cut_the_end();
    let mut size = shrinking.plan.steps.len().div_ceil(2);
    loop {
        let before = shrinking.plan.clone();
        shrinking.take_out_steps(size);
        if size > 1 {
            size = size.div_ceil(2);
            continue;
        }
        shrinking.take_out_parts();
        if shrinking.plan == before || shrinking.is_out_of_time() {
            return (shrinking.plan, shrinking.failure);
        }
    }
}

struct Shrinking {
    plan: Plan,
    failure: Failure,
    until: Instant,
}

impl Shrinking {
    fn is_out_of_time(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Keeps a smaller plan if it fails too.
    fn try_with(&mut self, steps: Vec<Step>) -> bool {
        if self.is_out_of_time() {
            return false;
        }
        let plan = Plan { steps, ..self.plan };
        match plan.run().failure {
            Some(failure) => {
                self.plan = plan;
                self.failure = failure;
                self.cut_the_end();
                true
            }
            None => false,
        }
    }

    /// What comes after the failure plays no part in it.
    fn cut_the_end(&mut self) {
        let last = self.failure.step;
        self.plan.steps.retain(|step| step.number <= last);
    }

    fn take_out_steps(&mut self, size: usize) {
        let mut end = self.plan.steps.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let mut steps = self.plan.steps.clone();
            steps.drain(start..end.min(steps.len()));
            if !steps.is_empty() {
                self.try_with(steps);
            }
            end = start.min(self.plan.steps.len());
        }
    }

    /// Takes single mishaps out of steps.
    fn take_out_parts(&mut self) {
        let mut place = 0;
        while place < self.plan.steps.len() {
            for part in 0..4 {
                let mut number = 0;
                while let Some(steps) = without_part(&self.plan.steps, place, part, number) {
                    if !self.try_with(steps) {
                        number += 1;
                    }
                }
            }
            place += 1;
        }
    }
}

/// The steps without one of the mishaps of a step, if there are so many.
fn without_part(steps: &[Step], place: usize, part: usize, number: usize) -> Option<Vec<Step>> {
    let mut steps = steps.to_vec();
    let is_taken = match (&mut steps.get_mut(place)?.act, part) {
        (Act::Sync(sync), 0) => take(&mut sync.line, number),
        (Act::Sync(sync), 1) => take(&mut sync.storage, number),
        (Act::Sync(sync), 2) => take(&mut sync.verbs, number),
        (Act::Sync(sync), _) => take(&mut sync.meanwhile, number),
        (Act::Apart { blows, .. } | Act::Resolve { blows, .. } | Act::Restart { blows, .. }, 0) => take(blows, number),
        _ => false,
    };
    is_taken.then_some(steps)
}

/// Takes one out, if there are so many.
fn take<T>(parts: &mut Vec<T>, number: usize) -> bool {
    let is_there = number < parts.len();
    if is_there {
        parts.remove(number);
    }
    is_there
}

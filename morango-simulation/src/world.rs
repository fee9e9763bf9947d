//! The world of a run: its devices, its time, the book of what was committed, and what is still under way.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use morango::id::{SeededIds, SyncId};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::checks::Memory;
use crate::clock::Time;
use crate::dice::Dice;
use crate::faults::Power;
use crate::ledger::Ledger;
use crate::line::Late;
use crate::node::{Character, Node};
use crate::plan::{Act, Deed, Edit, Kind, Plan, Step};
use crate::report::Report;
use crate::work;

/// What went wrong in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// After which step, by its number.
    pub step: u32,
    /// What is wrong.
    pub message: String,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What happened, a line a step: the same plan gives the same log.
    pub log: String,
    /// How often each thing happened.
    pub report: Report,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
}

/// Learners who have devices.
const LEARNERS: usize = 2;

/// The device that sees everything, and that learners' devices meet.
pub(crate) const HOME: usize = 0;

/// Steps that a request may be under way after the sync that made it.
const LATE_STEPS: u32 = 3;

/// Everything.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) time: Time,
    pub(crate) report: Report,
    pub(crate) memory: Memory,
    pub(crate) log: String,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    late: Vec<(u32, Arc<Power>, Late)>,
    seed: u64,
    // The ids go last: devices draw some while they are made and used.
    ids: SeededIds,
    folder: TempDir,
}

impl Plan {
    /// Lives through the plan.
    pub fn run(&self) -> Run {
        self.run_while(&|| true).expect("nobody ends it")
    }

    /// Lives through the plan, as long as it is to go on: `None` where it is ended before its end.
    pub fn run_while(&self, goes_on: &dyn Fn() -> bool) -> Option<Run> {
        let begun = catch_unwind(AssertUnwindSafe(|| World::new(self.seed, self.nodes)));
        let mut world = match begun {
            Ok(world) => world,
            Err(panic) => {
                let message = format!("a panic before the first step: {}", text_of_panic(&*panic));
                let failure = Some(Failure { step: 0, message });
                return Some(Run { log: String::new(), report: Report::default(), failure });
            }
        };
        let mut failure = None;
        for step in &self.steps {
            if !goes_on() {
                return None;
            }
            let lived = catch_unwind(AssertUnwindSafe(|| world.live(step)));
            let lived = lived.unwrap_or_else(|panic| Err(format!("a panic: {}", text_of_panic(&*panic))));
            if let Err(message) = lived {
                world.note(step, &format!("it fails: {message}"));
                failure = Some(Failure { step: step.number, message });
                break;
            }
        }
        Some(Run { log: std::mem::take(&mut world.log), report: std::mem::take(&mut world.report), failure })
    }
}

fn text_of_panic(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

/// Where the devices' files are: in memory, where the system has such a place.
fn folder() -> TempDir {
    let in_memory = PathBuf::from("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("morango-simulation-");
        builder
    };
    let made = if in_memory.is_dir() { builder().tempdir_in(in_memory) } else { builder().tempdir() };
    made.expect("a folder for the devices")
}

impl World {
    pub(crate) fn new(seed: u64, nodes: usize) -> Self {
        let ids = SeededIds::begin(Dice::seed_of(seed, "world", 0));
        let (folder, time) = (folder(), Time::default());
        let ledger = Arc::new(Mutex::new(Ledger::new(nodes)));
        let first = Node::new(Character::draw(seed, 0, &[SyncId::unset()]), folder.path(), &time);
        first.make_dataset();
        let mut world = Self {
            nodes: vec![first],
            time,
            report: Report::default(),
            memory: Memory::new(nodes),
            log: String::new(),
            ledger,
            late: Vec::new(),
            seed,
            ids,
            folder,
        };
        world.make_school();
        let learners: Vec<SyncId> = (0..LEARNERS).filter_map(|slot| world.learner(slot)).collect();
        for number in 1..nodes {
            let character = Character::draw(seed, number, &learners);
            let node = Node::new(character, world.folder.path(), &world.time);
            world.nodes.push(node);
        }
        world
    }

    /// What the school has from the beginning: a facility, and its learners.
    fn make_school(&mut self) {
        let slots = [(Kind::Facility, 0), (Kind::User, 0), (Kind::User, 1)];
        for (kind, slot) in slots {
            let edit = Edit { node: 0, kind, slot, deed: Deed::Save, dice: u64::from(slot) };
            self.edit(&edit).expect("the school's first rows are made");
        }
    }

    fn learner(&self, slot: usize) -> Option<SyncId> {
        self.ledger().record_of(Kind::User, u8::try_from(slot).ok()?)
    }

    /// The book.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The book for somebody who writes in it while devices sync.
    pub(crate) fn shared_ledger(&self) -> Arc<Mutex<Ledger>> {
        Arc::clone(&self.ledger)
    }

    /// Lives through one step.
    pub(crate) fn live(&mut self, step: &Step) -> Result<(), String> {
        self.ids.reseed(Dice::seed_of(self.seed, "step", step.number.into()));
        self.time.pass(Duration::from_secs(1));
        self.deliver_late(step.number)?;
        let told = match &step.act {
            Act::Edit(edit) => self.edit(edit)?,
            Act::Sync(sync) => self.sync(step.number, sync)?,
            Act::Apart { node, is_serializing, blows } => self.apart(*node, *is_serializing, blows)?,
            Act::Resolve { node, choice, blows } => self.resolve(*node, *choice, blows)?,
            Act::Pause { seconds } => {
                self.report.add("a pause");
                self.time.pass(Duration::from_secs((*seconds).into()));
                String::new()
            }
            Act::SetClock { node, seconds } => {
                self.report.add(if *seconds < 0 { "a clock set back" } else { "a clock set forward" });
                self.nodes[*node].clock.set_by((*seconds).into());
                String::new()
            }
            Act::Restart { node, has_card, blows } => {
                if std::mem::replace(&mut self.nodes[*node].has_card, *has_card) != *has_card {
                    self.memory.let_be_another(*node);
                }
                let struck = self.nodes[*node].start_in_vain(blows);
                self.report.add_many("an engine whose building a storage ends", struck.len() as u64);
                if self.nodes[*node].restart() {
                    self.report.add("a device that is another instance with a network card, or without it");
                }
                self.look_at(*node)?
            }
            Act::BackUp { node } => {
                self.report.add("a backup put aside");
                self.nodes[*node].back_up();
                String::new()
            }
            Act::Restore { node, manner } => self.restore(*node, *manner)?,
            Act::Copy { from, to } => self.copy(*from, *to)?,
            Act::Rest => self.rest()?,
        };
        self.note(step, &told);
        Ok(())
    }

    fn note(&mut self, step: &Step, told: &str) {
        writeln!(self.log, "{} {:?}: {told}", step.number, step.act).expect("it is written in memory");
    }

    fn edit(&mut self, edit: &Edit) -> Result<String, String> {
        let node = &self.nodes[edit.node];
        let outcome = work::edit(&node.worker, &mut node.desk(), &mut self.ledger(), edit);
        let outcome = outcome.map_err(|error| format!("the application cannot edit: {}", error.report()))?;
        let told = format!("{outcome:?}");
        self.report.add(format!("edit: {told}"));
        Ok(told)
    }

    /// A request comes when nobody waits for its answer any more.
    fn deliver_late(&mut self, step: u32) -> Result<(), String> {
        let (due, waiting) = std::mem::take(&mut self.late).into_iter().partition(|(at, ..)| *at <= step);
        self.late = waiting;
        let due: Vec<(u32, Arc<Power>, Late)> = due;
        for (_, power, late) in due {
            // Whoever was switched off since never gets it.
            let node = self.nodes.iter().position(|node| Arc::ptr_eq(&node.power, &power) && !power.is_off());
            if let Some(node) = node {
                late();
                self.report.add("a request that came after its sync");
                self.look_at(node)?;
            }
        }
        Ok(())
    }

    /// Requests of a sync are still under way.
    pub(crate) fn keep_late(&mut self, step: u32, server: usize, late: Vec<Late>) {
        let power = Arc::clone(&self.nodes[server].power);
        self.late.extend(late.into_iter().map(|late| (step + LATE_STEPS, Arc::clone(&power), late)));
    }

    /// Everything under way comes.
    pub(crate) fn deliver_all(&mut self) -> Result<(), String> {
        self.deliver_late(u32::MAX)
    }
}

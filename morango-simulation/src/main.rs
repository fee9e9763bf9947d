//! `simulate`: runs plans of one seed after the other, on several processes, and tells what happened in them.
#![expect(clippy::print_stdout, reason = "a command line program speaks on its standard output")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use morango_simulation::{Failure, Plan, Report, shrink};
use serde::{Deserialize, Serialize};

const HELP: &str = "\
simulate [--seed S] [--steps N] [--nodes K] [--hours H] [--minutes M] [--jobs J] [--keep FOLDER]
                     runs plans of the seeds S, S+1, … until N steps are done, or so long; fresh seeds where none is named
simulate --plan FILE runs one kept plan and shows its log
simulate --log [--seed S] [--steps N] [--nodes K]
                     runs the plan of one seed and shows its log";

/// Steps of one plan: longer runs are several of them, each in a world of its own.
const PLAN_STEPS: u64 = 2_000;

/// How long no plan takes, be the machine ever so busy.
const PLAN_TIME_MAX: Duration = Duration::from_secs(20 * 60);

/// How often it is looked whether a process hangs.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a process may take to clear up.
const CLEARING_UP_MAX: Duration = Duration::from_secs(20);

/// How long a failing plan is shrunk.
const SHRINKING: Duration = Duration::from_secs(10 * 60);

/// What is to be run.
#[derive(Debug, Clone)]
struct Order {
    seed: u64,
    steps: u64,
    nodes: usize,
    time: Option<Duration>,
    jobs: u64,
    keep: PathBuf,
}

/// What a process tells of a plan.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// It begins.
    Begun {
        /// Its seed.
        seed: u64,
        /// Its steps.
        steps: u64,
    },
    /// It came to an end.
    Done(Done),
}

/// What came of one plan.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    seed: u64,
    steps: u64,
    report: Report,
    failure: Option<Failure>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        ["--plan", file] => read_plan(Path::new(file)).and_then(|plan| show(&plan)),
        ["--log", options @ ..] => {
            Order::read(options).and_then(|order| show(&Plan::draw(order.seed, small(order.steps), order.nodes)))
        }
        ["--worker", options @ ..] => Order::read(options).and_then(|order| work(&order)),
        options => Order::read(options).and_then(|order| lead(&order)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("simulate: {message}");
            ExitCode::FAILURE
        }
    }
}

fn small(steps: u64) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

impl Order {
    fn read(words: &[&str]) -> Result<Self, String> {
        let fresh = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() << 20);
        let jobs = std::thread::available_parallelism().map_or(1, |jobs| jobs.get() as u64);
        let keep = PathBuf::from("morango-simulation/tests/regressions");
        let mut order = Self { seed: fresh, steps: 20_000, nodes: 6, time: None, jobs, keep };
        for pair in words.chunks(2) {
            let [name, value] = pair else { return Err(format!("{pair:?} has no value\n{HELP}")) };
            let number = || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
            match *name {
                "--seed" => order.seed = number()?,
                "--steps" => order.steps = number()?,
                "--nodes" => order.nodes = usize::try_from(number()?).map_err(|error| error.to_string())?.max(2),
                "--hours" => (order.time, order.steps) = (Some(Duration::from_secs(number()? * 3_600)), u64::MAX),
                "--minutes" => (order.time, order.steps) = (Some(Duration::from_secs(number()? * 60)), u64::MAX),
                "--jobs" => order.jobs = number()?.max(1),
                "--keep" => order.keep = PathBuf::from(value),
                _ => return Err(format!("{name} is not known\n{HELP}")),
            }
        }
        Ok(order)
    }
}

fn read_plan(path: &Path) -> Result<Plan, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("failed to read {}: {error}", path.display()))
}

/// Runs one plan and shows its log.
fn show(plan: &Plan) -> Result<(), String> {
    let run = plan.run();
    print!("{}\n{}", run.log, run.report);
    run.failure.map_or(Ok(()), |failure| Err(format!("after step {}: {}", failure.step, failure.message)))
}

/// Runs every so many-th plan and tells of each in a line, until all are run or whoever started this process closes its input: it clears
/// up then, wherever it is.
fn work(order: &Order) -> Result<(), String> {
    let is_over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_over);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        told.store(true, Ordering::SeqCst);
    });
    let mut seed = order.seed;
    let mut left = order.steps;
    while left > 0 {
        let steps = left.min(PLAN_STEPS);
        left -= steps;
        let plan = Plan::draw(seed, small(steps), order.nodes);
        // Whoever reads has enough where it cannot be told.
        if !tell(&Told::Begun { seed, steps })? {
            return Ok(());
        }
        let Some(run) = plan.run_while(&|| !is_over.load(Ordering::SeqCst)) else { return Ok(()) };
        if !tell(&Told::Done(Done { seed, steps, report: run.report, failure: run.failure }))? {
            return Ok(());
        }
        seed += order.jobs;
    }
    Ok(())
}

/// Tells in a line. Says whether anybody reads it.
fn tell(told: &Told) -> Result<bool, String> {
    let line = serde_json::to_string(told).map_err(|error| error.to_string())?;
    Ok(writeln!(std::io::stdout().lock(), "{line}").is_ok())
}

/// The processes that run plans, and what they tell.
struct Workers {
    children: Vec<Child>,
    told: Receiver<Told>,
}

impl Workers {
    fn start(order: &Order) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let (sender, told) = channel();
        let mut children = Vec::new();
        for job in 0..order.jobs {
            let steps = if order.steps == u64::MAX { u64::MAX } else { share(order.steps, job, order.jobs) };
            let numbers = [order.seed + job, steps, order.nodes as u64, order.jobs];
            let mut command = Command::new(&program);
            command.arg("--worker");
            for (name, number) in ["--seed", "--steps", "--nodes", "--jobs"].iter().zip(numbers) {
                command.args([*name, &number.to_string()]);
            }
            let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
            let mut child = started.map_err(|error| format!("failed to start a worker: {error}"))?;
            let output = child.stdout.take().expect("it is piped");
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let Ok(told) = serde_json::from_str(&line) else { continue };
                    if sender.send(told).is_err() {
                        break;
                    }
                }
            });
            children.push(child);
        }
        Ok(Self { children, told })
    }
}

/// How many of the steps a process does: whole plans, so that the same plans are run however many processes there are.
fn share(steps: u64, job: u64, jobs: u64) -> u64 {
    let plans = steps.div_ceil(PLAN_STEPS);
    let own = plans / jobs + u64::from(job < plans % jobs);
    let has_last = plans > 0 && job == (plans - 1) % jobs;
    own * PLAN_STEPS - if has_last { plans * PLAN_STEPS - steps } else { 0 }
}

impl Workers {
    /// The number of a process that broke down.
    fn broken(&mut self) -> Option<usize> {
        let is_broken = |child: &mut Child| child.try_wait().is_ok_and(|ended| ended.is_some_and(|how| !how.success()));
        self.children.iter_mut().position(is_broken)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        let told = Instant::now();
        for child in &mut self.children {
            while child.try_wait().is_ok_and(|ended| ended.is_none()) && told.elapsed() < CLEARING_UP_MAX {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs plans on all processes, and tells what happened.
fn lead(order: &Order) -> Result<(), String> {
    println!("seed {}, {} devices, {} processes", order.seed, order.nodes, order.jobs);
    let began = Instant::now();
    let (mut report, mut steps, mut plans) = (Report::default(), 0, 0_u64);
    let mut workers = Workers::start(order)?;
    let jobs = usize::try_from(order.jobs).map_err(|error| error.to_string())?;
    // The plan at which each process is, by its seed and steps, and when that was told.
    let mut at_work = vec![(None, began); jobs];
    loop {
        let left = order.time.map(|time| time.saturating_sub(began.elapsed()));
        let told = match workers.told.recv_timeout(left.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)) {
            Ok(told) => told,
            Err(ended) => {
                if let Some((seed, steps)) = workers.broken().and_then(|job| at_work[job].0) {
                    return Err(keep_unended(order, (seed, steps), "ended its process"));
                }
                let mut late = at_work.iter().filter(|(_, since)| since.elapsed() > PLAN_TIME_MAX);
                if let Some((seed, steps)) = late.find_map(|(plan, _)| *plan) {
                    return Err(keep_unended(order, (seed, steps), "does not come to an end"));
                }
                match ended {
                    RecvTimeoutError::Timeout if left.is_some_and(|left| left.is_zero()) => break,
                    RecvTimeoutError::Timeout => continue,
                    // All have ended: in a run of so many steps, because they are done.
                    RecvTimeoutError::Disconnected if steps == order.steps => break,
                    RecvTimeoutError::Disconnected => return Err(format!("the processes ended after {steps} steps")),
                }
            }
        };
        let (Told::Begun { seed, .. } | Told::Done(Done { seed, .. })) = &told;
        let place = usize::try_from((*seed - order.seed) % order.jobs).unwrap_or(0);
        let done = match told {
            Told::Begun { seed, steps } => {
                at_work[place] = (Some((seed, steps)), Instant::now());
                continue;
            }
            Told::Done(done) => done,
        };
        at_work[place] = (None, Instant::now());
        steps += done.steps;
        plans += 1;
        report.merge(&done.report);
        if let Some(failure) = done.failure.clone() {
            drop(workers);
            println!("{report}");
            return Err(fail(order, &done, failure));
        }
        if plans % 20 == 0 {
            println!("{steps} steps, {:.0} a second", rate(steps, began));
        }
    }
    drop(workers);
    println!("{report}");
    println!(
        "simulated {steps} steps in {plans} plans from seed {} on: {:.0} steps a second",
        order.seed,
        rate(steps, began)
    );
    let missing = report.missing(steps);
    if !missing.is_empty() {
        return Err(format!("these never happened, so nothing is known of them: {}", missing.join("; ")));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "it is told in whole steps")]
fn rate(steps: u64, began: Instant) -> f64 {
    steps as f64 / began.elapsed().as_secs_f64().max(0.001)
}

/// Keeps a plan of which nobody can tell what came of it, as it was drawn.
fn keep_unended(order: &Order, (seed, steps): (u64, u64), what: &str) -> String {
    let kept = keep(order, &Plan::draw(seed, small(steps), order.nodes));
    format!("the plan of seed {seed} {what}, {kept}")
}

/// Keeps a plan in a file, and says where.
fn keep(order: &Order, plan: &Plan) -> String {
    let path = order.keep.join(format!("seed_{}.json", plan.seed));
    let text = serde_json::to_string_pretty(plan).unwrap_or_default() + "\n";
    let kept = std::fs::create_dir_all(&order.keep).and_then(|()| std::fs::write(&path, text));
    kept.map_or_else(|error| format!("not kept: {error}"), |()| format!("kept as {}", path.display()))
}

/// Shrinks a failing plan, and keeps what is left of it.
fn fail(order: &Order, done: &Done, failure: Failure) -> String {
    println!("the plan of seed {} fails after step {}: {}", done.seed, failure.step, failure.message);
    println!("shrinking it, for up to {} minutes", SHRINKING.as_secs() / 60);
    let plan = Plan::draw(done.seed, small(done.steps), order.nodes);
    let (plan, failure) = shrink(&plan, failure, SHRINKING);
    let kept = keep(order, &plan);
    format!("seed {}, {} steps, {kept}: {}", done.seed, plan.steps.len(), failure.message)
}

//! What the journey shows: steps, a progress bar for each meeting, and a table of what every device holds.
//!
//! Where the output is no terminal, a bar is a plain line when it is done.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use morango::hook::{Event, Phase};
use morango::prelude::*;

use crate::Outcome;
use crate::check::{self, Holding};
use crate::device::Device;

/// A new part of the story.
pub(crate) fn step(text: &str) {
    println!("\n{text}");
}

/// Something that happened in it.
pub(crate) fn line(text: &str) {
    println!("  {text}");
}

/// The progress of one meeting.
#[derive(Clone)]
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    title: String,
}

impl Bar {
    pub(crate) fn new(title: &str) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let style = ProgressStyle::with_template("  {prefix} {bar:30} {pos}/{len} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style).with_prefix(title.to_owned())
        });
        Self { bar, title: title.to_owned() }
    }

    /// Follows the events of a sync.
    pub(crate) fn watch(&self, event: &Event) {
        let Some(bar) = &self.bar else { return };
        if let Event::Stage { direction, stage, phase, .. } = event {
            bar.set_message(format!("{direction}: {stage}"));
            if let Phase::InProgress(progress) = phase {
                bar.set_length(progress.total.unwrap_or(progress.done));
                bar.set_position(progress.done);
            }
        }
    }

    /// Ends with a line.
    pub(crate) fn finish(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        line(&format!("{}: {text}", self.title));
    }
}

/// A sync in a line.
pub(crate) fn summary(report: &SyncReport) -> String {
    let part = |name: &str, transfer: Option<&TransferReport>| {
        transfer.map(|transfer| {
            let conflicts = transfer.conflicts();
            let noted = if conflicts == 0 { String::new() } else { format!(", {conflicts} conflict(s) kept") };
            format!("{name} {} records{noted}", transfer.records_transferred)
        })
    };
    let parts: Vec<String> =
        [part("pulled", report.pull.as_ref()), part("pushed", report.push.as_ref())].into_iter().flatten().collect();
    parts.join(", ")
}

/// A table of what every device holds.
pub(crate) fn table(devices: &[&Device]) -> Outcome {
    let holdings = devices.iter().map(|device| check::holding(device)).collect::<Outcome<Vec<Holding>>>()?;
    println!();
    print!("  {:<10}", "");
    for (model, _) in &holdings[0].rows {
        print!("{model:>11}");
    }
    println!("{:>9}{:>10}{:>9}", "records", "conflicts", "waiting");
    for (device, holding) in devices.iter().zip(&holdings) {
        print!("  {:<10}", device.name);
        for (_, count) in &holding.rows {
            print!("{count:>11}");
        }
        println!("{:>9}{:>10}{:>9}", holding.records, holding.conflicts, holding.waiting);
    }
    Ok(())
}

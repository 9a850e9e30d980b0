//! `repono diagnose`: from logs to findings.

mod growing;

use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result};
use repono_diagnose::adapter::Format;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::finding::Finding;
use repono_diagnose::report;
use tokio::signal::unix::{SignalKind, signal};

use crate::output::{Form, print, say, usage};

use growing::Growing;

/// Read at a time: a gigabyte is some four thousand reads.
const READ_BYTES: usize = 256 << 10;

/// Something was found.
const EXIT_FOUND: u8 = 1;

/// Options of `repono diagnose`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Reads System.Net traces (.NET Framework), whatever their encoding and whatever a shipper of logs put \
                  before each line; the journals of this system, joined by connection; what curl tells (-v, --trace, \
                  -w '%{json}'); logs of HAProxy, Envoy and nginx; HAR files; captures of packets (pcap, pcapng). gzip and \
                  zstd are unpacked. Exits with 0 when \
                  nothing was found, with 1 when something was.\n\nExamples:\n  \
                  repono diagnose incident.log\n  repono diagnose --report md incident.log.gz > report.md\n  \
                  repono diagnose repono-data/journal client.jsonl\n  \
                  curl -v --trace-time URL URL 2>&1 >/dev/null | repono diagnose -\n  \
                  kubectl logs app | repono diagnose -\n  \
                  tcpdump -i any -s 0 -w incident.pcap port 443; repono diagnose incident.pcap"
)]
pub(crate) struct Options {
    /// Logs of one system, or directories of them; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How the report is written
    #[arg(long, value_enum, default_value = "text")]
    report: Report,
    /// Follow one growing log: findings are printed as they appear, the report at Ctrl-C
    #[arg(long)]
    tail: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Report {
    /// For a terminal
    Text,
    /// Markdown, for a ticket or a wiki
    Md,
    /// One file for a browser, with a timeline of each finding
    Html,
    /// For programs
    Json,
}

/// Reads the files, and prints what was found.
pub(crate) fn run(options: &Options, form: Form) -> Result<ExitCode> {
    let mut diagnoser = Diagnoser::new()?;
    let files = named(&options.files)?;
    match (options.tail, files.as_slice()) {
        (true, [file]) if file != Path::new("-") => follow(&mut diagnoser, file)?,
        (true, _) => return Err(usage("--tail follows one file")),
        (false, files) => read_all(&mut diagnoser, files)?,
    }
    let diagnosis = diagnoser.finish();
    if diagnosis.inputs.iter().all(|input| input.format == Format::Unknown) {
        let names: Vec<_> = diagnosis.inputs.iter().map(|input| input.name.as_str()).collect();
        return Err(usage(format!(
            "nothing in {} is of a known format: traces of System.Net (lines like `System.Net Information: 0 : [5156] \
             …`), journals of this system, what curl tells (-v, --trace, -w '%{{json}}'), logs of HAProxy, Envoy and nginx, HAR files, \
             captures (pcap, pcapng)",
            names.join(", ")
        )));
    }
    let wanted = if form == Form::Json { Report::Json } else { options.report };
    let printed = match wanted {
        Report::Text => report::text(&diagnosis),
        Report::Md => report::markdown(&diagnosis),
        Report::Html => report::html(&diagnosis),
        Report::Json => format!("{}\n", report::json(&diagnosis)),
    };
    print(printed)?;
    Ok(if diagnosis.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

fn read_all(diagnoser: &mut Diagnoser, files: &[PathBuf]) -> Result<()> {
    let above = common(files);
    for file in files {
        let name = above.and_then(|above| file.strip_prefix(above).ok()).unwrap_or(file);
        read(diagnoser, file, &name.display().to_string())?;
    }
    Ok(())
}

/// Reads a log as it grows, and prints a line for each finding, until Ctrl-C.
fn follow(diagnoser: &mut Diagnoser, file: &Path) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let growing = Growing::open(file, Arc::clone(&stop))
        .map_err(|error| usage(format!("cannot open {}: {error}", file.display())))?;
    stop_at_interrupt(stop)?;
    let mut said = Ok(());
    let mut found = |finding: &Finding| {
        let line = format_args!("{} Where: {} ({}).", finding.summary, finding.hop, finding.confidence);
        said =
            std::mem::replace(&mut said, Ok(())).and_then(|()| say(format_args!("{}: {line}", finding.rule)));
    };
    let input = BufReader::with_capacity(READ_BYTES, growing);
    diagnoser.follow(&file.display().to_string(), input, &mut found)?;
    said
}

/// Sets `stop` at Ctrl-C, which does not end the program from here on.
fn stop_at_interrupt(stop: Arc<AtomicBool>) -> Result<()> {
    let (ready, is_ready) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        crate::block_on(async {
            let interrupt = signal(SignalKind::interrupt());
            let (told, interrupt) = match interrupt {
                Ok(interrupt) => (ready.send(Ok(())), Some(interrupt)),
                Err(error) => (ready.send(Err(error)), None),
            };
            if let (Ok(()), Some(mut interrupt)) = (told, interrupt) {
                interrupt.recv().await;
                stop.store(true, Ordering::Relaxed);
            }
            Ok(())
        })
    });
    is_ready.recv().context("Ctrl-C cannot be waited for")?.context("Ctrl-C cannot be waited for")
}

/// The files that are meant: of a directory all that lie in it.
fn named(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        if path != Path::new("-") && path.is_dir() {
            let unreadable = |error: io::Error| usage(format!("cannot list {}: {error}", path.display()));
            let entries =
                fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
            let mut within: Vec<_> =
                entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
            within.sort();
            if within.is_empty() {
                return Err(usage(format!("there is no file in {}", path.display())));
            }
            files.extend(within);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The directory that several files lie below: a report need not repeat it.
fn common(files: &[PathBuf]) -> Option<&Path> {
    let [first, others @ ..] = files else { return None };
    if others.is_empty() {
        return None;
    }
    first.ancestors().skip(1).find(|above| others.iter().all(|file| file.starts_with(above)))
}

fn read(diagnoser: &mut Diagnoser, file: &Path, name: &str) -> Result<()> {
    if file == Path::new("-") {
        let input = io::stdin();
        if input.is_terminal() {
            return Err(usage("standard input is a terminal: pipe a log into it, or name a file"));
        }
        return Ok(diagnoser.read("standard input", input.lock())?);
    }
    let opened =
        File::open(file).map_err(|error| usage(format!("cannot open {}: {error}", file.display())))?;
    Ok(diagnoser.read(name, BufReader::with_capacity(READ_BYTES, opened))?)
}

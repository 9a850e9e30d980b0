//! `repono diagnose`: from logs to findings.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use repono_diagnose::diagnosis::{Diagnoser, Format};
use repono_diagnose::report;

use crate::output::{Form, print, usage};

/// Read at a time: a gigabyte is some four thousand reads.
const READ_BYTES: usize = 256 << 10;

/// Something was found.
const EXIT_FOUND: u8 = 1;

/// Options of `repono diagnose`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Reads System.Net traces (.NET Framework), whatever their encoding and whatever a shipper of logs put\n\
                  before each line. Exits with 0 when nothing was found, with 1 when something was.\n\nExamples:\n  \
                  repono diagnose incident.log\n  repono diagnose --report md incident.log > report.md\n  \
                  zcat net.log.gz | repono diagnose -"
)]
pub(crate) struct Options {
    /// Logs of one system; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How the report is written
    #[arg(long, value_enum, default_value = "text")]
    report: Report,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Report {
    /// For a terminal
    Text,
    /// Markdown, for a ticket or a wiki
    Md,
    /// For programs
    Json,
}

/// Reads the files, and prints what was found.
pub(crate) fn run(options: &Options, form: Form) -> Result<ExitCode> {
    let mut diagnoser = Diagnoser::new()?;
    for file in &options.files {
        read(&mut diagnoser, file)?;
    }
    let diagnosis = diagnoser.finish();
    if diagnosis.inputs.iter().all(|input| input.format == Format::Unknown) {
        let names: Vec<_> = diagnosis.inputs.iter().map(|input| input.name.as_str()).collect();
        return Err(usage(format!(
            "nothing in {} is of a known format: a trace of System.Net has lines like `System.Net Information: 0 : [5156] …`",
            names.join(", ")
        )));
    }
    let wanted = if form == Form::Json { Report::Json } else { options.report };
    let printed = match wanted {
        Report::Text => report::text(&diagnosis),
        Report::Md => report::markdown(&diagnosis),
        Report::Json => format!("{}\n", report::json(&diagnosis)),
    };
    print(printed)?;
    Ok(if diagnosis.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

fn read(diagnoser: &mut Diagnoser, file: &Path) -> Result<()> {
    if file == Path::new("-") {
        let input = io::stdin();
        if input.is_terminal() {
            return Err(usage("standard input is a terminal: pipe a log into it, or name a file"));
        }
        return Ok(diagnoser.read("standard input", input.lock())?);
    }
    let name = file.display().to_string();
    let opened = File::open(file).map_err(|error| usage(format!("cannot open {name}: {error}")))?;
    Ok(diagnoser.read(&name, BufReader::with_capacity(READ_BYTES, opened))?)
}

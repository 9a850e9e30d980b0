//! The chores of this repository, as `cargo xtask CHORE`.

mod layers;
mod needs;
mod run;

use anyhow::{Result, bail};

use crate::run::cargo;

const HELP: &str = "\
cargo xtask CHORE

  quick     layers, formatting, lints, and the tests that need only this repository
  test      installs what the tests need (Debian and Python packages), then runs all of them
  ci        what a change must pass: quick's checks, documentation, all tests, a release build
  layers    imports go down the ranks, never up or sideways
  fmt       formatting, checked
  clippy    lints, warnings as errors
  docs      documentation of every crate, warnings as errors
  bench     the benchmarks; `bench serve` measures a head against nginx, `bench balance` the balancer against
            HAProxy, `bench idle` the memory of idle connections, `bench fairness` what a flood of one user
            costs another, `bench diagnose` how fast logs are read, `bench monitor` what journal, metrics and
            monitor cost
  stock     stock clients through everything that ends connections, at full length (10,000 requests each, or
            `stock N`): half an hour; writes docs/clients.md
  hops      faults on each hop, and the hop that `repono diagnose` names; prints the table of docs/diagnose.md
  foreign   stock clients behind the balancers of others, at length; writes docs/foreign.md
  needs     installs what the tests need and stops
";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    match arguments.first().map_or("help", String::as_str) {
        "quick" => {
            checks()?;
            cargo(&["test", "--workspace", "--locked", "--lib", "--bins"])
        }
        "test" => test(Needs::IfPossible),
        "ci" => {
            checks()?;
            docs()?;
            test(Needs::Required)?;
            cargo(&["build", "--release", "--locked"])
        }
        "layers" => layers::check(),
        "fmt" => fmt(),
        "clippy" => clippy(),
        "docs" => docs(),
        "bench" => bench(rest),
        "stock" => stock(rest),
        "hops" => cargo(&["test", "--package", "repono", "--locked", "--test", "hops", "--", "--nocapture"]),
        "foreign" => foreign(),
        "needs" => needs::install(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        unknown => bail!("there is no chore `{unknown}`\n\n{HELP}"),
    }
}

fn checks() -> Result<()> {
    layers::check()?;
    fmt()?;
    clippy()
}

fn fmt() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])
}

fn clippy() -> Result<()> {
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    let otlp = ["clippy", "--package", "repono-monitor", "--package", "repono", "--features", "otlp"];
    run::command("cargo", &otlp).args(&["--all-targets", "--locked", "--", "-D", "warnings"]).go()
}

fn docs() -> Result<()> {
    run::command("cargo", &["doc", "--workspace", "--no-deps", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .go()
}

/// Whether tests that need a network of their own, or a program that not every machine
/// has a package for, may be skipped, loudly, where that cannot be had.
#[derive(Clone, Copy)]
enum Needs {
    IfPossible,
    Required,
}

fn test(needs: Needs) -> Result<()> {
    needs::install()?;
    let wish = match needs {
        Needs::IfPossible => "if-possible",
        Needs::Required => "required",
    };
    run::command("cargo", &["test", "--workspace", "--locked"])
        .env("REPONO_TEST_NETWORK", wish)
        .env("REPONO_TEST_NEEDS", wish)
        .go()?;
    // What the program has only where it is asked for.
    cargo(&["test", "--package", "repono-monitor", "--locked", "--features", "otlp", "--lib"])?;
    cargo(&["test", "--package", "repono", "--locked", "--features", "otlp", "--test", "otlp"])
}

/// The tests' own scenarios, only longer.
fn stock(rest: &[String]) -> Result<()> {
    needs::install()?;
    let requests = rest.first().map_or("10000", String::as_str);
    let table = ["test", "--release", "--locked", "--package", "repono", "--test", "stock", "--", "table"];
    run::command("cargo", &table)
        .args(&["--ignored", "--nocapture"])
        .env("REPONO_STOCK_REQUESTS", requests)
        .go()
}

/// The table of `docs/foreign.md`.
fn foreign() -> Result<()> {
    needs::install()?;
    let report = run::root().join("docs/foreign.md");
    run::command("cargo", &["test", "--package", "repono", "--locked", "--test", "foreign", "what_a_short"])
        .env("REPONO_FOREIGN_REPORT", &report.to_string_lossy())
        .go()
}

fn bench(rest: &[String]) -> Result<()> {
    match rest.first().map(String::as_str) {
        None => cargo(&["bench", "--workspace", "--locked"]),
        Some("serve") => script("benches/serve.py", rest),
        Some("balance") => script("benches/balance.py", rest),
        Some("idle") => script("benches/idle.py", rest),
        Some("fairness") => script("benches/fairness.py", rest),
        Some("diagnose") => script("benches/diagnose.py", rest),
        Some("monitor") => script("benches/monitor.py", rest),
        Some(other) => bail!(
            "there is no benchmark `{other}`: `bench` alone runs criterion's, then there are serve, balance, \
             idle, fairness, diagnose and monitor"
        ),
    }
}

/// Measures what the sources say: an older build would be measured without a word.
fn script(path: &str, rest: &[String]) -> Result<()> {
    cargo(&["build", "--release", "--locked", "--package", "repono"])?;
    run::command("python3", &[path]).args(rest.get(1..).unwrap_or_default()).go()
}

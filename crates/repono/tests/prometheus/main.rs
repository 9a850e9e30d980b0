//! Debian's Prometheus scrapes a running system with our configuration, our alerts and
//! the expressions of our dashboard.
//!
//! | module | holds |
//! |---|---|
//! | [`scraper`] | Prometheus as a process, and questions to it |
//! | [`dashboard`] | the file for Grafana |

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod dashboard;
mod scraper;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use repono_testkit::system::System;
use repono_testkit::wait;
use serde_json::Value;

use scraper::{Histograms, Scraper};

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// Journals are followed and scraped within some seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Bounds of the fixed buckets, as an interface that others build on.
const BOUNDS_S: [f64; 19] = [
    0.0, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0,
    300.0,
];

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

/// What the monitor answers.
fn asked(system: &System, path: &str) -> Option<String> {
    system.monitored(path).ok().flatten()
}

/// The response times of an hour of heads: how many, and p50, p95, p99 in seconds;
/// `None` where they lie in two hours.
fn page(system: &System) -> Option<(f64, Quantiles)> {
    let series = asked(system, "/api/v1/series?step=hour&side=head").expect("series");
    let series: Value = serde_json::from_str(&series).expect("JSON");
    let counts = series["count"].as_array().expect("counts");
    let mut filled = (0..counts.len()).filter(|n| counts[*n] != 0);
    let (hour, None) = (filled.next()?, filled.next()) else { return None };
    let of = |name: &str| series[name][hour].as_f64().expect("a number");
    Some((of("count"), ["p50", "p95", "p99"].map(|name| of(name) / 1e3)))
}

/// Requests of 1 KiB, some of them by our client, and some that are refused.
fn load(system: &System) {
    let file = system.path("small");
    fs::write(&file, vec![7; 1024]).expect("written");
    let (file, copy) = (file.to_string_lossy(), system.path("copy"));
    let (copy, journal) = (copy.to_string_lossy(), system.fact("journal"));
    system.ok(&["put", "--journal", journal, &file, "demo/files/small"]).expect("put");
    for _ in 0..3 {
        system.ok(&["get", "--journal", journal, "demo/files/small", &copy]).expect("got");
    }
    let ticket = system.ticket(&[]).expect("a ticket");
    let urls = system.path("urls");
    let urls_of = |name: &str, times: usize| {
        format!("url = \"{}/v1/demo/files/{name}\"\n", system.balancer()).repeat(times)
    };
    fs::write(&urls, urls_of("small", 300) + &urls_of("missing", 5)).expect("written");
    let mut curl = Command::new("curl");
    curl.args(["-s", "--cacert", system.fact("ca"), "-K", &urls.to_string_lossy()]);
    curl.args(ticket.iter().flat_map(|line| ["-H", line.as_str()]));
    assert!(curl.output().expect("curl").status.success());
}

fn bucket(seconds: f64) -> usize {
    BOUNDS_S.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS_S.len())
}

#[test]
fn prometheus_scrapes_a_running_system_and_agrees_with_the_page() {
    let mut system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    load(&system);
    // An hour that ends in between would be two: then once more.
    if counted(&system).is_none() {
        system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
        load(&system);
    }
    counted(&system).expect("within an hour");

    let text = asked(&system, "/metrics").expect("metrics");
    let lint = scraper::promtool_check(&text);
    assert!(lint.is_empty(), "{lint}");

    let classic = Scraper::start(&system, &system.path("classic"), Histograms::Classic);
    let native = Scraper::start(&system, &system.path("native"), Histograms::Native);
    let metric = "http_server_request_duration_seconds";
    let (seen, page) =
        agreed(&system, &classic, &format!("sum({metric}_count{{side=\"head\"}})"), |quantile| {
            format!("histogram_quantile({quantile}, sum by (le) ({metric}_bucket{{side=\"head\"}}))")
        });
    for (told, page) in seen.into_iter().zip(page) {
        assert!(bucket(told).abs_diff(bucket(page)) <= 1, "classic: {told} s for {page} s");
    }
    let count = format!("histogram_count(sum({metric}{{side=\"head\"}}))");
    let (seen, page) = agreed(&system, &native, &count, |quantile| {
        format!("histogram_quantile({quantile}, sum({metric}{{side=\"head\"}}))")
    });
    for (told, page) in seen.into_iter().zip(page) {
        let apart = (told / page).log2().abs() * 8.0;
        assert!(apart <= 1.5, "native: {told} s for {page} s");
    }

    for scraper in [&classic, &native] {
        scraper.until("sum(repono_head_up)", 2.0);
        scraper.until("sum(repono_head_state{state=\"ready\"})", 2.0);
        assert_eq!(scraper.value("repono_lb_up"), Some(1.0));
        assert_eq!(scraper.value("sum(repono_journal_dropped_total)"), Some(0.0));
        let clients = "http_client_request_duration_seconds";
        let clients = scraper.value(&format!("sum({clients}_count or histogram_count({clients}))"));
        assert!(clients > Some(3.0), "{clients:?}");
        assert_eq!(scraper.value("repono_idle_timeout_seconds{party=\"balancer\"}"), Some(900.0));
        assert_eq!(scraper.rules(), 14);
    }
    let expressions = dashboard::expressions(&deploy("grafana/repono.json"));
    assert!(expressions.len() > 25, "{}", expressions.len());
    for expression in &expressions {
        let data = native.ask("/api/v1/query", expression);
        assert_eq!(data["status"], "success", "{expression}: {data}");
    }
}

/// p50, p95 and p99, in seconds.
type Quantiles = [f64; 3];

/// The quantiles of Prometheus and of the page at a moment at which both have counted the
/// same: the balancer's checks are requests too, and go on.
fn agreed(
    system: &System,
    scraper: &Scraper,
    count: &str,
    expression: impl Fn(f64) -> String,
) -> (Quantiles, Quantiles) {
    let agreed = wait::until("Prometheus and the page have counted the same", LIMIT, || {
        let before = page(system)?;
        (scraper.value(count)? == before.0).then_some(())?;
        let told = [0.5, 0.95, 0.99].map(|quantile| scraper.value(&expression(quantile)));
        (scraper.value(count)? == before.0 && page(system)? == before).then_some(())?;
        let [Some(p50), Some(p95), Some(p99)] = told else { return None };
        Some(([p50, p95, p99], before.1))
    });
    agreed.expect("in time")
}

/// The page once all of the load is on it.
fn counted(system: &System) -> Option<(f64, Quantiles)> {
    let counted = wait::until("the load is counted", LIMIT, || match page(system) {
        Some((count, _)) if count < 305.0 => None,
        page => Some(page),
    });
    counted.expect("in time")
}

#[test]
fn alerts_fire_on_the_story_and_not_on_a_drain() {
    let rules = deploy("prometheus/repono.rules.yml");
    scraper::promtool(Path::new("."), &["check", "rules", &rules.to_string_lossy()]);
    let dir = tempfile::tempdir().expect("a folder");
    fs::copy(&rules, dir.path().join("repono.rules.yml")).expect("copied");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prometheus/rules.test.yml");
    let tested = fs::read_to_string(&tests).expect("tests");
    for line in fs::read_to_string(&rules).expect("rules").lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            assert!(tested.contains(&format!("alertname: {name}")), "{name} has no test");
        }
    }
    fs::copy(&tests, dir.path().join("rules.test.yml")).expect("copied");
    scraper::promtool(dir.path(), &["test", "rules", "rules.test.yml"]);
}

#[test]
fn the_dashboard_is_one_that_grafana_can_lay_out() {
    dashboard::check(&deploy("grafana/repono.json"));
}

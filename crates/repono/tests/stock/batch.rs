//! Clients that read their whole list before they begin, and so are not asked line by
//! line: when a request was sent is not known.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use repono_testkit::system::System;

use crate::client::{Object, Request};

fn is_whole(object: &Object, copy: &Path) -> bool {
    fs::read(copy).is_ok_and(|bytes| bytes == object.content)
}

/// So many requests by one curl with one pool, at most so many as `rate` says (`300/m`);
/// its files begin with `name`.
pub(crate) fn curl(
    system: &System,
    object: &Object,
    name: &str,
    requests: usize,
    rate: &str,
) -> Vec<Request> {
    let copy = |n: usize| system.path(&format!("{name}-{n}"));
    let line = |n| format!("url = \"{}\"\noutput = \"{}\"\n", object.url, copy(n).display());
    let list = system.path(&format!("{name}.list"));
    fs::write(&list, (0..requests).map(line).collect::<String>()).expect("written");
    let output = Command::new("curl")
        .args(["--silent", "--rate", rate, "--noproxy", "*"])
        .args(["--write-out", "%{time_total}\t%{http_code}\t%{exitcode} %{errormsg}\n"])
        .args([OsString::from("--cacert"), system.fact("ca").into(), "--config".into(), list.into()])
        .output()
        .expect("curl runs; see `cargo xtask needs`");
    let said = String::from_utf8(output.stdout).expect("text");
    let told = |(n, line): (usize, &str)| {
        let (seconds, rest) = line.split_once('\t').expect("fields");
        let whole = is_whole(object, &copy(n)) && rest.starts_with("200\t0 ");
        let took = Duration::from_secs_f64(seconds.parse().expect("seconds"));
        Request { span: None, took, connection: String::new(), failure: (!whole).then(|| rest.to_owned()) }
    };
    let all: Vec<Request> = said.lines().enumerate().map(told).collect();
    assert_eq!(all.len(), requests, "curl: {}: {said}", String::from_utf8_lossy(&output.stderr));
    all
}

/// wget does not tell how long a request took; the time between two of its lines, in
/// whole seconds and less the longest that it waits in between, is as good.
pub(crate) fn wget(system: &System, object: &Object, requests: usize, gap: Duration) -> Vec<Request> {
    let (folder, list) = (system.path("wget"), system.path("wget.list"));
    fs::write(&list, format!("{}\n", object.url).repeat(requests)).expect("written");
    let output = Command::new("wget")
        .args(["--no-verbose", "--random-wait", "--wait", &format!("{:.3}", gap.as_secs_f64())])
        .args(["--no-proxy".into(), OsString::from("--ca-certificate"), system.fact("ca").into()])
        .args([
            OsString::from("--directory-prefix"),
            folder.clone().into(),
            "--input-file".into(),
            list.into(),
        ])
        .env("TZ", "UTC")
        .output()
        .expect("wget runs; see `cargo xtask needs`");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let seconds = |line: &str| -> Option<u64> {
        let mut clock = line.split(' ').nth(1)?.split(':').map(|part| part.parse::<u64>().ok());
        Some((clock.next()?? * 60 + clock.next()??) * 60 + clock.next()??)
    };
    let ends: Vec<u64> = said.lines().filter(|line| line.contains(" URL:")).filter_map(seconds).collect();
    let copies = fs::read_dir(&folder).into_iter().flatten().flatten();
    let whole = copies.filter(|copy| is_whole(object, &copy.path())).count();
    (0..requests)
        .map(|n| {
            let before = n.checked_sub(1).and_then(|before| ends.get(before));
            let took = before.zip(ends.get(n)).map_or(0, |(before, end)| end.saturating_sub(*before));
            let failure = (n >= whole).then(|| format!("{} whole of {requests}: {said}", whole));
            Request {
                span: None,
                took: Duration::from_secs(took).saturating_sub(gap.mul_f64(1.5)),
                connection: String::new(),
                failure,
            }
        })
        .collect()
}

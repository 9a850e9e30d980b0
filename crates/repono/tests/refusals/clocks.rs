//! What comes too slowly or too late. The clocks run side by side.

use std::io::{self, Read};
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use repono_testkit::wait;
use repono_testkit::wire::{Wire, address};
use serde_json::json;

use crate::attack::{Ask, Attack, MARKER};
use crate::stage::{KNOWN, Stage, check, on_stage};
use crate::ticket::flipped;

/// Between two bytes of a request that comes one byte at a time.
const PACE: Duration = Duration::from_millis(500);
/// Longer than any clock here.
const PATIENCE: Duration = Duration::from_secs(50);
/// Handshake and request head: 10 s; the rest is what a busy machine adds.
const HEAD_S: Range<f64> = 9.5..16.0;
/// Before the first authenticated request: 15 s.
const STRANGER_S: Range<f64> = 14.5..21.0;
/// A body that brings nothing, or next to nothing: 30 s.
const BODY_S: Range<f64> = 29.5..37.0;
/// Life of the ticket that expires: long enough for a link to be made of it.
const LIFE_S: u64 = 5;
/// After life and skew (30 s) a ticket is refused.
const EXPIRED_MAX: Duration = Duration::from_secs(LIFE_S + 30 + 10);

#[derive(Clone, Copy)]
enum Pace {
    /// One byte at a time.
    Dripping,
    /// Nothing more.
    Silent,
}

#[test]
fn what_takes_too_long() {
    on_stage(2, |stage| {
        let mut probe = stage.connect(stage.system.balancer())?;
        let before = stage.inventory(&mut probe)?;
        thread::scope(|scope| {
            let mut clocks = Vec::new();
            for route in stage.routes() {
                let (stage, url) = (stage, route.url);
                for pace in [Pace::Dripping, Pace::Silent] {
                    let to = url.clone();
                    clocks.push(scope.spawn(move || slow_head(stage, &to, pace).context("a slow head")));
                    let to = url.clone();
                    clocks.push(scope.spawn(move || slow_body(stage, &to, pace).context("a slow body")));
                    let to = url.clone();
                    clocks.push(scope.spawn(move || slow_chunk(stage, &to, pace).context("a slow chunk")));
                }
                let to = url.clone();
                clocks.push(scope.spawn(move || silent_stranger(stage, &to).context("a silent stranger")));
                let to = url.clone();
                clocks.push(scope.spawn(move || no_handshake(&to).context("no handshake")));
                clocks.push(scope.spawn(move || expiry(stage, &url).context("expiry")));
            }
            let ended: Vec<_> = clocks.into_iter().map(thread::ScopedJoinHandle::join).collect();
            ended
                .into_iter()
                .try_for_each(|clock| clock.unwrap_or_else(|_| Err(anyhow::anyhow!("a clock panicked"))))
        })?;
        ensure!(
            stage.inventory(&mut stage.connect(stage.system.balancer())?)? == before,
            "something was stored"
        );
        Ok(())
    });
}

fn slow_head(stage: &Stage, url: &str, pace: Pace) -> Result<()> {
    // Without the empty line, and within the last field.
    let mut request = Ask::new("GET", KNOWN).ticket(&stage.owner).line("X-Slow: x").bytes();
    request.truncate(request.len() - 4);
    timed_out(stage, url, &request, pace, HEAD_S)
}

fn slow_body(stage: &Stage, url: &str, pace: Pace) -> Result<()> {
    let ask = Ask::new("PUT", format!("/v1/demo/files/{MARKER}")).ticket(&stage.owner);
    timed_out(stage, url, &ask.line("Content-Length: 1000").then("xxx").bytes(), pace, BODY_S)
}

fn slow_chunk(stage: &Stage, url: &str, pace: Pace) -> Result<()> {
    let ask = Ask::new("PUT", KNOWN).ticket(&stage.owner);
    let ask = ask.line("Transfer-Encoding: chunked").then("20000\r\n").then("x".repeat(20_000));
    // 20,000 bytes pay for 19.5 s more at the lowest rate, so silence ends it first.
    let earned = match pace {
        Pace::Dripping => 19.5,
        Pace::Silent => 0.0,
    };
    let span = BODY_S.start + earned..BODY_S.end + earned;
    timed_out(stage, url, &ask.bytes(), pace, span)
}

/// Sends a beginning, then at a pace that is too slow: 408 in time, and the end.
fn timed_out(stage: &Stage, url: &str, beginning: &[u8], pace: Pace, within_s: Range<f64>) -> Result<()> {
    let mut wire = stage.connect(url)?;
    wire.send(beginning)?;
    let begun = Instant::now();
    let response = match pace {
        Pace::Silent => {
            wire.set_patience(PATIENCE)?;
            wire.response("GET")?
        }
        Pace::Dripping => {
            wire.set_patience(PACE)?;
            loop {
                match wire.response("GET") {
                    Err(error) if is_timeout(&error) && begun.elapsed() < 2 * PATIENCE => wire.send(b"x")?,
                    answered => break answered?,
                }
            }
        }
    };
    took(begun, &within_s)?;
    let attack = Ask::new("GET", KNOWN).closes("too slow", 408, "RequestTimeout");
    check(&attack, &response)?;
    wire.set_patience(PATIENCE)?;
    ensure!(wire.ends_cleanly()?, "something follows the 408");
    stage.is_served(&mut stage.connect(url)?)
}

fn is_timeout(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

fn took(begun: Instant, within_s: &Range<f64>) -> Result<()> {
    let took = begun.elapsed().as_secs_f64();
    ensure!(within_s.contains(&took), "after {took:.1} s instead of {within_s:?}");
    Ok(())
}

/// A finished handshake and not one request: an announced end.
fn silent_stranger(stage: &Stage, url: &str) -> Result<()> {
    let mut wire = stage.connect(url)?;
    wire.set_patience(PATIENCE)?;
    let begun = Instant::now();
    ensure!(wire.ends_cleanly()?, "something was said to a stranger");
    took(begun, &STRANGER_S)
}

/// A connection without a handshake: nothing is said, and it ends.
fn no_handshake(url: &str) -> Result<()> {
    let mut tcp = TcpStream::connect(address(url)?)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let begun = Instant::now();
    let mut said = Vec::new();
    tcp.read_to_end(&mut said)?;
    ensure!(said.is_empty(), "{}", said.escape_ascii());
    took(begun, &HEAD_S)
}

/// A ticket and a link made of it: both hold, then the link expires, then the
/// ticket, which says so as long as nothing about it was changed.
fn expiry(stage: &Stage, url: &str) -> Result<()> {
    let ticket = stage.vend(&stage.owner_login, &json!({ "life_s": LIFE_S }))?;
    let link = stage.link(KNOWN, &ticket)?;
    let (by_ticket, by_link) = (Ask::new("GET", KNOWN).ticket(&ticket), Ask::new("GET", &link));
    let mut wire = stage.connect(url)?;
    ensure!(status(&mut wire, &by_ticket)? == 200 && status(&mut wire, &by_link)? == 200, "not even fresh");
    let begun = Instant::now();
    until_refused(&mut wire, &by_link, 403)?;
    ensure!(begun.elapsed() < Duration::from_secs(LIFE_S + 3), "a link beyond its ticket");
    ensure!(status(&mut wire, &by_ticket)? == 200, "clocks may differ by 30 s");
    until_refused(&mut wire, &by_ticket, 401)?;
    took(begun, &(LIFE_S as f64 + 28.0..LIFE_S as f64 + 36.0))?;

    let put = |ticket| Ask::new("PUT", format!("/v1/demo/files/{MARKER}")).ticket(ticket).body(MARKER);
    let changed = ticket.with("x-auth-salt", &flipped(ticket.salt(), 3));
    let attacks: [Attack; 4] = [
        by_ticket.keeps("GET with an expired ticket", 401, "TicketExpired"),
        put(&ticket).keeps("PUT with an expired ticket", 401, "TicketExpired"),
        put(&changed).keeps("PUT with an expired and changed ticket", 401, "Unauthorized"),
        by_link.keeps("GET of an expired link", 403, "AccessDenied"),
    ];
    stage.repel(&attacks)
}

fn status(wire: &mut Wire, ask: &Ask) -> Result<u16> {
    wire.send(&ask.bytes())?;
    Ok(wire.response("GET")?.status)
}

fn until_refused(wire: &mut Wire, ask: &Ask, refused: u16) -> Result<()> {
    wait::until("it expires", EXPIRED_MAX, || match status(wire, ask) {
        Ok(200) => None,
        Ok(status) if status == refused => Some(Ok(())),
        other => Some(other.and_then(|status| Err(anyhow::anyhow!("{status} instead of {refused}")))),
    })?
}

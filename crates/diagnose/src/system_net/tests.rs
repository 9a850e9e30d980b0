//! The grammar restores what it reads, and means what the trace says.

use std::fs;
use std::path::Path;

use super::syntax::{Head, Line, Message, Within};

/// An incident of our own making, in the form that the field sends: no times, the
/// making of the pooled connection before the log begins.
pub(crate) const STALE: &str = include_str!("../../fixtures/stale-keepalive.log");

/// Prints what was parsed; and the numbers of the lines of no known form.
fn restored(text: &str) -> (String, Vec<usize>) {
    let (mut printed, mut foreign) = (String::new(), Vec::new());
    let (mut within, mut listing) = (None, false);
    for (at, line) in text.lines().enumerate() {
        if let Some(head) = Head::parse(line) {
            match Message::parse(head.rest, head.level, listing) {
                Some(message) => {
                    assert_eq!(message.to_string(), head.rest);
                    listing = message.lists_packages();
                    within = Some(Within::after(&head, &message));
                }
                None => {
                    foreign.push(at + 1);
                    within = Some(Within::Message);
                }
            }
            printed.push_str(&head.to_string());
        } else if let Some(before) = within {
            let (production, next) = before.next(line);
            within = Some(next);
            if matches!(production, Line::Foreign(_)) {
                foreign.push(at + 1);
            }
            printed.push_str(&production.to_string());
        } else {
            foreign.push(at + 1);
            printed.push_str(line);
        }
        printed.push('\n');
    }
    (printed, foreign)
}

#[test]
fn our_own_fixture_is_read_without_a_foreign_line() {
    let (printed, foreign) = restored(STALE);
    assert_eq!(printed, STALE);
    assert_eq!(foreign, Vec::<usize>::new());
}

/// A line of another program within what may span lines belongs to none of it.
#[test]
fn nothing_takes_a_line_of_any_form() {
    let trace = "System.Net Information: 0 : [7312] ";
    let stranger = "connected to cache-3!";
    for (before, after) in [
        ("Remote certificate: [Version]", "  V3"),
        ("SecureChannel#7 - Locating the private key for the certificate: [Subject]", "  CN=a"),
        ("InitializeSecurityContext(credential = a,", "context = (null), targetName = b)"),
        ("ConnectStream#7 - Sending headers", "{"),
        ("Enumerating security packages:", ""),
    ] {
        let (printed, foreign) = restored(&format!("{trace}{before}\n{after}\n{stranger}\n"));
        assert!(printed.ends_with(&format!("{stranger}\n")));
        assert_eq!(foreign, [3], "{before}");
    }
    let (_, foreign) =
        restored(&format!("{trace}Enumerating security packages:\n{trace}NTLM\n{trace}{stranger}\n"));
    assert_eq!(foreign, [3]);
}

/// Real traces, where they are at hand.
#[test]
fn traces_of_the_field_are_read_without_a_foreign_line() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let Ok(samples) = fs::read_dir(samples) else { return };
    for sample in
        samples.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "log"))
    {
        let text = fs::read_to_string(&sample).unwrap();
        let text = if text.ends_with('\n') { text } else { text + "\n" };
        let (printed, foreign) = restored(&text);
        assert_eq!(printed, text, "{}", sample.display());
        let lines: Vec<_> = foreign.iter().map(|at| text.lines().nth(at - 1).unwrap()).collect();
        assert!(lines.is_empty(), "{}: {lines:#?}", sample.display());
    }
}

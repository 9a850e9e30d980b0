//! What commands print: facts on standard output, errors on standard error, both
//! as JSON when asked; and the exit codes.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

/// The form in which a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// One JSON value.
    Json,
}

/// A failure whose code, hint or exit status is more than the default.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    code: Cow<'static, str>,
    message: String,
    hint: String,
    exit: u8,
}

/// Whoever read what is printed has enough of it, as `head` does.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads what is printed")]
struct EnoughRead;

/// Prints a line.
pub(crate) fn say(line: impl Display) -> anyhow::Result<()> {
    print(format_args!("{line}\n"))
}

/// Prints text that has its line ends.
pub(crate) fn print(text: impl Display) -> anyhow::Result<()> {
    io::stdout().write_fmt(format_args!("{text}")).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => EnoughRead.into(),
        _ => anyhow::Error::from(error).context("cannot print"),
    })
}

/// Done, and something is wrong: a failed transfer, a refused request.
const EXIT_WRONG: u8 = 1;
/// Wrong usage or configuration.
const EXIT_USAGE: u8 = 2;

/// An error of usage or configuration: exit code 2.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Failure { code: "Usage".into(), message: message.into(), hint: String::new(), exit: EXIT_USAGE }.into()
}

/// A failure with a code that scripts can hold on to: exit code 1.
pub(crate) fn failure(
    code: impl Into<Cow<'static, str>>,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> anyhow::Error {
    Failure { code: code.into(), message: message.into(), hint: hint.into(), exit: EXIT_WRONG }.into()
}

/// Prints an error and gives the exit code that belongs to it.
pub(crate) fn report(error: &anyhow::Error, form: Form) -> ExitCode {
    if error.is::<EnoughRead>() {
        return ExitCode::SUCCESS;
    }
    let known = error.downcast_ref::<Failure>();
    let message = chain(error);
    let (code, hint, exit) =
        known.map_or(("Failed", "", EXIT_WRONG), |f| (&*f.code, f.hint.as_str(), f.exit));
    match form {
        Form::Json => eprintln!("{}", json!({"error": {"code": code, "message": message, "hint": hint}})),
        Form::Text => {
            eprintln!("repono: {message}");
            if !hint.is_empty() {
                eprintln!("hint: {hint}");
            }
        }
    }
    ExitCode::from(exit)
}

/// The error and its causes, each told once.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(cause.trim_end());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    #[test]
    fn each_cause_is_told_once() {
        let error = Err::<(), _>(std::io::Error::other("no such thing"))
            .context("cannot read the profile")
            .expect_err("an error");
        assert_eq!(super::chain(&error), "cannot read the profile: no such thing");
    }
}

//! A vended ticket whose parts a test can exchange.

use anyhow::{Context, Result};
use serde_json::Value;

/// The header fields of a ticket, and the same ticket as one token.
#[derive(Clone)]
pub(crate) struct Ticket {
    fields: Vec<(String, String)>,
    pub(crate) token: String,
}

impl Ticket {
    /// Reads the answer of vending.
    pub(crate) fn of(answer: &Value) -> Result<Self> {
        let headers = answer["headers"].as_object().context("no headers in the answer")?;
        let field = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let token = answer["token"].as_str().context("no token in the answer")?.to_owned();
        Ok(Self { fields: headers.iter().filter_map(field).collect(), token })
    }

    /// The value of a field; empty if there is none.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The same ticket with another value of a field, or with a field more.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.without(name);
        changed.fields.push((name.to_owned(), value.to_owned()));
        changed
    }

    /// The same ticket without a field.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut changed = self.clone();
        changed.fields.retain(|(n, _)| n != name);
        changed
    }

    /// The header lines, each with its CRLF.
    pub(crate) fn lines(&self) -> String {
        self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }

    pub(crate) fn salt(&self) -> &str {
        self.value("x-auth-salt")
    }
}

/// The five fields that every ticket has.
pub(crate) const FIELDS: [&str; 5] =
    ["x-auth-user", "x-auth-expiry", "x-auth-salt", "x-auth-ticket", "x-auth-dev-ticket"];

/// `text` with another character of the same alphabets (hex and base64url) at `at`.
pub(crate) fn flipped(text: &str, at: usize) -> String {
    let flip = |(index, c): (usize, char)| match c {
        _ if index != at => c,
        '0' => '1',
        _ if c.is_ascii_digit() => '0',
        'a' | 'A' => 'b',
        _ => 'a',
    };
    text.chars().enumerate().map(flip).collect()
}

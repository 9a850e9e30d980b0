//! Bulk delete: many names in one request, and a report that is always sent with
//! status 200, because the work is done by then.
//!
//! *Source*: `swift/common/middleware/bulk.py`.

use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;
use serde::Serialize;

use crate::listing::{Format, xml};
use crate::native::object_names;
use crate::percent;
use crate::refusals::NO_SUCH_CONTAINER;

/// The most names of one request (Swift's limit).
pub const DELETES_MAX: usize = 10_000;
/// The failures after which a request is given up (Swift's limit).
pub const FAILURES_MAX: usize = 1000;
/// The longest line: a container and a key, every byte percent-encoded.
pub const LINE_BYTES_MAX: usize = 3 * (ContainerName::BYTES_MAX + ObjectKey::BYTES_MAX) + 2;

/// Whether a request for an account asks for it.
#[must_use]
pub fn is_bulk_delete(head: &RequestHead) -> bool {
    let names = |parameter: &[u8]| {
        let name = parameter.split(|b| *b == b'=').next().unwrap_or_default();
        percent::decode_query(name).is_ok_and(|name| &*name == b"bulk-delete")
    };
    head.query().is_some_and(|query| query.split(|b| *b == b'&').any(names))
}

/// What one line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An object.
    Object(ContainerName, ObjectKey),
    /// An empty container.
    Container(ContainerName),
}

impl Named {
    /// Reads a line without its end: `/container` or `/container/object`,
    /// percent-encoded; `None` for an empty one.
    ///
    /// *Errors*: those of a path.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, Refusal> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        // The whole is escaped, its slash too.
        let line = percent::decode(line).map_err(|_| NO_SUCH_CONTAINER)?;
        let path = line.strip_prefix(b"/").unwrap_or(&line);
        let mut parts = path.splitn(2, |b| *b == b'/');
        let container = parts.next().unwrap_or_default();
        match parts.next().filter(|key| !key.is_empty()) {
            Some(key) => object_names(container, key).map(|(c, k)| Some(Self::Object(c, k))),
            None => {
                ContainerName::new(container).map(|c| Some(Self::Container(c))).map_err(|_| NO_SUCH_CONTAINER)
            }
        }
    }

    /// The name as the report has it.
    #[must_use]
    pub fn path(&self, account: &AccountName) -> String {
        let mut path = Vec::new();
        percent::encode_segment(account.as_str(), &mut path);
        let account_bytes = path.len();
        match self {
            Self::Object(container, key) => {
                path.push(b'/');
                percent::encode_segment(container.as_str(), &mut path);
                path.push(b'/');
                percent::encode_path(key.as_str(), &mut path);
            }
            Self::Container(container) => {
                path.push(b'/');
                percent::encode_segment(container.as_str(), &mut path);
            }
        }
        String::from_utf8_lossy(path.get(account_bytes..).unwrap_or_default()).into_owned()
    }
}

/// What became of the names so far.
#[derive(Debug, Default)]
pub struct Report {
    deleted: usize,
    not_found: usize,
    errors: Vec<(String, String)>,
}

/// How the work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every name was looked at.
    Complete,
    /// More than [`DELETES_MAX`] names.
    TooMany,
    /// More than [`FAILURES_MAX`] failures.
    TooManyFailures,
    /// A line is longer than any name.
    LineTooLong,
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(rename = "Number Deleted")]
    deleted: usize,
    #[serde(rename = "Number Not Found")]
    not_found: usize,
    #[serde(rename = "Response Status")]
    status: &'a str,
    #[serde(rename = "Response Body")]
    body: &'a str,
    #[serde(rename = "Errors")]
    errors: &'a [(String, String)],
}

impl Report {
    /// Enters a name that is gone.
    pub fn deleted(&mut self) {
        self.deleted += 1;
    }

    /// Enters a name that was not there.
    pub fn not_found(&mut self) {
        self.not_found += 1;
    }

    /// Enters a name that stays, and why.
    pub fn failed(&mut self, name: String, status: u16, phrase: &str) {
        self.errors.push((name, format!("{status} {phrase}")));
    }

    /// How many names were looked at.
    #[must_use]
    pub fn count(&self) -> usize {
        self.deleted + self.not_found + self.errors.len()
    }

    /// Whether so many failed that the rest is left alone.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.errors.len() >= FAILURES_MAX
    }

    /// Writes the report.
    #[must_use]
    pub fn render(&self, format: Format, end: End) -> Vec<u8> {
        let (status, body) = self.verdict(end);
        match format {
            Format::Json => {
                let (deleted, not_found, errors) = (self.deleted, self.not_found, &self.errors);
                // Text and numbers always become JSON.
                serde_json::to_vec(&Json { deleted, not_found, status, body, errors }).unwrap_or_default()
            }
            Format::Plain => {
                let mut text = format!(
                    "Number Deleted: {}\nNumber Not Found: {}\nResponse Body: {body}\nResponse Status: {status}\nErrors:\n",
                    self.deleted, self.not_found
                );
                for (name, error) in &self.errors {
                    text.push_str(&format!("{name}, {error}\n"));
                }
                text.into_bytes()
            }
            Format::Xml | Format::TextXml => self.xml(status, body),
        }
    }

    fn xml(&self, status: &str, body: &str) -> Vec<u8> {
        let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<delete>".to_vec();
        xml::number(&mut out, "number_deleted", self.deleted as u64);
        xml::number(&mut out, "number_not_found", self.not_found as u64);
        xml::text(&mut out, "response_body", body);
        xml::text(&mut out, "response_status", status);
        xml::start(&mut out, "errors");
        for (name, error) in &self.errors {
            xml::start(&mut out, "object");
            xml::text(&mut out, "name", name);
            xml::text(&mut out, "status", error);
            xml::end(&mut out, "object");
        }
        xml::end(&mut out, "errors");
        xml::end(&mut out, "delete");
        out
    }

    fn verdict(&self, end: End) -> (&'static str, &'static str) {
        match end {
            End::TooMany => ("413 Request Entity Too Large", "Maximum Bulk Deletes: 10000 per request"),
            End::TooManyFailures => ("400 Bad Request", "Max delete failures exceeded"),
            End::LineTooLong => ("400 Bad Request", "A name is longer than names are"),
            End::Complete if self.count() == 0 => ("400 Bad Request", "Invalid bulk delete."),
            End::Complete if self.errors.is_empty() => ("200 OK", ""),
            End::Complete if self.errors.iter().all(|(_, e)| e.starts_with("401")) => {
                ("401 Unauthorized", "")
            }
            End::Complete => ("400 Bad Request", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use repono_core::name::AccountName;
    use repono_core::request::{Method, RequestHead, Version};

    use super::{End, Named, Report, is_bulk_delete};
    use crate::listing::Format;

    #[test]
    fn the_parameter_is_found_wherever_it_stands() {
        for (target, asks) in [
            ("/v1/a?bulk-delete", true),
            ("/v1/a?bulk-delete=1", true),
            ("/v1/a?x=1&bulk-delete=true", true),
            ("/v1/a?%62ulk-delete", true),
            ("/v1/a?x=bulk-delete", false),
            ("/v1/a", false),
        ] {
            let head = RequestHead::new(Method::Post, Version::Http11, target.as_bytes()).expect("small");
            assert_eq!(is_bulk_delete(&head), asks, "{target}");
        }
    }

    #[test]
    fn lines_name_objects_and_containers() {
        let account = AccountName::new(b"a").expect("a name");
        for (line, path) in [
            ("/c/o", "/c/o"),
            ("c/o", "/c/o"),
            (" /c/a%20b/%C3%A9\r", "/c/a%20b/%C3%A9"),
            ("/c", "/c"),
            ("c/", "/c"),
        ] {
            let named = Named::parse(line.as_bytes()).expect("fine").expect("a name");
            assert_eq!(named.path(&account), path, "{line}");
        }
        assert_eq!(Named::parse(b"  "), Ok(None));
        for (line, status) in [("/c/../x", 400), ("/c/%ff", 412), ("//o", 404), ("/%zz", 404)] {
            assert_eq!(Named::parse(line.as_bytes()).map_err(|r| r.status), Err(status), "{line}");
        }
    }

    #[test]
    fn reports_in_both_forms() {
        let mut report = Report::default();
        report.deleted();
        report.not_found();
        let all_well = report.render(Format::Json, End::Complete);
        let all_well: serde_json::Value = serde_json::from_slice(&all_well).expect("JSON");
        assert_eq!(all_well["Response Status"], "200 OK");
        report.failed("/c".into(), 409, "Conflict");
        let text = String::from_utf8(report.render(Format::Plain, End::Complete)).expect("text");
        let expected = "Number Deleted: 1\nNumber Not Found: 1\nResponse Body: \nResponse Status: 400 Bad Request\nErrors:\n/c, 409 Conflict\n";
        assert_eq!(text, expected);
        let xml = String::from_utf8(report.render(Format::Xml, End::Complete)).expect("text");
        let errors =
            "<errors><object><name>/c</name><status>409 Conflict</status></object></errors></delete>";
        assert!(xml.contains("<number_deleted>1</number_deleted>") && xml.ends_with(errors), "{xml}");
        let empty = String::from_utf8(Report::default().render(Format::Plain, End::Complete)).expect("text");
        assert!(empty.contains("Response Status: 400 Bad Request"), "{empty}");
    }
}

//! The query of a listing.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::content_type::is_true;
use crate::listing::{ENTRIES_MAX, Format, Order, RollUp};
use crate::percent;
use crate::refusals::{INVALID_ARGUMENT, INVALID_URI, LIMIT_TOO_HIGH};

/// Which part of a listing is asked for.
///
/// *Shape*: all texts are decoded UTF-8 without NUL and never empty, except
/// `prefix`, which is empty when there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Only names that begin with this.
    pub prefix: String,
    /// Roll up what follows the next delimiter after the prefix.
    pub delimiter: Option<String>,
    /// What becomes of names that have the delimiter.
    pub roll_up: RollUp,
    /// Only names after this one, in the order of the listing.
    pub marker: Option<String>,
    /// Only names before this one, in the order of the listing.
    pub end_marker: Option<String>,
    /// At most this many entries, 0 to [`ENTRIES_MAX`].
    pub limit: u32,
    /// In which order.
    pub order: Order,
    /// How to write them.
    pub format: Format,
}

impl ListQuery {
    /// Reads the query of a request, with `Accept` as the default of `format`.
    ///
    /// *Errors*: as [`ListQuery::from_query`], and 406 when neither names a format
    /// that there is.
    pub fn from_head(head: &RequestHead) -> Result<Self, Refusal> {
        let parameters = Parameters::read(head.query().unwrap_or_default())?;
        let format = parameters.format(head)?;
        parameters.query(format)
    }

    /// The format alone, for a HEAD.
    ///
    /// *Errors*: 400 for a query that cannot be read, 406 when there is no such format.
    pub fn format(head: &RequestHead) -> Result<Format, Refusal> {
        Parameters::read(head.query().unwrap_or_default())?.format(head)
    }

    /// Reads a raw query, without its `?`.
    ///
    /// `path=p` is Swift's old way of asking for what lies directly in a directory:
    /// `prefix=p/` with `delimiter=/`, without the directories below it; it wins
    /// over both. A `limit` that is no number is ignored, an unknown `format` is
    /// plain, unknown parameters are ignored.
    ///
    /// *Errors*: 400 for a parameter sent twice, not UTF-8 or with NUL, 412 for a
    /// limit above [`ENTRIES_MAX`].
    pub fn from_query(raw: Option<&[u8]>, default: Format) -> Result<Self, Refusal> {
        Parameters::read(raw.unwrap_or_default())?.query(default)
    }
}

/// The parameters that a listing knows, decoded.
#[derive(Default)]
struct Parameters {
    prefix: Option<String>,
    delimiter: Option<String>,
    marker: Option<String>,
    end_marker: Option<String>,
    path: Option<String>,
    limit: Option<String>,
    format: Option<String>,
    reverse: Option<String>,
}

impl Parameters {
    fn read(raw: &[u8]) -> Result<Self, Refusal> {
        let mut parameters = Self::default();
        for parameter in raw.split(|b| *b == b'&') {
            let mut halves = parameter.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let Some(slot) = parameters.slot(&name) else {
                continue;
            };
            if slot.replace(decode(halves.next().unwrap_or_default())?).is_some() {
                return Err(INVALID_ARGUMENT);
            }
        }
        Ok(parameters)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "prefix" => Some(&mut self.prefix),
            "delimiter" => Some(&mut self.delimiter),
            "marker" => Some(&mut self.marker),
            "end_marker" => Some(&mut self.end_marker),
            "path" => Some(&mut self.path),
            "limit" => Some(&mut self.limit),
            "format" => Some(&mut self.format),
            "reverse" => Some(&mut self.reverse),
            _unknown => None,
        }
    }

    fn format(&self, head: &RequestHead) -> Result<Format, Refusal> {
        match &self.format {
            Some(name) => Ok(format(Some(name), Format::Plain)),
            None => Format::from_accept(head),
        }
    }

    fn query(self, default: Format) -> Result<ListQuery, Refusal> {
        let reverse = self.reverse.is_some_and(|value| is_true(value.as_bytes()));
        let (prefix, delimiter, roll_up) = match self.path {
            Some(path) => (directory(&path), Some("/".to_owned()), RollUp::Leave),
            None => (self.prefix.unwrap_or_default(), self.delimiter, RollUp::Show),
        };
        let present = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(ListQuery {
            prefix,
            delimiter: present(delimiter),
            roll_up,
            marker: present(self.marker),
            end_marker: present(self.end_marker),
            limit: limit(self.limit.as_deref())?,
            order: if reverse { Order::Descending } else { Order::Ascending },
            format: format(self.format.as_deref(), default),
        })
    }
}

fn decode(raw: &[u8]) -> Result<String, Refusal> {
    let decoded = percent::decode_query(raw).map_err(|percent::MalformedEscape| INVALID_URI)?;
    if decoded.contains(&0) {
        return Err(INVALID_ARGUMENT);
    }
    String::from_utf8(decoded.into_owned()).map_err(|_| INVALID_ARGUMENT)
}

/// The prefix of what lies directly in a directory; the root has none.
fn directory(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    }
}

fn limit(text: Option<&str>) -> Result<u32, Refusal> {
    let Some(digits) = text.filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())) else {
        return Ok(ENTRIES_MAX);
    };
    // Only a number beyond 32 bits fails here, and that is above the limit too.
    digits.parse().ok().filter(|limit| *limit <= ENTRIES_MAX).ok_or(LIMIT_TOO_HIGH)
}

fn format(text: Option<&str>, default: Format) -> Format {
    match text.map(str::to_ascii_lowercase).as_deref() {
        None => default,
        Some("json") => Format::Json,
        Some("xml") => Format::Xml,
        Some(_plain_or_unknown) => Format::Plain,
    }
}

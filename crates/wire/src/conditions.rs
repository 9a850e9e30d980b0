//! Conditional requests: `If-Match`, `If-None-Match`, `If-Modified-Since`,
//! `If-Unmodified-Since`, `If-Range`.
//!
//! The order is Swift's: what a cache holds is answered first. A date is ignored
//! when the tag header of the same direction is present (RFC 9110 section 13.2.2).
//!
//! *Source*: RFC 9110 section 13; `swift/common/swob.py`, `_prepare_for_ranges`
//! and `conditional_etag`.

mod tags;
#[cfg(test)]
mod tests;

use repono_core::etag::ETag;
use repono_core::range::RangeSet;
use repono_core::request::{Method, RequestHead};
use repono_core::time::parse_http_date;

use crate::conditions::tags::TagSet;

/// The version of an object that a condition is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// The MD5 of its bytes.
    pub etag: ETag,
    /// Its `Last-Modified`, in Unix seconds (rounded up, as it is sent).
    pub last_modified_s: u64,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Carry the request out.
    Proceed,
    /// Answer 304: the caller has this version.
    NotModified,
    /// Answer 412.
    PreconditionFailed,
}

/// The conditions of one request, parsed.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    if_match: Option<TagSet>,
    if_none_match: Option<TagSet>,
    if_modified_since: DateField,
    if_unmodified_since: DateField,
    if_range: IfRange,
}

/// A date header; one that is not a single valid date is ignored (RFC 9110
/// sections 13.1.3 and 13.1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DateField {
    #[default]
    Absent,
    At(u64),
    Ignored,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum IfRange {
    #[default]
    Absent,
    Tag(ETag),
    Date(u64),
    /// Something that cannot match: a weak or foreign tag, a bad date, two values.
    Never,
}

impl Conditions {
    /// Reads the conditions of a request. Nothing is refused here: a tag that is
    /// none of ours matches nothing, a bad date is ignored.
    ///
    /// *Cost*: one pass over the fields; allocates only for tags.
    #[must_use]
    pub fn from_head(head: &RequestHead) -> Self {
        let mut conditions = Self::default();
        for (name, value) in head.fields() {
            if matches!(name, [b'I' | b'i', b'F' | b'f', b'-', ..]) {
                conditions.read(name, value);
            }
        }
        conditions
    }

    fn read(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"if-match") {
            self.if_match.get_or_insert_default().add(value);
        } else if name.eq_ignore_ascii_case(b"if-none-match") {
            self.if_none_match.get_or_insert_default().add(value);
        } else if name.eq_ignore_ascii_case(b"if-modified-since") {
            self.if_modified_since.add(value);
        } else if name.eq_ignore_ascii_case(b"if-unmodified-since") {
            self.if_unmodified_since.add(value);
        } else if name.eq_ignore_ascii_case(b"if-range") {
            self.if_range.add(value);
        }
    }

    /// Holds the conditions against the current version, or against its absence.
    ///
    /// A read of an absent object proceeds to its 404, except with `If-Match: *`;
    /// a write with any `If-Match` does not proceed.
    #[must_use]
    pub fn evaluate(&self, method: Method, current: Option<&Current>) -> Verdict {
        let effect = Effect::of(method);
        match current {
            Some(current) => self.evaluate_present(effect, current),
            None => self.evaluate_absent(effect),
        }
    }

    fn evaluate_present(&self, effect: Effect, current: &Current) -> Verdict {
        if self.if_none_match.as_ref().is_some_and(|tags| tags.matches_weakly(&current.etag)) {
            return match effect {
                Effect::Read => Verdict::NotModified,
                Effect::Write => Verdict::PreconditionFailed,
            };
        }
        if self.if_match.as_ref().is_some_and(|tags| !tags.matches_strongly(&current.etag)) {
            return Verdict::PreconditionFailed;
        }
        if effect == Effect::Read
            && self.if_none_match.is_none()
            && matches!(self.if_modified_since, DateField::At(date) if current.last_modified_s <= date)
        {
            return Verdict::NotModified;
        }
        if self.if_match.is_none()
            && matches!(self.if_unmodified_since, DateField::At(date) if current.last_modified_s > date)
        {
            return Verdict::PreconditionFailed;
        }
        Verdict::Proceed
    }

    fn evaluate_absent(&self, effect: Effect) -> Verdict {
        match (&self.if_match, effect) {
            (Some(_), Effect::Write) => Verdict::PreconditionFailed,
            (Some(tags), Effect::Read) if tags.is_any() => Verdict::PreconditionFailed,
            (Some(_) | None, Effect::Read) | (None, Effect::Write) => Verdict::Proceed,
        }
    }

    /// Whether `If-Range`, if there is one, lets a `Range` header count.
    ///
    /// *Shape*: a strong tag that is equal, or exactly the date of `Last-Modified`.
    /// Versions written within one second share that date: clients that resume
    /// should send the tag.
    #[must_use]
    pub fn if_range_holds(&self, current: &Current) -> bool {
        match self.if_range {
            IfRange::Absent => true,
            IfRange::Tag(tag) => tag == current.etag,
            IfRange::Date(date) => date == current.last_modified_s,
            IfRange::Never => false,
        }
    }

    /// The range that a GET is to be answered with, if it asks for one that counts.
    ///
    /// *Shape*: `method` is that of the request, and GET for the source of a copy.
    /// `None` for other methods (RFC 9110 section 14.2), a malformed or repeated
    /// `Range`, and an `If-Range` that does not hold: answer with the whole object.
    #[must_use]
    pub fn range(&self, head: &RequestHead, method: Method, current: &Current) -> Option<RangeSet> {
        if method != Method::Get {
            return None;
        }
        let mut values = head.fields_named("range");
        let (first, second) = (values.next()?, values.next());
        if second.is_some() || !self.if_range_holds(current) {
            return None;
        }
        RangeSet::parse(first)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Read,
    Write,
}

impl Effect {
    fn of(method: Method) -> Self {
        match method {
            Method::Get | Method::Head | Method::Options => Self::Read,
            Method::Put | Method::Post | Method::Delete | Method::Copy => Self::Write,
        }
    }
}

impl DateField {
    fn add(&mut self, value: &[u8]) {
        *self = match (*self, parse_http_date(value)) {
            (Self::Absent, Some(date)) => Self::At(date),
            (Self::Absent, None) | (Self::At(_) | Self::Ignored, _) => Self::Ignored,
        };
    }
}

impl IfRange {
    fn add(&mut self, value: &[u8]) {
        *self = match (*self, ETag::parse(value), parse_http_date(value)) {
            (Self::Absent, Some(tag), _) => Self::Tag(tag),
            (Self::Absent, None, Some(date)) => Self::Date(date),
            (Self::Absent, None, None) | (Self::Tag(_) | Self::Date(_) | Self::Never, _, _) => Self::Never,
        };
    }
}

//! Instants, and the four forms in which the wire writes them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description,
};

/// A wall-clock instant in units of 10 µs since the Unix epoch, UTC: Swift's
/// `X-Timestamp` resolution.
///
/// *Shape*: never before the epoch, never beyond 9,999,999,999 s (the ten digits
/// of the text form).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Units in a second.
    pub const PER_SECOND: u64 = 100_000;
    /// The last instant that ten digits of seconds can write.
    pub const MAX: Self = Self(9_999_999_999 * Self::PER_SECOND + 99_999);

    /// The present, by the system's clock. Called at the edges of the program;
    /// logic takes the instant as an argument.
    #[must_use]
    pub fn now() -> Self {
        Self::from_system(SystemTime::now())
    }

    /// The same instant of the system's clock, rounded down; an instant out of
    /// range becomes the nearest one in range.
    #[must_use]
    pub fn from_system(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_units(u64::try_from(since.as_micros() / 10).unwrap_or(u64::MAX))
    }

    /// The instant this many units after the epoch, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        if units > Self::MAX.0 { Self::MAX } else { Self(units) }
    }

    /// The instant this many seconds after the epoch, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self::from_units(seconds.saturating_mul(Self::PER_SECOND))
    }

    /// Units of 10 µs since the epoch.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.0 / Self::PER_SECOND
    }

    /// The smallest instant after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::from_units(self.0 + 1)
    }

    /// This instant and `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let units = u64::try_from(span.as_micros() / 10).unwrap_or(u64::MAX);
        Self::from_units(self.0.saturating_add(units))
    }

    /// The instant in seconds as `Last-Modified` gives it: rounded up, so that a
    /// version is never dated before it existed.
    #[must_use]
    pub const fn last_modified_seconds(self) -> u64 {
        self.0.div_ceil(Self::PER_SECOND)
    }

    /// `Last-Modified`: IMF-fixdate of [`Timestamp::last_modified_seconds`].
    #[must_use]
    pub fn last_modified(self) -> String {
        http_date(self.last_modified_seconds())
    }

    /// The form of listings: `2014-10-20T23:55:43.990910`, UTC without a zone.
    #[must_use]
    pub fn listing(self) -> String {
        const FORM: &[BorrowedFormatItem<'_>] =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]");
        offset(self.unix_seconds())
            .replace_microsecond(u32::try_from(self.0 % Self::PER_SECOND * 10).unwrap_or_default())
            .ok()
            .and_then(|t| t.format(FORM).ok())
            .unwrap_or_default()
    }

    /// Parses the text form of `X-Timestamp`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(seconds) || !digits(fraction) || seconds.len() > 10 || fraction.len() > 5 {
            return None;
        }
        let units: u64 = format!("{fraction:0<5}").parse().ok()?;
        let seconds: u64 = seconds.parse().ok()?;
        Some(Self::from_units(seconds * Self::PER_SECOND + units))
    }
}

impl fmt::Display for Timestamp {
    /// `X-Timestamp`: ten digits of seconds, a point, five digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}.{:05}", self.0 / Self::PER_SECOND, self.0 % Self::PER_SECOND)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// IMF-fixdate of whole Unix seconds, such as `Sun, 16 Aug 2015 01:03:03 GMT`
/// (RFC 9110 section 5.6.7).
#[must_use]
pub fn http_date(unix_seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix_seconds.min(Timestamp::MAX.unix_seconds())))
}

/// Unix seconds of an HTTP date in any of its three forms (RFC 9110 section 5.6.7).
#[must_use]
pub fn parse_http_date(text: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(str::from_utf8(text).ok()?).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|d| d.as_secs())
}

const UTC_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// `YYYY-MM-DDTHH:MM:SSZ`, the form of `x-auth-expiry`.
#[must_use]
pub fn utc_seconds(unix_seconds: u64) -> String {
    offset(unix_seconds).format(UTC_SECONDS).unwrap_or_default()
}

/// Unix seconds of exactly the form that [`utc_seconds`] writes: 20 bytes, a date
/// that exists, no leap second, no offset.
#[must_use]
pub fn parse_utc_seconds(text: &[u8]) -> Option<u64> {
    if text.len() != 20 {
        return None;
    }
    let time = PrimitiveDateTime::parse(str::from_utf8(text).ok()?, UTC_SECONDS).ok()?;
    u64::try_from(time.assume_utc().unix_timestamp()).ok()
}

fn offset(unix_seconds: u64) -> OffsetDateTime {
    let seconds = i64::try_from(unix_seconds.min(Timestamp::MAX.unix_seconds())).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, http_date, parse_http_date, parse_utc_seconds, utc_seconds};

    #[test]
    fn forms_of_the_incident() {
        let stamp = Timestamp::parse("1413849343.99091").expect("the incident's X-Timestamp");
        assert_eq!(stamp.to_string(), "1413849343.99091");
        assert_eq!(stamp.last_modified(), "Mon, 20 Oct 2014 23:55:44 GMT");
        assert_eq!(stamp.listing(), "2014-10-20T23:55:43.990910");
        assert_eq!(parse_utc_seconds(b"2015-08-16T01:22:43Z"), Some(1_439_688_163));
        assert_eq!(utc_seconds(1_439_688_163), "2015-08-16T01:22:43Z");
    }

    #[test]
    fn whole_seconds_are_not_rounded_up() {
        assert_eq!(Timestamp::from_unix_seconds(5).last_modified_seconds(), 5);
        assert_eq!(Timestamp::from_units(500_001).last_modified_seconds(), 6);
    }

    #[test]
    fn expiry_has_one_form_only() {
        for bad in [
            "2015-08-16T01:22:43z",
            "2015-08-16 01:22:43Z",
            "2015-02-29T01:22:43Z",
            "2015-08-16T24:22:43Z",
            "2015-08-16T01:22:60Z",
            "2015-08-16T01:22:43+00:00",
            "20150816T012243Z",
            "1969-12-31T23:59:59Z",
            "",
        ] {
            assert_eq!(parse_utc_seconds(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn http_dates_round_trip_and_bad_ones_are_none() {
        assert_eq!(parse_http_date(http_date(1_439_686_983).as_bytes()), Some(1_439_686_983));
        assert_eq!(parse_http_date(b"yesterday"), None);
        assert_eq!(Timestamp::parse("14138493430000.1"), None);
        assert_eq!(Timestamp::parse("1.123456"), None);
    }

    #[test]
    fn out_of_range_saturates() {
        assert_eq!(Timestamp::from_unix_seconds(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.next(), Timestamp::MAX);
        assert_eq!(utc_seconds(u64::MAX).len(), 20);
    }
}

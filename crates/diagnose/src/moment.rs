//! Times as logs write them.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use crate::event::Instant;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `2026-03-02T10:10:09.123Z`, with any number of digits and any offset.
///
/// *Source*: RFC 3339, section 5.6.
pub(crate) fn rfc3339(text: &str) -> Option<Instant> {
    Some(OffsetDateTime::parse(text, &Rfc3339).ok()?.into())
}

/// `02/Mar/2026:10:10:09`, as web servers write it, at the beginning of a text; and what
/// follows, such as a zone or milliseconds.
pub(crate) fn common_log(text: &str) -> Option<(PrimitiveDateTime, &str)> {
    let (moment, rest) = text.split_at_checked(20)?;
    let [d, d2, b'/', m, m2, m3, b'/', y, y2, y3, y4, b':', clock @ ..] = moment.as_bytes() else {
        return None;
    };
    let name = [*m, *m2, *m3];
    let (month, _) = (1..).zip(MONTHS).find(|(_, month)| **month == name)?;
    let date = date([*y, *y2, *y3, *y4], month, number([*d, *d2])?)?;
    Some((PrimitiveDateTime::new(date, clock_of(clock)?), rest))
}

/// `2026/03/02 10:10:09`, as nginx writes it in its error log.
pub(crate) fn error_log(text: &str) -> Option<PrimitiveDateTime> {
    let [y, y2, y3, y4, b'/', m, m2, b'/', d, d2, b' ', clock @ ..] = text.as_bytes() else { return None };
    let date = date([*y, *y2, *y3, *y4], u8::try_from(number([*m, *m2])?).ok()?, number([*d, *d2])?)?;
    Some(PrimitiveDateTime::new(date, clock_of(clock)?))
}

/// ` +0100`.
pub(crate) fn zone(text: &str) -> Option<UtcOffset> {
    let [b' ', sign @ (b'+' | b'-'), h, h2, m, m2] = text.as_bytes() else { return None };
    let [hours, minutes] = [number([*h, *h2])?, number([*m, *m2])?].map(|part| i8::try_from(part).ok());
    let (hours, minutes) = (hours?, minutes?);
    match sign {
        b'-' => UtcOffset::from_hms(-hours, -minutes, 0).ok(),
        _ => UtcOffset::from_hms(hours, minutes, 0).ok(),
    }
}

fn date(year: [u8; 4], month: u8, day: u16) -> Option<Date> {
    let month = Month::try_from(month).ok()?;
    Date::from_calendar_date(number(year)?.into(), month, u8::try_from(day).ok()?).ok()
}

/// `10:10:09`.
fn clock_of(text: &[u8]) -> Option<Time> {
    let [h, h2, b':', m, m2, b':', s, s2] = text else { return None };
    let [hour, minute, second] = [[*h, *h2], [*m, *m2], [*s, *s2]].map(number);
    let part = |number: Option<u16>| u8::try_from(number?).ok();
    Time::from_hms(part(hour)?, part(minute)?, part(second)?).ok()
}

/// A number of so many digits, at most four.
fn number<const N: usize>(digits: [u8; N]) -> Option<u16> {
    digits.into_iter().try_fold(0_u16, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

impl From<OffsetDateTime> for Instant {
    fn from(at: OffsetDateTime) -> Self {
        Self(at.unix_timestamp_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::{common_log, error_log, rfc3339, zone};
    use crate::event::Instant;

    #[test]
    fn all_forms_of_a_time_are_that_time() {
        let expected = rfc3339("2026-03-02T10:10:09Z");
        assert_eq!(rfc3339("2026-03-02T09:10:09.0-01:00"), expected);
        let (common, rest) = common_log("02/Mar/2026:10:10:09.123").unwrap();
        assert_eq!(rest, ".123");
        let error = error_log("2026/03/02 10:10:09").unwrap();
        assert_eq!([common, error].map(|at| Some(Instant::from(at.assume_utc()))), [expected; 2]);
        let east = common.assume_offset(zone(" +0130").unwrap());
        assert_eq!(Some(Instant::from(east)), rfc3339("2026-03-02T08:40:09Z"));
        let west = common.assume_offset(zone(" -0130").unwrap());
        assert_eq!(Some(Instant::from(west)), rfc3339("2026-03-02T11:40:09Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for none in ["", "02/Mar/2026", "2/Mar/2026:10:10:091", "31/Feb/2026:10:10:09", "02/Mär/2026:10:10:0"]
        {
            assert_eq!(common_log(none), None, "{none}");
        }
        for none in ["", "2026/13/02 10:10:09", "2026/03/02 24:10:09", "2026/03/02 10:10:09 "] {
            assert_eq!(error_log(none), None, "{none}");
        }
        for none in ["", "+0100", " 0100", " +01:00", " +9900"] {
            assert_eq!(zone(none), None, "{none}");
        }
    }
}

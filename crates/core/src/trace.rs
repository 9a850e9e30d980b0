//! Whose doing a request is, across services: `traceparent` and `tracestate`.
//!
//! *Source*: W3C "Trace Context", Level 2, sections 3.2 and 3.3.

use std::fmt;

use data_encoding::HEXLOWER;
use rand::Rng;

/// Bytes of `traceparent` in version 00.
pub const TRACEPARENT_BYTES: usize = 55;
/// The most that is passed on of a caller's `tracestate`; longer ones are left out whole,
/// since a part of a list means something else.
const STATE_BYTES_MAX: usize = 512;
/// Members of a `tracestate` (section 3.3.1.1).
const STATE_MEMBERS_MAX: usize = 32;
/// The caller may have recorded the request.
const SAMPLED: u8 = 0x01;
/// The trace's id is random.
const RANDOM: u8 = 0x02;

/// The id of a trace: 16 bytes, not all of them 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// The id of one part of a trace, such as a request: 8 bytes, not all of them 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

/// What a request says of the trace that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The part of it that asks.
    pub span: SpanId,
    flags: u8,
}

/// A request as a part of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace.
    pub trace: TraceId,
    /// The request.
    pub id: SpanId,
    /// Whoever asked, if that is known.
    pub parent: Option<SpanId>,
}

impl TraceId {
    /// A new random id.
    #[must_use]
    pub fn random(random: &mut impl Rng) -> Self {
        // A zero comes once in 2^128 times, and is no id.
        Self((random.random::<u128>() | 1).to_be_bytes())
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hex digits.
    #[must_use]
    pub fn hex(&self) -> [u8; 32] {
        let mut hex = [0; 32];
        HEXLOWER.encode_mut(&self.0, &mut hex);
        hex
    }

    /// The id that these 32 hex digits name; `None` for anything else, and for zeros.
    #[must_use]
    pub fn parse(hex: &[u8]) -> Option<Self> {
        bytes(hex).map(Self)
    }
}

impl SpanId {
    /// A new random id.
    #[must_use]
    pub fn random(random: &mut impl Rng) -> Self {
        Self((random.random::<u64>() | 1).to_be_bytes())
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// 16 hex digits.
    #[must_use]
    pub fn hex(&self) -> [u8; 16] {
        let mut hex = [0; 16];
        HEXLOWER.encode_mut(&self.0, &mut hex);
        hex
    }

    /// The id that these 16 hex digits name; `None` for anything else, and for zeros.
    #[must_use]
    pub fn parse(hex: &[u8]) -> Option<Self> {
        bytes(hex).map(Self)
    }
}

/// So many bytes from lower-case hex digits, not all of them 0.
fn bytes<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if HEXLOWER.decode_len(hex.len()) != Ok(N) {
        return None;
    }
    HEXLOWER.decode_mut(hex, &mut bytes).ok()?;
    bytes.iter().any(|byte| *byte != 0).then_some(bytes)
}

impl TraceContext {
    /// A new trace, of which this is the first part.
    #[must_use]
    pub fn new(random: &mut impl Rng) -> Self {
        Self { trace: TraceId::random(random), span: SpanId::random(random), flags: SAMPLED | RANDOM }
    }

    /// What a value of `traceparent` says; `None` where it is malformed: then the trace
    /// begins anew. Of a version to come the part is read that it shares with 00.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(TRACEPARENT_BYTES)?;
        let version = known.get(..2).filter(|version| *version != b"ff")?;
        HEXLOWER.decode(version).ok()?;
        let goes_on = rest.first() == Some(&b'-') && version != b"00";
        let dashes = [2, 35, 52].iter().all(|at| known.get(*at) == Some(&b'-'));
        if !dashes || !(rest.is_empty() || goes_on) {
            return None;
        }
        let trace = TraceId::parse(known.get(3..35)?)?;
        let span = SpanId::parse(known.get(36..52)?)?;
        let flags = HEXLOWER.decode(known.get(53..)?).ok()?;
        Some(Self { trace, span, flags: flags.first()? & (SAMPLED | RANDOM) })
    }

    /// The context of the values of a header: one alone is one.
    #[must_use]
    pub fn of_values<'v>(mut values: impl Iterator<Item = &'v [u8]>) -> Option<Self> {
        let first = values.next()?;
        if values.next().is_some() { None } else { Self::parse(first) }
    }

    /// The same trace, asked on by another part of it.
    #[must_use]
    pub const fn asked_by(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// A request of this context, under a new id.
    #[must_use]
    pub fn request(&self, random: &mut impl Rng) -> Span {
        Span { trace: self.trace, id: SpanId::random(random), parent: Some(self.span) }
    }

    /// The value of `traceparent`.
    #[must_use]
    pub fn value(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        value[3..35].copy_from_slice(&self.trace.hex());
        value[36..52].copy_from_slice(&self.span.hex());
        HEXLOWER.encode_mut(&[self.flags], &mut value[53..]);
        value
    }
}

/// Whether a `tracestate` is one that may be passed on: a list of at most 32 members of
/// `key=value`, in at most 512 bytes of printable ASCII.
#[must_use]
pub fn is_trace_state(value: &[u8]) -> bool {
    let members = || value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let is_member = |member: &[u8]| {
        let key = member.split(|byte| *byte == b'=').next().unwrap_or_default();
        let in_key =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
        member.contains(&b'=') && !key.is_empty() && key.len() <= 256 && key.iter().all(in_key)
    };
    value.len() <= STATE_BYTES_MAX
        && value.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && members().count() <= STATE_MEMBERS_MAX
        && members().any(|member| !member.is_empty())
        && members().filter(|member| !member.is_empty()).all(is_member)
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::{TraceContext, is_trace_state};

    const VALUE: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_as_it_was_written() {
        let read = TraceContext::parse(VALUE).expect("valid");
        assert_eq!(read.value(), VALUE);
        let mut random = SmallRng::seed_from_u64(1);
        let new = TraceContext::new(&mut random);
        assert_eq!(TraceContext::parse(&new.value()), Some(new));
        let request = read.request(&mut random);
        assert_eq!((request.trace, request.parent), (read.trace, Some(read.span)));
        assert_ne!(request.id, read.span);
        assert_eq!(&read.asked_by(request.id).value()[..36], &VALUE[..36]);
    }

    #[test]
    fn what_is_malformed_begins_anew() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "zz-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(TraceContext::of_values([VALUE, VALUE].into_iter()), None, "two are none");
        assert_eq!(TraceContext::of_values([].into_iter()), None);
    }

    #[test]
    fn a_version_to_come_is_read_as_far_as_it_is_known() {
        for later in [
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-comes",
        ] {
            let read = TraceContext::parse(later.as_bytes()).expect("valid");
            assert_eq!(read.value(), *b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
        }
    }

    #[test]
    fn a_state_is_passed_on_whole_or_not() {
        for good in ["congo=t61rcWkgMzE", "a=1, b@x=2 ,,c/d=~", &"a=1,".repeat(31)] {
            assert!(is_trace_state(good.as_bytes()), "{good}");
        }
        let (many, long) = ("a=1,".repeat(32), format!("a={}", "x".repeat(511)));
        for bad in ["", ",", "a", "=1", "A=1", "a=1\nb", "a=é", &many, &long] {
            assert!(!is_trace_state(bad.as_bytes()), "{bad}");
        }
    }
}

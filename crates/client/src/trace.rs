//! The trace that requests belong to: the caller's, or one of their own.

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng;
use repono_core::trace::{Span, TraceContext, is_trace_state};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A trace of whoever uses the client: its requests are children of his span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallersTrace {
    context: TraceContext,
    state: Option<HeaderValue>,
}

impl CallersTrace {
    /// The trace of the values of `traceparent` and `tracestate`; `None` where the first
    /// is malformed. A state that is malformed, or longer than 512 bytes, is left out.
    #[must_use]
    pub fn parse(traceparent: &[u8], tracestate: Option<&[u8]>) -> Option<Self> {
        let context = TraceContext::parse(traceparent)?;
        let state = tracestate.filter(|state| is_trace_state(state));
        let state = state.and_then(|state| HeaderValue::from_bytes(state).ok());
        Some(Self { context, state })
    }
}

/// The trace of one request, the same in all of its attempts.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    context: TraceContext,
    /// Of the caller; without him attempts stand beside one another.
    parent: Parent,
    state: Option<HeaderValue>,
}

#[derive(Clone, Copy, Debug)]
enum Parent {
    Caller,
    None,
}

impl Trace {
    pub(crate) fn of(caller: Option<&CallersTrace>, random: &mut impl Rng) -> Self {
        match caller {
            Some(CallersTrace { context, state }) => {
                Self { context: *context, parent: Parent::Caller, state: state.clone() }
            }
            None => Self { context: TraceContext::new(random), parent: Parent::None, state: None },
        }
    }

    /// Enters another attempt into its headers; gives it for its record.
    pub(crate) fn enter(&self, headers: &mut HeaderMap, random: &mut impl Rng) -> Span {
        let mut span = self.context.request(random);
        if matches!(self.parent, Parent::None) {
            span.parent = None;
        }
        // Digits and dashes are a value.
        if let Ok(value) = HeaderValue::from_bytes(&self.context.asked_by(span.id).value()) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
        span
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use repono_core::trace::TraceContext;

    use super::{CallersTrace, Trace};

    const PARENT: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn attempts_are_parts_of_one_trace_under_the_caller_or_of_their_own() {
        let mut random = StdRng::seed_from_u64(3);
        let caller = CallersTrace::parse(PARENT, Some(b"congo=1")).expect("valid");
        for caller in [Some(&caller), None] {
            let trace = Trace::of(caller, &mut random);
            let [first, second] = [(); 2].map(|()| {
                let mut headers = HeaderMap::new();
                let span = trace.enter(&mut headers, &mut random);
                let sent = TraceContext::parse(headers["traceparent"].as_bytes()).expect("valid");
                assert_eq!((sent.trace, sent.span), (span.trace, span.id));
                assert_eq!(headers.get("tracestate").is_some(), caller.is_some());
                span
            });
            assert_eq!((first.trace, first.parent), (second.trace, second.parent));
            assert_ne!(first.id, second.id);
            assert_eq!(first.parent, caller.map(|caller| caller.context.span));
        }
    }

    #[test]
    fn a_state_without_a_trace_or_of_no_form_is_not_passed_on() {
        assert_eq!(CallersTrace::parse(b"00-0", Some(b"congo=1")), None);
        let bad = CallersTrace::parse(PARENT, Some(b"no state")).expect("valid");
        assert_eq!(bad.state, None);
    }
}

//! What is looked for in a log: rules as data, and how their conditions are decided.

use std::time::Duration;

use serde::Deserialize;

use crate::event::{After, Failure, Heard};
use crate::finding::{Hop, Remedy};
use crate::timeline::{Attempt, Origin, Request};

/// The rules, as they are shipped.
const TEXT: &str = include_str!("rules.toml");

/// One cause that can be found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) hop: Hop,
    when: Vec<Condition>,
    pub(crate) title: String,
    pub(crate) explanation: String,
    pub(crate) ruled_out: Vec<String>,
    pub(crate) prove: String,
    pub(crate) remedy: Vec<Remedy>,
    #[serde(default)]
    pub(crate) variant: Vec<Variant>,
    /// How often it must have happened to be worth a word.
    #[serde(default = "once")]
    pub(crate) count_min: u64,
    /// In which share of the attempts.
    #[serde(default)]
    pub(crate) share_min: f64,
}

/// One of several causes of the same thing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) id: String,
    pub(crate) hop: Hop,
    when: Vec<Condition>,
    pub(crate) title: String,
    pub(crate) explanation: String,
}

const fn once() -> u64 {
    1
}

/// What may be asked of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Condition {
    /// Its connection came from the pool.
    KeptConnection,
    /// Its connection was made for it.
    FreshConnection,
    /// Its head was written.
    HeadSent,
    /// No reply began.
    NoReply,
    /// A reply began.
    Replied,
    /// The reply lets the connection be used again.
    ReplyKeeps,
    /// The reply announces the end of the connection.
    ReplyCloses,
    /// It failed in a way in which connections end.
    ConnectionLost,
    /// Nobody accepted a connection.
    FailedToConnect,
    /// Its name had no address.
    FailedToResolve,
    /// TLS was refused.
    FailedInTls,
    /// The client gave it up.
    TimedOut,
    /// The library sent it again.
    SentAgain,
    /// It did not.
    NotSentAgain,
    /// The application got the error.
    HeardByApplication,
    /// Its method is not GET, HEAD, OPTIONS or TRACE (RFC 9110 section 9.2.1).
    MayHaveEffect,
    /// From its head to its failure it took at least so long.
    #[serde(rename = "failed_after_ms")]
    FailedAfter(u64),
    /// At most so long.
    #[serde(rename = "failed_within_ms")]
    FailedWithin(u64),
    /// From its head to the reply it took at least so long.
    #[serde(rename = "replied_after_ms")]
    RepliedAfter(u64),
}

/// An answer, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// The log does not say.
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// The attempt that is looked at, among those at its request.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) request: &'a Request,
    pub(crate) attempt: &'a Attempt,
    pub(crate) next: Option<&'a Attempt>,
}

impl Case<'_> {
    /// From the head of the request to the failure or the reply.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let sent = self.attempt.head_sent.as_ref()?;
        let failed = self.attempt.failed.as_ref().map(|(mark, _, _)| mark);
        let answered = self.attempt.answered.as_ref().map(|(mark, _)| mark);
        failed.or(answered)?.since(sent)
    }

    fn answer(&self, condition: Condition) -> Answer {
        let Self { request, attempt, next } = self;
        let failure = attempt.failed.as_ref().map(|(_, failure, _)| *failure);
        let waited = |of: bool, holds: &dyn Fn(Duration) -> bool| match (of, self.wait()) {
            (false, _) => Answer::No,
            (true, Some(wait)) => holds(wait).into(),
            (true, None) => Answer::Unknown,
        };
        match condition {
            Condition::KeptConnection => matches!(attempt.origin, Origin::Kept | Origin::KeptUnseen).into(),
            Condition::FreshConnection => (attempt.origin == Origin::Fresh).into(),
            Condition::HeadSent => attempt.head_sent.is_some().into(),
            Condition::NoReply => attempt.answered.is_none().into(),
            Condition::Replied => attempt.answered.is_some().into(),
            Condition::ReplyKeeps => (attempt.after == Some(After::Kept)).into(),
            Condition::ReplyCloses => (attempt.after == Some(After::Closed)).into(),
            Condition::ConnectionLost => failure.is_some_and(Failure::is_of_connection).into(),
            Condition::FailedToConnect => (failure == Some(Failure::Connect)).into(),
            Condition::FailedToResolve => (failure == Some(Failure::Name)).into(),
            Condition::FailedInTls => (failure == Some(Failure::Tls)).into(),
            Condition::TimedOut => (failure == Some(Failure::TimedOut)).into(),
            Condition::SentAgain => next.is_some().into(),
            Condition::NotSentAgain => next.is_none().into(),
            Condition::HeardByApplication => {
                let heard = attempt.failed.as_ref().map(|(_, _, heard)| *heard);
                (heard == Some(Heard::Application)).into()
            }
            Condition::MayHaveEffect => {
                (!matches!(&*request.method, "GET" | "HEAD" | "OPTIONS" | "TRACE")).into()
            }
            Condition::FailedAfter(ms) => {
                waited(failure.is_some(), &|wait| wait >= Duration::from_millis(ms))
            }
            Condition::FailedWithin(ms) => {
                waited(failure.is_some(), &|wait| wait <= Duration::from_millis(ms))
            }
            Condition::RepliedAfter(ms) => {
                waited(attempt.answered.is_some(), &|wait| wait >= Duration::from_millis(ms))
            }
        }
    }

    fn all(&self, conditions: &[Condition]) -> Answer {
        let answers = || conditions.iter().map(|condition| self.answer(*condition));
        if answers().any(|answer| answer == Answer::No) {
            Answer::No
        } else if answers().any(|answer| answer == Answer::Unknown) {
            Answer::Unknown
        } else {
            Answer::Yes
        }
    }
}

/// Which of a rule's variants it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    /// The rule has none, or the time fits none of them.
    Plain,
    /// This one, by its place.
    Variant(usize),
    /// One of these: the log does not tell which.
    Undecided(Vec<usize>),
}

impl Rule {
    /// The rules, as they are shipped.
    pub(crate) fn shipped() -> Result<Vec<Self>, toml::de::Error> {
        #[derive(Deserialize)]
        struct Rules {
            rule: Vec<Rule>,
        }
        toml::from_str::<Rules>(TEXT).map(|rules| rules.rule)
    }

    /// Whether this is what happened, and which of the variants.
    pub(crate) fn judge(&self, case: &Case<'_>) -> Option<Verdict> {
        if case.all(&self.when) != Answer::Yes {
            return None;
        }
        let answers = || self.variant.iter().enumerate().map(|(at, variant)| (at, case.all(&variant.when)));
        if let Some((at, _)) = answers().find(|(_, answer)| *answer == Answer::Yes) {
            return Some(Verdict::Variant(at));
        }
        let open: Vec<_> =
            answers().filter(|(_, answer)| *answer == Answer::Unknown).map(|(at, _)| at).collect();
        Some(match open.as_slice() {
            [] => Verdict::Plain,
            [..] => Verdict::Undecided(open),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Rule;

    #[test]
    fn the_shipped_rules_are_whole() {
        let rules = Rule::shipped().expect("TOML");
        let ids: HashSet<_> = rules.iter().map(|rule| &rule.id).collect();
        assert_eq!(ids.len(), rules.len());
        for rule in &rules {
            assert!(
                !rule.when.is_empty() && !rule.remedy.is_empty() && !rule.ruled_out.is_empty(),
                "{}",
                rule.id
            );
        }
    }
}

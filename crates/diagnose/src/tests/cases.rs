//! A case of each rule and of each variant, with a near miss and with others that are
//! well.

mod journals;
mod proxies;
mod traces;

use std::iter;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::synthetic::journals::{Attempt, Heads, journals};
use crate::synthetic::{Story, Times, trace};

/// What is found: rule and variant.
pub(super) type Found = (String, Option<String>);

/// What one system wrote, in parts that do not depend on each other.
#[derive(Clone)]
pub(super) enum Log {
    /// Threads of a System.Net trace.
    Trace(Vec<Story>),
    /// Lines of a proxy's log: each is a request of its own.
    Proxy(Vec<String>),
    /// Journals of client, balancer and head.
    Journals(Vec<Attempt>, Heads),
}

/// One of a rule's cases.
pub(super) struct Case {
    pub(super) rule: &'static str,
    pub(super) variant: Option<&'static str>,
    pub(super) count: u64,
    pub(super) positive: Log,
    pub(super) near_miss: Log,
    /// What nothing is wrong with, from the same log.
    pub(super) others: Log,
}

/// All of them.
pub(super) fn all() -> Vec<Case> {
    traces::cases().into_iter().chain(proxies::cases()).chain(journals::cases()).collect()
}

impl Log {
    /// Its files, by name.
    pub(super) fn files(&self, times: Times) -> Vec<(String, String)> {
        match self {
            Self::Trace(stories) => vec![("net.log".to_owned(), trace(stories, times))],
            Self::Proxy(lines) => vec![("proxy.log".to_owned(), lines.concat())],
            Self::Journals(attempts, heads) => {
                journals(attempts, *heads).into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
            }
        }
    }

    /// Among what others did.
    pub(super) fn among(&self, others: &Self) -> Self {
        match (self, others) {
            (Self::Trace(one), Self::Trace(other)) => Self::Trace([&one[..], other].concat()),
            (Self::Proxy(one), Self::Proxy(other)) => Self::Proxy([&other[..], one, other].concat()),
            (Self::Journals(one, heads), Self::Journals(other, _)) => {
                Self::Journals([&one[..], other].concat(), *heads)
            }
            (Self::Trace(_) | Self::Proxy(_) | Self::Journals(..), _) => panic!("others of another kind"),
        }
    }

    /// The same things, each at another time.
    pub(super) fn shuffled(&self, random: &mut StdRng) -> Self {
        match self {
            Self::Trace(stories) => Self::Trace(
                stories.iter().map(|story| story.clone().later(random.random_range(0..20_000))).collect(),
            ),
            Self::Proxy(lines) => {
                let mut lines = lines.clone();
                lines.shuffle(random);
                Self::Proxy(lines)
            }
            // Attempts at one request follow each other; whose records come first is open.
            Self::Journals(attempts, heads) => Self::Journals(attempts.clone(), *heads),
        }
    }

    /// Where a file may end and the next one begin.
    fn joints(&self, text: &str) -> Vec<usize> {
        match self {
            Self::Trace(_) => text.match_indices("System.Net ").map(|(at, _)| at).collect(),
            Self::Proxy(_) | Self::Journals(..) => text.match_indices('\n').map(|(at, _)| at + 1).collect(),
        }
    }

    /// Its files, each cut into several.
    pub(super) fn split(&self, random: &mut StdRng) -> Vec<(String, String)> {
        let mut pieces = Vec::new();
        for (name, text) in self.files(Times::Given) {
            let joints = self.joints(&text);
            let mut cuts: Vec<_> = (0..3).map(|_| joints[random.random_range(0..joints.len())]).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            for (at, ends) in cuts.windows(2).enumerate() {
                pieces.push((format!("{name}.{at}"), text[ends[0]..ends[1]].to_owned()));
            }
        }
        pieces
    }
}

/// All that is said of these files.
pub(super) fn diagnosed(files: &[(String, String)]) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    for (name, text) in files {
        diagnoser.read(name, text.as_bytes()).expect("read");
    }
    let diagnosis = diagnoser.finish();
    let unclassified: u64 = diagnosis.inputs.iter().map(|input| input.unclassified).sum();
    assert_eq!(unclassified, 0, "{files:#?}");
    diagnosis
}

/// Rules and variants, in the order of their names.
pub(super) fn found(files: &[(String, String)]) -> Vec<Found> {
    let findings = diagnosed(files).findings.into_iter();
    let mut found: Vec<_> = findings.map(|finding| (finding.rule, finding.variant)).collect();
    found.sort();
    found
}

impl Case {
    pub(super) fn verdict(&self) -> Vec<Found> {
        iter::once((self.rule.to_owned(), self.variant.map(str::to_owned))).collect()
    }
}

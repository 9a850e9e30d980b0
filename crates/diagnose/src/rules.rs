//! What is looked for in a log: rules as data, and how their conditions are decided.

mod captured;
mod condition;
mod proxied;
mod span;
mod traits;

use std::sync::OnceLock;

use serde::Deserialize;

use crate::finding::{Confidence, Hop, Remedy};

pub(crate) use condition::Case;
use condition::{Answer, Condition};
pub(crate) use span::Span;
pub(crate) use traits::Traits;

/// The rules, as they are shipped.
const TEXT: &str = include_str!("rules.toml");

/// One cause that can be found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) hop: Hop,
    when: Vec<Condition>,
    #[serde(skip)]
    needs: Traits,
    pub(crate) title: String,
    pub(crate) explanation: String,
    pub(crate) ruled_out: Vec<String>,
    pub(crate) prove: String,
    pub(crate) remedy: Vec<Remedy>,
    /// Whose variants come before its own.
    witnesses: Option<String>,
    #[serde(default)]
    pub(crate) variant: Vec<Variant>,
    /// The part of the attempt whose time was lost.
    #[serde(default)]
    pub(crate) measure: Span,
    /// How often it must have happened to be worth a word.
    #[serde(default = "once")]
    pub(crate) count_min: u64,
    /// In which share of the attempts.
    #[serde(default)]
    pub(crate) share_min: f64,
    /// Of which attempts that is a share, if not of all.
    #[serde(default)]
    among: Vec<Condition>,
    /// How sure it is at most.
    pub(crate) confidence: Option<Confidence>,
}

/// One of several causes of the same thing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) id: String,
    /// How sure it is at least, where its conditions hold.
    pub(crate) confidence: Option<Confidence>,
    pub(crate) hop: Hop,
    when: Vec<Condition>,
    pub(crate) title: String,
    pub(crate) explanation: String,
    #[serde(default)]
    pub(crate) remedy: Vec<Remedy>,
}

/// Variants that several rules share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Witnesses {
    id: String,
    variant: Vec<Variant>,
}

/// All that the file holds.
#[derive(Deserialize)]
struct Rules {
    witnesses: Vec<Witnesses>,
    rule: Vec<Rule>,
}

const fn once() -> u64 {
    1
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
    ///
    /// *Cost*: the text is read once in a process.
    pub(crate) fn shipped() -> Result<Vec<Self>, toml::de::Error> {
        static SHIPPED: OnceLock<Vec<Rule>> = OnceLock::new();
        if let Some(rules) = SHIPPED.get() {
            return Ok(rules.clone());
        }
        let Rules { witnesses, mut rule } = toml::from_str(TEXT)?;
        for rule in &mut rule {
            let shared = witnesses.iter().filter(|shared| Some(&shared.id) == rule.witnesses.as_ref());
            let shared: Vec<_> = shared.flat_map(|shared| shared.variant.iter().cloned()).collect();
            rule.variant.splice(..0, shared);
            rule.needs = Traits::needed(&rule.when);
        }
        Ok(SHIPPED.get_or_init(|| rule).clone())
    }

    /// Whether it is about all attempts; else about those that it concerns.
    pub(crate) const fn concerns_all(&self) -> bool {
        self.among.is_empty()
    }

    /// Whether an attempt is one of those of which a share must be concerned.
    pub(crate) fn concerns(&self, case: &Case<'_>) -> bool {
        self.concerns_all() || case.all(&self.among) == Answer::Yes
    }

    /// Whether an attempt that has these can be what the rule looks for.
    pub(crate) const fn may_fit(&self, has: Traits) -> bool {
        has.include(self.needs)
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
pub(crate) mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::{Rule, Rules, TEXT, Variant};

    /// A rule by itself, or with one of its variants.
    pub(crate) type Verdicts = BTreeSet<(String, Option<String>)>;

    /// Every one that there is, variants of witnesses under the name of their group; and
    /// which rule has which group.
    pub(crate) fn verdicts() -> (Verdicts, BTreeSet<(String, String)>) {
        let Rules { witnesses, rule } = toml::from_str(TEXT).expect("TOML");
        let owned = |owner: &str, variants: &[Variant]| -> Vec<_> {
            variants.iter().map(|variant| (owner.to_owned(), Some(variant.id.clone()))).collect()
        };
        let mut verdicts: BTreeSet<_> = rule.iter().map(|rule| (rule.id.clone(), None)).collect();
        verdicts.extend(rule.iter().flat_map(|rule| owned(&rule.id, &rule.variant)));
        verdicts.extend(witnesses.iter().flat_map(|group| owned(&group.id, &group.variant)));
        let groups = rule.iter().filter_map(|rule| Some((rule.id.clone(), rule.witnesses.clone()?)));
        (verdicts, groups.collect())
    }

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
            assert!(
                rule.witnesses.is_none() || rule.variant.len() > 5,
                "{} names a group that is none",
                rule.id
            );
        }
    }
}

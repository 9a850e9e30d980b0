//! Each rule and each variant has a case, a near miss, and the case among others that are
//! well; neither order, nor files, nor missing times change what is found.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};

use super::cases::{Case, Found, Log, all, diagnosed, found};
use crate::pcap::tests as pcap;
use crate::report;
use crate::rules::tests::verdicts;
use crate::synthetic::{Listener, Times, written};

/// Rules that look at times alone find nothing without.
const TIMED: [&str; 7] = [
    "slow-reply",
    "connection-limit",
    "continue-ignored",
    "connect-slow",
    "handshake-slow",
    "transfer-slow",
    "nagle-delayed-ack",
];

/// How often each case is shuffled and split: there are some sixty.
const ROUNDS: u32 = 8;

/// The rule, or the group of witnesses, whose variant a case is about.
fn owner(case: &Case, groups: &BTreeSet<(String, String)>) -> Found {
    let is_told = matches!(case.positive, Log::Journals(..));
    let group = groups.iter().find(|(rule, _)| is_told && rule == case.rule).map(|(_, group)| group.clone());
    (group.unwrap_or_else(|| case.rule.to_owned()), case.variant.map(str::to_owned))
}

#[test]
fn no_rule_and_no_variant_is_without_a_case() {
    let (shipped, groups) = verdicts();
    let cases = all();
    let mut covered: BTreeSet<_> = cases.iter().map(|case| owner(case, &groups)).collect();
    covered.extend(cases.iter().map(|case| (case.rule.to_owned(), None)));
    for (rule, variant) in pcap::verdicts() {
        let group = groups.iter().find(|(of, _)| of == rule).map(|(_, group)| group.clone());
        let variant = variant.map(str::to_owned);
        covered.extend(group.map(|group| (group, variant.clone())));
        covered.extend([(rule.to_owned(), None), (rule.to_owned(), variant)]);
    }
    let missing: Vec<_> = shipped.difference(&covered).collect();
    assert!(missing.is_empty(), "without a case: {missing:?}");
}

#[test]
fn each_case_is_found_and_no_near_miss() {
    for case in all() {
        let diagnosis = diagnosed(&case.positive.files(Times::Given));
        let said: Vec<_> =
            diagnosis.findings.iter().map(|it| (&*it.rule, it.variant.as_deref(), it.count)).collect();
        assert_eq!(said, [(case.rule, case.variant, case.count)]);
        let near = found(&case.near_miss.files(Times::Given));
        assert!(!near.contains(&case.verdict()[0]), "{} {:?}: {near:?}", case.rule, case.variant);
        if case.variant.is_none() {
            assert!(near.iter().all(|(rule, _)| rule != case.rule), "{}: {near:?}", case.rule);
        }
    }
}

#[test]
fn what_others_do_changes_no_verdict() {
    for case in all() {
        assert_eq!(found(&case.positive.among(&case.others).files(Times::Given)), case.verdict());
        assert_eq!(found(&case.others.files(Times::Given)), []);
    }
}

/// The report of each rule's first case.
#[test]
fn the_report_of_each_rule_reads_as_it_should() {
    let mut seen = BTreeSet::new();
    for case in all().into_iter().filter(|case| seen.insert(case.rule)) {
        let said = report::text(&diagnosed(&case.positive.files(Times::Given)));
        assert!(!said.contains("SENTINEL"), "{said}");
        insta::assert_snapshot!(case.rule, said);
    }
}

#[test]
fn without_times_the_rule_is_the_same_and_less_sure() {
    for case in all().into_iter().filter(|case| matches!(case.positive, Log::Trace(_))) {
        let timed = diagnosed(&case.positive.files(Times::Given)).findings.remove(0);
        let log = case.positive.among(&case.others);
        let mut untimed = diagnosed(&log.files(Times::Missing)).findings;
        if TIMED.contains(&case.rule) {
            assert!(untimed.is_empty(), "{}: {untimed:?}", case.rule);
            continue;
        }
        let finding = untimed.remove(0);
        assert!(untimed.is_empty() && finding.rule == case.rule, "{} {finding:?} {untimed:?}", case.rule);
        assert!(finding.confidence <= timed.confidence, "{}", case.rule);
        if let Some(variant) = case.variant {
            assert!(finding.candidates.iter().any(|candidate| candidate.variant == variant), "{finding:?}");
        }
    }
}

#[test]
fn whichever_listener_writes_the_trace_the_verdict_is_the_same() {
    for case in all() {
        let Log::Trace(stories) = case.positive.among(&case.others) else { continue };
        for listener in [Listener::Text, Listener::Xml, Listener::Delimited] {
            let files = [("net.log".to_owned(), written(&stories, listener))];
            assert_eq!(found(&files), case.verdict(), "{listener:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ROUNDS))]

    /// However threads, lines and files are interleaved.
    #[test]
    fn order_changes_no_verdict(seed in any::<u64>()) {
        let mut random = StdRng::seed_from_u64(seed);
        for case in all() {
            let mut files = case.positive.among(&case.others).shuffled(&mut random).files(Times::Given);
            let turn = random.random_range(0..files.len());
            files.rotate_left(turn);
            prop_assert_eq!(found(&files), case.verdict());
        }
    }

    /// Wherever a log was split, and however often.
    #[test]
    fn files_of_one_log_change_no_verdict(seed in any::<u64>()) {
        let mut random = StdRng::seed_from_u64(seed);
        for case in all() {
            let files = case.positive.among(&case.others).split(&mut random);
            prop_assert_eq!(found(&files), case.verdict());
        }
    }
}

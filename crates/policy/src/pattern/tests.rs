use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};

use super::{FLOATING_BYTES_MAX, Match, NoVariables, Pattern, Resolve, Variable, VariableUse, Wildcards};

struct Alice;

impl Resolve for Alice {
    fn resolve(&self, variable: Variable) -> Option<&[u8]> {
        match variable {
            Variable::UserName => Some(b"a*e"),
            Variable::UserId => Some(b"7"),
            Variable::Account | Variable::Application => None,
        }
    }
}

fn glob(pattern: &str) -> Pattern {
    Pattern::compile(pattern, Wildcards::Active, VariableUse::Expand).expect(pattern)
}

fn matches(pattern: &str, text: &str) -> bool {
    glob(pattern).matches(text.as_bytes(), &NoVariables).is_yes()
}

#[test]
fn wildcards() {
    let cases: [(&str, &[&str], &[&str]); 16] = [
        ("", &[""], &["a"]),
        ("*", &["", "a", "a/b", "é"], &[]),
        ("**", &["", "ab"], &[]),
        ("a*", &["a", "ab", "a/b"], &["", "ba"]),
        ("*a", &["a", "ba", "aa"], &["", "ab"]),
        ("a*a", &["aa", "aba"], &["a", "ab"]),
        ("a?c", &["abc", "aéc", "a/c"], &["ac", "abbc"]),
        ("?", &["a", "é", "€", "😀"], &["", "ab"]),
        ("*?", &["a", "é", "aé"], &[""]),
        ("*??", &["ab", "éé", "€€"], &["", "é", "€"]),
        ("*b?d*", &["abcd", "bxd", "bbbcdx"], &["bd", "bbcc"]),
        ("files/*.txt", &["files/a.txt", "files/a/b.txt", "files/.txt"], &["files/a.txt2", "file/a.txt"]),
        ("*ab*ab*", &["abab", "xabyabz"], &["ab", "aab"]),
        ("a*b*c", &["abc", "abbc", "axbxc"], &["acb", "ac"]),
        ("[a]*", &["[a]", "[a]b"], &["a"]),
        ("$x", &["$x"], &["x"]),
    ];
    for (pattern, good, bad) in cases {
        for text in good {
            assert!(matches(pattern, text), "{pattern} should match {text}");
        }
        for text in bad {
            assert!(!matches(pattern, text), "{pattern} should not match {text}");
        }
    }
}

#[test]
fn variables_are_literal_text_and_unresolved_ones_say_so() {
    let held = |pattern: &str, text: &str| glob(pattern).matches(text.as_bytes(), &Alice);
    assert_eq!(held("home/${aws:username}/*", "home/a*e/x"), Match::Yes);
    assert_eq!(held("home/${aws:username}/*", "home/alice/x"), Match::No);
    assert_eq!(held("*/${AWS:UserName}/*", "x/a*e/y"), Match::Yes);
    assert_eq!(held("*/${aws:userid}", "x/7"), Match::Yes);
    assert_eq!(held("${repono:application}", ""), Match::Unresolved);
    assert_eq!(held("*${repono:application}*", "x"), Match::Unresolved);
    assert_eq!(held("${*}${?}${$}{x}", "*?${x}"), Match::Yes);
    assert_eq!(held("${*}", "x"), Match::No);
}

#[test]
fn without_wildcards_a_star_is_a_star() {
    let exact = Pattern::compile("a*?", Wildcards::Literal, VariableUse::Expand).expect("plain");
    assert_eq!(exact.matches(b"a*?", &NoVariables), Match::Yes);
    assert_eq!(exact.matches(b"abc", &NoVariables), Match::No);
}

#[test]
fn ignoring_case_is_for_all_letters() {
    let exact =
        Pattern::compile("Äb-${aws:username}", Wildcards::Literal, VariableUse::Expand).expect("plain");
    assert_eq!(exact.matches_ignoring_case("äB-A*E".as_bytes(), &Alice), Match::Yes);
    assert_eq!(exact.matches_ignoring_case(b"\xff", &Alice), Match::No);
    assert_eq!(exact.matches_ignoring_case(b"ab-a*e", &NoVariables), Match::Unresolved);
}

#[test]
fn bytes_that_are_not_utf8_are_harmless() {
    for pattern in ["?", "*?*", "??", "*a?", "?*"] {
        for text in [&b"\x80"[..], b"\xff\xff", b"\xc3", b"a\x80\x80", b"\x80a\xff"] {
            let _ = glob(pattern).matches(text, &NoVariables);
        }
    }
}

#[test]
fn the_cost_of_a_hostile_pattern_is_counted() {
    assert_eq!(glob("*aaaa*").floating_bytes(), 0);
    assert_eq!(glob("a?b*c?d").floating_bytes(), 0);
    assert_eq!(glob("*a?b*").floating_bytes(), 3);
    // A matcher that backtracks needs 2^64 steps for this one.
    let hostile = format!("{}b", "*a".repeat(64));
    assert!(!matches(&hostile, &"a".repeat(1281)));
    let mixed = format!("*{}?b*", "a".repeat(FLOATING_BYTES_MAX));
    assert!(!matches(&mixed, &"a".repeat(1281)));
}

/// The definition, by recursion over characters: exponential, and plainly right.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['*', rest @ ..], text) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        (['?', rest @ ..], [_, after @ ..]) => naive(rest, after),
        ([one, rest @ ..], [first, after @ ..]) => one == first && naive(rest, after),
        ([_, ..], []) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_definition(
        pattern in prop::collection::vec(prop::sample::select(vec!['*', '?', 'a', 'b', 'é', '/']), 0..9),
        text in prop::collection::vec(prop::sample::select(vec!['a', 'b', 'é', '/', '€']), 0..12),
    ) {
        let compiled = matches(&String::from_iter(&pattern), &String::from_iter(&text));
        prop_assert_eq!(compiled, naive(&pattern, &text));
    }

    #[test]
    fn any_text_compiles_or_is_refused(text in ".{0,80}", subject in prop::collection::vec(prop::num::u8::ANY, 0..40)) {
        if let Ok(pattern) = Pattern::compile(&text, Wildcards::Active, VariableUse::Expand) {
            let _ = pattern.matches(&subject, &Alice);
            let _ = pattern.matches_ignoring_case(&subject, &Alice);
        }
    }
}

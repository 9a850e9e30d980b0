//! Lists in, canonical lists and policies out.

use proptest::prelude::proptest;

use super::{AccountAcl, AclError, ContainerAcl, Right};

fn canonical(value: &str, right: Right) -> Result<String, AclError> {
    ContainerAcl::parse(value, right).map(|acl| acl.text())
}

#[test]
fn lists_are_cleaned_as_swift_cleans_them() {
    let table = [
        ("", ""),
        (" , ,", ""),
        ("bob, sue", "bob,sue"),
        ("bob , sue", "bob,sue"),
        ("bob,,,sue", "bob,sue"),
        (".referrer : *", ".r:*"),
        (".ref:*.example.com", ".r:.example.com"),
        (".referer: - .thief.com", ".r:-.thief.com"),
        (".r:*, .rlistings", ".r:*,.rlistings"),
        (".r:** b*,b", ".r:b*,b"),
        (".r:*-.thief.com", ".r:-.thief.com"),
        ("bobs_account,sues_account:sue", "bobs_account,sues_account:sue"),
        (".r:*,.r:.example.com,.r:-thief.example.com", ".r:*,.r:.example.com,.r:-thief.example.com"),
    ];
    for (given, kept) in table {
        assert_eq!(canonical(given, Right::Read).as_deref(), Ok(kept), "{given}");
    }
    assert_eq!(canonical("bob, sue:x", Right::Write).as_deref(), Ok("bob,sue:x"));
}

#[test]
fn what_is_no_list_is_refused() {
    let table = [
        (".r:", Right::Read, AclError::Referrer),
        (".r:-", Right::Read, AclError::Referrer),
        (".r:*.", Right::Read, AclError::Referrer),
        (".ref: .", Right::Read, AclError::Referrer),
        (".r:*", Right::Write, AclError::Referrer),
        (".referrer:example.com", Right::Write, AclError::Referrer),
        (".unknown:x", Right::Read, AclError::Designator),
        (".unknown:x", Right::Write, AclError::Designator),
    ];
    for (value, right, error) in table {
        assert_eq!(canonical(value, right), Err(error), "{value}");
    }
    for value in
        ["", "x", "[]", r#"{"owner":[]}"#, r#"{"admin":"x"}"#, r#"{"admin":[1]}"#, r#"{"admin":["\n"]}"#]
    {
        assert_eq!(AccountAcl::parse(value), Err(AclError::Form), "{value}");
    }
}

#[test]
fn a_list_that_is_too_long_for_a_policy_is_refused() {
    let many: Vec<String> = (0..2000).map(|n| format!("account-{n}")).collect();
    let acl = ContainerAcl::parse(&many.join(","), Right::Read).expect("a list");
    assert_eq!(acl.policy(), Err(AclError::TooLong));
}

#[test]
fn what_grants_nothing_makes_no_policy() {
    for value in ["", ".rlistings", ".r:-example.com", ".r:a${aws:username}", ".foo", "not an account"] {
        let acl = ContainerAcl::parse(value, Right::Read).expect(value);
        assert_eq!(acl.policy(), Ok(None), "{value}");
    }
    assert_eq!(AccountAcl::parse("{}").map(|acl| (acl.text(), acl.policy())), Ok((String::new(), Ok(None))));
    let acl = AccountAcl::parse(r#"{ "read-only": ["b:c"], "admin": [] }"#).expect("a list");
    assert_eq!(acl.text(), r#"{"admin":[],"read-only":["b:c"]}"#);
    assert!(acl.policy().expect("short").is_some());
}

proptest! {
    #[test]
    fn any_list_is_read_or_refused_and_stays_canonical(value in "[.r:*,a-c -]{0,40}") {
        if let Ok(acl) = ContainerAcl::parse(&value, Right::Read) {
            assert_eq!(ContainerAcl::parse(&acl.text(), Right::Read), Ok(acl.clone()));
            assert!(acl.policy().is_ok());
        }
    }
}

use std::net::IpAddr;

use crate::action::Action;
use crate::document::Document;
use crate::document::DocumentKind;
use crate::fixture::{NOW_S, alice, ask_in, context, name, set};
use crate::request::{Actor, Context, Transport};
use crate::set::{Attachment, PolicySet};

/// A set in which everyone may list `demo/files` under this condition, or, for
/// `Deny`, in every case but this condition.
fn conditional(effect: &str, condition: &str) -> PolicySet {
    let always = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;
    let statement = format!(
        r#"{{"Effect":"{effect}","Principal":"*","Action":"*","Resource":"*","Condition":{{{condition}}}}}"#
    );
    let statements = if effect == "Deny" { format!("{always},{statement}") } else { statement };
    set(&[("demo", Attachment::Account(name("demo")), &statements)])
}

fn holds_for(condition: &str, actor: Actor<'_>, context: Context<'_>) -> bool {
    let allowed = |effect: &str| {
        ask_in(&conditional(effect, condition), actor, Action::ListBucket, "demo/files", context).is_ok()
    };
    let holds = allowed("Allow");
    assert_eq!(holds, !allowed("Deny"), "an Allow and a Deny must read the condition alike: {condition}");
    holds
}

fn holds(condition: &str, context: Context<'_>) -> bool {
    holds_for(condition, Actor::User(&alice()), context)
}

fn listing<'a>(prefix: Option<&'a str>) -> Context<'a> {
    Context { prefix, ..context() }
}

#[test]
fn texts() {
    let cases: [(&str, &str, &[&str], &[&str]); 8] = [
        ("StringEquals", r#""home/""#, &["home/"], &["", "Home/", "home/a"]),
        ("StringEquals", r#"["","home/*"]"#, &["", "home/*"], &["home/a"]),
        ("StringNotEquals", r#"["a","b"]"#, &["c", ""], &["a", "b"]),
        ("StringEqualsIgnoreCase", r#""Höme/""#, &["HÖME/", "höme/"], &["home/"]),
        ("StringNotEqualsIgnoreCase", r#""Home/""#, &["x"], &["HOME/"]),
        (
            "StringLike",
            r#"["home/${aws:username}/*","?"]"#,
            &["home/alice/", "home/alice/x", "é"],
            &["", "home/bob/"],
        ),
        ("StringNotLike", r#"["secret/*","*.key"]"#, &["", "secret"], &["secret/", "a/b.key"]),
        (
            "StringEquals",
            r#""${aws:userid}${repono:application}${repono:account}${$}""#,
            &["1appdemo$"],
            &["1"],
        ),
    ];
    for (operator, values, good, bad) in cases {
        let condition = format!(r#""{operator}":{{"s3:prefix":{values}}}"#);
        for prefix in good {
            assert!(holds(&condition, listing(Some(prefix))), "{condition} {prefix}");
        }
        for prefix in bad {
            assert!(!holds(&condition, listing(Some(prefix))), "{condition} {prefix}");
        }
    }
}

#[test]
fn an_absent_key_fails_a_positive_operator_and_holds_for_a_negated_one() {
    let cases = [
        (r#""StringEquals":{"s3:prefix":"a"}"#, false),
        (r#""StringLike":{"s3:prefix":"*"}"#, false),
        (r#""StringNotEquals":{"s3:prefix":"a"}"#, true),
        (r#""StringNotLike":{"s3:prefix":"*"}"#, true),
        (r#""NumericLessThan":{"s3:max-keys":"10"}"#, false),
        (r#""NumericNotEquals":{"s3:max-keys":"10"}"#, true),
        (r#""StringEqualsIfExists":{"s3:prefix":"a"}"#, true),
        (r#""StringNotEqualsIfExists":{"s3:prefix":"a"}"#, true),
        (r#""NumericLessThanIfExists":{"s3:max-keys":"10"}"#, true),
        (r#""Null":{"s3:prefix":"true"}"#, true),
        (r#""Null":{"s3:prefix":false}"#, false),
        (r#""Null":{"aws:SourceIp":false}"#, true),
        (r#""Null":{"s3:prefix":[true,false]}"#, true),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(condition, context()), expected, "{condition}");
    }
    assert!(!holds(r#""StringEqualsIfExists":{"s3:prefix":"a"}"#, listing(Some("b"))));
    assert!(!holds(r#""Null":{"s3:prefix":"true"}"#, listing(Some(""))));
}

#[test]
fn all_conditions_must_hold() {
    let both = r#""StringLike":{"s3:prefix":"a*","s3:delimiter":"/"},"Bool":{"aws:SecureTransport":"true"}"#;
    let right = Context { delimiter: Some("/"), ..listing(Some("ab")) };
    assert!(holds(both, right));
    assert!(!holds(both, Context { delimiter: Some(","), ..right }));
    assert!(!holds(both, Context { prefix: Some("b"), ..right }));
    assert!(!holds(both, Context { transport: Transport::Plain, ..right }));
}

#[test]
fn numbers() {
    let cases: [(&str, &str, &[u32], &[u32]); 7] = [
        ("NumericEquals", "10", &[10], &[9, 11]),
        ("NumericEquals", r#"[10,"12"]"#, &[10, 12], &[11]),
        ("NumericNotEquals", "[10,12]", &[11], &[10, 12]),
        ("NumericLessThan", "10", &[0, 9], &[10]),
        ("NumericLessThanEquals", r#""10""#, &[10], &[11, u32::MAX]),
        ("NumericGreaterThan", "-1", &[0, u32::MAX], &[]),
        ("NumericGreaterThanEquals", "10", &[10], &[9]),
    ];
    for (operator, values, good, bad) in cases {
        let condition = format!(r#""{operator}":{{"s3:max-keys":{values}}}"#);
        let with = |n: u32| holds(&condition, Context { max_keys: Some(n), ..context() });
        assert!(good.iter().all(|n| with(*n)), "{condition}");
        assert!(!bad.iter().any(|n| with(*n)), "{condition}");
    }
}

#[test]
fn dates() {
    let cases = [
        (r#""DateEquals":{"aws:CurrentTime":"2023-11-14T22:13:20Z"}"#, true),
        (r#""DateNotEquals":{"aws:CurrentTime":"2023-11-14T22:13:20Z"}"#, false),
        (r#""DateLessThan":{"aws:CurrentTime":"2023-11-14T22:13:20Z"}"#, false),
        (r#""DateLessThanEquals":{"aws:CurrentTime":"2023-11-14T22:13:20Z"}"#, true),
        (r#""DateLessThan":{"aws:CurrentTime":"2023-11-15"}"#, true),
        (r#""DateGreaterThan":{"aws:CurrentTime":"2023-11-14"}"#, true),
        (r#""DateGreaterThanEquals":{"aws:EpochTime":"1700000000"}"#, true),
        (r#""DateGreaterThan":{"aws:EpochTime":1700000000}"#, false),
        (r#""NumericEquals":{"aws:EpochTime":1700000000}"#, true),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(condition, context()), expected, "{condition}");
    }
    assert_eq!(NOW_S, 1_700_000_000);
}

#[test]
fn addresses() {
    let at = |address: &str, operator: &str| {
        let condition = format!(r#""{operator}":{{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32"]}}"#);
        let source_ip: IpAddr = address.parse().expect("an address");
        holds(&condition, Context { source_ip, ..context() })
    };
    for (address, inside) in [
        ("203.0.113.200", true),
        ("::ffff:203.0.113.200", true),
        ("2001:db8::5", true),
        ("203.0.114.1", false),
        ("::cb00:7101", false),
    ] {
        assert_eq!(at(address, "IpAddress"), inside, "{address}");
        assert_eq!(at(address, "NotIpAddress"), !inside, "{address}");
    }
}

#[test]
fn transport_headers_and_identity() {
    assert!(holds(r#""Bool":{"aws:SecureTransport":"TRUE"}"#, context()));
    assert!(!holds(r#""Bool":{"aws:SecureTransport":false}"#, context()));
    let agent = Context { user_agent: Some(b"curl/8.0"), referer: Some(b"https://a.example/x"), ..context() };
    assert!(holds(r#""StringLike":{"aws:UserAgent":"curl/*","aws:Referer":"https://*.example/*"}"#, agent));
    assert!(!holds(r#""StringLike":{"aws:UserAgent":"*"}"#, context()));
    assert!(holds(
        r#""StringNotEquals":{"aws:UserAgent":"x"}"#,
        Context { user_agent: Some(b"\xff\xfe"), ..agent }
    ));
    let who = r#""StringEquals":{"aws:username":"alice","aws:userid":"1","repono:Account":"demo","repono:Application":"app"}"#;
    assert!(holds(who, context()));
    assert!(!holds_for(who, Actor::Anyone, context()));
    assert!(holds(r#""StringEquals":{"AWS:UserName":"alice"}"#, context()));
}

#[test]
fn arns_match_field_by_field() {
    let cases = [
        ("ArnEquals", "arn:aws:iam::demo:user/alice", true),
        ("ArnLike", "arn:aws:iam::demo:user/a*", true),
        ("ArnLike", "arn:*:*:*:demo:*", true),
        ("ArnLike", "arn:*:user/alice:*:*:*", false),
        ("ArnEquals", "arn:aws:iam::*:user/${aws:username}", true),
        ("ArnLike", "arn:aws:iam::${repono:account}:user/bob", false),
        ("ArnNotEquals", "arn:aws:iam::demo:user/alice", false),
        ("ArnNotLike", "arn:aws:iam::other:*", true),
        ("StringLike", "arn:aws:iam::demo:*", true),
    ];
    for (operator, value, expected) in cases {
        let condition = format!(r#""{operator}":{{"aws:PrincipalArn":"{value}"}}"#);
        assert_eq!(holds(&condition, context()), expected, "{condition}");
    }
    assert!(!holds_for(r#""ArnLike":{"aws:PrincipalArn":"arn:*:*:*:*:*"}"#, Actor::Anyone, context()));
    assert!(holds_for(r#""ArnNotLike":{"aws:PrincipalArn":"arn:*:*:*:*:*"}"#, Actor::Anyone, context()));
}

#[test]
fn a_variable_without_a_value_never_helps() {
    let allowed = |effect: &str, condition: &str| {
        let set = conditional(effect, condition);
        ask_in(&set, Actor::Anyone, Action::ListBucket, "demo/files", listing(Some("x"))).is_ok()
    };
    for (operator, negated) in [("StringEquals", false), ("StringNotEquals", true), ("StringNotLike", true)] {
        let condition = format!(r#""{operator}":{{"s3:prefix":"${{aws:username}}"}}"#);
        assert!(!allowed("Allow", &condition), "{condition}");
        assert_eq!(allowed("Deny", &condition), !negated, "{condition}");
    }
    let arn = r#""StringNotEqualsIgnoreCase":{"s3:prefix":["a","${repono:application}"]}"#;
    assert!(!allowed("Allow", arn));
}

#[test]
fn values_of_the_wrong_form_are_refused() {
    for condition in [
        r#""NumericEquals":{"s3:max-keys":"ten"}"#,
        r#""NumericEquals":{"s3:max-keys":1.5}"#,
        r#""NumericEquals":{"s3:max-keys":true}"#,
        r#""DateEquals":{"aws:CurrentTime":"2023-11-14T22:13:20+01:00"}"#,
        r#""DateEquals":{"aws:CurrentTime":"2023-02-30"}"#,
        r#""DateEquals":{"aws:CurrentTime":""}"#,
        r#""Bool":{"aws:SecureTransport":"yes"}"#,
        r#""Null":{"s3:prefix":"a"}"#,
        r#""ArnLike":{"aws:PrincipalArn":"alice"}"#,
        r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam"}"#,
        r#""StringEquals":{"s3:max-keys":"1"}"#,
        r#""NumericEquals":{"aws:CurrentTime":"1"}"#,
        r#""Bool":{"s3:prefix":"true"}"#,
        r#""IpAddress":{"aws:UserAgent":"10.0.0.0"}"#,
        r#""ArnLike":{"aws:username":"alice"}"#,
        r#""StringEquals":{"s3:prefix":[]}"#,
        r#""StringEquals":{"s3:prefix":"a"},"StringEquals":{"s3:prefix":"b"}"#,
        r#""StringEquals":{"x-amz-meta-role":"admin"}"#,
        r#""StringEquals":"a""#,
    ] {
        let json = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{{condition}}}}}}}"#
        );
        assert!(Document::parse(&json, DocumentKind::Identity).is_err(), "{condition}");
    }
}

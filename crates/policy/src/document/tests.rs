use std::error::Error;

use super::{Document, DocumentKind};
use crate::error::Fault;

const ALLOW: &str = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::files/*""#;

fn fault(json: &str, kind: DocumentKind) -> String {
    Document::parse(json, kind).expect_err(json).to_string()
}

fn statement(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#)
}

fn condition(text: &str) -> String {
    statement(&format!(r#"{ALLOW},"Condition":{text}"#))
}

#[test]
fn usual_documents_are_accepted() {
    for json in [
        statement(ALLOW),
        format!(r#"{{"Version":"2012-10-17","Id":"x","Statement":{{"Sid":"one",{ALLOW}}}}}"#),
        format!(r#"{{"Version":"2008-10-17","Statement":[{{{ALLOW}}}]}}"#),
        statement(
            r#""Effect":"Deny","NotAction":["s3:Get*","s3:List*"],"NotResource":["arn:aws:s3:::a","arn:aws:s3::demo:a/*"]"#,
        ),
        statement(r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{}"#),
        condition(r#"{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:max-keys":[10,"20"]}}"#),
    ] {
        if let Err(error) = Document::parse(&json, DocumentKind::Identity) {
            panic!("{error}\n{json}");
        }
    }
    for principal in [
        r#""*""#,
        r#"{"AWS":"*"}"#,
        r#"{"AWS":["arn:aws:iam::demo:root","arn:aws:iam::demo:user/a","arn:aws:iam::demo:group/g"]}"#,
        r#"{"AWS":"arn:aws:iam:::application/app"}"#,
    ] {
        let json = statement(&format!(r#"{ALLOW},"Principal":{principal}"#));
        assert!(Document::parse(&json, DocumentKind::Resource).is_ok(), "{json}");
    }
}

#[test]
fn every_fault_names_what_is_wrong_and_what_is_right() {
    let many = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, vec!["{}"; 101].join(","));
    let twice =
        format!(r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"a",{ALLOW}}},{{"Sid":"a",{ALLOW}}}]}}"#);
    let old = statement(r#""Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*""#)
        .replace("2012", "2008");
    let resource = |r: &str| statement(&format!(r#""Effect":"Allow","Action":"*","Resource":{r}"#));
    let action = |a: &str| statement(&format!(r#""Effect":"Allow","Action":{a},"Resource":"*""#));
    let cases: [(String, &str); 44] = [
        (" ".repeat(Document::BYTES_MAX + 1), "the document is larger than 20480 bytes"),
        ("{".into(), "the document is not JSON"),
        ("[".repeat(500), "the document is not JSON"),
        ("[]".into(), "`the document` must be an object"),
        ("{}".into(), "`Version` is missing"),
        (r#"{"Version":"2012-10-17"}"#.into(), "`Statement` is missing"),
        (r#"{"Version":"2012-10-17","Statement":[]}"#.into(), "`Statement` must be a statement or a list"),
        (
            r#"{"Version":"2012-10-17","Statement":["x"]}"#.into(),
            "statement 1: `Statement` must be an object",
        ),
        (r#"{"Version":"2012-10-18","Statement":[{}]}"#.into(), r#"`Version` is "2012-10-18"; it must be"#),
        (r#"{"Version":2012,"Statement":[{}]}"#.into(), "`Version` must be a string"),
        (
            r#"{"version":"2012-10-17"}"#.into(),
            r#"unknown element "version"; allowed here: Version, Id, Statement"#,
        ),
        (r#"{"Version":"2012-10-17","Id":"a\nb","Statement":[{}]}"#.into(), "`Id` must have 1 to 128 bytes"),
        (many, "more than 100 statements"),
        (twice, r#"the `Sid` "a" is used twice"#),
        (old, "statement 1: \"${aws:username}/*\": policy variables need `Version` \"2012-10-17\""),
        (statement(&format!(r#"{ALLOW},"Sid":"""#)), "`Sid` must have"),
        (statement(&format!(r#"{ALLOW},"Effects":1"#)), r#"unknown element "Effects""#),
        (statement(&format!(r#"{ALLOW},"Effect":"Deny""#)), r#""Effect" stands twice"#),
        (
            statement(&ALLOW.replace("\"Allow", "\"allow")),
            r#"`Effect` is "allow"; it must be "Allow" or "Deny""#,
        ),
        (statement(r#""Effect":"Allow","Resource":"*""#), "`Action` is missing"),
        (statement(r#""Effect":"Allow","Action":"*""#), "`Resource` is missing"),
        (statement(&format!(r#"{ALLOW},"NotAction":"*""#)), "`Action` and `NotAction` exclude each other"),
        (
            statement(&format!(r#"{ALLOW},"NotResource":"*""#)),
            "`Resource` and `NotResource` exclude each other",
        ),
        (
            action(r#""s3:GetObjekt""#),
            r#""s3:GetObjekt" names no action; actions are s3:GetObject, s3:PutObject"#,
        ),
        (action("[]"), "`Action` must be a list of at least one"),
        (action("[1]"), "`Action` must be a string"),
        (statement(&format!(r#"{ALLOW},"Principal":"*""#)), "`Principal` belongs in resource policies only"),
        (
            statement(&format!(r#"{ALLOW},"NotPrincipal":"*""#)),
            "`NotPrincipal` belongs in resource policies only",
        ),
        (
            resource(r#""files/*""#),
            r#"the resource "files/*" has an unknown form; allowed: "*", arn:aws:s3:::"#,
        ),
        (resource(r#""arn:aws:s3:::""#), "has an unknown form"),
        (resource(r#""arn:aws:s3:eu-1::files""#), "has an unknown form"),
        (resource(r#""arn:aws:s3::*:files""#), "has an unknown form"),
        (
            resource(r#""arn:aws:s3:::${aws:user}""#),
            r#"unknown policy variable "aws:user"; variables are ${aws:username}"#,
        ),
        (resource(r#""arn:aws:s3:::${aws:username""#), "is not closed by `}`"),
        (resource(&format!("\"arn:aws:s3:::{}\"", "a".repeat(2049))), "a pattern is longer than 2048 bytes"),
        (resource(&format!("\"arn:aws:s3:::*?{}*\"", "a".repeat(256))), "have more than 256 bytes in all"),
        (
            condition(r#"{"StringEqual":{"s3:prefix":"a"}}"#),
            r#"unknown condition operator "StringEqual"; operators are StringEquals, "#,
        ),
        (
            condition(r#"{"ForAnyValue:StringLike":{"s3:prefix":"a"}}"#),
            "ForAllValues and ForAnyValue are not supported",
        ),
        (condition(r#"{"NullIfExists":{"s3:prefix":true}}"#), "`NullIfExists` has no meaning; use `Null`"),
        (
            condition(r#"{"StringLike":{"s3:Prefixes":"a"}}"#),
            r#"unknown condition key "s3:Prefixes"; keys are aws:SourceIp, "#,
        ),
        (
            condition(r#"{"StringLike":{"aws:SourceIp":"10.*"}}"#),
            "\"StringLike\" does not fit `aws:SourceIp`; use IpAddress, NotIpAddress or Null",
        ),
        (
            condition(r#"{"IpAddress":{"aws:SourceIp":"10.0.0.1/8"}}"#),
            "the value \"10.0.0.1/8\" of `aws:SourceIp` must be an address",
        ),
        (condition(r#"{"StringLike":{}}"#), "`StringLike` must be an object of at least one condition key"),
        (condition(r#"{"StringLike":{"s3:prefix":null}}"#), "`s3:prefix` must be a string, a number"),
    ];
    for (json, text) in cases {
        let found = fault(&json, DocumentKind::Identity);
        assert!(found.contains(text), "found  {found}\nwanted {text}\nin {json}");
    }
}

#[test]
fn principals_have_five_forms() {
    for bad in [
        r#""arn:aws:iam::demo:root""#,
        r#"{"AWS":"demo"}"#,
        r#"{"AWS":"arn:aws:iam::demo:user/*"}"#,
        r#"{"AWS":"arn:aws:iam::*:root"}"#,
        r#"{"AWS":"arn:aws:iam:::root"}"#,
        r#"{"AWS":"arn:aws:iam:::user/alice"}"#,
        r#"{"AWS":"arn:aws:iam::demo:role/x"}"#,
        r#"{"AWS":"arn:aws:iam::demo:application/x"}"#,
        r#"{"AWS":"arn:aws:iam::demo:user/a/b"}"#,
        r#"{"Service":"ec2.amazonaws.com"}"#,
        r#"{"AWS":"*","Federated":"x"}"#,
    ] {
        let json = statement(&format!(r#"{ALLOW},"Principal":{bad}"#));
        assert!(fault(&json, DocumentKind::Resource).contains("has an unknown form"), "{bad}");
    }
    let with = |principal: &str| fault(&statement(&format!("{ALLOW}{principal}")), DocumentKind::Resource);
    assert_eq!(with(""), "statement 1: `Principal` is missing");
    assert_eq!(with(r#","Principal":{}"#), "statement 1: `Principal.AWS` is missing");
    assert!(with(r#","Principal":["*"]"#).contains("`Principal` must be \"*\" or an object"));
    assert!(with(r#","NotPrincipal":"*""#).contains("`NotPrincipal` is not supported"));
    assert!(with(r#","Principal":{"AWS":"*","AWS":"*"}"#).contains("stands twice"));
}

#[test]
fn the_cause_of_bad_json_is_the_source_and_not_in_the_text() {
    let error = Document::parse("{,}", DocumentKind::Identity).expect_err("no JSON");
    assert!(matches!(error.fault, Fault::Json(_)));
    let source = error.source().expect("a cause").to_string();
    assert!(source.contains("line 1") && !error.to_string().contains("line 1"), "{source}");
}

#[test]
fn a_keeper_cannot_grant_what_another_account_owns() {
    let parse = |json: &str| Document::parse(json, DocumentKind::Identity).expect(json);
    let allow = statement(r#""Effect":"Allow","Action":"*","Resource":["*","arn:aws:s3::demo:x"]"#);
    assert!(parse(&allow).check_keeper(&"demo".parse().expect("name")).is_ok());
    let error = parse(&allow).check_keeper(&"other".parse().expect("name")).expect_err("foreign");
    assert!(error.to_string().starts_with("statement 1: a resource names account \"demo\""), "{error}");
    let deny = allow.replace("Allow", "Deny");
    assert!(parse(&deny).check_keeper(&"other".parse().expect("name")).is_ok());
}

mod any_input {
    use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest};

    use crate::document::{Document, DocumentKind};

    /// Pieces from which documents are made, right and wrong.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "{",
                "}",
                "[",
                "]",
                ":",
                ",",
                "\"",
                "\\",
                "null",
                "true",
                "1e400",
                "-1",
                "\"*\"",
                "\"Version\":",
                "\"2012-10-17\"",
                "\"Statement\":",
                "\"Effect\":\"Allow\"",
                "\"Action\":\"s3:*\"",
                "\"Resource\":\"arn:aws:s3:::${aws:username}\"",
                "\"Principal\":",
                "\"Condition\":{",
                "\"Null\":",
                "\"DateLessThan\":{\"aws:CurrentTime\":\"",
                "\"ArnLike\":{\"aws:PrincipalArn\":\"arn:",
                "${",
                "\u{1F600}",
            ])
            .prop_map(str::to_owned),
            ".{0,6}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]

        #[test]
        fn never_panics(pieces in prop::collection::vec(piece(), 0..24)) {
            let text = pieces.concat();
            let framed = format!(r#"{{"Version":"2012-10-17","Statement":[{{{text}}}]}}"#);
            for kind in [DocumentKind::Identity, DocumentKind::Resource] {
                let _ = Document::parse(&text, kind);
                let _ = Document::parse(&framed, kind);
            }
        }

        #[test]
        fn values_never_panic(
            member in prop_oneof![
                Just(r#""Action":"@","Resource":"*""#), Just(r#""Action":"*","Resource":"@""#),
                Just(r#""Action":"*","Resource":"arn:aws:s3::@""#),
                Just(r#""Action":"*","Resource":"*","Condition":{"@":{"aws:SourceIp":"10.0.0.0"}}"#),
                Just(r#""Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"@"}}"#),
                Just(r#""Action":"*","Resource":"*","Condition":{"DateEquals":{"aws:EpochTime":"@"}}"#),
                Just(r#""Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"@"}}"#),
            ],
            text in "[a-z0-9:/.*?${}é-]{0,24}",
        ) {
            let json = format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny",{}}}}}"#, member.replace('@', &text));
            let _ = Document::parse(&json, DocumentKind::Identity);
        }
    }
}

use proptest::prelude::{any, proptest};

use crate::fixture::{claims, head, offered, presented, signer};
use crate::{Malformed, Scope, issue};

type Fields = Vec<(String, String)>;

fn fields() -> Fields {
    issue(&signer(), &claims()).headers().into_iter().map(|(n, v)| (n.to_owned(), v)).collect()
}

fn form(fields: Fields) -> Malformed {
    let head = head(fields);
    offered(&head).map(|_| ()).expect_err("malformed")
}

#[test]
fn what_is_decoded_is_what_was_signed() {
    let mut wanted = claims();
    wanted.scope = Some(Scope::parse(b"m=GET;p=/v1/acme/").expect("scope"));
    let ticket = issue(&signer(), &wanted);
    for fields in [ticket.headers(), vec![("X-Auth-Token", ticket.token())]] {
        let head = head(fields);
        let opened = presented(&head).open().expect("form");
        assert_eq!(opened.claims, wanted);
        assert_eq!((opened.kid, opened.dev_kid), (signer().kid(), signer().kid()));
    }
}

#[test]
fn no_ticket_field_is_no_ticket() {
    let none: [(&str, &str); 3] = [("x-auth-key", "k"), ("x_auth_user", "a:b"), ("x-auth-users", "a:b")];
    assert!(offered(&head(none)).expect("form").is_none());
}

#[test]
fn each_of_the_five_must_be_there_once() {
    for at in 0..5 {
        let mut fewer = fields();
        fewer.remove(at);
        assert_eq!(form(fewer), Malformed::Missing);
        let mut more = fields();
        more.push((more[at].0.to_uppercase(), more[at].1.clone()));
        assert_eq!(form(more), Malformed::Duplicate);
    }
    assert_eq!(form(vec![("x-auth-scope".into(), "m=GET".into())]), Malformed::Missing);
}

#[test]
fn a_token_stands_alone_and_is_ours() {
    let token = issue(&signer(), &claims()).token();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut both = fields();
    both.push(field("x-auth-token", &token));
    assert_eq!(form(both), Malformed::Duplicate);
    let beside_scope = vec![field("x-auth-scope", "m=GET"), field("x-storage-token", &token)];
    assert_eq!(form(beside_scope), Malformed::Duplicate);
    let twice = vec![field("x-auth-token", &token), field("x-storage-token", &token)];
    assert_eq!(form(twice), Malformed::Duplicate);
    for foreign in ["", "AUTH_tk0123", "RS1.abc", "rk1.abc"] {
        assert_eq!(form(vec![field("x-auth-token", foreign)]), Malformed::Missing, "{foreign}");
    }
}

#[test]
fn oversized_values_are_not_kept() {
    for (name, _, bytes_max) in super::FIELDS {
        let value = "R".repeat(bytes_max + 1);
        assert_eq!(form(vec![(name.to_owned(), value)]), Malformed::Form, "{name}");
    }
}

#[test]
fn blame_decides_the_status() {
    assert_eq!(Malformed::Missing.status_hint(), 401);
    assert_eq!(Malformed::Duplicate.status_hint(), 400);
    assert_eq!(Malformed::Form.status_hint(), 400);
}

proptest! {
    #[test]
    fn any_values_are_read_without_a_panic(
        values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 6),
        prefix in 0_usize..4,
    ) {
        let names = fields().into_iter().map(|(name, _)| name).chain(["x-auth-scope".to_owned()]);
        let prefix: &[u8] = [&b""[..], b"RT1.", b"RD1.", b"a:"][prefix];
        let head = head(names.zip(values.into_iter().map(|v| [prefix, &v].concat())));
        if let Ok(Some(presented)) = offered(&head) {
            let _ = presented.open();
        }
    }

    #[test]
    fn any_token_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let token = format!("RK1.{}", data_encoding::BASE64URL_NOPAD.encode(&bytes));
        let head = head([("x-auth-token", token)]);
        if let Ok(Some(presented)) = offered(&head) {
            let _ = presented.open();
        }
    }
}

use std::net::IpAddr;

use proptest::prelude::{any, proptest};
use repono_core::request::Method;

use super::{Scope, ScopeError};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

#[test]
fn keeps_one_canonical_text() {
    let scope = Scope::parse(b"ip=10.1.0.0/16;m=HEAD,GET;p=/v1/acme/a%62c/").expect("scope");
    assert_eq!(scope.as_str(), "m=GET,HEAD;p=/v1/acme/abc/;ip=10.1.0.0/16");
    assert_eq!(Scope::parse(scope.as_str().as_bytes()), Ok(scope));
    let spaced = Scope::parse(b"p=/v1/acme/caf%c3%a9%20x%3B/").expect("scope");
    assert_eq!(spaced.as_str(), "p=/v1/acme/caf%C3%A9%20x%3B/");
    assert!(spaced.permits(Method::Get, "/v1/acme/caf\u{e9} x;/y", ip("::1")));
}

#[test]
fn permits_what_lies_within_every_key() {
    let scope = Scope::parse(b"m=GET;p=/v1/acme/docs/;ip=10.1.0.0/16").expect("scope");
    let cases = [
        (Method::Get, "/v1/acme/docs/a", "10.1.255.255", true),
        (Method::Get, "/v1/acme/docs/", "::ffff:10.1.0.1", true),
        (Method::Head, "/v1/acme/docs/a", "10.1.0.1", false),
        (Method::Get, "/v1/acme/docs", "10.1.0.1", false),
        (Method::Get, "/v1/acme/docs-secret/a", "10.1.0.1", false),
        (Method::Get, "/v1/acme/docs/a", "10.2.0.1", false),
        (Method::Get, "/v1/acme/docs/a", "::1", false),
    ];
    for (method, path, from, expected) in cases {
        assert_eq!(scope.permits(method, path, ip(from)), expected, "{method:?} {path} {from}");
    }
    let whole = Scope::parse(b"p=/v1/acme/docs").expect("scope");
    assert!(whole.permits(Method::Put, "/v1/acme/docs", ip("::1")));
    assert!(!whole.permits(Method::Put, "/v1/acme/docs/a", ip("::1")));
    assert!(!whole.permits(Method::Put, "/v1/acme/docs2", ip("::1")));
}

#[test]
fn networks_of_every_length() {
    let permits = |net: &str, from: &str| {
        Scope::parse(net.as_bytes()).expect("scope").permits(Method::Get, "/", ip(from))
    };
    assert!(permits("ip=0.0.0.0/0", "203.0.113.9"));
    assert!(!permits("ip=0.0.0.0/0", "2001:db8::1"));
    assert!(permits("ip=::/0", "2001:db8::1"));
    assert!(!permits("ip=::/0", "::ffff:203.0.113.9"));
    assert!(permits("ip=203.0.113.9", "203.0.113.9"));
    assert!(!permits("ip=203.0.113.9", "203.0.113.8"));
    assert!(permits("ip=2001:db8::/32", "2001:db8:ffff::1"));
    assert!(!permits("ip=2001:db8::/32", "2001:db9::1"));
}

#[test]
fn links_need_both_methods_and_no_network() {
    for (text, expected) in [
        ("m=GET,HEAD", true),
        ("p=/v1/a/", true),
        ("m=GET", false),
        ("m=HEAD", false),
        ("ip=10.0.0.0/8", false),
        ("m=GET,HEAD;ip=10.0.0.0/8", false),
    ] {
        assert_eq!(Scope::parse(text.as_bytes()).expect("scope").permits_links(), expected, "{text}");
    }
}

#[test]
fn each_rule_refuses() {
    let long = format!("p=/{}", "a".repeat(1024));
    let grows = format!("p=/{}", "+".repeat(600));
    let cases = [
        ("", ScopeError::Empty),
        (long.as_str(), ScopeError::TooLong),
        (grows.as_str(), ScopeError::TooLong),
        ("m=GET m=PUT", ScopeError::Character),
        ("m=GET\n", ScopeError::Character),
        ("x=1", ScopeError::UnknownKey),
        ("m=GET;", ScopeError::UnknownKey),
        ("M=GET", ScopeError::UnknownKey),
        ("GET", ScopeError::UnknownKey),
        ("m=GET;m=PUT", ScopeError::DuplicateKey),
        ("p=/a/;p=/b/", ScopeError::DuplicateKey),
        ("ip=::1;ip=::2", ScopeError::DuplicateKey),
        ("m=", ScopeError::Method),
        ("m=GET,GET", ScopeError::Method),
        ("m=get", ScopeError::Method),
        ("m=GET,", ScopeError::Method),
        ("p=", ScopeError::Prefix),
        ("p=v1/a/", ScopeError::Prefix),
        ("p=/v1/%2e%2e/", ScopeError::Prefix),
        ("p=/v1/%2", ScopeError::Prefix),
        ("p=/v1/%zz", ScopeError::Prefix),
        ("p=/v1/%ff", ScopeError::Prefix),
        ("p=/v1/%00", ScopeError::Prefix),
        ("ip=", ScopeError::Network),
        ("ip=10.0.0.1/8", ScopeError::Network),
        ("ip=10.0.0.0/33", ScopeError::Network),
        ("ip=10.0.0.0/+8", ScopeError::Network),
        ("ip=10.0.0.0/", ScopeError::Network),
        ("ip=::ffff:10.0.0.0/104", ScopeError::Network),
        ("ip=::/129", ScopeError::Network),
    ];
    for (text, error) in cases {
        assert_eq!(Scope::parse(text.as_bytes()), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_is_idempotent(text in "(m=|p=/|ip=)?[ -~]{0,40}(;(m|p|ip)=[ -~]{0,20})?") {
        if let Ok(scope) = Scope::parse(text.as_bytes()) {
            assert_eq!(Scope::parse(scope.as_str().as_bytes()), Ok(scope));
        }
    }

    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Scope::parse(&bytes);
    }
}

//! Tables and properties of [`route`].

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::request::{Method, RequestHead, Version};

use super::{Route, Target, route};

const HANDLE: &str = "3dfc19b30213a7fd7297e1fb32815b95d15e7187a91e13c84b1c423c";
const TOKEN: &str = "49cd6e580ce3460948610e05e1dba031adf5bc19b098a2a98226cf4a";

fn head(method: Method, target: &[u8]) -> RequestHead {
    RequestHead::new(method, Version::Http11, target).expect("small")
}

fn account(name: &str) -> AccountName {
    name.parse().expect("account")
}

fn container(name: &str) -> ContainerName {
    name.parse().expect("container")
}

fn key(name: &str) -> ObjectKey {
    name.parse().expect("key")
}

fn object(a: &str, c: &str, k: &str) -> Target {
    Target::Object { account: account(a), container: container(c), key: key(k) }
}

/// The status and code of the refusal of a GET.
fn refusal(target: &str) -> (u16, &'static str) {
    match route(&head(Method::Get, target.as_bytes())) {
        Ok(route) => panic!("{target} went to {route:?}"),
        Err(refusal) => (refusal.status, refusal.code),
    }
}

#[test]
fn native_addresses() {
    let table = [
        ("/v1/acme", Target::Account { account: account("acme") }),
        ("/v1.0/acme/", Target::Account { account: account("acme") }),
        ("/v1/AUTH%5Ftest?format=json", Target::Account { account: account("AUTH_test") }),
        ("/v1/acme/docs", Target::Container { account: account("acme"), container: container("docs") }),
        (
            "/v1/acme/docs/?limit=1",
            Target::Container { account: account("acme"), container: container("docs") },
        ),
        ("/v1/acme/b%C3%BCcher/a", object("acme", "bücher", "a")),
        ("/v1/acme/docs/n/1/6/doc1/orig.pdf", object("acme", "docs", "n/1/6/doc1/orig.pdf")),
        ("/v1/acme/docs/a%2Fb", object("acme", "docs", "a/b")),
        ("/v1/acme/docs//", object("acme", "docs", "/")),
        ("/v1/acme/docs/dir/", object("acme", "docs", "dir/")),
        ("/v1/acme/docs/a+b%20c", object("acme", "docs", "a+b c")),
        ("/v1/acme/docs/%252e%252e%252fx", object("acme", "docs", "%2e%2e%2fx")),
        ("/v1/acme/docs/caf%C3%A9", object("acme", "docs", "caf\u{e9}")),
        ("/v1/acme/docs/cafe%CC%81", object("acme", "docs", "cafe\u{301}")),
        ("/v1/acme/docs/a%3Fb", object("acme", "docs", "a?b")),
    ];
    for (address, target) in table {
        assert_eq!(route(&head(Method::Get, address.as_bytes())), Ok(Route::Native(target)), "{address}");
    }
}

#[test]
fn other_addresses() {
    let table = [
        ("/info", Route::Info),
        ("/info?x", Route::Info),
        ("/healthcheck", Route::Healthcheck),
        ("/", Route::Unknown),
        ("/info/", Route::Unknown),
        ("/%69nfo", Route::Unknown),
        ("//v1/acme", Route::Unknown),
        ("/v1beta/x", Route::Unknown),
        ("/v2-photos/x", Route::Unknown),
        ("/bucket/key?uploads", Route::Unknown),
        ("/bucket/key?token=1", Route::Unknown),
        ("*", Route::Unknown),
    ];
    for (address, expected) in table {
        assert_eq!(route(&head(Method::Get, address.as_bytes())), Ok(expected), "{address}");
    }
    let bucket_key = format!("/bucket/{HANDLE}/key?versionId=1");
    assert_eq!(route(&head(Method::Get, bucket_key.as_bytes())), Ok(Route::Unknown));
}

#[test]
fn refused_addresses() {
    let long_key = format!("/v1/a/c/{}", "k".repeat(1025));
    let long_container = format!("/v1/a/{}", "c".repeat(257));
    let table = [
        ("/v1", 412, "BadUrl"),
        ("/v1/", 412, "BadUrl"),
        ("/v2/acme", 400, "InvalidApiVersion"),
        ("/v1.5/acme", 400, "InvalidApiVersion"),
        ("/v1//c/o", 404, "NotFound"),
        ("/v1/acme//o", 404, "NotFound"),
        ("/v1/acme//", 404, "NotFound"),
        ("/v1/acme/docs/%00", 412, "InvalidUtf8"),
        ("/v1/acme/docs/%ff", 412, "InvalidUtf8"),
        ("/v1/acme/docs/%c0%ae", 412, "InvalidUtf8"),
        ("/v1/acme/docs/%ED%A0%80", 412, "InvalidUtf8"),
        ("/v1/acme/docs/../../globex/x", 400, "InvalidKey"),
        ("/v1/acme/docs/%2e%2e%2fx", 400, "InvalidKey"),
        ("/v1/acme/docs/..%2fx", 400, "InvalidKey"),
        ("/v1/acme/docs/..;/x", 400, "InvalidKey"),
        ("/v1/acme/docs/a%5C..%5Cx", 400, "InvalidKey"),
        ("/v1/acme/../globex/x", 400, "InvalidKey"),
        ("/v1/../globex/x", 400, "InvalidKey"),
        ("/v1/acme/a%2Fb/x", 400, "InvalidKey"),
        ("/v1/acme/docs/a%0Ab", 400, "InvalidKey"),
        ("/v1/acme/docs/a%C2%85b", 400, "InvalidKey"),
        ("/v1/acme/docs/100%", 400, "InvalidURI"),
        ("/v1/acme/docs/%zz", 400, "InvalidURI"),
        (&long_key, 400, "KeyTooLongError"),
        (&long_container, 400, "KeyTooLongError"),
    ];
    for (address, status, code) in table {
        assert_eq!(refusal(address), (status, code), "{address}");
    }
}

#[test]
fn a_pre_authorized_uri_is_read() {
    let address = format!("/repono/{HANDLE}/orig%20copy.pdf?token=PREA_{TOKEN}");
    for method in [Method::Get, Method::Head] {
        let head = head(method, address.as_bytes());
        let Ok(Route::Preauth(target)) = route(&head) else { panic!("not recognised") };
        assert_eq!(target.account, account("repono"));
        assert_eq!(target.handle, HANDLE.as_bytes());
        assert_eq!(target.file_name, "orig copy.pdf");
        assert_eq!(target.token, TOKEN.as_bytes());
        assert!(!format!("{target:?}").contains(TOKEN));
    }
}

#[test]
fn whatever_is_wrong_with_an_attempt_gets_one_answer() {
    let short = &TOKEN[1..];
    let upper = TOKEN.to_uppercase();
    let upper_handle = HANDLE.to_uppercase();
    let attempts = [
        format!("/repono/{HANDLE}/f?token=PREA_{short}"),
        format!("/repono/{HANDLE}/f?token=PREA_{upper}"),
        format!("/repono/{HANDLE}/f?token=PREA_{TOKEN}0"),
        format!("/repono/{HANDLE}/f?token={TOKEN}"),
        format!("/repono/{HANDLE}/f?token="),
        format!("/repono/{HANDLE}/f?token=PREA_{TOKEN}&x=1"),
        format!("/repono/{HANDLE}/f?x=1&token=PREA_{TOKEN}"),
        format!("/repono/{HANDLE}/f?token=PREA_{TOKEN}&token=PREA_{TOKEN}"),
        format!("/repono/{HANDLE}/f?token=PREA_{TOKEN}&"),
        format!("/repono/{upper_handle}/f?token=PREA_{TOKEN}"),
        format!("/repono/{}/f?token=PREA_{TOKEN}", &HANDLE[1..]),
        format!("/repono/{HANDLE}?token=PREA_{TOKEN}"),
        format!("/repono/{HANDLE}/%ff?token=PREA_{TOKEN}"),
        format!("/repono/{HANDLE}/%zz?token=PREA_{TOKEN}"),
        format!("/..;/{HANDLE}/f?token=PREA_{TOKEN}"),
        format!("//{HANDLE}/f?token=PREA_{TOKEN}"),
        format!("/info?token=PREA_{TOKEN}"),
    ];
    for attempt in &attempts {
        assert_eq!(refusal(attempt), (403, "AccessDenied"), "{attempt}");
    }
    let good = format!("/repono/{HANDLE}/f?token=PREA_{TOKEN}");
    for method in [Method::Put, Method::Post, Method::Delete, Method::Copy, Method::Options] {
        let head = head(method, good.as_bytes());
        assert_eq!(route(&head).map_err(|r| r.status), Err(403), "{method:?}");
    }
}

#[test]
fn a_token_and_other_credentials_do_not_mix() {
    let address = format!("/repono/{HANDLE}/f?token=PREA_{TOKEN}");
    for name in ["X-Auth-User", "x-auth-token", "X-AUTH-TICKET", "Authorization", "X-Storage-Token"] {
        let mut head = head(Method::Get, address.as_bytes());
        head.push(name.as_bytes(), b"x").expect("small");
        assert_eq!(
            route(&head).map_err(|r| (r.status, r.code)),
            Err((400, "AmbiguousCredentials")),
            "{name}"
        );
    }
}

fn target_strategy() -> impl Strategy<Value = Target> {
    let names = ("[a-zA-Z0-9][a-zA-Z0-9._@-]{0,20}", "\\PC{1,30}", "\\PC{1,60}");
    names.prop_filter_map("names that are allowed", |(a, c, k)| {
        Some(Target::Object { account: a.parse().ok()?, container: c.parse().ok()?, key: k.parse().ok()? })
    })
}

proptest! {
    #[test]
    fn any_bytes_have_a_route_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = route(&head(Method::Get, &bytes));
    }

    #[test]
    fn awkward_paths_have_a_route_or_a_refusal(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("/v1"), Just("/"), Just(".."), Just("%2e"), Just("%"), Just("%25"), Just("%ff"),
                Just("a"), Just("?"), Just("token=PREA_"), Just("&"), Just(HANDLE), Just("\\"), Just(";"),
            ],
            0..20,
        ),
    ) {
        let address = pieces.concat();
        if let Ok(Route::Native(Target::Object { key, .. })) = route(&head(Method::Get, address.as_bytes())) {
            assert!(!key.as_str().split('/').any(|segment| segment == ".."));
        }
    }

    #[test]
    fn a_rendered_target_is_read_back(target in target_strategy()) {
        let mut path = Vec::new();
        target.append_path(&mut path);
        assert_eq!(route(&head(Method::Get, &path)), Ok(Route::Native(target)));
    }

    #[test]
    fn decoding_happens_once(key in "[a-z%/]{1,20}") {
        let target = object("acme", "docs", &key);
        let mut path = Vec::new();
        target.append_path(&mut path);
        assert_eq!(route(&head(Method::Get, &path)), Ok(Route::Native(target)));
    }
}

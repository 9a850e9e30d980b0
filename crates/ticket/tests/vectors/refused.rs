//! Every way in which a good ticket is spoiled, and what a head must say.

use data_encoding::BASE64URL_NOPAD;
use repono_ticket::{Claims, Salt, issue};

use super::ticket::{Fields, NOW, Refusal, claims, fields, lines, scoped, signer, signer_of};

const NAMES: [&str; 5] =
    ["x-auth-user", "x-auth-expiry", "x-auth-salt", "x-auth-ticket", "x-auth-dev-ticket"];

fn good() -> Fields {
    fields(&issue(&signer(), &claims()))
}

fn value(fields: &Fields, name: &str) -> String {
    fields.iter().find(|(n, _)| n == name).expect("field").1.clone()
}

fn with(mut fields: Fields, name: &str, value: impl Into<String>) -> Fields {
    fields.iter_mut().find(|(n, _)| n == name).expect("field").1 = value.into();
    fields
}

fn refusal(name: impl Into<String>, headers: Fields, expected: &str) -> Refusal {
    Refusal { name: name.into(), now: NOW, headers: lines(&headers), expected: expected.to_owned() }
}

/// All of them, in one order.
pub(crate) fn refusals() -> Vec<Refusal> {
    [presence(), who(), times(), salts(), tickets(), dev_tickets(), exchanged(), keys(), scopes(), tokens()]
        .into_iter()
        .flatten()
        .collect()
}

fn presence() -> Vec<Refusal> {
    let mut all = Vec::new();
    for (at, name) in NAMES.into_iter().enumerate() {
        let mut without = good();
        without.remove(at);
        all.push(refusal(format!("{name} is missing"), without, "missing"));
        let mut twice = good();
        twice.push(twice[at].clone());
        all.push(refusal(format!("{name} stands twice"), twice, "duplicate"));
        all.push(refusal(format!("{name} is empty"), with(good(), name, ""), "form"));
        let long = value(&good(), name).repeat(20);
        all.push(refusal(format!("{name} is far too long"), with(good(), name, long), "form"));
    }
    all
}

fn changed(name: &str, cases: &[(&str, &str, &str)]) -> Vec<Refusal> {
    cases
        .iter()
        .map(|(why, value, expected)| refusal(format!("{name}: {why}"), with(good(), name, *value), expected))
        .collect()
}

fn who() -> Vec<Refusal> {
    changed(
        "x-auth-user",
        &[
            ("another user", "acme:bob", "signature"),
            ("another account", "globex:alice", "signature"),
            ("upper case", "acme:Alice", "signature"),
            ("a byte slid across the colon", "acmea:lice", "signature"),
            ("exchanged sides", "alice:acme", "signature"),
            ("no colon", "acmealice", "form"),
            ("two colons", "acme:alice:", "form"),
            ("no account", ":alice", "form"),
            ("no user", "acme:", "form"),
            ("a space", "acme:alice ", "form"),
            ("a slash", "acme:alice/root", "form"),
        ],
    )
}

fn times() -> Vec<Refusal> {
    let mut all = changed(
        "x-auth-expiry",
        &[
            ("a second later", "2015-08-16T01:23:04Z", "signature"),
            ("a year later", "2016-08-16T01:23:03Z", "signature"),
            ("lower case", "2015-08-16t01:23:03z", "form"),
            ("an offset", "2015-08-16T01:23:03+00:00", "form"),
            ("a fraction", "2015-08-16T01:23:3.0Z", "form"),
            ("no such day", "2015-02-29T01:23:03Z", "form"),
            ("a leap second", "2015-08-16T01:22:60Z", "form"),
            ("Unix seconds", "1439688183", "form"),
        ],
    );
    let at = |name: &str, now: u64, headers: Fields, expected: &str| Refusal {
        now,
        ..refusal(name, headers, expected)
    };
    let expiry = claims().expiry;
    all.push(at("31 s after its expiry", expiry + 31, good(), "expired"));
    all.push(at("more than an hour and 30 s before its expiry", expiry - 3631, good(), "too long"));
    let forged = with(good(), "x-auth-user", "acme:bob");
    all.push(at("forged and expired: the signature comes first", expiry + 31, forged, "signature"));
    let late = with(good(), "x-auth-expiry", "2015-08-16T02:23:03Z");
    all.push(at("expired, with a later expiry written over it", expiry + 31, late, "signature"));
    all
}

fn salts() -> Vec<Refusal> {
    changed(
        "x-auth-salt",
        &[
            ("another random byte", "7577656c766520627974657355cfe147", "signature"),
            ("another second of issue", "7477656c766520627974657355cfe148", "signature"),
            ("upper case", "7477656C766520627974657355CFE147", "form"),
            ("a digit short", "7477656c766520627974657355cfe14", "form"),
            ("a digit more", "7477656c766520627974657355cfe1470", "form"),
            ("not hex", "7477656c766520627974657355cfe14g", "form"),
        ],
    )
}

/// Spoils the signature at the end of a field.
fn signatures(name: &'static str) -> Vec<Refusal> {
    let whole = value(&good(), name);
    let (head, signature) = whole.split_at(whole.len() - 86);
    let mut bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    bytes[0] ^= 1;
    let first = BASE64URL_NOPAD.encode(&bytes);
    bytes[0] ^= 1;
    bytes[63] ^= 0x80;
    let last = BASE64URL_NOPAD.encode(&bytes);
    // 516 bits hold 512: the last character has four bits that must be zero.
    let (kept, end) = signature.split_at(85);
    let trailing = match end {
        "A" => "B",
        "Q" => "R",
        "g" => "h",
        _ => "x",
    };
    [
        ("first byte changed", first, "signature"),
        ("last byte changed", last, "signature"),
        ("all zero", "A".repeat(86), "signature"),
        ("trailing bits set", format!("{kept}{trailing}"), "form"),
        ("a character short", kept.to_owned(), "form"),
        ("padded", format!("{signature}=="), "form"),
        ("another alphabet", format!("+{}", &signature[1..]), "form"),
        ("a space inside", format!(" {}", &signature[1..]), "form"),
    ]
    .into_iter()
    .map(|(why, text, expected)| {
        refusal(format!("{name}: {why}"), with(good(), name, format!("{head}{text}")), expected)
    })
    .collect()
}

fn replaced(name: &'static str, cases: &[(&str, &str, &str, &str)]) -> Vec<Refusal> {
    let whole = value(&good(), name);
    cases
        .iter()
        .map(|(why, from, to, expected)| {
            let spoiled = whole.replacen(from, to, 1);
            assert_ne!(spoiled, whole, "{why}");
            refusal(format!("{name}: {why}"), with(good(), name, spoiled), expected)
        })
        .collect()
}

fn tickets() -> Vec<Refusal> {
    let kid = signer().kid().to_string();
    let mut all = signatures("x-auth-ticket");
    all.extend(replaced(
        "x-auth-ticket",
        &[
            ("another algorithm tag", "RT1.", "RT2.", "form"),
            ("lower-case tag", "RT1.", "rt1.", "form"),
            ("the dev-ticket's tag", "RT1.", "RD1.", "form"),
            ("no tag", "RT1.", "", "form"),
            ("an unknown key", &kid, "00000000", "signature"),
            ("the key id in upper case", &kid, &kid.to_uppercase(), "form"),
            ("no key id", &format!("{kid}."), "", "form"),
        ],
    ));
    all
}

fn dev_tickets() -> Vec<Refusal> {
    let kid = signer().kid().to_string();
    let mut all = signatures("x-auth-dev-ticket");
    all.extend(replaced(
        "x-auth-dev-ticket",
        &[
            ("another algorithm tag", "RD1.", "RD2.", "form"),
            ("the ticket's tag", "RD1.", "RT1.", "form"),
            ("another application", "reader.v2", "writer", "signature"),
            ("the application in upper case", "reader.v2", "READER.v2", "signature"),
            ("no application", "reader.v2.", "", "form"),
            ("an empty application", "reader.v2", "", "form"),
            ("a colon in the application", "reader.v2", "reader:v2", "form"),
            ("an unknown key", &kid, "00000000", "signature"),
        ],
    ));
    all
}

/// Good parts of other good tickets.
fn exchanged() -> Vec<Refusal> {
    let take = |name: &str, claims: Claims| {
        let other = fields(&issue(&signer(), &claims));
        with(good(), name, value(&other, name))
    };
    let application = || Claims { application: "writer".parse().expect("name"), ..claims() };
    let user = || Claims { user: "bob".parse().expect("name"), ..claims() };
    let salt = || Claims { salt: Salt::from_bytes([7; 16]), ..claims() };
    let mut all = vec![
        refusal(
            "the dev-ticket of another application",
            take("x-auth-dev-ticket", application()),
            "signature",
        ),
        refusal("the ticket of another application", take("x-auth-ticket", application()), "signature"),
        refusal("the ticket of another user", take("x-auth-ticket", user()), "signature"),
        refusal("the dev-ticket of another user", take("x-auth-dev-ticket", user()), "signature"),
        refusal("the ticket of another salt", take("x-auth-ticket", salt()), "signature"),
        refusal("the dev-ticket of another salt", take("x-auth-dev-ticket", salt()), "signature"),
        refusal("the salt of another ticket", take("x-auth-salt", salt()), "signature"),
    ];
    let signature = |name: &str| {
        let whole = value(&good(), name);
        whole[whole.len() - 86..].to_owned()
    };
    let (ticket, dev) = (signature("x-auth-ticket"), signature("x-auth-dev-ticket"));
    let crossed =
        |name: &str, from: &str, to: &str| with(good(), name, value(&good(), name).replace(from, to));
    all.push(refusal(
        "the dev-ticket's signature in the ticket",
        crossed("x-auth-ticket", &ticket, &dev),
        "signature",
    ));
    all.push(refusal(
        "the ticket's signature in the dev-ticket",
        crossed("x-auth-dev-ticket", &dev, &ticket),
        "signature",
    ));
    all
}

fn keys() -> Vec<Refusal> {
    // RFC 8032 section 7.1, test 1: heads verify under it when a key is unknown.
    let known_to_all = signer_of("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let foreign = issue(&known_to_all, &claims());
    let relabelled: Fields = fields(&foreign)
        .into_iter()
        .map(|(n, v)| (n, v.replace(&known_to_all.kid().to_string(), &signer().kid().to_string())))
        .collect();
    let token = vec![("x-auth-token".to_owned(), foreign.token())];
    vec![
        refusal("signed by a key that no head knows", fields(&foreign), "signature"),
        refusal("the same, as a token", token, "signature"),
        refusal("signed by another key under a known id", relabelled, "signature"),
    ]
}

fn scopes() -> Vec<Refusal> {
    let narrow = || fields(&issue(&signer(), &scoped()));
    let add = |mut fields: Fields, scope: &str| {
        fields.push(("x-auth-scope".to_owned(), scope.to_owned()));
        fields
    };
    let edit = |scope: &str| with(narrow(), "x-auth-scope", scope);
    let text = value(&narrow(), "x-auth-scope");
    let mut removed = narrow();
    removed.retain(|(name, _)| name != "x-auth-scope");
    vec![
        refusal("a scope is added", add(good(), "m=GET"), "signature"),
        refusal("an empty scope is added", add(good(), ""), "form"),
        refusal("the scope is removed", removed, "signature"),
        refusal("the scope is emptied", edit(""), "form"),
        refusal("the scope stands twice", add(narrow(), &text), "duplicate"),
        refusal("a method is added", edit(&text.replace("HEAD", "HEAD,PUT")), "signature"),
        refusal("the prefix is shorter", edit(&text.replace("docs/", "")), "signature"),
        refusal("the network is wider", edit("m=GET,HEAD;p=/v1/acme/docs/;ip=10.0.0.0/8"), "signature"),
        refusal("a part is removed", edit("m=GET,HEAD;p=/v1/acme/docs/"), "signature"),
        refusal("another order", edit("p=/v1/acme/docs/;m=GET,HEAD;ip=10.1.0.0/16"), "form"),
        refusal("an unknown key", edit("m=GET,HEAD;p=/v1/acme/docs/;ip=10.1.0.0/16;x=1"), "form"),
        refusal("a key twice", edit("m=GET,HEAD;m=GET,HEAD"), "form"),
    ]
}

fn tokens() -> Vec<Refusal> {
    let token = issue(&signer(), &claims()).token();
    let one = |text: String| vec![("x-auth-token".to_owned(), text)];
    let body = BASE64URL_NOPAD.decode(&token.as_bytes()[4..]).expect("base64url");
    let made = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut body = body.clone();
        edit(&mut body);
        one(format!("RK1.{}", BASE64URL_NOPAD.encode(&body)))
    };
    let mut beside = good();
    beside.push(("X-Auth-Token".to_owned(), token.clone()));
    let mut both = one(token.clone());
    both.push(("X-Storage-Token".to_owned(), token.clone()));
    vec![
        refusal("a token beside the five fields", beside, "duplicate"),
        refusal("two tokens", both, "duplicate"),
        refusal("a token of another system", one("AUTH_tk0123456789".to_owned()), "missing"),
        refusal("a session token", one(token.replacen("RK1", "RS1", 1)), "missing"),
        refusal("a token: lower-case tag", one(token.replacen("RK1", "rk1", 1)), "missing"),
        refusal("a token: nothing after the tag", one("RK1.".to_owned()), "form"),
        refusal("a token: a character short", one(token[..token.len() - 1].to_owned()), "form"),
        refusal("a token: padded", one(format!("{token}=")), "form"),
        refusal("a token: another kid", made(&|b| b[0] ^= 1), "signature"),
        refusal("a token: another expiry", made(&|b| b[11] ^= 1), "signature"),
        refusal("a token: an expiry that cannot be written", made(&|b| b[4] = 0xff), "form"),
        refusal("a token: another salt", made(&|b| b[12] ^= 1), "signature"),
        refusal("a token: the ticket's signature changed", made(&|b| b[28] ^= 1), "signature"),
        refusal("a token: the dev-ticket's signature changed", made(&|b| b[92] ^= 1), "signature"),
        refusal("a token: another account", made(&|b| b[158] ^= 2), "signature"),
        refusal("a token: a length beyond its end", made(&|b| b[157] = 200), "form"),
        refusal("a token: a byte too many", made(&|b| b.push(0)), "form"),
        refusal("a token: a byte too few", made(&|b| b.truncate(b.len() - 1)), "form"),
        refusal("a token: cut inside a signature", made(&|b| b.truncate(100)), "form"),
    ]
}

//! Vectors of tickets.

use data_encoding::HEXLOWER;
use repono_core::request::{Method, RequestHead, Version};
use repono_ticket::keyring::KeyState;
use repono_ticket::{
    Claims, Malformed, Memory, Presented, Refused, Salt, Scope, Ticket, TicketSigner, Verified,
    VerifyingKeys, issue, verify,
};
use serde::{Deserialize, Serialize};

use super::refused::refusals;

/// When the incident's request was answered.
pub(crate) const NOW: u64 = 1_439_686_983;
/// The private key of RFC 8032 section 7.1, test 2: for tests, and known to all.
const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";

/// Header fields as sent.
pub(crate) type Fields = Vec<(String, String)>;

#[derive(Serialize, Deserialize)]
pub(crate) struct Document {
    about: String,
    now: u64,
    key: Key,
    accepted: Vec<Accepted>,
    refused: Vec<Refusal>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    seed: String,
    public: String,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Accepted {
    name: String,
    account: String,
    user: String,
    application: String,
    expiry: u64,
    salt: String,
    scope: Option<String>,
    headers: Vec<String>,
    token: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) name: String,
    pub(crate) now: u64,
    pub(crate) headers: Vec<String>,
    pub(crate) expected: String,
}

pub(crate) fn signer_of(seed: &str) -> TicketSigner {
    let document = HEXLOWER.decode(format!("302e020100300506032b657004220420{seed}").as_bytes());
    TicketSigner::from_pkcs8(&document.expect("hex")).expect("key")
}

pub(crate) fn signer() -> TicketSigner {
    signer_of(SEED)
}

pub(crate) fn claims() -> Claims {
    Claims {
        account: "acme".parse().expect("name"),
        user: "alice".parse().expect("name"),
        application: "reader.v2".parse().expect("name"),
        expiry: NOW + 1200,
        salt: Salt::parse(b"7477656c766520627974657355cfe147").expect("salt"),
        scope: None,
    }
}

pub(crate) fn scoped() -> Claims {
    let scope = Scope::parse(b"m=GET,HEAD;p=/v1/acme/docs/;ip=10.1.0.0/16").expect("scope");
    Claims { scope: Some(scope), ..claims() }
}

pub(crate) fn fields(ticket: &Ticket) -> Fields {
    ticket.headers().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One line `name: value` for each field.
pub(crate) fn lines(fields: &Fields) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

fn unlined(lines: &[String]) -> Fields {
    let split = |line: &String| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()));
    lines.iter().map(|line| split(line).expect("name: value")).collect()
}

/// What the code makes now.
pub(crate) fn document() -> Document {
    let signer = signer();
    Document {
        about: "Tickets of Repono. Times are Unix seconds. `accepted` verify at `now`; each of `refused` \
            is refused at its own `now`, for the expected reason."
            .to_owned(),
        now: NOW,
        key: Key {
            seed: SEED.to_owned(),
            public: HEXLOWER.encode(signer.public_key()),
            kid: signer.kid().to_string(),
        },
        accepted: [("plain", claims()), ("with a scope", scoped()), ("the longest names", longest())]
            .into_iter()
            .map(|(name, claims)| accepted(name, &signer, &claims))
            .collect(),
        refused: refusals(),
    }
}

fn longest() -> Claims {
    Claims {
        account: "a".repeat(256).parse().expect("name"),
        user: "u".repeat(128).parse().expect("name"),
        application: "p".repeat(128).parse().expect("name"),
        expiry: NOW + 3600,
        scope: Some(Scope::parse(format!("p=/{}", "s".repeat(1021)).as_bytes()).expect("scope")),
        ..claims()
    }
}

fn accepted(name: &str, signer: &TicketSigner, claims: &Claims) -> Accepted {
    let ticket = issue(signer, claims);
    Accepted {
        name: name.to_owned(),
        account: claims.account.to_string(),
        user: claims.user.to_string(),
        application: claims.application.to_string(),
        expiry: claims.expiry,
        salt: claims.salt.to_string(),
        scope: claims.scope.as_ref().map(ToString::to_string),
        headers: lines(&fields(&ticket)),
        token: ticket.token(),
    }
}

/// What a head says to these fields, by memory and without it.
pub(crate) fn head_says(fields: &Fields, now: u64, memory: &mut Memory) -> Result<Verified, Refused> {
    let signer = signer();
    let keys = VerifyingKeys::new([(signer.kid(), signer.public_key(), KeyState::Active)]).expect("one key");
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"/").expect("small");
    for (name, value) in fields {
        head.push(name.as_bytes(), value.as_bytes()).expect("small");
    }
    let presented = Presented::from_head(&head)?.ok_or(Malformed::Missing)?;
    let verified = verify(&presented, &keys, now);
    let remembered = memory.check(&presented, &keys, now);
    assert_eq!(verified.as_ref().map(Verified::salt), remembered.as_ref().map(Verified::salt));
    verified
}

/// Checks what a file holds, with a memory that has seen every accepted ticket.
pub(crate) fn check(document: &Document) {
    let mut memory = Memory::new(256);
    for vector in &document.accepted {
        let token = vec![("X-Auth-Token".to_owned(), vector.token.clone())];
        let storage = vec![("x-storage-token".to_owned(), vector.token.clone())];
        for fields in [&unlined(&vector.headers), &token, &storage] {
            let proof = head_says(fields, document.now, &mut memory).expect(&vector.name);
            assert_eq!(proof.account().as_str(), vector.account);
            assert_eq!(proof.user().as_str(), vector.user);
            assert_eq!(proof.application().as_str(), vector.application);
            assert_eq!(proof.expiry(), vector.expiry);
            assert_eq!(proof.salt().to_string(), vector.salt);
            assert_eq!(proof.kid().to_string(), document.key.kid);
            assert_eq!(proof.scope().map(ToString::to_string), vector.scope);
        }
    }
    for vector in &document.refused {
        let refused = head_says(&unlined(&vector.headers), vector.now, &mut memory).expect_err(&vector.name);
        assert_eq!(name_of(refused), vector.expected, "{}", vector.name);
    }
}

pub(crate) fn name_of(refused: Refused) -> &'static str {
    match refused {
        Refused::Malformed(Malformed::Missing) => "missing",
        Refused::Malformed(Malformed::Duplicate) => "duplicate",
        Refused::Malformed(Malformed::Form) => "form",
        Refused::Signature => "signature",
        Refused::Expired => "expired",
        Refused::TooLong => "too long",
    }
}

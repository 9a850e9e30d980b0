//! One fixed key, one fixed ticket, for the tests of this crate.

use data_encoding::HEXLOWER;
use repono_core::request::{Method, RequestHead, Version};

use crate::keyring::KeyState;
use crate::{Claims, Malformed, Presented, Salt, TicketSigner, VerifyingKeys};

/// When the incident's request was answered.
pub(crate) const NOW: u64 = 1_439_686_983;

/// The key of RFC 8032 section 7.1, test 2.
pub(crate) fn signer() -> TicketSigner {
    signer_of("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
}

pub(crate) fn signer_of(seed: &str) -> TicketSigner {
    let document = format!("302e020100300506032b657004220420{seed}");
    TicketSigner::from_pkcs8(&HEXLOWER.decode(document.as_bytes()).expect("hex")).expect("key")
}

pub(crate) fn keys() -> VerifyingKeys {
    keys_in(KeyState::Active)
}

pub(crate) fn keys_in(state: KeyState) -> VerifyingKeys {
    let signer = signer();
    VerifyingKeys::new([(signer.kid(), signer.public_key(), state)]).expect("one key")
}

pub(crate) fn claims() -> Claims {
    let mut salt = [0; 16];
    salt[..12].copy_from_slice(b"twelve bytes");
    salt[12..].copy_from_slice(&u32::try_from(NOW).expect("before 2106").to_be_bytes());
    Claims {
        account: "acme".parse().expect("name"),
        user: "alice".parse().expect("name"),
        application: "reader.v2".parse().expect("name"),
        expiry: NOW + 1200,
        salt: Salt::from_bytes(salt),
        scope: None,
    }
}

pub(crate) fn head<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> RequestHead {
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"/v1/acme/docs/a").expect("small");
    head.push(b"Host", b"localhost").expect("small");
    for (name, value) in fields {
        head.push(name.as_ref(), value.as_ref()).expect("small");
    }
    head
}

pub(crate) fn presented(head: &RequestHead) -> Presented<'_> {
    offered(head).expect("form").expect("a ticket")
}

pub(crate) fn offered(head: &RequestHead) -> Result<Option<Presented<'_>>, Malformed> {
    Presented::from_head(head)
}

//! No single byte of a ticket can be changed.

#![expect(clippy::expect_used, reason = "a test or measurement that cannot begin must end")]

use proptest::prelude::{any, prop_assert, proptest};
use repono_core::request::{Method, RequestHead, Version};
use repono_ticket::keyring::KeyState;
use repono_ticket::{Claims, Memory, Presented, Salt, Scope, TicketSigner, VerifyingKeys, issue, verify};

const NOW: u64 = 1_439_686_983;

fn claims() -> Claims {
    Claims {
        account: "acme".parse().expect("name"),
        user: "alice".parse().expect("name"),
        application: "reader.v2".parse().expect("name"),
        expiry: NOW + 1200,
        salt: Salt::from_bytes([0x5a; 16]),
        scope: Some(Scope::parse(b"m=GET;p=/v1/acme/docs/").expect("scope")),
    }
}

fn head(fields: &[(&'static str, Vec<u8>)]) -> RequestHead {
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"/").expect("small");
    for (name, value) in fields {
        head.push(name.as_bytes(), value).expect("small");
    }
    head
}

/// Changes one byte and asks twice: afresh, and with a memory that knows the ticket.
fn stays_refused(mut fields: Vec<(&'static str, Vec<u8>)>, which: usize, at: usize, flip: u8) -> bool {
    let (signer, _) = TicketSigner::generate().expect("random");
    let ticket = issue(&signer, &claims());
    if fields.is_empty() {
        fields = ticket.headers().into_iter().map(|(n, v)| (n, v.into_bytes())).collect();
    } else {
        fields[0].1 = ticket.token().into_bytes();
    }
    let keys = VerifyingKeys::new([(signer.kid(), signer.public_key(), KeyState::Active)]).expect("one key");
    let mut memory = Memory::new(8);
    let good = head(&fields);
    let known = memory.check(&Presented::from_head(&good).expect("form").expect("ticket"), &keys, NOW);
    assert!(known.is_ok());
    let which = which % fields.len();
    let len = fields[which].1.len();
    fields[which].1[at % len] ^= flip;
    let spoiled = head(&fields);
    match Presented::from_head(&spoiled) {
        Ok(Some(presented)) => {
            verify(&presented, &keys, NOW).is_err() && memory.check(&presented, &keys, NOW).is_err()
        }
        Ok(None) | Err(_) => true,
    }
}

proptest! {
    #[test]
    fn of_its_headers(which in 0_usize..6, at in any::<usize>(), flip in 1_u8..=255) {
        prop_assert!(stays_refused(Vec::new(), which, at, flip));
    }

    #[test]
    fn of_its_token(at in any::<usize>(), flip in 1_u8..=255) {
        prop_assert!(stays_refused(vec![("x-auth-token", Vec::new())], 0, at, flip));
    }
}

use proptest::prelude::{any, prop_assert_eq, proptest};
use repono_core::id::VersionId;

use super::{
    PREAUTH_LIFE_MAX_S, PreauthClaims, PreauthFlags, PreauthRefused, append_preauth_uri, mint, verify_preauth,
};
use crate::fixture::{NOW, claims, head, keys, presented, signer};
use crate::keyring::KeyringError;
use crate::{Claims, PreauthKeys, Scope, Verified, issue, verify};

const SECRET: [u8; 32] = *b"thirty-two bytes, shared by all.";
const OLD: [u8; 32] = *b"thirty-two bytes of the last one";

fn ring() -> PreauthKeys {
    PreauthKeys::new((7, &SECRET), [(6, &OLD)]).expect("two keys")
}

fn granted() -> PreauthClaims {
    PreauthClaims {
        expiry_s: u32::try_from(NOW + 600).expect("before 2106"),
        flags: PreauthFlags::NONE,
        user_id: 3,
        application_id: 5,
        version: VersionId::from_u64(0x0123_4567_89ab_cdef).expect("63 bits"),
        salt_prefix: [1, 2, 3, 4, 5],
    }
}

fn minted() -> (String, String) {
    let (handle, token) = mint(&ring(), &granted(), "acme", "orig.pdf");
    (handle, token.strip_prefix("PREA_").expect("prefix").to_owned())
}

fn ticket(claims: &Claims) -> Verified {
    let head = head(issue(&signer(), claims).headers());
    verify(&presented(&head), &keys(), NOW).expect("a good ticket")
}

#[test]
fn what_was_granted_comes_back() {
    let (handle, token) = minted();
    assert_eq!(handle.len(), 56);
    let proof = verify_preauth(&ring(), "acme", handle.as_bytes(), "orig.pdf", token.as_bytes(), NOW)
        .expect("a good URI");
    assert_eq!(proof.claims, granted());
    assert_eq!(proof.key_id(), 7);
    assert_eq!((proof.user_id(), proof.application_id(), proof.expiry()), (3, 5, NOW + 600));
    assert_eq!((proof.version(), proof.salt_prefix()), (granted().version, [1, 2, 3, 4, 5]));
    assert_eq!(proof.flags(), PreauthFlags::NONE);
}

#[test]
fn the_uri_is_the_handle_and_the_token() {
    let mut uri = b"before ".to_vec();
    append_preauth_uri(&ring(), &granted(), "acme", "a b/\u{e9}?.pdf", &mut uri);
    let (handle, token) = mint(&ring(), &granted(), "acme", "a b/\u{e9}?.pdf");
    let expected = format!("before /acme/{handle}/a%20b%2F%C3%A9%3F.pdf?token={token}");
    assert_eq!(String::from_utf8(uri), Ok(expected));
}

#[test]
fn it_ends_at_its_expiry_and_never_lives_longer_than_it_may() {
    let (handle, token) = minted();
    let at = |now| {
        verify_preauth(&ring(), "acme", handle.as_bytes(), "orig.pdf", token.as_bytes(), now).map(|_| ())
    };
    assert_eq!(at(NOW + 599), Ok(()));
    assert_eq!(at(NOW + 600), Err(PreauthRefused));
    assert_eq!(at(NOW + 600 - PREAUTH_LIFE_MAX_S - 30), Ok(()));
    assert_eq!(at(NOW + 600 - PREAUTH_LIFE_MAX_S - 31), Err(PreauthRefused));
}

#[test]
fn every_part_is_bound() {
    let (handle, token) = minted();
    let check = |account: &str, handle: &str, name: &str, token: &str| {
        verify_preauth(&ring(), account, handle.as_bytes(), name, token.as_bytes(), NOW).map(|_| ())
    };
    assert_eq!(check("acme", &handle, "orig.pdf", &token), Ok(()));
    for (account, name) in [("acme", "Orig.pdf"), ("globex", "orig.pdf"), ("acmeo", "rig.pdf"), ("", "")] {
        assert_eq!(check(account, &handle, name, &token), Err(PreauthRefused), "{account} {name}");
    }
    let (other, other_token) = mint(&ring(), &PreauthClaims { user_id: 4, ..granted() }, "acme", "orig.pdf");
    assert_eq!(check("acme", &other, "orig.pdf", &token), Err(PreauthRefused));
    assert_eq!(check("acme", &handle, "orig.pdf", &other_token[5..]), Err(PreauthRefused));
    assert_eq!(check("acme", &handle.to_uppercase(), "orig.pdf", &token), Err(PreauthRefused));
    assert_eq!(check("acme", &handle, "orig.pdf", &token.to_uppercase()), Err(PreauthRefused));
    assert_eq!(check("acme", &handle[2..], "orig.pdf", &token), Err(PreauthRefused));
    assert_eq!(check("acme", &handle, "orig.pdf", &token[..54]), Err(PreauthRefused));
    assert_eq!(check("acme", &handle, "orig.pdf", &format!("{token}00")), Err(PreauthRefused));
    assert_eq!(check("acme", "", "orig.pdf", ""), Err(PreauthRefused));
}

#[test]
fn old_keys_verify_and_unknown_ones_do_not() {
    let check = |minting: &PreauthKeys, checking: &PreauthKeys| {
        let (handle, token) = mint(minting, &granted(), "acme", "orig.pdf");
        verify_preauth(checking, "acme", handle.as_bytes(), "orig.pdf", &token.as_bytes()[5..], NOW).is_ok()
    };
    let old = PreauthKeys::new((6, &OLD), []).expect("one key");
    let same_id = PreauthKeys::new((7, &OLD), []).expect("one key");
    let unknown = PreauthKeys::new((9, &SECRET), []).expect("one key");
    assert!(check(&old, &ring()));
    assert!(!check(&same_id, &ring()));
    assert!(!check(&unknown, &ring()));
    let twice = PreauthKeys::new((7, &SECRET), [(7, &OLD)]);
    assert!(matches!(twice, Err(KeyringError::Duplicate)));
    let many: Vec<(u8, &[u8; 32])> = (0..=63).map(|id| (id, &OLD)).collect();
    assert!(matches!(PreauthKeys::new((200, &SECRET), many), Err(KeyringError::TooMany)));
}

#[test]
fn other_versions_and_unknown_flags_are_refused_although_the_token_holds() {
    for (at, value) in [(0, 2), (6, 1), (15, 0x80)] {
        let mut handle = granted().handle(7);
        handle[at] = value;
        let ring = ring();
        let (_, key) = ring.active();
        let token = super::tag(key, &handle, "acme", "orig.pdf");
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes).into_bytes();
        let checked = verify_preauth(&ring, "acme", &hex(&handle), "orig.pdf", &hex(&token), NOW);
        assert_eq!(checked.map(|_| ()), Err(PreauthRefused), "byte {at}");
    }
}

#[test]
fn a_ticket_gives_no_more_than_it_has() {
    let version = granted().version;
    let from = |ticket: &Verified, now| PreauthClaims::for_ticket(ticket, now, 3, 5, version);
    let full = from(&ticket(&claims()), NOW).expect("a live ticket");
    assert_eq!(u64::from(full.expiry_s), NOW + PREAUTH_LIFE_MAX_S);
    assert_eq!(full.salt_prefix, claims().salt.prefix());
    let short = from(&ticket(&Claims { expiry: NOW + 10, ..claims() }), NOW).expect("a live ticket");
    assert_eq!(u64::from(short.expiry_s), NOW + 10);
    assert_eq!(from(&ticket(&claims()), NOW + 1200), None);
    for (scope, expected) in [("p=/v1/acme/", true), ("m=GET", false), ("ip=10.0.0.0/8", false)] {
        let scope = Some(Scope::parse(scope.as_bytes()).expect("scope"));
        assert_eq!(from(&ticket(&Claims { scope, ..claims() }), NOW).is_some(), expected);
    }
}

proptest! {
    #[test]
    fn no_single_byte_can_be_changed(which in 0_usize..4, at in any::<usize>(), flip in 1_u8..=255) {
        let (handle, token) = minted();
        let mut parts = [b"acme".to_vec(), handle.into_bytes(), b"orig.pdf".to_vec(), token.into_bytes()];
        let len = parts[which].len();
        parts[which][at % len] ^= flip;
        let [account, handle, name, token] = &parts;
        if let (Ok(account), Ok(name)) = (str::from_utf8(account), str::from_utf8(name)) {
            let checked = verify_preauth(&ring(), account, handle, name, token, NOW).map(|_| ());
            prop_assert_eq!(checked, Err(PreauthRefused));
        }
    }
}

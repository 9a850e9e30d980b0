use repono_core::id::VersionId;

use super::{Revocations, TooManyRevocations};
use crate::fixture::{NOW, claims, head, keys, presented, signer};
use crate::{
    Claims, PREAUTH_LIFE_MAX_S, PreauthClaims, PreauthKeys, Salt, Verified, VerifiedPreauth, issue, mint,
    verify, verify_preauth,
};

const USER: u32 = 3;
const APPLICATION: u32 = 5;

fn ticket(claims: &Claims) -> Verified {
    let head = head(issue(&signer(), claims).headers());
    verify(&presented(&head), &keys(), NOW).expect("a good ticket")
}

fn issued_at(second: u64) -> Verified {
    let mut salt = *claims().salt.as_bytes();
    salt[12..].copy_from_slice(&u32::try_from(second).expect("before 2106").to_be_bytes());
    ticket(&Claims { salt: Salt::from_bytes(salt), ..claims() })
}

fn preauth(minted_at: u64) -> VerifiedPreauth {
    let keys = PreauthKeys::new((1, &[9; 32]), []).expect("one key");
    let version = VersionId::from_u64(1).expect("63 bits");
    let claims = PreauthClaims {
        expiry_s: u32::try_from(minted_at + PREAUTH_LIFE_MAX_S).expect("before 2106"),
        ..PreauthClaims::for_ticket(&ticket(&claims()), NOW, USER, APPLICATION, version).expect("live")
    };
    let (handle, token) = mint(&keys, &claims, "acme", "a");
    verify_preauth(&keys, "acme", handle.as_bytes(), "a", &token.as_bytes()[5..], minted_at).expect("good")
}

fn none() -> [(u32, u64); 0] {
    []
}

#[test]
fn nothing_is_revoked_by_default() {
    let empty = Revocations::default();
    assert!(!empty.ticket_revoked(&ticket(&claims()), USER, APPLICATION));
    assert!(!empty.preauth_revoked(&preauth(NOW)));
}

#[test]
fn one_ticket_and_its_links() {
    let revoked = Revocations::build(NOW, [(claims().salt, claims().expiry)], none(), none()).expect("few");
    assert!(revoked.ticket_revoked(&ticket(&claims()), USER, APPLICATION));
    assert!(revoked.preauth_revoked(&preauth(NOW)));
    let mut other = *claims().salt.as_bytes();
    other[0] ^= 1;
    let other = ticket(&Claims { salt: Salt::from_bytes(other), ..claims() });
    assert!(!revoked.ticket_revoked(&other, USER, APPLICATION));
}

#[test]
fn expired_salts_are_dropped() {
    let salts = [(claims().salt, NOW - 31), (Salt::from_bytes([7; 16]), NOW - 30)];
    let revoked = Revocations::build(NOW, salts, none(), none()).expect("few");
    assert_eq!(revoked.salts(), 1);
    assert!(!revoked.ticket_revoked(&ticket(&claims()), USER, APPLICATION));
}

#[test]
fn users_and_applications_up_to_the_second() {
    let user = Revocations::build(NOW, [], [(USER, NOW), (USER, NOW - 50)], none()).expect("few");
    let application = Revocations::build(NOW, [], none(), [(APPLICATION, NOW)]).expect("few");
    for (revoked, ids, other) in
        [(user, (USER, 0), (USER + 1, APPLICATION)), (application, (0, APPLICATION), (USER, 0))]
    {
        assert!(revoked.ticket_revoked(&issued_at(NOW - 1), ids.0, ids.1));
        assert!(revoked.ticket_revoked(&issued_at(NOW), ids.0, ids.1));
        assert!(!revoked.ticket_revoked(&issued_at(NOW + 1), ids.0, ids.1));
        assert!(!revoked.ticket_revoked(&issued_at(NOW), other.0, other.1));
        assert!(revoked.preauth_revoked(&preauth(NOW)));
        assert!(!revoked.preauth_revoked(&preauth(NOW + 1)));
    }
}

#[test]
fn too_many_are_an_error_never_a_gap() {
    let many = (0..=u32::try_from(Revocations::MAX).expect("small")).map(|user| (user, NOW));
    assert_eq!(Revocations::build(NOW, [], many, none()).map(|_| ()), Err(TooManyRevocations));
}

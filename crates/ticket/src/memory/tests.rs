use rand::{SeedableRng, rngs::StdRng};

use super::Memory;
use crate::fixture::{NOW, claims, head, keys, keys_in, presented, signer};
use crate::keyring::KeyState;
use crate::{CLOCK_SKEW_S, Claims, Refused, Salt, Scope, issue};

fn headers(claims: &Claims) -> repono_core::request::RequestHead {
    head(issue(&signer(), claims).headers())
}

fn numbered(n: u64) -> Claims {
    Claims { salt: Salt::new(NOW, &mut StdRng::seed_from_u64(n)), ..claims() }
}

#[test]
fn a_ticket_is_remembered_in_both_forms() {
    let mut memory = Memory::new(64);
    assert!(memory.is_empty());
    let ticket = issue(&signer(), &claims());
    for fields in [ticket.headers(), vec![("x-auth-token", ticket.token())]] {
        let head = head(fields);
        for _ in 0..3 {
            let verified = memory.check(&presented(&head), &keys(), NOW).expect("a good ticket");
            assert_eq!(verified.salt(), claims().salt);
        }
    }
    assert_eq!(memory.len(), 2);
    assert!(memory.holds(&presented(&headers(&claims()))));
    assert!(!memory.holds(&presented(&headers(&numbered(1)))));
}

#[test]
fn a_remembered_ticket_expires() {
    let mut memory = Memory::new(64);
    let head = headers(&claims());
    let check = |memory: &mut Memory, now| memory.check(&presented(&head), &keys(), now).map(|_| ());
    assert_eq!(check(&mut memory, NOW), Ok(()));
    assert_eq!(check(&mut memory, claims().expiry + CLOCK_SKEW_S), Ok(()));
    assert_eq!(check(&mut memory, claims().expiry + CLOCK_SKEW_S + 1), Err(Refused::Expired));
    assert_eq!(memory.len(), 0);
    assert_eq!(check(&mut memory, NOW), Ok(()));
    // The clock goes back by two hours.
    assert_eq!(check(&mut memory, NOW - 7200), Err(Refused::TooLong));
    assert_eq!(memory.len(), 0);
}

#[test]
fn a_remembered_ticket_dies_with_its_key() {
    let mut memory = Memory::new(64);
    let head = headers(&claims());
    assert!(memory.check(&presented(&head), &keys(), NOW).is_ok());
    let verify_only = keys_in(KeyState::VerifyOnly);
    assert!(memory.check(&presented(&head), &verify_only, NOW).is_ok());
    let dead = keys_in(KeyState::Dead);
    assert_eq!(memory.check(&presented(&head), &dead, NOW).map(|_| ()), Err(Refused::Signature));
    assert_eq!(memory.len(), 0);
    assert_eq!(memory.check(&presented(&head), &dead, NOW).map(|_| ()), Err(Refused::Signature));
}

#[test]
fn refusals_are_not_remembered() {
    let mut memory = Memory::new(64);
    let expired = headers(&Claims { expiry: NOW - 3600, ..claims() });
    assert_eq!(memory.check(&presented(&expired), &keys(), NOW).map(|_| ()), Err(Refused::Expired));
    assert_eq!(memory.len(), 0);
}

#[test]
fn the_table_is_bounded_and_never_mixes_up_two_tickets() {
    for capacity in [0, 1, 32] {
        let mut memory = Memory::new(capacity);
        let heads: Vec<_> = (0..100).map(|n| (numbered(n).salt, headers(&numbered(n)))).collect();
        for (salt, head) in heads.iter().chain(heads.iter().rev()) {
            let verified = memory.check(&presented(head), &keys(), NOW).expect("a good ticket");
            assert_eq!(verified.salt(), *salt);
            assert!(memory.len() <= capacity.max(Memory::WAYS));
        }
    }
}

#[test]
fn every_presented_value_belongs_to_the_key() {
    let mut memory = Memory::new(64);
    let good = issue(&signer(), &claims()).headers();
    assert!(memory.check(&presented(&head(good.clone())), &keys(), NOW).is_ok());
    let other = issue(&signer(), &numbered(1)).headers();
    for at in 0..good.len() {
        let mut mixed = good.clone();
        mixed[at].1.clone_from(&other[at].1);
        let expected = if mixed == good { Ok(()) } else { Err(Refused::Signature) };
        assert_eq!(memory.check(&presented(&head(mixed)), &keys(), NOW).map(|_| ()), expected);
    }
    let mut narrowed = good;
    narrowed.push(("x-auth-scope", Scope::parse(b"m=GET").expect("scope").to_string()));
    let refused = memory.check(&presented(&head(narrowed)), &keys(), NOW).map(|_| ());
    assert_eq!(refused, Err(Refused::Signature));
}

#[test]
fn the_expired_make_room_first_then_the_longest_unused() {
    let mut memory = Memory::new(1);
    let short = headers(&Claims { expiry: NOW + 1, ..numbered(100) });
    let kept = headers(&numbered(0));
    assert!(memory.check(&presented(&kept), &keys(), NOW).is_ok());
    assert!(memory.check(&presented(&short), &keys(), NOW).is_ok());
    for n in 1..7 {
        assert!(memory.check(&presented(&headers(&numbered(n))), &keys(), NOW).is_ok());
    }
    assert_eq!(memory.len(), Memory::WAYS);
    let later = NOW + 2 + CLOCK_SKEW_S;
    assert!(memory.check(&presented(&headers(&numbered(8))), &keys(), later).is_ok());
    assert_eq!(memory.len(), Memory::WAYS);
    let salts = |memory: &Memory| memory.sets[0].iter().map(|e| e.verified.salt()).collect::<Vec<_>>();
    assert!(salts(&memory).contains(&numbered(0).salt) && !salts(&memory).contains(&numbered(100).salt));
    assert!(memory.check(&presented(&kept), &keys(), later).is_ok());
    assert!(memory.check(&presented(&headers(&numbered(9))), &keys(), later).is_ok());
    assert!(salts(&memory).contains(&numbered(0).salt) && !salts(&memory).contains(&numbered(1).salt));
}

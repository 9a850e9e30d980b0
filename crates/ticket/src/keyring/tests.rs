use super::{
    KeyRow, KeyState, KeyringError, PENDING_S, Role, RotationError, TransitionError, active, active_signer,
    advance, new_preauth_key, new_ticket_key, new_tls_ticket_key, open_secret, open_signer, retire, rotate,
    verify_only_s,
};
use crate::fixture::{NOW, claims, head, presented};
use crate::seal::{MasterKey, SealError};
use crate::{PreauthKeys, Refused, VerifyingKeys, issue, verify};

fn master() -> MasterKey {
    MasterKey::from_bytes(*b"a master key of thirty-two bytes").expect("key")
}

fn stranger() -> MasterKey {
    MasterKey::from_bytes(*b"another key of thirty-two bytes!").expect("key")
}

fn states(rows: &[KeyRow]) -> Vec<KeyState> {
    rows.iter().map(|row| row.state).collect()
}

fn add_ticket_key(rows: &[KeyRow], now: u64) -> Vec<KeyRow> {
    rotate(rows, Role::Ticket, now, new_ticket_key(&master(), now).expect("key")).expect("rotated")
}

#[test]
fn states_follow_one_line() {
    for from in KeyState::ALL {
        assert_eq!(KeyState::parse(from.as_str()), Some(from));
        for to in KeyState::ALL {
            let allowed = matches!(
                (from, to),
                (KeyState::Pending, KeyState::Active)
                    | (KeyState::Active, KeyState::VerifyOnly)
                    | (KeyState::VerifyOnly, KeyState::Dead)
            );
            let expected = if allowed { Ok(to) } else { Err(TransitionError { from, to }) };
            assert_eq!(from.transition(to), expected);
        }
    }
    assert!(Role::ALL.into_iter().all(|role| Role::parse(role.as_str()) == Some(role)));
    let text = TransitionError { from: KeyState::Dead, to: KeyState::Active }.to_string();
    assert_eq!(text, "a key cannot go from dead to active");
}

#[test]
fn the_first_key_is_active_at_once_and_the_next_after_it_is_known() {
    use KeyState::{Active, Dead, Pending, VerifyOnly};
    let first = add_ticket_key(&[], NOW);
    assert_eq!(states(&first), [Active]);
    assert_eq!(first[0].active_from_s, Some(NOW));
    let rows = add_ticket_key(&first, NOW);
    assert_eq!(states(&rows), [Active, Pending]);
    assert_eq!(advance(&rows, NOW + PENDING_S - 1), rows);
    let handed = advance(&rows, NOW + PENDING_S);
    assert_eq!(states(&handed), [VerifyOnly, Active]);
    let until = NOW + PENDING_S + 3630;
    assert_eq!((handed[0].verify_until_s, handed[1].active_from_s), (Some(until), Some(NOW + PENDING_S)));
    assert_eq!(advance(&handed, until), handed);
    let over = advance(&handed, until + 1);
    assert_eq!(states(&over), [Dead, Active]);
    assert!(over[0].sealed.is_empty() && !over[1].sealed.is_empty());
}

#[test]
fn tickets_hold_through_a_rotation() {
    let rows = add_ticket_key(&add_ticket_key(&[], NOW), NOW);
    let old = active_signer(&rows, &master()).expect("active");
    let stale = VerifyingKeys::from_rows(&rows).expect("keys");
    let rows = advance(&rows, NOW + PENDING_S);
    let new = active_signer(&rows, &master()).expect("active");
    assert_ne!(old.kid(), new.kid());
    let fresh = VerifyingKeys::from_rows(&rows).expect("keys");
    let over = VerifyingKeys::from_rows(&advance(&rows, NOW + 10_000)).expect("keys");
    let by = |signer, keys: &VerifyingKeys| {
        let head = head(issue(signer, &claims()).headers());
        verify(&presented(&head), keys, NOW).map(|_| ())
    };
    assert_eq!((by(&old, &stale), by(&new, &stale)), (Ok(()), Ok(())));
    assert_eq!((by(&old, &fresh), by(&new, &fresh)), (Ok(()), Ok(())));
    assert_eq!((by(&old, &over), by(&new, &over)), (Err(Refused::Signature), Ok(())));
}

#[test]
fn a_stolen_key_ends_at_once() {
    let rows = add_ticket_key(&[], NOW);
    let id = rows[0].id.clone();
    let retired = retire(&rows, Role::Ticket, &id, NOW + 5).expect("retired");
    assert_eq!(states(&retired), [KeyState::Dead]);
    assert_eq!(retired[0].verify_until_s, Some(NOW + 5));
    assert!(retired[0].sealed.is_empty());
    assert_eq!(active_signer(&retired, &master()).map(|_| ()), Err(KeyringError::NoActive));
    assert_eq!(open_signer(&retired[0], &master()).map(|_| ()), Err(KeyringError::Dead));
    assert_eq!(retire(&retired, Role::Ticket, &id, NOW), Err(RotationError::NoSuchKey));
    assert_eq!(retire(&rows, Role::Preauth, &id, NOW), Err(RotationError::NoSuchKey));
    let rows = add_ticket_key(&retired, NOW + 5);
    assert_eq!(states(&rows), [KeyState::Dead, KeyState::Active]);
}

#[test]
fn what_cannot_be_rotated_changes_nothing() {
    let rows = add_ticket_key(&[], NOW);
    let again = rotate(&rows, Role::Ticket, NOW, KeyRow { state: KeyState::Pending, ..rows[0].clone() });
    assert_eq!(again, Err(RotationError::Duplicate));
    assert_eq!(rotate(&rows, Role::Ticket, NOW, rows[0].clone()), Err(RotationError::NotNew));
    let other = new_tls_ticket_key(&master(), NOW).expect("key");
    assert_eq!(rotate(&rows, Role::Ticket, NOW, other), Err(RotationError::NotNew));
    let pending = add_ticket_key(&rows, NOW);
    let third = new_ticket_key(&master(), NOW).expect("key");
    assert_eq!(rotate(&pending, Role::Ticket, NOW, third), Err(RotationError::UnderWay));
}

#[test]
fn roles_rotate_apart_and_preauth_numbers_come_back_late() {
    let mut rows = add_ticket_key(&[], NOW);
    let mut now = NOW;
    for round in 1_u32..=300 {
        let row = new_preauth_key(&master(), &rows, now).expect("key");
        assert_eq!(row.id, format!("{:02x}", round % 256));
        rows = rotate(&rows, Role::Preauth, now, row).expect("rotated");
        now += verify_only_s(Role::Preauth) + PENDING_S + 1;
        rows = advance(&advance(&rows, now), now + 1);
    }
    assert_eq!(active(&rows, Role::Ticket).map(|row| row.state), Some(KeyState::Active));
    assert_eq!(rows.iter().filter(|row| row.role == Role::Preauth).count(), 256);
    let live: Vec<_> = rows.iter().filter(|row| row.role == Role::Preauth && row.state.verifies()).collect();
    assert_eq!(live.len(), 2);
    assert!(PreauthKeys::from_rows(&rows, &master()).is_ok());
}

#[test]
fn rows_open_with_their_master_key_in_their_place_only() {
    let rows = add_ticket_key(&[], NOW);
    let wrong_master = Err(KeyringError::Seal(SealError::Opening));
    assert_eq!(active_signer(&rows, &stranger()).map(|_| ()), wrong_master);
    assert_eq!(open_secret(&rows[0], &master()).map(|_| ()), Err(KeyringError::Role));
    let renamed = KeyRow { id: "00000000".into(), ..rows[0].clone() };
    assert_eq!(open_signer(&renamed, &master()).map(|_| ()), wrong_master);
    let swapped = KeyRow { public: vec![0; 32], ..rows[0].clone() };
    assert_eq!(open_signer(&swapped, &master()).map(|_| ()), Err(KeyringError::Id));
    assert_eq!(VerifyingKeys::from_rows(&[swapped]).map(|_| ()), Err(KeyringError::Id));
    let tls = new_tls_ticket_key(&master(), NOW).expect("key");
    assert_eq!(open_secret(&tls, &master()).expect("opened").len(), 32);
    assert_eq!(open_signer(&tls, &master()).map(|_| ()), Err(KeyringError::Role));
    let short = KeyRow { sealed: master().seal("tls-ticket", &tls.id, b"short").expect("sealed"), ..tls };
    assert_eq!(open_secret(&short, &master()).map(|_| ()), Err(KeyringError::Rejected));
    assert!(!format!("{rows:?}").contains("sealed"));
}

#[test]
fn keys_from_rows_are_sound_or_refused() {
    let row = new_preauth_key(&master(), &[], NOW).expect("key");
    let from = |rows: &[KeyRow]| PreauthKeys::from_rows(rows, &master()).map(|_| ());
    assert_eq!(from(std::slice::from_ref(&row)), Err(KeyringError::NoActive));
    let first = KeyRow { state: KeyState::Active, ..row };
    assert_eq!(from(std::slice::from_ref(&first)), Ok(()));
    let second = new_preauth_key(&master(), std::slice::from_ref(&first), NOW).expect("key");
    assert_eq!(from(&[first.clone(), second.clone()]), Ok(()));
    let second = KeyRow { state: KeyState::Active, ..second };
    assert_eq!(from(&[first.clone(), second]), Err(KeyringError::Duplicate));
    assert_eq!(from(&[KeyRow { id: "1".into(), ..first }]), Err(KeyringError::Id));
    let ticket = add_ticket_key(&[], NOW);
    let twice = [ticket[0].clone(), ticket[0].clone()];
    assert_eq!(VerifyingKeys::from_rows(&twice).map(|_| ()), Err(KeyringError::Duplicate));
    let kid = crate::KeyId::from_bytes([1; 4]);
    let short = VerifyingKeys::new([(kid, &[0_u8; 31][..], KeyState::Active)]);
    assert_eq!(short.map(|_| ()), Err(KeyringError::Rejected));
    let public = ticket[0].public.as_slice();
    let numbered = |n: usize| crate::KeyId::from_bytes(u32::try_from(n).expect("small").to_be_bytes());
    let many = |count: usize| {
        VerifyingKeys::new((0..count).map(|n| (numbered(n), public, KeyState::VerifyOnly))).map(|_| ())
    };
    assert_eq!(many(VerifyingKeys::KEYS_MAX), Ok(()));
    assert_eq!(many(VerifyingKeys::KEYS_MAX + 1), Err(KeyringError::TooMany));
}

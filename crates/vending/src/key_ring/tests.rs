use repono_ticket::MasterKey;
use repono_ticket::keyring::{KeyRow, KeyState, PENDING_S, Role, RotationError, active};

use repono_store::rights::key_rows;

use super::{Masters, RingError, changed, complete, revoke, rotate, stored_of, tend};
use crate::limits::TLS_TICKET_KEY_AGE_MAX;

const NOW: u64 = 1_439_686_983;

fn masters() -> Masters {
    let key = |first: u8| {
        let mut bytes = [7; 32];
        bytes[0] = first;
        MasterKey::from_bytes(bytes).expect("a key")
    };
    Masters { vending: key(1), heads: key(2) }
}

fn states(rows: &[KeyRow], role: Role) -> Vec<KeyState> {
    rows.iter().filter(|row| row.role == role).map(|row| row.state).collect()
}

#[test]
fn rows_survive_the_way_through_the_store() {
    let rows = complete(&[], &masters(), NOW).expect("made");
    let rows = rotate(&rows, Role::Ticket, &masters(), NOW).expect("rotated");
    let rows =
        revoke(&rows, Role::Preauth, &active(&rows, Role::Preauth).expect("one").id.clone(), &masters(), NOW)
            .expect("revoked");
    for row in &rows {
        assert!(key_rows(&[stored_of(row)]) == [row.clone()], "{row:?}");
    }
}

#[test]
fn a_ring_is_completed_once() {
    let rows = complete(&[], &masters(), NOW).expect("made");
    for role in Role::ALL {
        assert_eq!(states(&rows, role), [KeyState::Active]);
    }
    assert!(changed(&rows, &complete(&rows, &masters(), NOW).expect("nothing to do")).is_empty());
}

#[test]
fn a_rotation_ends_as_time_goes_by() {
    let rows = complete(&[], &masters(), NOW).expect("made");
    let rows = rotate(&rows, Role::Ticket, &masters(), NOW + 1).expect("rotated");
    assert_eq!(states(&rows, Role::Ticket), [KeyState::Active, KeyState::Pending]);
    let again = rotate(&rows, Role::Ticket, &masters(), NOW + 2);
    assert!(matches!(again, Err(RingError::Rotation(RotationError::UnderWay))));
    assert!(changed(&rows, &tend(&rows, &masters(), NOW + PENDING_S).expect("tended")).is_empty());
    let rows = tend(&rows, &masters(), NOW + 1 + PENDING_S).expect("tended");
    assert_eq!(states(&rows, Role::Ticket), [KeyState::VerifyOnly, KeyState::Active]);
    let rows = tend(&rows, &masters(), NOW + 2 * 3600).expect("tended");
    assert_eq!(states(&rows, Role::Ticket), [KeyState::Dead, KeyState::Active]);
}

#[test]
fn tls_ticket_keys_are_replaced_every_day() {
    let rows = complete(&[], &masters(), NOW).expect("made");
    let day = TLS_TICKET_KEY_AGE_MAX.as_secs();
    let rows = tend(&rows, &masters(), NOW + day).expect("tended");
    assert_eq!(states(&rows, Role::TlsTicket), [KeyState::Active, KeyState::Pending]);
    assert_eq!(states(&rows, Role::Ticket), [KeyState::Active], "only these");
    let rows = tend(&rows, &masters(), NOW + day + PENDING_S).expect("tended");
    assert_eq!(states(&rows, Role::TlsTicket), [KeyState::VerifyOnly, KeyState::Active]);
    assert!(changed(&rows, &tend(&rows, &masters(), NOW + day + PENDING_S + 1).expect("tended")).is_empty());
}

#[test]
fn a_revoked_key_leaves_an_active_one_in_the_same_step() {
    let rows = complete(&[], &masters(), NOW).expect("made");
    for role in Role::ALL {
        let stolen = active(&rows, role).expect("one").id.clone();
        let after = revoke(&rows, role, &stolen, &masters(), NOW).expect("revoked");
        assert_eq!(states(&after, role), [KeyState::Dead, KeyState::Active]);
        assert!(matches!(
            revoke(&after, role, &stolen, &masters(), NOW),
            Err(RingError::Rotation(RotationError::NoSuchKey))
        ));
        // With a rotation under way its key is not lost.
        let pending = rotate(&rows, role, &masters(), NOW).expect("rotated");
        let after = revoke(&pending, role, &stolen, &masters(), NOW).expect("revoked");
        assert_eq!(states(&after, role), [KeyState::Dead, KeyState::Active]);
        // The one that only verifies dies alone.
        let done = tend(&pending, &masters(), NOW + PENDING_S).expect("tended");
        let after = revoke(&done, role, &stolen, &masters(), NOW).expect("revoked");
        assert_eq!(states(&after, role), [KeyState::Dead, KeyState::Active]);
    }
}

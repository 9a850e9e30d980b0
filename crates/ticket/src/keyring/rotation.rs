//! How keys follow each other: pure functions from rows to rows.

use super::{KeyRow, KeyState, Role};
use crate::life::{CLOCK_SKEW_S, Life};

/// Seconds that a key is pending: twice the time in which every head learns of a
/// change.
pub const PENDING_S: u64 = 10;

/// Why rows were left as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// The new key is for another role, or not pending.
    #[error("the new key is not a pending key of this role")]
    NotNew,
    /// A live key has the same id.
    #[error("a live key has the same id")]
    Duplicate,
    /// The last rotation is still under way.
    #[error("a key is pending already: wait until it is active")]
    UnderWay,
    /// No live key has this id.
    #[error("no live key has this id")]
    NoSuchKey,
}

/// Seconds for which a key of this role verifies after its last use: as long as
/// anything made with it may live.
///
/// Tickets and pre-authorized URIs: the longest ticket, and the clocks' skew. TLS
/// session tickets: 6 hours, half of what rustls' own rotation accepts.
#[must_use]
pub const fn verify_only_s(role: Role) -> u64 {
    match role {
        Role::Ticket | Role::Preauth => Life::MAX.seconds() + CLOCK_SKEW_S,
        Role::TlsTicket => 6 * 60 * 60,
    }
}

/// Adds a new key to the ring; [`advance`] does the rest as time goes by.
///
/// The new key is pending while another is active. With none active there is
/// nothing to hand over from, and it is active at once. A dead row with the new
/// key's id is replaced.
///
/// *Errors*: [`RotationError`]; nothing is changed then.
pub fn rotate(
    rows: &[KeyRow],
    role: Role,
    now_s: u64,
    new_row: KeyRow,
) -> Result<Vec<KeyRow>, RotationError> {
    if new_row.role != role || new_row.state != KeyState::Pending {
        return Err(RotationError::NotNew);
    }
    let same = |row: &KeyRow| row.role == role && row.id == new_row.id;
    if rows.iter().any(|row| same(row) && row.state.verifies()) {
        return Err(RotationError::Duplicate);
    }
    if rows.iter().any(|row| row.role == role && row.state == KeyState::Pending) {
        return Err(RotationError::UnderWay);
    }
    let mut next: Vec<KeyRow> = rows.iter().filter(|row| !same(row)).cloned().collect();
    let mut new_row = new_row;
    if super::active(rows, role).is_none() {
        step(&mut new_row, now_s);
    }
    next.push(new_row);
    Ok(next)
}

/// The rows as they must stand at `now_s`: keys pending for [`PENDING_S`] become
/// active, the ones before them verify-only, and those whose time is over dead.
///
/// *Shape*: the same rows in the same order; compare each with its predecessor to
/// see what to write.
#[must_use]
pub fn advance(rows: &[KeyRow], now_s: u64) -> Vec<KeyRow> {
    let mut next = rows.to_vec();
    for role in Role::ALL {
        let due = |row: &KeyRow| {
            let waited = now_s.saturating_sub(row.created_s) >= PENDING_S;
            row.role == role && row.state == KeyState::Pending && waited
        };
        let Some(successor) = next.iter().position(due) else { continue };
        for row in next.iter_mut().filter(|row| row.role == role && row.state == KeyState::Active) {
            step(row, now_s);
        }
        if let Some(row) = next.get_mut(successor) {
            step(row, now_s);
        }
    }
    for row in next.iter_mut().filter(|row| row.state == KeyState::VerifyOnly) {
        if row.verify_until_s.is_some_and(|until| until < now_s) {
            step(row, now_s);
        } else if row.verify_until_s.is_none() {
            row.verify_until_s = Some(now_s.saturating_add(verify_only_s(row.role)));
        }
    }
    next
}

/// Ends a key at once, whatever it made: for a key that was stolen.
///
/// It takes the remaining steps to `Dead` at `now_s`. If it was active, nothing can
/// be signed until [`rotate`] adds a key, which is active at once.
///
/// *Errors*: [`RotationError::NoSuchKey`].
pub fn retire(rows: &[KeyRow], role: Role, id: &str, now_s: u64) -> Result<Vec<KeyRow>, RotationError> {
    let mut next = rows.to_vec();
    let found = next.iter_mut().find(|row| row.role == role && row.id == id && row.state.verifies());
    let row = found.ok_or(RotationError::NoSuchKey)?;
    while row.state != KeyState::Dead {
        step(row, now_s);
    }
    row.verify_until_s = Some(now_s);
    Ok(next)
}

/// The one transition of a row, with what comes with it.
fn step(row: &mut KeyRow, now_s: u64) {
    let Some(to) = row.state.next() else { return };
    match to {
        KeyState::Pending => {}
        KeyState::Active => row.active_from_s = Some(now_s),
        KeyState::VerifyOnly => row.verify_until_s = Some(now_s.saturating_add(verify_only_s(row.role))),
        KeyState::Dead => row.sealed.clear(),
    }
    row.state = to;
}
